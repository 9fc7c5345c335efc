"""Section 8 of the contract: backoff, from a retry number to seconds."""

import math
import random
import sys
from fractions import Fraction

import pytest
from backoff_parts import every_rule, wait
from hypothesis import given
from hypothesis import strategies as st
from ways import Flaky

from retrying_elegant import backoff


def draws(rule, number, count=2_000):
    """Many waits before the same retry, from one seed."""
    random.seed(20)
    return [wait(rule, number, waited=1.0) for _ in range(count)]


# Sane settings: waits from a millisecond to a day, that all differ from nothing.
seconds = st.floats(0.001, 100_000)
shares = st.floats(0, 1)
retries = st.integers(1, 200)

# The rules that have a jitter, each as a function of it, with waits of 4 seconds before retry 3.
JITTERED = {
    "constant": lambda jitter: backoff.constant(4, jitter=jitter),
    "linear": lambda jitter: backoff.linear(2, 1, jitter=jitter),
    "exponential": lambda jitter: backoff.exponential(1, 2, jitter=jitter),
    "fibonacci": lambda jitter: backoff.fibonacci(2, jitter=jitter),
    "sequence": lambda jitter: backoff.sequence(1, 2, 4, jitter=jitter),
}
every_jittered_rule = pytest.mark.parametrize("make", JITTERED.values(), ids=JITTERED)


class TestRules:
    """`rule(n)` for retry n = 1, 2, 3...: what each rule gives without jitter and below its cap."""

    @given(seconds, retries)
    def test_constant(self, duration, n):
        """The same seconds before every retry."""
        assert wait(backoff.constant(duration), n) == duration

    @given(seconds, seconds, seconds, retries)
    def test_linear(self, initial, step, cap, n):
        """`initial + (n-1)*step`."""
        rule = backoff.linear(initial, step, cap=cap, jitter=0)
        assert wait(rule, n) == pytest.approx(min(cap, initial + (n - 1) * step))

    @given(seconds, st.floats(1, 10), seconds, retries)
    def test_exponential(self, initial, factor, cap, n):
        """`initial * factor**(n-1)`."""
        rule = backoff.exponential(initial, factor, cap=cap, jitter=0)
        exact = min(Fraction(cap), Fraction(initial) * Fraction(factor) ** (n - 1))
        assert wait(rule, n) == pytest.approx(float(exact))

    @given(seconds, seconds, retries)
    def test_fibonacci(self, initial, cap, n):
        """`initial * (1, 1, 2, 3, 5...)`."""
        number, following = 1, 1
        for _ in range(n - 1):
            number, following = following, number + following
        rule = backoff.fibonacci(initial, cap=cap, jitter=0)
        assert wait(rule, n) == pytest.approx(float(min(Fraction(cap), Fraction(initial) * number)))

    @given(st.lists(seconds, min_size=1), retries)
    def test_sequence(self, values, n):
        """One value after the other; the last repeats."""
        assert wait(backoff.sequence(*values), n) == values[min(n, len(values)) - 1]

    @pytest.mark.parametrize(
        ("rule", "waits"),
        [
            (backoff.constant(2), [2, 2, 2, 2, 2, 2]),
            (backoff.linear(jitter=0), [0.5, 1, 1.5, 2, 2.5, 3]),
            (backoff.linear(1, 10, jitter=0), [1, 11, 21, 30, 30, 30]),
            (backoff.exponential(jitter=0), [0.5, 1, 2, 4, 8, 16]),
            (backoff.exponential(1, 3, cap=20, jitter=0), [1, 3, 9, 20, 20, 20]),
            (backoff.fibonacci(jitter=0), [0.5, 0.5, 1, 1.5, 2.5, 4]),
            (backoff.sequence(1, 60, 5), [1, 60, 5, 5, 5, 5]),
        ],
        ids=repr,
    )
    def test_by_hand(self, rule, waits):
        """The defaults of every rule, and a few others, worked out on paper."""
        assert [wait(rule, n) for n in range(1, 7)] == pytest.approx(waits)


class TestJitter:
    """`wait = min(cap, rule(n)) * (1 - jitter * U)`, U uniform in [0, 1)."""

    @given(seconds, st.floats(1, 10), seconds, shares, retries)
    def test_waits_stay_between_the_share_and_the_whole(self, initial, factor, cap, jitter, n):
        """Never above what the rule gives, never below what jitter leaves of it."""
        high = wait(backoff.exponential(initial, factor, cap=cap, jitter=0), n)
        low = high * (1 - jitter)
        got = wait(backoff.exponential(initial, factor, cap=cap, jitter=jitter), n)
        assert low - 1e-9 * high <= got <= high

    @every_jittered_rule
    @pytest.mark.parametrize("jitter", [0.25, 0.5, 1])
    def test_waits_are_spread_evenly_over_the_share(self, make, jitter):
        """Four quarters of the range hold a quarter of the draws each."""
        low = 4 * (1 - jitter)
        quarters = [int((w - low) / (4 - low) * 4 - 1e-12) for w in draws(make(jitter), 3)]
        shares = [quarters.count(q) / len(quarters) for q in range(4)]
        assert shares == pytest.approx([0.25] * 4, abs=0.04)

    @every_jittered_rule
    def test_no_jitter_is_no_randomness(self, make):
        """0 is none: every draw is the rule's own value."""
        assert set(draws(make(0), 3, count=20)) == {4}

    @every_jittered_rule
    def test_waits_at_the_cap_stay_spread(self, make):
        """Jitter is taken of the capped wait, so it does not vanish there."""
        waits = draws(make(1), 1_000)
        assert len(set(waits)) > len(waits) * 0.99
        assert max(waits) > 10 * min(waits)

    @pytest.mark.parametrize("make", [backoff.linear, backoff.exponential, backoff.fibonacci])
    def test_full_jitter_is_the_default_of_growing_rules(self, make):
        """Default 1 for linear, exponential, fibonacci."""
        assert make() == make(jitter=1)

    @pytest.mark.parametrize("make", [backoff.constant, backoff.sequence])
    def test_no_jitter_is_the_default_of_plain_rules(self, make):
        """0 for constant and sequence."""
        assert make(2) == make(2, jitter=0)


class TestCap:
    """No wait ever exceeds `cap`."""

    @given(seconds, seconds, shares, st.integers(1, 10**9), st.floats(1, 10))
    def test_of_any_rule_at_any_retry(self, initial, cap, jitter, n, factor):
        """Whatever the settings."""
        for rule in (
            backoff.linear(initial, factor, cap=cap, jitter=jitter),
            backoff.exponential(initial, factor, cap=cap, jitter=jitter),
            backoff.fibonacci(initial, cap=cap, jitter=jitter),
            backoff.decorrelated(initial, cap=cap),
        ):
            assert 0 <= wait(rule, n, waited=cap) <= cap, rule

    @pytest.mark.parametrize(
        "make", [backoff.linear, backoff.exponential, backoff.fibonacci, backoff.decorrelated]
    )
    def test_is_thirty_seconds_by_default(self, make):
        """`cap=30.0`."""
        assert make() == make(cap=30.0)


class Power(backoff.Backoff):
    """A backoff of the user's own, whose second wait no float holds."""

    def __init__(self):
        self._set(cap=30, jitter=0)

    def rule(self, n):
        return 2.0 ** (1000 * n)


class TestNoOverflow:
    """No overflow at any n."""

    @pytest.mark.parametrize("n", [10, 1_025, 10_000, 10**9])
    @pytest.mark.parametrize(
        "rule",
        [
            backoff.linear(10, 10, jitter=0),
            backoff.exponential(jitter=0),
            backoff.exponential(1, 10, jitter=0),
            backoff.exponential(1.0, 1e300, jitter=0),
            backoff.fibonacci(2, jitter=0),
        ],
        ids=repr,
    )
    def test_growing_waits_have_reached_the_cap(self, rule, n):
        """Where floats have long run out, the cap still stands."""
        assert wait(rule, n) == 30

    @pytest.mark.parametrize(
        ("rule", "first"), [(backoff.exponential(1.0, 1e300, jitter=0), 1), (Power(), 30)], ids=repr
    )
    def test_in_a_call(self, some_way, waits, rule, first):
        """There, too, the cap stands, whatever the rule."""
        assert some_way.run(Flaky([OSError, OSError, OSError, "value"]), wait=rule) == "value"
        assert waits == [first, 30, 30]

    @pytest.mark.parametrize("n", [10, 1_025, 10_000, 10**9])
    @pytest.mark.parametrize(
        ("rule", "duration"),
        [
            (backoff.constant(2), 2),
            (backoff.sequence(1, 3), 3),
            (backoff.linear(2, 0, jitter=0), 2),
            (backoff.linear(0, 0, jitter=0), 0),
            (backoff.exponential(2, 1, jitter=0), 2),
            (backoff.exponential(0, jitter=0), 0),
            (backoff.fibonacci(0, jitter=0), 0),
        ],
        ids=repr,
    )
    def test_waits_that_do_not_grow_stay_what_they_are(self, rule, duration, n):
        """Nothing times a great number is still nothing."""
        assert wait(rule, n) == duration

    @every_rule
    @pytest.mark.parametrize("n", [1_025, 10_000, 10**9])
    def test_bounds_do_not_overflow_either(self, rule, n):
        """Both are finite and in order."""
        low, high = rule.bounds(n)
        assert 0 <= low <= high <= 30

    @pytest.mark.parametrize("n", [1_025, 10_000, 10**9])
    @pytest.mark.parametrize("make", [backoff.linear, backoff.exponential, backoff.fibonacci])
    def test_not_even_with_the_greatest_cap(self, make, n):
        """A cap at the end of the floats still gives a finite wait."""
        assert math.isfinite(wait(make(1e300, cap=sys.float_info.max), n))


class TestDecorrelated:
    """`min(cap, U(initial, 3 * previous wait))`, previous = initial at first."""

    @given(seconds, seconds, st.integers(0, 2**32))
    def test_the_first_wait_starts_from_initial(self, initial, cap, seed):
        """`U(initial, 3 * initial)`, capped."""
        random.seed(seed)
        first = wait(backoff.decorrelated(initial, cap=cap), 1)
        assert min(cap, initial) <= first <= min(cap, 3 * initial)

    @given(seconds, seconds, st.integers(2, 10**9), st.integers(0, 2**32))
    def test_the_next_start_from_the_wait_before(self, initial, previous, n, seed):
        """`U(initial, 3 * previous)`: what was waited counts, not the number of the retry."""
        rule = backoff.decorrelated(initial, cap=10**9)
        random.seed(seed)
        got = wait(rule, n, waited=previous)
        low, high = sorted((initial, 3 * previous))
        assert low - 1e-9 * high <= got <= high + 1e-9 * high

    def test_the_range_is_used_evenly(self):
        """Uniform: four quarters of (1, 9) hold a quarter of the draws each."""
        random.seed(20)
        rule = backoff.decorrelated(1, cap=100)
        quarters = [int((wait(rule, 2, waited=3.0) - 1) / 8 * 4) for _ in range(2_000)]
        assert [quarters.count(q) / 2_000 for q in range(4)] == pytest.approx([0.25] * 4, abs=0.04)

    def test_it_bunches_at_its_cap(self):
        """To the letter: what is drawn above the cap is the cap itself."""
        random.seed(20)
        rule = backoff.decorrelated(1, cap=10)
        at_cap = sum(wait(rule, 5, waited=10.0) == 10 for _ in range(2_000))
        assert at_cap / 2_000 == pytest.approx(20 / 29, abs=0.04)


def fibonacci_number(n):
    this, following = 0, 1
    for _ in range(n):
        this, following = following, this + following
    return this


class TestNothing:
    """A wait of 0 stays 0 before any retry, also where the growth alone overflows a float."""

    @pytest.mark.parametrize(
        "rule",
        [
            backoff.constant(0, jitter=1),
            backoff.linear(0, 0),
            backoff.exponential(0),
            backoff.fibonacci(0),
            backoff.sequence(0, jitter=1),
            backoff.decorrelated(0),
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("n", [1, 2, 700, 2_000, 100_000])
    def test_it_stays(self, rule, n):
        """By its bounds, and when it is drawn."""
        assert rule.bounds(n) == (0, 0)
        assert wait(rule, n) == 0


class TestNextToNothing:
    """What is more than 0 is a wait, or a factor."""

    @pytest.mark.parametrize("n", [2, 100, 700, 1_400])
    def test_a_first_wait_that_nobody_notices(self, n):
        """It grows as any other does."""
        exact = Fraction(1e-300) * fibonacci_number(n)
        assert backoff.fibonacci(1e-300).bounds(n)[1] == pytest.approx(float(exact), rel=1e-12)

    def test_waits_that_shrink(self):
        """A factor between 0 and 1 makes each wait shorter than the one before."""
        rule = backoff.exponential(8, 0.5, jitter=0)
        assert [wait(rule, n) for n in (1, 2, 3, 4, 5)] == [8, 4, 2, 1, 0.5]

    def test_the_least_factor(self):
        """Anything above 0: after the first wait there is none left."""
        rule = backoff.exponential(8, 5e-324, jitter=0)
        assert [wait(rule, n) for n in (1, 3)] == [8, 0]


class TestNoRandomness:
    """A rule without jitter draws nothing, so it does not disturb what others draw."""

    @pytest.mark.parametrize(
        "rule",
        [
            backoff.constant(2),
            backoff.sequence(1, 2),
            backoff.linear(jitter=0),
            backoff.exponential(jitter=0),
            backoff.fibonacci(jitter=0),
        ],
        ids=repr,
    )
    def test_the_numbers_that_follow_are_the_same(self, rule):
        """One seed gives one story, with waits in between or without."""
        random.seed(7)
        without = random.random()
        random.seed(7)
        wait(rule, 1)
        assert random.random() == without
