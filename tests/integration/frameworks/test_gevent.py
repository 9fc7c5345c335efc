"""gevent, patched before and after the import of the library: each test is a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from framework_servers import PATIENCE

BEFORE = """
from gevent import monkey; monkey.patch_all()
import retrying_elegant
"""
AFTER = """
import retrying_elegant
from gevent import monkey; monkey.patch_all()
"""
HEAD = """
import time
import gevent
from retrying_elegant import RetryBudget, Policy, given_up, instrumentation, retry, retrying

def down():
    raise ConnectionError("down")
"""

order = pytest.mark.parametrize("patched", [BEFORE, AFTER], ids=["patched first", "patched later"])


def run(patched, script):
    """What *script* prints, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", patched + HEAD + textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class TestWaits:
    """A wait lets other greenlets run."""

    @order
    def test_of_every_form(self, patched):
        """Thirty calls that wait 0.2 s each are over in less than two seconds."""
        script = """
            def decorated():
                retry(2, wait=0.2)(down)()

            def loop():
                for attempt in retrying(2, wait=0.2):
                    with attempt:
                        down()

            def block():
                with retrying(2, wait=0.2) as call:
                    call(down)

            start = time.monotonic()
            calls = [gevent.spawn(form) for form in (decorated, loop, block) * 10]
            gevent.joinall(calls)
            print(time.monotonic() - start < 2)
            print({(type(call.exception).__name__, given_up(call.exception).attempts)
                   for call in calls})
        """
        assert run(patched, script) == ["True", "{('ConnectionError', 2)}"]

    @order
    def test_can_be_ended(self, patched):
        """By `gevent.Timeout` and by `kill`: no attempt follows, the token is back."""
        script = """
            budget, calls = RetryBudget(10), []

            @retry(wait=60, budget=budget)
            def fetch():
                calls.append(True)
                down()

            start = time.monotonic()
            try:
                with gevent.Timeout(0.05):
                    fetch()
            except gevent.Timeout as error:
                print("timeout", given_up(error), len(calls), budget.tokens)

            greenlet = gevent.spawn(fetch)
            gevent.sleep(0.05)
            print("waiting", len(calls), budget.tokens)
            greenlet.kill()
            print("killed", len(calls), budget.tokens, time.monotonic() - start < 10)
        """
        assert run(patched, script) == [
            "timeout None 1 10.0",
            "waiting 2 9.0",
            "killed 2 10.0 True",
        ]


class TestSharing:
    """Greenlets share policies as threads do."""

    @order
    def test_a_budget(self, patched):
        """A hundred greenlets take no more tokens than there are."""
        script = """
            budget, retries = RetryBudget(7, refill=0), []

            @retry(3, wait=0.001, budget=budget, on_retry=retries.append)
            def fetch():
                gevent.sleep(0.001)
                down()

            calls = [gevent.spawn(fetch) for _ in range(100)]
            gevent.joinall(calls)
            print(len(retries), budget.tokens)
        """
        assert run(patched, script) == ["7 0.0"]

    @order
    def test_observers(self, patched):
        """One that lets other greenlets run misses none of their events."""
        script = """
            seen = []

            def observer(attempt):
                gevent.sleep(0.05)
                seen.append((attempt.name, attempt.number))

            def call(name):
                try:
                    retry(2, wait=0, name=name)(down)()
                except ConnectionError:
                    pass

            with instrumentation.observe(on_retry=observer, on_give_up=observer):
                gevent.joinall([gevent.spawn(call, name) for name in "abc"])
            print(sorted(seen))
        """
        expected = [(name, number) for name in "abc" for number in (1, 2)]
        assert run(patched, script) == [repr(expected)]


class TestStop:
    """An event that another greenlet sets ends a wait: `threading.Event`, or gevent's own."""

    @order
    @pytest.mark.parametrize("event", ["threading.Event", "gevent.event.Event"])
    def test_in_a_wait(self, patched, event):
        """Of a minute."""
        script = f"""
            import threading, gevent.event
            stop = {event}()
            gevent.spawn_later(0.1, stop.set)
            start = time.monotonic()
            try:
                retry(wait=60, stop=stop)(down)()
            except ConnectionError as error:
                print(given_up(error).reason, time.monotonic() - start < 10)
        """
        assert run(patched, script) == ["stopped True"]


class TestDeadline:
    """Each greenlet has a context of its own."""

    @order
    def test_in_greenlets(self, patched):
        """One that is spawned inside is not bound, unless it is handed the context."""
        script = """
            from contextvars import copy_context
            from retrying_elegant import deadline

            def current():
                return deadline.current() is not None

            with deadline(10):
                free, bound = gevent.spawn(current), gevent.spawn(copy_context().run, current)
                gevent.joinall([free, bound])
                print(free.value, bound.value, current())
        """
        assert run(patched, script) == ["False True True"]
