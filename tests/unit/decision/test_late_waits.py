"""Contract 2: a wait that takes longer than was asked for, so that it ends after the timeout."""

from __future__ import annotations

import asyncio

import pytest
from ways import Flaky, run_async

from retrying_elegant import RetryBudget, RetryError, TryAgain, given_up, retrying


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture(params=["slept too long", "announced too long"])
def run_late(request, clock, own_waits):
    """Runs a script whose first wait, of ten seconds, takes sixty in the end."""
    pass_by = lambda: clock.tick(60)  # noqa: E731 - one of two

    def run(way, risky, **options):
        options = {"wait": 10, "timeout": 30, **options}
        if request.param == "announced too long":
            return way.run(risky, on_retry=lambda attempt: pass_by(), **options)
        own_waits.setattr("time.sleep", lambda seconds: pass_by())
        if way.colour == "sync":
            return way.run(risky, **options)

        async def main():
            asyncio.get_running_loop().call_later(5, pass_by)
            return await way.start(risky, **options)

        return run_async(main())

    # An announcement that takes sixty seconds leaves the wait of ten still to be slept.
    run.ends = 60 if request.param == "slept too long" else 70
    return run


class TestTooLate:
    """When it has passed the policy gives up at once: the next attempt must start within it."""

    def test_the_last_error_leaves(self, way, run_late):
        """The same object, and no attempt follows."""
        error = Lost()
        flaky = Flaky([error, "value"])
        with pytest.raises(Lost) as caught:
            run_late(way, flaky)
        assert caught.value is error
        assert flaky.calls == 1
        assert (given_up(error).reason, given_up(error).attempts) == ("timeout", 1)
        assert (error.__cause__, error.__context__) == (None, None)

    def test_hooks(self, way, run_late):
        """One ending, told of the attempt that was the last after all."""
        endings = []

        def ended(attempt):
            endings.append((attempt.number, attempt.next_wait, type(attempt.error)))

        with pytest.raises(Lost):
            run_late(way, Flaky([Lost]), on_give_up=ended, on_success=ended)
        assert endings == [(1, None, Lost)]

    def test_try_again(self, way, run_late):
        """Obeys the timeout as errors do."""
        flaky = Flaky([TryAgain, "value"])
        with pytest.raises(TryAgain):
            run_late(way, flaky)
        assert flaky.calls == 1

    def test_until(self, way, run_late):
        """RetryError, with the result that was not accepted."""
        flaky = Flaky(["pending", "ready"])
        with pytest.raises(RetryError) as caught:
            run_late(way, flaky, until=lambda value: value == "ready")
        assert caught.value.result == "pending"
        assert flaky.calls == 1

    def test_fallback(self, decorator_way, run_late):
        """Called once, with that attempt."""
        error = Lost()
        seen = []

        def fallback(attempt):
            seen.append((attempt.number, attempt.error))
            return "stale"

        assert run_late(decorator_way, Flaky([error, "value"]), fallback=fallback) == "stale"
        assert seen == [(1, error)]

    def test_without_raising(self, run_late, loop_way):
        """The loop ends; nothing was stored."""
        flaky = Flaky([Lost, "value"])
        assert run_late(loop_way, flaky, raises=False) is None
        assert flaky.calls == 1

    def test_a_block_without_raising(self, run_late, block_way):
        """It ends at that call."""
        flaky = Flaky([Lost, "value"])
        assert run_late(block_way, flaky, raises=False) is None
        assert flaky.calls == 1

    def test_what_the_loop_variable_says(self, clock):
        """It is the last attempt, with its error."""
        error = Lost()
        tick = {"on_retry": lambda attempt: clock.tick(60)}
        for attempt in retrying(wait=10, timeout=30, raises=False, **tick):
            with attempt:
                raise error
        assert not attempt.succeeded
        assert (attempt.number, attempt.error, attempt.next_wait) == (1, error, None)

    def test_the_retry_was_decided(self, way, run_late):
        """And then not made: its token goes back."""
        budget = RetryBudget(3)
        with pytest.raises(Lost):
            run_late(way, Flaky([Lost, "value"]), budget=budget)
        assert budget.tokens == 3

    def test_exactly_at_the_timeout(self, way, run_late):
        """Is too late."""
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost):
            run_late(way, flaky, timeout=run_late.ends)
        assert flaky.calls == 1

    def test_just_in_time(self, way, run_late):
        """Later than asked, and early enough for the next attempt."""
        assert run_late(way, Flaky([Lost, "value"]), timeout=run_late.ends + 0.5) == "value"
