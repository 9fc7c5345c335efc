"""Contract 2: what counts as a number of attempts, and as a number of seconds."""

from __future__ import annotations

import array
import datetime
import decimal
import fractions

import pytest

from retrying_elegant import Policy, TryAgain, backoff, retry, testing


class Index:
    """A whole number of another library."""

    def __index__(self):
        return 3


class Float:
    """A number of another library."""

    def __float__(self):
        return 3.0


class Scalar:
    """A 0-d array: it has a length that it cannot tell, and items that it does not have."""

    shape = ()

    def __float__(self):
        return 3.0

    def __index__(self):
        return 3

    def __len__(self):
        raise TypeError("len() of unsized object")

    def __getitem__(self, index):
        raise IndexError("too many indices")


class OfNumpy(Float, Index):
    """A scalar of numpy, which says what kind it is."""

    class dtype:  # noqa: N801 - as numpy has it
        kind = "i"


class Unsigned(OfNumpy):
    """One that is never below 0."""

    class dtype(OfNumpy.dtype):  # noqa: N801
        kind = "u"


class Truth(OfNumpy):
    """A boolean, which converts to a number as well."""

    class dtype(OfNumpy.dtype):  # noqa: N801
        kind = "b"


class Several(Float):
    """An array of several numbers, which has a conversion but cannot be converted."""

    def __float__(self):
        raise TypeError("only 0-dimensional arrays can be converted")


class Unsized:
    """An array without dimensions, of something that is not a number."""

    def __len__(self):
        raise TypeError("len() of unsized object")

    def __getitem__(self, index):
        raise IndexError("too many indices")


class CallableNumber(Float):
    """A callable first, and a number as well."""

    def __call__(self, attempt):
        return 7


SECONDS = [
    Index(),
    Float(),
    Scalar(),
    OfNumpy(),
    Unsigned(),
    fractions.Fraction(3),
    decimal.Decimal(3),
    datetime.timedelta(seconds=3),
]
seconds = pytest.mark.parametrize("three", SECONDS, ids=lambda value: type(value).__name__)


class TestSeconds:
    """Anything with `__float__` or `__index__`, and `timedelta`."""

    @seconds
    @pytest.mark.parametrize("field", ["wait", "timeout", "attempt_timeout", "reset_after"])
    def test_fields(self, three, field):
        """Kept as a float."""
        policy = Policy(**{field: three})
        assert type(getattr(policy, field)) is float
        assert policy == Policy(**{field: 3.0})

    @seconds
    def test_sequences_of_waits(self, three):
        """Each of them."""
        assert Policy(wait=[three, 1]) == Policy(wait=(3.0, 1.0))

    @seconds
    def test_backoffs(self, three):
        """Initial wait, step and cap."""
        assert backoff.linear(three, step=three, cap=three) == backoff.linear(3, step=3, cap=3)

    @seconds
    def test_hints(self, three):
        """`TryAgain(after=...)`."""
        outcomes = iter([TryAgain(after=three), None])

        @retry(2, wait=0)
        def ask():
            outcome = next(outcomes)
            if outcome is not None:
                raise outcome

        with testing.instant() as instant:
            ask()
        assert instant.waits == [3]

    @seconds
    def test_of_a_wait_callable(self, three):
        """What it returns."""
        outcomes = iter([OSError(), None])

        @retry(2, wait=lambda attempt: three)
        def ask():
            outcome = next(outcomes)
            if outcome is not None:
                raise outcome

        with testing.instant() as instant:
            ask()
        assert instant.waits == [3]

    def test_a_callable_is_a_callable_first(self):
        """Also where it could be a number, and where only a number will do."""
        wait = CallableNumber()
        assert Policy(wait=wait).wait is wait
        with pytest.raises(TypeError, match=r"^timeout="):
            Policy(timeout=wait)

    @pytest.mark.parametrize(
        "value",
        [
            *(True, "3", b"3", bytearray(b"3"), memoryview(b"3"), memoryview(b"\x03\x04"), 3j, {}),
            *(Truth(), Several(), Unsized()),
        ],
        ids=lambda value: type(value).__name__,
    )
    @pytest.mark.parametrize("field", ["wait", "timeout"])
    def test_rejected(self, field, value):
        """TypeError, naming the field."""
        with pytest.raises(TypeError, match=f"^{field}"):
            Policy(**{field: value})

    def test_arrays_are_sequences(self):
        """Of the standard library."""
        assert Policy(wait=array.array("d", [1, 2.5])) == Policy(wait=(1.0, 2.5))

    def test_one_whose_conversion_fails(self):
        """Is rejected by name, too."""

        class Broken:
            def __float__(self):
                raise ArithmeticError("no")

        with pytest.raises((TypeError, ArithmeticError), match=r"timeout|no"):
            Policy(timeout=Broken())


class TestAttempts:
    """Anything with `__index__`."""

    @pytest.mark.parametrize(
        "three",
        [Index(), Scalar(), OfNumpy(), Unsigned()],
        ids=lambda value: type(value).__name__,
    )
    def test_whole_numbers(self, three):
        """Kept as an int, in a policy and in the decorator."""
        assert type(Policy(three).attempts) is int
        assert Policy(three) == Policy(3) == retry(three)(len).policy

    def test_the_smallest(self):
        """One attempt, whoever counts it."""

        class One:
            def __index__(self):
                return 1

        assert Policy(One()) == Policy(1)

    @pytest.mark.parametrize(
        "value",
        [True, 3.0, "3", b"3", Float(), Truth(), fractions.Fraction(3), decimal.Decimal(3)],
        ids=lambda value: type(value).__name__,
    )
    def test_rejected(self, value):
        """TypeError, naming the field."""
        with pytest.raises(TypeError, match=r"^attempts="):
            Policy(value)


class TestSubclasses:
    """A subclass of Policy."""

    def test_repr_of_one_with_a_field_of_its_own(self):
        """Does not raise, and shows what differs."""

        class Named(Policy):
            team: str = "none"

            def __init__(self, *args, team="none", **fields):
                super().__init__(*args, **fields)
                self.__dict__["team"] = team

        assert "timeout=5" in repr(Named(3, timeout=5, team="shop"))
        assert retry(Named(3, team="shop"))(len).policy.team == "shop"
