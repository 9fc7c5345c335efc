"""Backoff at its edges: nothing at all, next to nothing, and no randomness."""

import random
from fractions import Fraction

import pytest
from backoff_parts import wait

from retrying_elegant import backoff


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


class TestRepr:
    """A rule reads as one would write it."""

    @pytest.mark.parametrize(
        ("rule", "text"),
        [
            (backoff.constant(2), "constant(seconds=2.0, jitter=0.0)"),
            (backoff.sequence(1, 5, 30), "sequence(1.0, 5.0, 30.0, jitter=0.0)"),
            (backoff.sequence(1), "sequence(1.0, jitter=0.0)"),
            (backoff.decorrelated(), "decorrelated(initial=0.5, cap=30.0)"),
            (backoff.fibonacci(1), "fibonacci(initial=1.0, cap=30.0, jitter=1.0)"),
        ],
    )
    def test_it_gives_the_same_value_back(self, rule, text):
        """Every setting by its name, but for the waits of a sequence."""
        assert repr(rule) == text
        assert eval(text, vars(backoff).copy()) == rule
