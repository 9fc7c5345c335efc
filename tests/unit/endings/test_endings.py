"""Every call that ends has one ending hook, also where its own settings are what broke it."""

import pytest
from ways import Flaky

from retrying_elegant import RetryBudget


class Lost(Exception):
    """Retried in these tests."""


def raising(*args):
    """A setting with a bug in it."""
    raise ZeroDivisionError("a bug in the settings")


class Later:
    """Something to be awaited, where an answer is wanted."""

    def __await__(self):
        yield


class Told:
    """Hooks for all events, and what they were told of."""

    def __init__(self):
        self.story = []

    def __getitem__(self, name):
        return lambda attempt: self.story.append((name, attempt.number))

    def keys(self):
        return ["before_attempt", "on_retry", "on_success", "on_give_up"]


class TestBrokenSettings:
    """A predicate or a wait that raises, or returns what it may not, ends the call."""

    @pytest.mark.parametrize("broken", [raising, lambda it: Later()], ids=["raises", "awaitable"])
    @pytest.mark.parametrize("name", ["on", "unless", "wait", "until"])
    def test_it_has_given_up(self, way, name, broken):
        """Once, and on the attempt that was asked about."""
        told = Told()
        flaky = Flaky(["value" if name == "until" else Lost])
        with pytest.raises((ZeroDivisionError, TypeError)):
            way.run(flaky, **{name: broken}, **told)
        assert told.story == [("before_attempt", 1), ("on_give_up", 1)]

    def test_later(self, way):
        """After retries that were told of as ever."""
        told = Told()
        flaky = Flaky([Lost, 0, Lost])
        broken = lambda attempt: raising() if attempt.number == 3 else 0  # noqa: E731
        with pytest.raises(ZeroDivisionError):
            way.run(flaky, until=bool, wait=broken, **told)
        assert told.story == [
            *(("before_attempt", 1), ("on_retry", 1)),
            *(("before_attempt", 2), ("on_retry", 2)),
            *(("before_attempt", 3), ("on_give_up", 3)),
        ]

    @pytest.mark.parametrize("name", ["on", "unless", "wait", "until"])
    def test_no_token_is_taken(self, way, name):
        """Nor one given: it was no success."""
        budget = RetryBudget(10, 1)
        budget._take()
        flaky = Flaky(["value" if name == "until" else Lost])
        with pytest.raises(ZeroDivisionError):
            way.run(flaky, budget=budget, **{name: raising})
        assert budget.tokens == 9


class TestOneEnding:
    """Success or not, it is told once."""

    @pytest.mark.parametrize(
        ("script", "options", "ending"),
        [
            (["value"], {}, ("on_success", 1)),
            ([Lost, "value"], {}, ("on_success", 2)),
            ([0, "value"], {"until": bool}, ("on_success", 2)),
            ([Lost], {"on": OSError}, ("on_give_up", 1)),
            ([Lost], {"attempts": 2}, ("on_give_up", 2)),
            ([0], {"attempts": 2, "until": bool}, ("on_give_up", 2)),
            ([Lost], {"timeout": 1, "wait": 2}, ("on_give_up", 1)),
        ],
        ids=str,
    )
    def test_it_is_the_last_of_the_story(self, way, script, options, ending):
        """And the only one of its kind."""
        told = Told()
        try:
            way.run(Flaky(script), **options, **told)
        except Exception:
            assert ending[0] == "on_give_up"
        assert told.story[-1] == ending
        assert sum(name in {"on_success", "on_give_up"} for name, _ in told.story) == 1


class EqualToAll(type):
    """Makes classes that are equal to any other, if one asks them."""

    def __eq__(cls, other):
        return True

    def __hash__(cls):
        return 0


class Odd(metaclass=EqualToAll):
    """A result whose class would pass for that of a coroutine."""


class TestOddResults:
    """What an attempt returns is taken for what it is."""

    @pytest.mark.parametrize("options", [{}, {"until": bool}], ids=["plain", "until"])
    @pytest.mark.parametrize("before", [[], [Lost]], ids=["first", "again"])
    def test_a_class_that_is_equal_to_all(self, way, options, before):
        """It is not compared."""
        odd = Odd()
        assert way.run(Flaky([*before, odd]), **options) is odd
