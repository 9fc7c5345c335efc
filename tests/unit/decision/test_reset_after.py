"""Section 2 of the contract: `reset_after`, an attempt that was healthy before it failed."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from ways import as_coroutine_function, run_async

from retrying_elegant import RetryBudget, RetryError, given_up, retry, retrying, testing


class Lost(Exception):
    """Retried in these tests."""


class Running:
    """Attempts that run for so many seconds each, and then fail, or return *result*."""

    def __init__(self, clock, *seconds, result=None):
        self.clock = clock
        self.seconds = seconds
        self.result = result
        self.calls = 0

    def __call__(self):
        self.calls += 1
        self.clock.tick(self.seconds[self.calls - 1])
        if self.result is None:
            raise Lost
        return self.result


class TestHealthyAttempts:
    """One that ran at least that long before failing is the first of a new series."""

    def test_its_number_becomes_one(self, way, clock, waits):
        """And the waits start over."""
        numbers = []
        with pytest.raises(Lost):
            way.run(
                Running(clock, 0, 0, 60, 0, 0),
                3,
                reset_after=60,
                wait=[1, 2],
                on_retry=lambda attempt: numbers.append(attempt.number),
            )
        assert numbers == [1, 2, 1, 2]
        assert waits == [1, 2, 1, 2]

    def test_without_it_the_attempts_are_used_up(self, way, clock):
        """However long they ran."""
        running = Running(clock, 0, 0, 60)
        with pytest.raises(Lost):
            way.run(running, 3, wait=0)
        assert running.calls == 3

    def test_the_record_begins_with_the_failure(self, way, clock):
        """History and elapsed time too."""
        with pytest.raises(Lost) as caught:
            way.run(Running(clock, 5, 70, 5), 2, reset_after=60, wait=3)
        record = given_up(caught.value)
        assert (record.attempts, record.elapsed) == (2, 8)
        assert [line.partition(":")[0] for line in record.history] == [
            "attempt 1 at 0.00 s",
            "attempt 2 at 8.00 s",
        ]

    def test_the_timeout_begins_with_the_failure(self, decorator_way, clock):
        """A call that was healthy for longer than it has not used it up."""
        with pytest.raises(Lost) as caught:
            decorator_way.run(Running(clock, 70, 4, 4, 4), None, reset_after=60, wait=1, timeout=10)
        record = given_up(caught.value)
        assert (record.reason, record.attempts) == ("timeout", 3)

    def test_the_timeout_of_a_block_does_not(self, block_way, clock):
        """It bounds the block, whatever series its attempts belong to: here until second 100."""
        running = Running(clock, 70, 4, 4, 4, 4, 4, 4, 4, 4)
        with pytest.raises(Lost) as caught:
            block_way.run(running, None, reset_after=60, wait=1, timeout=100)
        assert given_up(caught.value).reason == "timeout"
        assert running.calls == 7

    def test_the_timeout_of_a_block_holds_in_other_threads(self, clock):
        """Also for a call in a thread of an executor, which no deadline around it reaches."""
        running = Running(clock, 6, 1, 1)
        block = retrying(None, reset_after=5, wait=2, timeout=10)
        with pytest.raises(Lost) as caught, block as call, ThreadPoolExecutor(1) as pool:
            pool.submit(call, running).result()
        record = given_up(caught.value)
        assert (record.reason, record.attempts, running.calls) == ("timeout", 2, 2)

    def test_a_block_is_older_than_its_calls(self, block_way, clock):
        """A call's first attempt began with the call: what passed before it is not counted."""
        running = Running(clock, 0, 0, 0)

        def late():
            with retrying(2, reset_after=60, wait=0) as call:
                clock.tick(70)
                call(running)

        async def late_async():
            async with retrying(2, reset_after=60, wait=0) as call:
                clock.tick(70)
                await call(as_coroutine_function(running))

        with pytest.raises(Lost) as caught:
            late() if block_way.colour == "sync" else run_async(late_async())
        record = given_up(caught.value)
        assert (record.attempts, record.elapsed) == (2, 70)

    def test_without_a_timeout_a_new_series_has_no_limit(self, block_way, clock):
        """Nor has the block: `remaining` and `timeout` stay None."""
        seen = []
        block_way.run(
            Running(clock, 60, 0, result="value"),
            reset_after=60,
            wait=0,
            until=lambda result: len(seen) == 1,
            on_retry=lambda attempt: seen.append((attempt.remaining, attempt.timeout)),
        )
        assert seen == [(None, None)]

    def test_the_budget_is_credited(self, way, clock):
        """As for a success: with what the healthy attempt gave back, there is one more."""
        running = Running(clock, 0, 0, 60, 0)
        with pytest.raises(Lost) as caught:
            way.run(running, None, reset_after=60, wait=0, budget=RetryBudget(2, 1))
        assert given_up(caught.value).reason == "budget"
        assert running.calls == 4

    def test_a_result_that_until_rejects(self, way, clock):
        """It was returned after as long, and is the first of a new series too."""
        running = Running(clock, 0, 60, 0, result="pending")
        with pytest.raises(RetryError) as caught:
            way.run(running, 2, reset_after=60, wait=0, until=lambda value: value == "ready")
        assert given_up(caught.value).attempts == 2
        assert running.calls == 3

    def test_limits_of_tests_count_every_call(self, way, clock):
        """So that no test runs forever."""
        running = Running(clock, 60, 60, 60)
        with testing.limit(3), pytest.raises(Lost):
            way.run(running, None, reset_after=60, wait=0)
        assert running.calls == 3


class TestAttemptsThatAreEnded:
    """One that the policy's own `attempt_timeout` has ended is never healthy."""

    @pytest.mark.parametrize("made_of_it", [None, Lost, TimeoutError, "pending"])
    def test_after_it(self, async_way, clock, made_of_it):
        """However long it ran, and whatever it makes of its cancellation."""
        calls = 0

        async def hang():
            nonlocal calls
            calls += 1
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                clock.tick(60)
                if made_of_it is None:
                    raise
                if made_of_it == "pending":
                    return made_of_it
                raise made_of_it from None

        options = {"wait": 0, "attempt_timeout": 60, "reset_after": 30, "until": lambda _: False}
        with testing.limit(9), pytest.raises((Lost, TimeoutError, RetryError)) as caught:
            async_way.run(hang, 3, **options)
        assert (calls, given_up(caught.value).attempts) == (3, 3)

    def test_by_a_limit_of_its_own(self, async_way, clock):
        """It was healthy: the policy has not ended it."""

        async def times_out():
            clock.tick(60)
            raise TimeoutError

        with testing.limit(9), pytest.raises(TimeoutError) as caught:
            async_way.run(times_out, 3, wait=0, attempt_timeout=90, reset_after=30)
        assert given_up(caught.value).attempts == 1


class TestGenerators:
    """Rejected, as `until` is: they are retried only until their first item."""

    def test_when_decorated(self):
        """By its name."""

        def generator():
            yield

        async def async_generator():
            yield

        why = "which is retried only until its first item"
        for function in (generator, async_generator):
            with pytest.raises(TypeError, match=rf"^reset_after=60\.0: expected None .*, {why}$"):
                retry(reset_after=60)(function)
