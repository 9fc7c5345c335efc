"""Contract 15: under trio the async forms use trio's sleep and timeouts, here those of a stand-in.

Real trio runs them in the integration tests; this holds what is asked of it, without it.
"""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType, SimpleNamespace

import pytest
from ways import Flaky, run_async

from retrying_elegant import given_up, testing


class Lost(Exception):
    """Retried in these tests."""


class Cancelled(BaseException):
    """What the stand-in cancels with."""


class Trio(ModuleType):
    """The part of trio that is used: tasks take no time, but for ``sleep``, which moves its clock.

    A scope whose deadline has passed after a sleep is cancelled by it.
    """

    def __init__(self):
        super().__init__("trio")
        trio = self
        self.now = 500.0
        self.running = False
        self.slept = []
        self.scopes = []

        class CancelScope:
            deadline = float("inf")
            cancel_called = cancelled_caught = False

            def __enter__(self):
                trio.scopes.append(self)
                return self

            def __exit__(self, kind, error, trace):
                assert trio.scopes.pop() is self
                self.cancelled_caught = isinstance(error, Cancelled) and error.args[0] is self
                return self.cancelled_caught

        self.CancelScope = CancelScope
        self.lowlevel = ModuleType("trio.lowlevel")
        self.lowlevel.current_task = self.current_task

    def current_task(self):
        if not self.running:
            raise RuntimeError("must be called from async context")
        return SimpleNamespace()

    def current_time(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        for scope in self.scopes:
            if scope.deadline <= self.now:
                scope.cancel_called = True
                raise Cancelled(scope)

    def run(self, coroutine):
        self.running = True
        try:
            while coroutine.send(None) is None:
                pass  # a checkpoint
        except StopIteration as end:
            return end.value
        finally:
            self.running = False
            coroutine.close()
        raise AssertionError("it waits for something that is not trio's")


@pytest.fixture
def trio(own_waits):
    """The stand-in, in the place of trio."""
    trio = Trio()
    own_waits.setitem(sys.modules, "trio", trio)
    own_waits.setitem(sys.modules, "trio.lowlevel", trio.lowlevel)
    return trio


class Stuck(Flaky):
    """Plays a script; a number in it is an attempt that takes so many seconds of trio's."""

    def __init__(self, trio, *script):
        super().__init__(script)
        self.trio = trio

    def __call__(self):
        outcome = super().__call__()
        return self.trio.sleep(outcome) if isinstance(outcome, int) else outcome


class TestUnderTrio:
    """The async forms work under trio as under asyncio."""

    def test_waits_are_trios(self, async_way, trio):
        """Each of them."""
        flaky = Flaky([Lost, Lost, "value"])
        assert trio.run(async_way.start(flaky, wait=[2, 3])) == "value"
        assert trio.slept == [2, 3]

    def test_no_wait_gives_way_too(self, async_way, trio):
        """A sleep of no seconds is a checkpoint."""
        assert trio.run(async_way.start(Flaky([Lost, "value"]), wait=0)) == "value"
        assert trio.slept == [0]

    def test_instant_waits(self, async_way, trio):
        """Take no time of trio's either."""
        with testing.instant() as instant:
            assert trio.run(async_way.start(Flaky([Lost, "value"]), wait=60)) == "value"
        assert (instant.waits, trio.slept) == ([60], [0])

    @pytest.mark.parametrize("filters", [{}, {"on": ()}], ids=str)
    def test_a_stuck_attempt_is_cancelled_and_retried(self, async_way, trio, filters):
        """Always retryable unless `unless` names it."""
        stuck = Stuck(trio, 60, "value")
        assert trio.run(async_way.start(stuck, attempt_timeout=5, wait=1, **filters)) == "value"
        assert stuck.calls == 2

    def test_the_last_one_leaves_as_timeout_error(self, async_way, trio):
        """With the record, and no entry of what stands for `asyncio.timeout` in its traceback."""
        with pytest.raises(TimeoutError) as caught:
            trio.run(async_way.start(Stuck(trio, 60), 2, attempt_timeout=5, wait=1))
        assert given_up(caught.value).reason == "attempts"
        assert "_async_backend.py" not in [entry.path.name for entry in caught.traceback]

    def test_errors_and_results_in_time_are_left_alone(self, async_way, trio):
        """Also a TimeoutError of the user's own, which `on` does not name."""
        assert trio.run(async_way.start(Stuck(trio, 3), attempt_timeout=5)) is None
        error = TimeoutError()
        stuck = Stuck(trio, error, "value")
        with pytest.raises(TimeoutError) as caught:
            trio.run(async_way.start(stuck, on=Lost, attempt_timeout=5))
        assert caught.value is error
        assert stuck.calls == 1

    def test_a_cancellation_from_outside(self, async_way, trio):
        """Passes through, and no attempt starts after it."""
        outer = trio.CancelScope()
        outer.deadline = trio.now + 5
        flaky = Flaky([Lost, "value"])

        async def main():
            with outer:
                await async_way.start(flaky, wait=60, attempt_timeout=5)

        assert trio.run(main()) is None
        assert outer.cancelled_caught
        assert flaky.calls == 1


class TestStop:
    """`stop` is waited for within a scope of trio's."""

    class Event:
        """One that is set when it has been waited for so many seconds."""

        def __init__(self, trio, seconds):
            self.trio, self.seconds, self.is_over = trio, seconds, False

        def is_set(self):
            return self.is_over

        async def wait(self):
            await self.trio.sleep(self.seconds)
            self.is_over = True

    def test_it_is_set_in_the_wait(self, async_way, trio):
        """Which ends."""
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost) as caught:
            trio.run(async_way.start(flaky, wait=60, stop=self.Event(trio, 3)))
        assert (given_up(caught.value).reason, flaky.calls) == ("stopped", 1)
        assert trio.slept == [3]

    def test_it_is_set_too_late(self, async_way, trio):
        """The wait is over first."""
        event = self.Event(trio, 90)
        assert trio.run(async_way.start(Flaky([Lost, "value"]), wait=60, stop=event)) == "value"
        assert not event.is_set()

    def test_an_event_of_asyncio(self, async_way, trio):
        """It finds no event loop: RuntimeError, with the attempt's error as its context."""
        error = Lost("down")
        with pytest.raises(
            RuntimeError, match=r"^stop: the asyncio\.locks\.Event belongs"
        ) as caught:
            trio.run(async_way.start(Flaky([error]), wait=60, stop=asyncio.Event()))
        assert caught.value.__context__ is error
        assert isinstance(caught.value.__cause__, AttributeError)


class TestBesideAsyncio:
    """Which of the two runs the task is asked each time."""

    def test_trio_imported_and_asyncio_running(self, async_way, trio):
        """asyncio's waits are asyncio's."""
        assert run_async(async_way.start(Flaky([Lost, "value"]), wait=2, attempt_timeout=9))
        assert trio.slept == []

    def test_asyncio_inside_a_task_of_trio(self, async_way, trio):
        """As trio-asyncio has it: the inner one runs the task."""
        trio.running = True
        assert run_async(async_way.start(Flaky([Lost, "value"]), wait=2)) == "value"
        assert trio.slept == []

    def test_without_trio(self, async_way, own_waits):
        """asyncio's, as if there were no other."""
        for name in ("trio", "trio.lowlevel"):
            own_waits.delitem(sys.modules, name, raising=False)
        assert run_async(async_way.start(Flaky([Lost, "value"]), wait=2, attempt_timeout=9))

    def test_a_trio_that_has_not_been_imported_to_its_end(self, async_way, own_waits):
        """Another thread may be at it."""
        own_waits.setitem(sys.modules, "trio", ModuleType("trio"))
        own_waits.setitem(sys.modules, "trio.lowlevel", ModuleType("trio.lowlevel"))
        assert run_async(async_way.start(Flaky([Lost, "value"]), wait=2)) == "value"
