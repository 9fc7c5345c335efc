"""A decision where it is closest: times and numbers that are just reached, and odd answers."""

from contextlib import ExitStack

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import RetryBudget, RetryError, given_up, retrying, testing


class Lost(Exception):
    """Retried in these tests."""


class TestTheTimeout:
    """A wait that would end at the timeout, or after it, is not begun."""

    @pytest.mark.parametrize("timeout", [5, 4.999])
    def test_just_too_long(self, way, waits, clock, timeout):
        """Nobody is told of a retry, no token is taken, and nothing is slept."""
        told = []
        budget = RetryBudget(10)
        options = {"wait": 5, "timeout": timeout, "budget": budget, "on_retry": told.append}
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), **options)
        assert given_up(caught.value).reason == "timeout"
        assert (told, waits, budget.tokens) == ([], [], 10)

    def test_just_short_enough(self, way, waits, clock):
        """It is begun, and the attempt after it is made."""
        flaky = Flaky([Lost, "value"])
        assert way.run(flaky, wait=5, timeout=5.001) == "value"
        assert waits == [5]

    def test_just_passed(self, way, clock):
        """After an attempt that took all of it, the wait is not even asked for."""
        asked = []

        def risky():
            clock.tick(5)
            raise Lost

        with pytest.raises(Lost) as caught:
            way.run(risky, wait=lambda attempt: asked.append(attempt) or 0, timeout=5)
        assert given_up(caught.value).reason == "timeout"
        assert asked == []


class TestAClockThatStandsStill:
    """The time that has passed is at least the sum of the waits."""

    def test_the_timeout_holds(self, way, clock, own_waits):
        """Waits of 4 seconds fit into 10 seconds twice."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost) as caught:
            way.run(flaky, None, wait=4, timeout=10)
        assert flaky.calls == 3
        record = given_up(caught.value)
        assert (record.reason, record.elapsed) == ("timeout", 8)
        assert [line.partition(":")[0] for line in record.history] == [
            "attempt 1 at 0.00 s",
            "attempt 2 at 4.00 s",
            "attempt 3 at 8.00 s",
        ]

    def test_what_an_attempt_says(self, way, clock, own_waits):
        """Elapsed and remaining follow the waits."""
        said = []
        flaky = Flaky([Lost, Lost, "value"])
        note = lambda attempt: said.append((attempt.elapsed, attempt.remaining))  # noqa: E731
        assert way.run(flaky, wait=[1, 2], timeout=10, before_attempt=note) == "value"
        assert said == [(0, 10), (1, 9), (3, 7)]


class TestALimitThatComesLate:
    """`testing.limit` may begin when more attempts have been made than it allows."""

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_the_next_failure_is_the_last(self, way, limit):
        """There is no way back below it."""
        flaky = Flaky([Lost])

        def risky():
            if flaky.calls == 2:
                limits.enter_context(testing.limit(limit))
            return flaky()

        with ExitStack() as limits, pytest.raises(Lost) as caught:
            way.run(risky, 9, wait=0)
        assert flaky.calls == 3
        assert given_up(caught.value).reason == "attempts"


class EqualToAll:
    """Says yes when it is compared."""

    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


class TestResults:
    """What an attempt gives is asked about by `until`, and by nothing else."""

    def test_they_are_not_compared(self, way):
        """Whatever it says of itself, the one that is not accepted is not taken."""
        odd = EqualToAll()
        value = way.run(Flaky([odd, "value"]), until=lambda value: value is not odd)
        assert value is not odd  # which would be equal to what is expected, too
        assert value == "value"

    def test_the_history_of_refused_ones(self, way, clock):
        """Each has its line, for there was no error to tell of."""
        with pytest.raises(RetryError) as caught:
            way.run(Flaky([0]), 2, until=bool, wait=3)
        assert given_up(caught.value).history == (
            "attempt 1 at 0.00 s: result not accepted",
            "attempt 2 at 3.00 s: result not accepted",
        )


class TestAnswers:
    """A filter that answers with something to be awaited is refused by name."""

    @pytest.mark.parametrize("name", ["on", "unless", "until"])
    def test_the_whole_message(self, way, name):
        """The field, what it gave, and what it may give."""

        class Later:
            def __await__(self):
                yield

            def __repr__(self):
                return "<later>"

        with pytest.raises(TypeError) as refusal:
            way.run(Flaky(["value" if name == "until" else Lost]), **{name: lambda it: Later()})
        said = f"{name}(...)=<later>: expected an answer at once, not an awaitable"
        assert str(refusal.value) == said

    def test_a_wait(self, way):
        """So is a wait that is none."""
        with pytest.raises(ValueError, match="wait") as refusal:
            way.run(Flaky([Lost]), wait=lambda attempt: -1)
        assert str(refusal.value) == "wait(...)=-1: expected a number of seconds, 0 or more"


class TestLoops:
    """A loop without a result is a success, with `until` or without."""

    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=["plain", "until"])
    def test_nothing_stored(self, options):
        """Nothing is asked about nothing."""
        for attempt in retrying(**options):
            with attempt:
                pass
        assert (attempt.succeeded, attempt.number, attempt.result) == (True, 1, None)


class TestACallThatBeginsLate:
    """A call of a block that begins when its time is over is not run, and says so."""

    def give_up_late(self, block_way, clock, passed):
        """Begin a call *passed* seconds after its block, whose timeout is 6."""
        ended = []
        flaky = Flaky(["value"])

        async def late():
            async with retrying(timeout=6, name="fetch", on_give_up=ended.append) as call:
                clock.tick(passed)
                return await call(as_coroutine_function(flaky))

        def late_sync():
            with retrying(timeout=6, name="fetch", on_give_up=ended.append) as call:
                clock.tick(passed)
                return call(flaky)

        with pytest.raises(TimeoutError) as caught:
            run_async(late()) if block_way.colour == "async" else late_sync()
        assert flaky.calls == 0
        return caught.value, ended

    @pytest.mark.parametrize("passed", [6, 60])
    def test_its_record(self, block_way, clock, passed):
        """No attempt was made."""
        error, _ = self.give_up_late(block_way, clock, passed)
        assert str(error) == "fetch was not run: 6 s had passed"
        record = given_up(error)
        assert (record.name, record.attempts, record.reason) == ("fetch", 0, "timeout")
        assert (record.elapsed, record.history) == (passed, ())

    def test_its_ending(self, block_way, clock):
        """One hook is told, of an attempt that is none."""
        error, (attempt,) = self.give_up_late(block_way, clock, 6)
        assert (attempt.number, attempt.error, attempt.next_wait) == (0, error, None)
