"""Contract 2: how many attempts, until when, and in which order that is decided."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ways import Flaky

from retrying_elegant import RetryBudget, given_up, retry


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


def taking(clock, seconds, outcome=Lost):
    """An attempt that takes *seconds* and then plays *outcome*."""
    play = Flaky([outcome])

    def risky():
        risky.calls += 1
        clock.tick(seconds)
        return play()

    risky.calls = 0
    return risky


class TestAttempts:
    """`attempts`: most calls in total, the first included: int >= 1; `None` = no limit."""

    def test_the_default_is_five(self, way):
        """`Policy(attempts=5)`."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost):
            way.run(flaky)
        assert flaky.calls == 5

    @pytest.mark.parametrize("attempts", [1, 2, 7])
    def test_no_more_calls_than_attempts(self, way, waits, attempts):
        """And one wait less than there are calls."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost):
            way.run(flaky, attempts)
        assert flaky.calls == attempts
        assert len(waits) == attempts - 1

    def test_by_keyword(self, way):
        """`attempts` is a field like the others."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost):
            way.run(flaky, attempts=2)
        assert flaky.calls == 2

    def test_no_more_calls_than_needed(self, way):
        """A success ends the call."""
        flaky = Flaky([Lost, "value", Lost])
        assert way.run(flaky, 5) == "value"
        assert flaky.calls == 2

    def test_none_is_no_limit(self, way):
        """Far beyond the default."""
        flaky = Flaky([*[Lost] * 500, "value"])
        assert way.run(flaky, None) == "value"
        assert flaky.calls == 501


class TestTimeout:
    """`timeout`: total seconds from the start of the call, loop or block, waits included."""

    @pytest.mark.parametrize("timeout", [3, 3.0, timedelta(seconds=3)])
    def test_a_wait_that_would_end_at_the_timeout_is_not_begun(self, way, clock, waits, timeout):
        """Attempts at 0, 1 and 2 seconds; the one at 3 would be too late."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost):
            way.run(flaky, None, wait=1, timeout=timeout)
        assert flaky.calls == 3
        assert waits == [1, 1]

    def test_a_wait_that_would_end_just_before_it_is_slept_in_full(self, way, clock, waits):
        """The next attempt must start within the timeout; it may."""
        assert way.run(Flaky([Lost, "value"]), wait=2.5, timeout=3) == "value"
        assert waits == [2.5]

    def test_a_wait_beyond_it_is_neither_begun_nor_shortened(self, way, clock, waits):
        """The policy gives up at once: no hook runs, no token is taken, and nothing is slept."""
        told = []
        flaky, budget = Flaky([Lost]), RetryBudget(10)
        with pytest.raises(Lost):
            way.run(flaky, wait=10, timeout=3, budget=budget, on_retry=told.append)
        assert flaky.calls == 1
        assert (told, waits, budget.tokens) == ([], [], 10)

    def test_the_attempts_themselves_count(self, way, clock, waits):
        """Attempts at 0 and 3 seconds, each of two seconds; at 5 a wait would end at 6."""
        risky = taking(clock, 2)
        with pytest.raises(Lost):
            way.run(risky, None, wait=1, timeout=6)
        assert risky.calls == 2
        assert waits == [1]

    def test_it_never_interrupts_a_running_attempt(self, way, clock):
        """By itself: a late success is a success."""
        assert way.run(taking(clock, 100, "value"), timeout=3) == "value"

    def test_each_call_has_its_own(self, clock):
        """The clock of a decorated function starts with the call, not with the decoration."""
        fetch = retry(wait=2, timeout=3)(Flaky([Lost, "one", Lost, "two"]))
        assert fetch() == "one"
        clock.tick(60)
        assert fetch() == "two"


class TestNoAttemptStartsLate:
    """No attempt starts at or after the timeout, and none is left out that could have started."""

    @given(
        steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8),
        timeout=st.integers(1, 12),
    )
    def test_any_run_of_attempts_and_waits(self, some_way, clock, steps, timeout):
        """Each step is an attempt of so many seconds and the wait of so many after it."""
        expected = []
        now = 0
        for lasting, wait in steps:
            expected.append(now)
            now += lasting
            if now >= timeout or now + wait >= timeout:
                break
            now += wait

        starts = []

        def risky():
            clock.tick(steps[len(starts) - 1][0])
            raise Lost

        with pytest.raises(Lost):
            some_way.run(
                risky,
                len(steps),
                timeout=timeout,
                wait=lambda attempt: steps[attempt.number - 1][1],
                before_attempt=lambda attempt: starts.append(attempt.elapsed),
            )
        assert starts == expected


class TestBrokenClocks:
    """A frozen or broken clock cannot make a loop with positive waits endless."""

    def test_a_frozen_clock(self, way, clock, own_waits):
        """The sum of the waits stands in for it: 4 ms are past, 5 would be too late."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost):
            way.run(flaky, None, wait=0.001, timeout=0.0045)
        assert flaky.calls == 5

    def test_a_clock_that_runs_backwards(self, way, clock, own_waits):
        """Each attempt ends an hour before it began."""
        risky = taking(clock, -3600)
        with pytest.raises(Lost):
            way.run(risky, None, wait=0.001, timeout=0.0045)
        assert risky.calls == 5


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
