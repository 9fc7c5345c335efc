"""Contract 2, 8 and 14: waits, fields and texts that a user's own classes give."""

from __future__ import annotations

from math import nan

import pytest
from ways import Flaky

from retrying_elegant import Policy, backoff, given_up, retry


class Lost(Exception):
    """Retried in these tests."""


class OwnCall(backoff.exponential):
    """A backoff that is called in its own way."""

    def __call__(self, attempt):
        return 0.25


class OwnRule(backoff.constant):
    """A backoff whose rule is *answer*."""

    answer = 0.0

    def rule(self, n):
        return self.answer


class NotANumber(OwnRule):
    """One that breaks."""

    answer = nan


class Negative(OwnRule):
    """Another."""

    answer = -1.0


class TestOwnBackoffs:
    """``wait`` is a callable ``(Attempt) -> seconds``, and a subclass of a backoff is one, too."""

    def test_its_call_is_asked(self, way, waits):
        """Not only the rule that it has inherited."""
        assert way.run(Flaky([Lost, "value"]), wait=OwnCall()) == "value"
        assert waits == [0.25]

    @pytest.mark.parametrize("kind", [NotANumber, Negative])
    def test_its_answer_is_checked(self, way, kind):
        """At run time, as that of any callable, with the attempt's error as the context."""
        with pytest.raises(ValueError, match=r"wait\(\.\.\.\)=") as caught:
            way.run(Flaky([Lost, "value"]), wait=kind(1))
        assert type(caught.value.__context__) is Lost


class TestUnknownFields:
    """An unknown keyword is a TypeError: no name that is not a field is let through."""

    def test_what_follows_from_fields(self):
        """It is none."""
        for name in set(vars(Policy())) - set(Policy.__init__.__kwdefaults__) - {"attempts"}:
            with pytest.raises(TypeError):
                Policy().replace(**{name: False})
            with pytest.raises(TypeError):
                retry(Policy(), **{name: False})


class Text(str):
    """A text that fights being read, and holds on to something."""

    __slots__ = ("held",)

    def split(self, *_):
        raise ValueError

    def __len__(self):
        return 0


class Odd(Exception):
    """An error whose text is such a one."""

    def __str__(self):
        return Text("x" * 1000)


class TestTexts:
    """Whatever the text of an error is, the error leaves, and what is kept of it is a short one."""

    def test_a_subclass_of_str(self, way):
        """Cut at 200 characters as any other."""
        with pytest.raises(Odd) as caught:
            way.run(Flaky([Odd]), 2, wait=0)
        assert given_up(caught.value).history[0].endswith(f": Odd: {'x' * 200}")
