"""What using the library does beside the calls it is given: nothing, and it tells no secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from ways import run_async

import retrying_elegant
from retrying_elegant import Policy, given_up, retry, retrying

SOURCE = Path(retrying_elegant.__file__).parent.parent

# Every form to a success, to a give-up and through a broken hook, under an audit hook, which is
# told of every file opened, every socket used, every thread and process started.
PROGRAM = f"""
import asyncio, json, logging, os, signal, sys, threading
sys.path.insert(0, {str(SOURCE)!r})

seen, watching = [], False
writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
def hook(event, arguments):
    if watching and event == "open":
        seen.append(["open to write" if arguments[2] & writing else "open", repr(arguments[0])])
    elif watching:
        seen.append([event, None])

logging.raiseExceptions = False
handlers = {{number: signal.getsignal(number) for number in signal.valid_signals()}}
sys.addaudithook(hook)
threading.setprofile(lambda *_: seen.append(["thread", None]))  # 3.11 audits none
watching = True

from retrying_elegant import Policy, RetryBudget, backoff, given_up, retry, retrying, testing, web

def broken(attempt):
    raise ZeroDivisionError("a hook")

policy = Policy(3, on=web.transient, wait=backoff.exponential(0.0001), timeout=60,
                budget=RetryBudget(), on_retry=broken)
script = []
def risky():
    if script and script.pop():
        raise ConnectionResetError("reset")
    return "value"
async def risky_async():
    return risky()
def items():
    yield risky()

def all_sync():
    assert retry(policy)(risky)() == "value"
    for attempt in retrying(policy):
        with attempt:
            risky()
    with retrying(policy) as call:
        call(risky)
    assert list(retry(policy)(items)()) == ["value"]

async def all_async():
    await retry(policy, attempt_timeout=60)(risky_async)()
    async for attempt in retrying(policy):
        async with attempt:
            await risky_async()
    async with retrying(policy) as call:
        await call(risky_async)

def every_end(form):
    for failures in range(4):
        script[:] = [True] * failures
        try:
            form()
        except OSError as error:
            assert given_up(error).attempts == 3

every_end(all_sync)
every_end(lambda: asyncio.run(all_async()))
with testing.instant():
    every_end(all_sync)
web.retry_after({{"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}})
str(policy.preview()), policy.preview()._repr_html_()

watching = False
unhandled = all(handlers[number] == signal.getsignal(number) for number in handlers)
print(json.dumps([seen, unhandled]))
"""


@pytest.fixture(scope="module")
def audited():
    """Of a process of its own: the audit events, and whether signals are as before."""
    bare = [sys.executable, "-I", "-B", "-c", PROGRAM]
    run = subprocess.run(bare, capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


class TestNothingElse:
    """Nothing is written to disk, nothing is sent anywhere, nothing is left running."""

    def test_no_file_is_written(self, audited):
        """Files are read, for modules and tracebacks; none is opened to be written or made."""
        assert "open" in [event for event, _ in audited[0]]  # or it would see nothing
        made = (
            "open to write",
            "os.mkdir",
            "os.rename",
            "os.remove",
            "os.link",
            "os.symlink",
            "os.truncate",
        )
        assert [each for each in audited[0] if each[0].startswith(made)] == []

    def test_nothing_is_sent(self, audited):
        """No connection, no name looked up; the pair of sockets inside an event loop apart."""
        wire = ("socket.connect", "socket.bind", "socket.send", "socket.get", "urllib.", "http.")
        assert [each for each in audited[0] if each[0].startswith(wire)] == []

    def test_nothing_is_started(self, audited):
        """No thread, no process."""
        started = (
            "thread",
            "_thread.",
            "subprocess.",
            "os.fork",
            "os.exec",
            "os.posix_spawn",
            "os.system",
        )
        assert [each for each in audited[0] if each[0].startswith(started)] == []

    def test_signals_are_left_alone(self, audited):
        """Their handlers are what they were."""
        assert audited[1] is True


SECRET = "s3cret"


class Lost(Exception):
    """Retried in these tests."""


async def decorated_async(fn, policy, *args, **kwargs):
    async def call(*args, **kwargs):
        return fn(*args, **kwargs)

    return await retry(policy)(call)(*args, **kwargs)


async def block_async(fn, policy, *args, **kwargs):
    async with retrying(policy) as call:
        await call(fn, *args, **kwargs)


def block(fn, policy, *args, **kwargs):
    with retrying(policy) as call:
        call(fn, *args, **kwargs)


def generator(fn, policy, *args, **kwargs):
    def items(*args, **kwargs):
        yield fn(*args, **kwargs)

    list(retry(policy)(items)(*args, **kwargs))


CALLERS = {
    "decorator-sync": lambda fn, policy, *args, **kwargs: retry(policy)(fn)(*args, **kwargs),
    "decorator-async": lambda *args, **kwargs: run_async(decorated_async(*args, **kwargs)),
    "block-sync": block,
    "block-async": lambda *args, **kwargs: run_async(block_async(*args, **kwargs)),
    "generator": generator,
}


class TestSecrets:
    """No argument and no result gets into a text that the library makes."""

    @pytest.fixture
    def texts(self, caplog):
        """All that is told of one call: repr of attempts, log records, warnings, error, record."""
        caplog.set_level(logging.DEBUG)

        def texts(call, fn, **fields):
            told = []

            def look(attempt):
                told.append(repr(attempt))
                raise ZeroDivisionError("of a hook")  # which is logged

            policy = Policy(2, before_attempt=look, on_retry=look, on_give_up=look, **fields)
            with warnings.catch_warnings(record=True) as warned, pytest.raises(Exception) as caught:  # noqa: PT011
                call(fn, policy, SECRET, password=SECRET)
            error, record = caught.value, given_up(caught.value)
            told += [repr(error), str(error), *error.__notes__, repr(record), str(record)]
            told += [str(warning.message) for warning in warned]
            formatter = logging.Formatter()
            told += [formatter.format(each) + str(vars(each)) for each in caplog.records]
            assert len(told) > 10
            return "\n".join(told)

        return texts

    @pytest.mark.parametrize("form", CALLERS)
    def test_arguments(self, form, texts):
        """Of a call that gives up on an error."""

        def login(user, *, password):
            assert user == password == SECRET
            raise Lost("refused")

        assert SECRET not in texts(CALLERS[form], login)

    @pytest.mark.parametrize("form", [form for form in CALLERS if form != "generator"])
    def test_results(self, form, texts):
        """Of a call that gives up on what it returned; generators are refused `until`."""

        def login(user, *, password):
            return f"{user}'s token"

        assert SECRET not in texts(CALLERS[form], login, until=lambda token: False)
