"""Settings, answers and results are taken for what they are, not for what they are equal to."""

import pytest
from ways import Flaky, mark, run_async

from retrying_elegant import Policy, retry, retrying


class Lost(Exception):
    """Retried in these tests, if it is."""


class Equal:
    """Equal to whatever it is compared with."""

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __hash__(self):
        return 0


class EqualToAll(Equal):
    """A setting of any kind that can be called."""

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, *args):
        return self.answer


@pytest.mark.parametrize("name", ["on", "unless", "until", "wait"])
class TestSettings:
    """A policy keeps what it was given, though it equals the default."""

    def test_a_policy_keeps_it(self, name):
        """As it was given, and in the policies made from it."""
        odd = EqualToAll(1)
        assert getattr(Policy(**{name: odd}), name) is odd
        assert getattr(Policy(**{name: odd}).replace(attempts=2), name) is odd


class TestAnswers:
    """And each does what it is for."""

    def test_on(self, way):
        """A predicate that says no."""
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost):
            way.run(flaky, on=EqualToAll(False))
        assert flaky.calls == 1

    def test_unless(self, way):
        """A predicate that says yes."""
        flaky = Flaky([Lost, "value"])
        with pytest.raises(Lost):
            way.run(flaky, unless=EqualToAll(True))
        assert flaky.calls == 1

    def test_wait(self, way, waits):
        """A rule of its own."""
        assert way.run(Flaky([Lost, "value"]), wait=EqualToAll(7)) == "value"
        assert waits == [7]


class EqualClasses(type):
    """Makes classes that are equal to any other."""

    def __eq__(cls, other):
        return True

    def __ne__(cls, other):
        return False

    def __hash__(cls):
        return 0


class Odd(Equal, metaclass=EqualClasses):
    """Neither a number nor a coroutine, though its class equals theirs."""

    def __repr__(self):
        return "<odd>"


class IncomparableClasses(type):
    """Makes classes that cannot be compared."""

    def __eq__(cls, other):
        raise ValueError("not comparable")

    __ne__ = __eq__

    def __hash__(cls):
        return 0


class Incomparable(metaclass=IncomparableClasses):
    """A result whose class cannot be compared."""


class TestErrors:
    """The class of an error is looked up among its bases, not compared."""

    @pytest.mark.parametrize("kind", [EqualClasses, IncomparableClasses])
    @pytest.mark.parametrize("before", [[], [Lost]], ids=["first", "again"])
    @pytest.mark.parametrize("retried", [True, False])
    def test_a_class_with_a_comparison_of_its_own(self, way, kind, before, retried):
        """It is retried if it derives from what `on` names."""
        odd = kind("Odd", (Lost if retried else Exception,), {})
        flaky = Flaky([*before, odd, odd, "value"])
        if retried:
            assert way.run(flaky, on=Lost) == "value"
        else:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - its type is compared with none
                way.run(flaky, on=Lost)
            assert type(caught.value) is odd
            assert flaky.calls == len(before) + 1


class TestControlFlow:
    """What ends a block is told by its class, which is not compared."""

    def test_a_class_that_is_equal_to_all(self, block_way):
        """It is the user's own, and passes through."""

        class Halt(BaseException, metaclass=EqualClasses):
            pass

        halt = Halt()
        with pytest.raises(Halt) as caught:
            block_way.run(Flaky([halt]), raises=False)
        assert caught.value is halt


class TestAttempts:
    """What is not an int is rejected by name, also in the place of a policy."""

    @pytest.mark.parametrize("form", [Policy, retry, retrying])
    def test_odd_ones(self, form):
        """By position and by name."""
        for make in (lambda odd: form(odd), lambda odd: form(attempts=odd)):
            with pytest.raises(TypeError, match=r"^attempts=<odd>: expected an int"):
                make(Odd())


class TestWaits:
    """What a wait callable returns is a number of seconds, or is rejected."""

    def test_odd_ones(self, way, waits):
        """By its name, and before it is slept."""
        with pytest.raises(TypeError) as refusal:
            way.run(Flaky([Lost]), wait=lambda attempt: Odd())
        assert str(refusal.value) == "wait(...)=<odd>: expected a number of seconds, 0 or more"
        assert waits == []


class TestResults:
    """A result is not compared either, nor is its class."""

    def test_they_are_not_compared(self, way):
        """Whatever it says of itself, the one that is not accepted is not taken."""
        odd = EqualToAll(1)
        value = way.run(Flaky([odd, "value"]), until=lambda value: value is not odd)
        assert value is not odd  # which would be equal to what is expected, too
        assert value == "value"

    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=["plain", "until"])
    @pytest.mark.parametrize("before", [[], [Lost]], ids=["first", "again"])
    @pytest.mark.parametrize("kind", [Odd, Incomparable])
    def test_a_class_with_a_comparison_of_its_own(self, way, options, before, kind):
        """Whether it is equal to all, or cannot be compared."""
        odd = kind()
        assert way.run(Flaky([*before, odd]), **options) is odd

    @pytest.mark.parametrize("kind", [EqualClasses, IncomparableClasses])
    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=["plain", "until"])
    def test_an_awaitable_with_such_a_class(self, kind, options):
        """It is awaited, where what returns it counts as a coroutine function."""

        class Answer(metaclass=kind):
            def __await__(self):
                return "value"
                yield

        assert run_async(retry(1, **options)(mark(lambda: Answer()))()) == "value"
