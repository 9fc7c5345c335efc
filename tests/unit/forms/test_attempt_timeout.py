"""Contract 2: `attempt_timeout`, which cancels attempts where that can be done."""

from __future__ import annotations

import asyncio

import pytest
from ways import Flaky, block_sync, decorator_sync, holders, run_async

from retrying_elegant import given_up, retrying


class Lost(Exception):
    """Retried in these tests."""


class Stuck:
    """Attempts that hang where the script says so; the others end at once."""

    def __init__(self, *script):
        self.play = Flaky(script)
        self.cancelled = 0
        self.lasted = 0.0

    def __call__(self):
        outcome = self.play()
        return self.hang() if outcome == "hang" else outcome

    async def hang(self):
        now = asyncio.get_running_loop().time  # skips, so these seconds are not real ones
        started = now()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.lasted = now() - started
            raise


class TestItsError:
    """TimeoutError, which the attempt's own code may not have raised."""

    def test_no_frame_of_the_library_holds_it(self, async_way):
        """That would be a cycle."""
        with pytest.raises(TimeoutError) as caught:
            async_way.run(Stuck("hang"), 2, wait=0, attempt_timeout=5)
        assert holders(caught.value) == []

    @pytest.mark.parametrize(
        ("seconds", "shown"),
        [
            (0.25, "0.25"),
            (90, "90"),
            (999.25, "999"),
            (999.5, "1000"),
            (1234.5, "1234"),
            (86400, "86400"),
        ],
    )
    def test_it_says_how_many_seconds(self, async_way, seconds, shown):
        """To three digits, and never in powers of ten."""
        with pytest.raises(TimeoutError) as caught:
            async_way.run(Stuck("hang"), 1, attempt_timeout=seconds, name="call")
        assert str(caught.value) == (
            f"call took longer than the {shown} s that attempt_timeout allowed"
        )


class TestAsync:
    """async: an attempt is cancelled in time and counts as failed with `TimeoutError`."""

    def test_a_stuck_attempt_is_cancelled_and_retried(self, async_way):
        """Two attempts hang, the third has the value."""
        stuck = Stuck("hang", "hang", "value")
        assert async_way.run(stuck, attempt_timeout=5) == "value"
        assert stuck.cancelled == 2

    @pytest.mark.parametrize("filters", [{"on": Lost}, {"on": ()}, {"on": lambda error: False}])
    def test_it_is_retryable_whatever_on_says(self, async_way, filters):
        """Always retryable unless `unless` names it."""
        assert async_way.run(Stuck("hang", "value"), attempt_timeout=5, **filters) == "value"

    def test_unless_can_name_it(self, async_way):
        """Then it leaves at once."""
        stuck = Stuck("hang", "value")
        with pytest.raises(TimeoutError):
            async_way.run(stuck, attempt_timeout=5, unless=TimeoutError)
        assert stuck.play.calls == 1

    def test_the_last_one_leaves_as_timeout_error(self, async_way):
        """With the record of giving up."""
        with pytest.raises(TimeoutError) as caught:
            async_way.run(Stuck("hang"), 2, attempt_timeout=5)
        assert given_up(caught.value).reason == "attempts"

    def test_a_timeout_error_made_of_the_cancellation(self, async_way):
        """Keeps its own text, and is retried like the other, whatever `on` says."""

        async def translated():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise TimeoutError("the server is slow") from None

        with pytest.raises(TimeoutError, match="the server is slow") as caught:
            async_way.run(translated, 2, attempt_timeout=5, on=())
        assert given_up(caught.value).attempts == 2

    def test_hooks_see_it_as_the_error_of_the_attempt(self, async_way):
        """`attempt.error`."""
        errors = []
        async_way.run(
            Stuck("hang", "value"),
            attempt_timeout=5,
            on_retry=lambda attempt: errors.append(type(attempt.error)),
        )
        assert errors == [TimeoutError]

    @pytest.mark.parametrize("script", [["hang"], [Lost, "hang"]], ids=["first", "later"])
    @pytest.mark.parametrize("place", ["unless", "wait"])
    def test_it_is_the_context_of_a_predicate_that_raises(self, async_way, script, place):
        """Or of a wait callable, as any error of an attempt is; it is no context of its own."""
        asked = []

        def broken(about):
            asked.append(about)
            if len(asked) == len(script):
                raise ZeroDivisionError
            return 0 if place == "wait" else False

        with pytest.raises(ZeroDivisionError) as caught:
            async_way.run(Stuck(*script), attempt_timeout=5, **{place: broken})
        assert type(caught.value.__context__) is TimeoutError
        assert isinstance(caught.value.__context__.__cause__, asyncio.CancelledError)
        assert len(asked) == len(script)

    @pytest.mark.parametrize(("attempt_timeout", "timeout"), [(900, 60), (60, 900), (60, None)])
    def test_it_is_cancelled_in_time(self, async_way, clock, attempt_timeout, timeout):
        """After `min(attempt_timeout, what is left of timeout)` seconds."""
        stuck = Stuck("hang")
        with pytest.raises(TimeoutError):
            async_way.run(stuck, 1, attempt_timeout=attempt_timeout, timeout=timeout)
        assert stuck.lasted == pytest.approx(60, abs=10)

    def test_an_attempt_in_time_is_left_alone(self, async_way):
        """Its errors are its own."""
        error = Lost()
        with pytest.raises(Lost) as caught:
            async_way.run(Flaky([error]), attempt_timeout=5)
        assert caught.value is error

    def test_a_cancellation_from_outside_stays_one(self, async_way):
        """It is not taken for a timeout."""
        stuck = Stuck("hang")

        async def main():
            task = asyncio.create_task(async_way.start(stuck, attempt_timeout=10))
            await asyncio.sleep(5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run_async(main())
        assert stuck.play.calls == 1


class TestSyncLoops:
    """In a sync loop nothing can be interrupted: it only shows as `attempt.timeout`."""

    def test_it_shows(self, clock):
        """`min(attempt_timeout, remaining)`."""
        timeouts = []
        for attempt in retrying(3, attempt_timeout=5, timeout=12, wait=4, raises=False):
            with attempt:
                timeouts.append(attempt.timeout)
                raise Lost
        assert timeouts == [5, 5, 4]

    def test_it_interrupts_nothing(self, clock):
        """A long attempt succeeds."""
        for attempt in retrying(attempt_timeout=5):
            with attempt:
                clock.tick(60)
        assert attempt.succeeded


class TestElsewhere:
    """Refused on sync functions and sync blocks, which could not see it."""

    @pytest.mark.parametrize("run", [decorator_sync, block_sync])
    def test_it_is_refused(self, run):
        """Before anything has been called."""
        flaky = Flaky(["value"])
        with pytest.raises(TypeError, match="attempt_timeout"):
            run(flaky, attempt_timeout=5)
        assert flaky.calls == 0
