"""Contract 2: the wait itself, on the clock and on an event, and who runs the task, asked directly.

In every form they are tested elsewhere, and under trio in ``tests/integration/test_trio.py``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
import types

import pytest

from retrying_elegant import _async_backend, _clock

LONGEST = 1e9  # seconds; about 30 years


class Event:
    """An event that records how long it was waited for."""

    def __init__(self, *, is_set=False, answer=False):
        self.waits = []
        self._is_set, self._answer = is_set, answer

    def is_set(self):
        return self._is_set

    def wait(self, seconds):
        self.waits.append(seconds)
        return self._answer


class AsyncEvent(Event):
    """The same for async code; its wait ends at once."""

    async def wait(self):
        self.waits.append(None)


@pytest.fixture
def slept(own_waits):
    """What `time.sleep` was called with."""
    slept = []
    own_waits.setattr(time, "sleep", slept.append)
    return slept


class TestSleep:
    """On the real clock: `time.sleep`, unless there is nothing to wait for."""

    @pytest.mark.parametrize("seconds", [0.001, 0.5, 1, 2, LONGEST])
    def test_seconds(self, slept, seconds):
        """As they are."""
        _clock.sleep(seconds)
        assert slept == [seconds]

    def test_none_at_all(self, slept):
        """Even `sleep(0)` yields the processor."""
        _clock.sleep(0)
        assert slept == []

    @pytest.mark.parametrize(("seconds", "again"), [(LONGEST, []), (1e10, [LONGEST])])
    def test_more_than_the_system_can(self, own_waits, seconds, again):
        """30 years will do; an OverflowError of a signal handler is its own."""
        slept = []

        def sleep(seconds):
            if slept.append(seconds) or len(slept) == 1:
                raise OverflowError

        own_waits.setattr(time, "sleep", sleep)
        if again:
            _clock.sleep(seconds)
        else:
            with pytest.raises(OverflowError):
                _clock.sleep(seconds)
        assert slept == [seconds, *again]


class TestWait:
    """On an event: in its own `wait`, and whether it was set."""

    @pytest.mark.parametrize("is_set", [False, True])
    @pytest.mark.parametrize(
        ("seconds", "waits"),
        [(0, []), (0.5, [0.5]), (1, [1]), (LONGEST, [LONGEST]), (1e12, [LONGEST])],
    )
    def test_seconds(self, own_waits, seconds, waits, is_set):
        """Nothing to wait for if it is set, or if there is no time."""
        event = Event(is_set=is_set)
        assert _clock.wait(event, seconds) is is_set
        assert event.waits == ([] if is_set else waits)

    @pytest.mark.parametrize(("answer", "expected"), [(True, True), (1, True), (None, False)])
    def test_what_its_wait_returns(self, own_waits, answer, expected):
        """Any truth value."""
        assert _clock.wait(Event(answer=answer), 2) is expected

    @pytest.mark.parametrize("seconds", [0, 2])
    def test_in_virtual_time(self, waits, seconds):
        """The clock moves, and the event is left alone."""
        event = Event()
        assert _clock.wait(event, seconds) is False
        assert (waits, event.waits) == ([seconds], [])

    @pytest.mark.parametrize(
        ("is_set", "seconds", "expected", "waits"),
        [(True, 2, True, []), (False, 0, False, []), (False, 1, True, [None])],
    )
    def test_in_async_code(self, own_waits, is_set, seconds, expected, waits):
        """The same; an event that need not be waited for is not."""
        event = AsyncEvent(is_set=is_set)
        assert asyncio.run(_async_backend.wait(event, seconds)) is expected
        assert event.waits == waits

    def test_in_virtual_time_in_async_code(self, waits):
        """As above."""
        event = AsyncEvent()
        assert asyncio.run(_async_backend.wait(event, 3)) is False
        assert (waits, event.waits) == ([3], [])

    def test_one_that_is_not_set_in_time(self, own_waits):
        """It says so."""

        class Never(AsyncEvent):
            async def wait(self):
                await asyncio.get_running_loop().create_future()

        assert asyncio.run(_async_backend.wait(Never(), 1e-9)) is False

    def test_under_no_event_loop(self, own_waits, monkeypatch):
        """It is asyncio that complains: trio need not be there."""
        monkeypatch.delitem(sys.modules, "trio", raising=False)
        with pytest.raises(RuntimeError):
            _async_backend.wait(AsyncEvent(), 1).send(None)


class TestCancellations:
    """How often the current task was canceled."""

    @pytest.fixture(params=[False, True], ids=["first", "later"], autouse=True)
    def looked_up(self, request, monkeypatch):
        """Where asyncio keeps its tasks is found once."""
        if not request.param:
            for name in ("_current_task", "_current_tasks", "_running_loop"):
                monkeypatch.setattr(_async_backend, name, None)

    def test_without_a_task(self):
        """Zero, again and again."""
        assert [_async_backend.cancellations() for _ in range(2)] == [0, 0]

    def test_outside_of_a_task(self):
        """In a callback of the event loop."""

        async def main():
            found = asyncio.get_running_loop().create_future()
            call_soon = asyncio.get_running_loop().call_soon
            call_soon(lambda: found.set_result(_async_backend.cancellations()))
            return await found

        assert asyncio.run(main()) == 0

    def test_of_a_task(self):
        """The count of asyncio."""

        counts = []

        async def main():
            counts.append(_async_backend.cancellations())
            asyncio.current_task().cancel()
            counts.append(_async_backend.cancellations())
            asyncio.current_task().uncancel()
            counts.append(_async_backend.cancellations())

        with contextlib.suppress(asyncio.CancelledError):  # 3.11 cancels it all the same
            asyncio.run(main())
        assert counts == [0, 1, 0]

    @pytest.mark.parametrize("error", [None, ValueError()])
    def test_no_more_than_before(self, error):
        """A count that has fallen is none either."""
        for before in (0, 1, 5):
            assert _async_backend.was_canceled(before, error) is False

    def test_more_than_before(self):
        """A failed group of tasks raised it, before 3.13; so that alone says nothing there."""
        is_known = sys.version_info >= (3, 13)
        assert _async_backend.was_canceled(-1, ValueError())
        assert _async_backend.was_canceled(-1, None) is is_known
        assert _async_backend.was_canceled(-1, ExceptionGroup("", [ValueError()])) is is_known


class TestMisuse:
    """A wait that is impossible is told from one that was interrupted."""

    def test_under_asyncio(self):
        """A RuntimeError raised into it is that of somebody else."""

        async def main():
            return _async_backend.misuse(RuntimeError("mine"))

        assert asyncio.run(main()) is None

    def test_under_nothing(self):
        """What to write instead; the cause is what the library said."""
        said = RuntimeError("no running event loop")
        error = _async_backend.misuse(said)
        assert type(error) is RuntimeError
        assert error.__cause__ is said
        assert str(error) == (
            "retrying_elegant waits under asyncio or trio, and neither runs this coroutine "
            "(with Twisted, write `Deferred.fromFuture(asyncio.ensure_future(...))`)"
        )
        assert _async_backend.misuse(ValueError()) is None

    def test_an_event_of_another_kind(self):
        """Under asyncio too, and from where it is known."""
        foreign = _async_backend.ForeignEventError("stop: ...")
        foreign.__cause__ = RuntimeError()
        error = _async_backend.misuse(foreign)
        assert (type(error), str(error)) == (RuntimeError, "stop: ...")
        assert error.__cause__ is foreign.__cause__


class TestExpired:
    """The TimeoutError of a scope gets a text, if it has none."""

    @pytest.mark.parametrize("error", [None, ValueError(), asyncio.CancelledError()])
    def test_another_error(self, error):
        """Or none."""
        assert _async_backend.expired(asyncio.Timeout(None), error, "text") is False

    @pytest.mark.parametrize(("args", "expected"), [((), ("text",)), (("mine",), ("mine",))])
    def test_a_timeout(self, args, expected):
        """An own text stays."""
        error = TimeoutError(*args)
        assert _async_backend.expired(asyncio.Timeout(None), error, "text") is True
        assert error.args == expected


class TestWhoRuns:
    """asyncio or trio, imported in full or not, or neither."""

    class Awaitable:
        def __await__(self):
            yield

    @pytest.fixture(autouse=True)
    def no_trio(self, monkeypatch):
        monkeypatch.delitem(sys.modules, "trio.lowlevel", raising=False)

    def replace(self, monkeypatch, library, **names):
        module = types.ModuleType(library)
        module.__dict__.update(names)
        monkeypatch.setitem(sys.modules, library, module)

    def test_neither(self):
        """An awaitable may be an ordinary value there, a coroutine never."""
        assert _async_backend.is_running() is False
        assert _async_backend.is_unfinished(self.Awaitable()) is False

    def test_asyncio(self):
        """It must be awaited."""

        async def main():
            unfinished = _async_backend.is_unfinished(self.Awaitable())
            return unfinished, _async_backend.is_running()

        assert asyncio.run(main()) == (True, True)

    @pytest.mark.parametrize("names", [{}, {"Future": asyncio.Future}])
    def test_asyncio_that_is_being_imported(self, monkeypatch, names):
        """It runs nothing yet."""
        self.replace(monkeypatch, "asyncio", **names)
        assert _async_backend.is_unfinished(self.Awaitable()) is False
        assert _async_backend.is_running() is False

    def test_no_asyncio(self, monkeypatch):
        """Nobody has imported it."""
        monkeypatch.delitem(sys.modules, "asyncio")
        assert _async_backend.is_unfinished(self.Awaitable()) is False

    def test_trio(self, monkeypatch):
        """As under asyncio."""
        self.replace(monkeypatch, "trio.lowlevel", current_task=object)
        assert _async_backend.is_unfinished(self.Awaitable()) is True
        assert _async_backend.is_running() is True

    def test_trio_that_runs_nothing(self, monkeypatch):
        """It is imported, but this is not its thread."""

        def current_task():
            raise RuntimeError("must be called from async context")

        self.replace(monkeypatch, "trio.lowlevel", current_task=current_task)
        assert _async_backend.is_unfinished(self.Awaitable()) is False
        assert _async_backend.is_running() is False
