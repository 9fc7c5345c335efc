"""numpy's scalars and arrays as settings."""

from __future__ import annotations

import numpy
import pytest

from retrying_elegant import Policy, RetryBudget, RetryError, TryAgain, backoff, retry, testing

SCALARS = [
    numpy.float64(3),
    numpy.float32(3),
    numpy.float16(3),
    numpy.int64(3),
    numpy.uint8(3),
    numpy.array(3.0),
    numpy.array(3),
]
scalar = pytest.mark.parametrize("three", SCALARS, ids=repr)


class TestScalars:
    """numpy's numbers are numbers; a 0-d array is one too."""

    @scalar
    @pytest.mark.parametrize("field", ["wait", "timeout"])
    def test_durations(self, three, field):
        """Normalized to Python's floats, so that policies stay equal and print well."""
        policy = Policy(**{field: three})
        assert policy == Policy(**{field: 3.0})
        assert type(getattr(policy, field)) is float
        assert repr(policy) == repr(Policy(**{field: 3.0}))

    @pytest.mark.parametrize(
        "three", [numpy.int64(3), numpy.uint8(3), numpy.array(3)], ids=["int64", "uint8", "array"]
    )
    def test_attempts(self, three):
        """Whole numbers; kept as Python's int."""
        policy = Policy(three)
        assert policy == Policy(3)
        assert type(policy.attempts) is int

    @scalar
    def test_backoffs(self, three):
        """Their numbers as well."""
        rule = backoff.exponential(three, factor=three, cap=three)
        assert rule == backoff.exponential(3.0, factor=3.0, cap=3.0)
        assert repr(rule) == repr(backoff.exponential(3.0, factor=3.0, cap=3.0))

    @scalar
    def test_a_hint(self, three):
        """`TryAgain(after=...)`, and what a wait callable returns."""
        outcomes = iter([TryAgain(after=three), OSError(), "well"])

        @retry(3, wait=lambda attempt: three - three if attempt.hint else three)
        def ask():
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        with testing.instant() as instant:
            assert ask() == "well"
        assert instant.waits == [3, 3]

    def test_a_budget(self):
        """Capacity and refill."""
        budget = RetryBudget(numpy.int64(10), refill=numpy.float32(0.5))
        assert (budget.capacity, budget.refill) == (10, 0.5)

    def test_sequences(self):
        """A 1-d array is a sequence of waits."""
        assert Policy(wait=numpy.array([1, 2.5])) == Policy(wait=(1.0, 2.5))
        assert Policy(wait=[numpy.float32(1), numpy.int64(2)]) == Policy(wait=(1.0, 2.0))


class TestRejected:
    """What is not a number of seconds."""

    @pytest.mark.parametrize(
        "value",
        [numpy.bool_(True), numpy.timedelta64(3, "s"), numpy.str_("3"), numpy.array(["3"])],
        ids=repr,
    )
    @pytest.mark.parametrize("field", ["attempts", "wait", "timeout"])
    def test_type_error(self, field, value):
        """It names the field."""
        with pytest.raises(TypeError, match=f"^{field}"):
            Policy(**{field: value})

    @pytest.mark.parametrize("value", [numpy.float64("nan"), numpy.float32("inf"), numpy.int64(-1)])
    @pytest.mark.parametrize("field", ["wait", "timeout"])
    def test_value_error(self, field, value):
        """As for Python's own."""
        with pytest.raises(ValueError, match=f"^{field}="):
            Policy(**{field: value})

    @pytest.mark.parametrize("value", [numpy.float64(3), numpy.array(3.0)], ids=repr)
    def test_attempts(self, value):
        """A float is no number of attempts."""
        with pytest.raises(TypeError, match=r"^attempts="):
            Policy(value)


class TestResults:
    """Results that are numpy's."""

    def test_until(self):
        """A predicate that returns numpy's bool."""
        errors = iter([numpy.float64(0.5), numpy.float64(0.05)])
        step = retry(3, wait=0, until=lambda error: error < 0.1)(lambda: next(errors))
        assert step() == 0.05

    def test_arrays(self):
        """Returned and rejected as any other; nothing compares them."""
        array = numpy.arange(3)
        assert retry(3)(lambda: array)() is array
        with pytest.raises(RetryError) as caught:
            retry(2, wait=0, until=lambda result: result.sum() > 3)(lambda: array)()
        assert caught.value.result is array
