"""Twisted: the sync forms in its threads, the async ones under its asyncio reactor."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap

import pytest
from forms import ASYNC
from framework_servers import PATIENCE
from twisted.internet import defer

from retrying_elegant import Policy, RetryBudget, given_up, retry

HEAD = """
import asyncio
from twisted.internet import asyncioreactor
loop = asyncio.new_event_loop()
asyncioreactor.install(loop)
from twisted.internet import defer, reactor, task, threads
from retrying_elegant import given_up, retry

calls = []

def work():
    calls.append(True)
    if len(calls) < 3:
        raise ConnectionError("down")
    return "well"
"""


def run(script):
    """What *script* prints, whose `main` runs under the asyncio reactor."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + textwrap.dedent(script) + "task.react(main)\n"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class TestThreads:
    """Synchronous code in the reactor's thread pool."""

    def test_defer_to_thread(self):
        """Waits there do not hold up the reactor."""
        script = """
            @defer.inlineCallbacks
            def main(reactor):
                ticks = []
                ticking = task.LoopingCall(ticks.append, True)
                ticking.start(0.01)
                print((yield threads.deferToThread(retry(3, wait=0.1)(work))), len(calls))
                ticking.stop()
                print(len(ticks) > 5)
        """
        assert run(script) == ["well 3", "True"]


class TestAsyncioReactor:
    """Coroutines that run as tasks of asyncio, which the reactor is built on."""

    def test_from_coroutine(self):
        """`Deferred.fromFuture(loop.create_task(...))`: waits and limits are asyncio's."""
        script = """
            @retry(3, wait=0.01, attempt_timeout=5)
            async def fetch():
                await asyncio.sleep(0)
                return work()

            @defer.inlineCallbacks
            def main(reactor):
                future = loop.create_task(fetch())
                print((yield defer.Deferred.fromFuture(future)), len(calls))
        """
        assert run(script) == ["well 3"]

    def test_cancel(self):
        """Cancelling the Deferred ends a wait."""
        script = """
            @retry(wait=60)
            async def fetch():
                return work()

            @defer.inlineCallbacks
            def main(reactor):
                deferred = defer.Deferred.fromFuture(loop.create_task(fetch()))
                yield task.deferLater(reactor, 0.02, deferred.cancel)
                try:
                    yield deferred
                except (defer.CancelledError, asyncio.CancelledError):
                    print("cancelled", len(calls))
        """
        assert run(script) == ["cancelled 1"]


def outcome(deferred):
    """The result of *deferred*, or its error, which has been reached by now."""
    found = []
    deferred.addBoth(found.append)
    [value] = found
    return value if not hasattr(value, "value") else value.value


class TestEnsureDeferred:
    """Coroutines that Twisted itself runs: there is no asyncio and no trio to wait with."""

    @pytest.mark.parametrize("form", ASYNC)
    def test_a_first_success(self, form):
        """Needs neither."""

        async def work():
            return await defer.succeed("well")

        assert outcome(defer.ensureDeferred(ASYNC[form](work))) == "well"

    @pytest.mark.parametrize("form", ASYNC)
    def test_what_is_not_retryable(self, form):
        """Is raised as it is."""

        async def work():
            await defer.fail(LookupError("no such item"))

        error = outcome(defer.ensureDeferred(ASYNC[form](work, on=OSError)))
        assert type(error) is LookupError
        assert given_up(error) is None

    @pytest.mark.parametrize("form", ASYNC)
    def test_a_wait(self, form):
        """Raises a RuntimeError that says where it runs; the attempt's error is its context."""
        budget = RetryBudget(10)
        down = ConnectionError("down")

        async def work():
            raise down

        policy = Policy(3, wait=60, budget=budget)
        error = outcome(defer.ensureDeferred(ASYNC[form](work, policy)))
        assert type(error) is RuntimeError
        assert "asyncio" in str(error)
        assert "trio" in str(error)
        assert error.__context__ is down
        assert budget.tokens == 10

    def test_a_limit(self):
        """So does `attempt_timeout`, before anything has failed."""

        @retry(attempt_timeout=5)
        async def work():
            return "well"

        error = outcome(defer.ensureDeferred(work()))
        assert type(error) is RuntimeError
        assert "trio" in str(error)

    def test_a_task_of_asyncio_elsewhere(self):
        """An event loop that runs, but not this coroutine, does not help."""

        @retry(3, wait=60)
        async def work():
            raise ConnectionError("down")

        async def main():
            return outcome(defer.ensureDeferred(work()))

        error = asyncio.run(main())
        assert type(error) is RuntimeError
        assert type(error.__context__) is ConnectionError
