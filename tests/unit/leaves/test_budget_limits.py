"""Budgets at their limits: the least and the most they hold, and what a full one costs."""

import pytest

from retrying_elegant import RetryBudget


class TestSizes:
    """A capacity from 1, a refill of 0 or from 0.001 to the capacity, both with three decimals."""

    @pytest.mark.parametrize("capacity", [1, 1.5, 2.125, 100, 1_000_000_000_000])
    def test_capacity(self, capacity):
        """It is what was asked for, and what the bucket starts with."""
        budget = RetryBudget(capacity)
        assert budget.capacity == budget.tokens == capacity

    @pytest.mark.parametrize("refill", [0, 0.001, 0.25, 1, 1.5, 10])
    def test_refill(self, refill):
        """It is what was asked for, and what one success gives back."""
        budget = RetryBudget(10, refill)
        assert budget.refill == refill
        for _ in range(10):
            budget._take()
        budget._earn()
        assert budget.tokens == refill

    def test_rounded_to_thousandths(self):
        """What is left of the third decimal is dropped or made one more."""
        budget = RetryBudget(2.0004, 0.0016)
        assert (budget.capacity, budget.refill) == (2, 0.002)

    def test_the_defaults(self):
        """A hundred retries with no success between them, and one for ten successes."""
        assert (RetryBudget().capacity, RetryBudget().refill) == (100, 0.1)


class TestAnswers:
    """`take` says True or False, and no more."""

    def test_the_last_token(self):
        """It is taken; the next is not there, and nothing is owed for having asked."""
        budget = RetryBudget(1, 1)
        assert [budget._take() for _ in range(3)] == [True, False, False]
        assert budget.tokens == 0
        budget._put_back()
        assert budget._take() is True


class TestAFullOne:
    """A success leaves a full bucket alone."""

    def test_it_earns_nothing(self):
        """Once it is full again, the next success changes nothing."""
        budget = RetryBudget(10, 1)
        budget._take()
        budget._earn()
        before = budget._missing.link
        budget._earn()
        assert budget.tokens == 10
        assert budget._missing.link is before
        assert len(before) == 1
