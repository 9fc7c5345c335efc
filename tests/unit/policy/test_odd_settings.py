"""Settings that are odd: equal to anything, empty beside others, or many at once."""

import pytest
from ways import Flaky

from retrying_elegant import Policy, RetryBudget, retry, retrying


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
    """They are taken for what they are, not for what they are equal to."""

    def test_a_policy_keeps_it(self, name):
        """As it was given, and in the policies made from it."""
        odd = EqualToAll(1)
        assert getattr(Policy(**{name: odd}), name) is odd
        assert getattr(Policy(**{name: odd}).replace(attempts=2), name) is odd


class TestAnswers:
    """So each does what it is for."""

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
    """Nothing that attempts can be counted with, whatever its class is equal to."""

    def __repr__(self):
        return "<odd>"


class TestAttempts:
    """What is no int is refused by name, first of all where it stands for the policy."""

    @pytest.mark.parametrize("form", [Policy, retry, retrying])
    def test_odd_ones(self, form):
        """By position and by name."""
        for make in (lambda odd: form(odd), lambda odd: form(attempts=odd)):
            with pytest.raises(TypeError, match=r"^attempts=<odd>: expected an int"):
                make(Odd())


class TestWaits:
    """What a rule gives is a number of seconds, or refused."""

    def test_odd_ones(self, way, waits):
        """By its name, and before it is slept."""
        with pytest.raises(TypeError) as refusal:
            way.run(Flaky([Lost]), wait=lambda attempt: Odd())
        assert str(refusal.value) == "wait(...)=<odd>: expected a number of seconds, 0 or more"
        assert waits == []


class TestNoHooks:
    """An empty list of hooks is no hooks, and takes nothing away from the other fields."""

    @pytest.mark.parametrize("empty", [{"before_attempt": []}, {"on_success": []}], ids=str)
    def test_beside_until(self, way, empty):
        """It is asked."""
        assert way.run(Flaky([0, "value"]), until=bool, **empty) == "value"

    @pytest.mark.parametrize(
        ("name", "empty"), [("before_attempt", "on_success"), ("on_success", "before_attempt")]
    )
    def test_beside_other_hooks(self, way, name, empty):
        """They run."""
        told = []
        assert way.run(Flaky(["value"]), **{name: told.append, empty: []}) == "value"
        assert [attempt.number for attempt in told] == [1]

    def test_beside_a_time_for_each_attempt(self):
        """A sync loop shows it, with hooks and without."""
        for hooks in ([], [lambda attempt: None]):
            first = next(iter(retrying(attempt_timeout=2, on_retry=hooks, before_attempt=[])))
            assert first.timeout == 2


class TestNames:
    """A name is a line."""

    @pytest.mark.parametrize(
        ("given", "name"), [("fetch", "fetch"), ("a\nb", "a b"), ("a\r\nb\nc\n", "a b c")]
    )
    def test_several_lines(self, given, name):
        """They are put one after the other."""
        assert Policy(name=given).name == name


class TestRepr:
    """What differs from the defaults, each by its name, and nothing else."""

    def test_every_field(self):
        """In the order of the signature."""
        budget = RetryBudget()
        policy = Policy(
            3,
            on=OSError,
            unless=(KeyError,),
            until=bool,
            wait=[1, 2],
            timeout=9,
            attempt_timeout=2,
            budget=budget,
            before_attempt=len,
            on_retry=[len, print],
            on_success=len,
            on_give_up=len,
            name="fetch",
        )
        assert repr(policy) == (
            "Policy(3, on=OSError, unless=(KeyError,), until=bool, wait=(1.0, 2.0), timeout=9.0, "
            "attempt_timeout=2.0, budget=RetryBudget(capacity=100, refill=0.1), "
            "before_attempt=(len,), on_retry=(len, print), on_success=(len,), on_give_up=(len,), "
            "name='fetch')"
        )
        assert eval(repr(policy.replace(budget=None))) == policy.replace(budget=None)
