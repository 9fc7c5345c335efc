"""Contract 6: an exception that cannot take a note or an attribute leaves all the same."""

from __future__ import annotations

import logging

import pytest
from ways import Flaky

from retrying_elegant import given_up


class Frozen(Exception):
    """Takes no attribute, like a frozen dataclass."""

    def __setattr__(self, name, value):
        raise AttributeError(f"cannot assign to field {name!r}")

    def __delattr__(self, name):
        raise AttributeError(f"cannot delete field {name!r}")


class Noteless(Exception):
    """Takes no note."""

    def add_note(self, note):
        raise TypeError("no notes here")


class Mute(Exception):
    """Has no text."""

    def __str__(self):
        raise ValueError("no text here")

    __repr__ = __str__


class Garbled(Exception):
    """Has a text that is none."""

    def __str__(self):
        return None


class Unhashable(Exception):
    """Equal to all, hashable by none."""

    __hash__ = None

    def __eq__(self, other):
        return True


class Incomparable(Exception):
    """Cannot be compared or tested."""

    __hash__ = Exception.__hash__

    def __eq__(self, other):
        raise ValueError("not comparable")

    def __bool__(self):
        raise ValueError("neither true nor false")


class Evasive(Exception):
    """Answers to no name that it does not know, not even by an AttributeError."""

    def __getattr__(self, name):
        raise ValueError(name)


class Obliging(Exception):
    """Answers to every name, with something of its own."""

    def __getattr__(self, name):
        return [name]


class Unhooked(Exception):
    """Keeps its traceback to itself."""

    def with_traceback(self, trace):
        raise TypeError("no tracebacks here")


class Namelessness(type):
    """Makes classes that do not tell their names."""

    @property
    def __name__(cls):
        raise ValueError("no name here")


class Nameless(Exception, metaclass=Namelessness):
    """Has a class that does not tell its name."""


class NamelessAndMute(Mute, metaclass=Namelessness):
    """Tells nothing at all."""


class FightsBack(Frozen, Noteless, NamelessAndMute, Incomparable, Evasive, Unhooked):
    """Resists in every way at once."""


def with_odd_notes():
    error = Exception("odd")
    error.__notes__ = "not a list"
    return error


DIFFICULT = {
    "frozen": Frozen,
    "noteless": Noteless,
    "mute": Mute,
    "garbled": Garbled,
    "unhashable": Unhashable,
    "incomparable": Incomparable,
    "evasive": Evasive,
    "obliging": Obliging,
    "unhooked": Unhooked,
    "nameless": Nameless,
    "nameless and mute": NamelessAndMute,
    "odd notes": with_odd_notes,
    "1 MB": lambda: Exception("x" * 1_000_000),
    "surrogates": lambda: Exception("\ud800"),
    "control characters": lambda: Exception("\x00\x1b[2J\r\n\u2028"),
}


@pytest.fixture(autouse=True)
def own_log(monkeypatch):
    """Lines are formatted, but not reported: pytest-xdist cannot send lone surrogates."""

    def formatted(record):
        record.getMessage()
        return False

    monkeypatch.setattr(logging.getLogger("retrying_elegant"), "filters", [formatted])


def ending(way, script, *args, **options):
    """The value, or the error that left: reporting such an error would be too much for pytest."""
    try:
        return way.run(script, *args, **options)
    except Exception as error:
        return error


@pytest.mark.parametrize("make", DIFFICULT.values(), ids=DIFFICULT)
class TestDifficultErrors:
    """Whatever an exception is like, it is retried and given up on as any other."""

    def test_it_is_retried(self, some_way, make):
        """To a success; and its traceback is dropped before the wait, as that of any other."""
        error = make()
        flaky = Flaky([make(), error, "value"])
        assert type(ending(some_way, flaky)) is str
        assert flaky.calls == 3
        assert error.__traceback__ is None

    def test_it_leaves(self, some_way, make):
        """The same object, after the same number of calls, with its record if it takes one."""
        error = make()
        flaky = Flaky([error])
        the_same = ending(some_way, flaky, 3) is error
        assert the_same
        assert flaky.calls == 3
        record = given_up(error)
        assert record is None or record.attempts == 3

    def test_it_leaves_when_it_is_not_retryable(self, some_way, make):
        """On a later attempt."""
        error = make()
        flaky = Flaky([KeyError, error])
        the_same = ending(some_way, flaky, on=KeyError) is error
        assert the_same
        assert flaky.calls == 2


class TestInEveryForm:
    """An error that resists reporting in every way at once, in each form."""

    def test_it_is_retried_and_leaves(self, way):
        """The same object, after as many calls as any other."""
        error = FightsBack()
        flaky = Flaky([KeyError, error])
        the_same = ending(way, flaky, 3) is error
        assert the_same
        assert flaky.calls == 3

    def test_its_traceback_is_dropped(self, way):
        """Before the wait."""
        error = FightsBack()
        assert ending(way, Flaky([error, "value"]), unless=given_up) == "value"
        assert error.__traceback__ is None


class TestFreshDifficultErrors:
    """`given_up(error)`: the record, or None."""

    @pytest.mark.parametrize("make", DIFFICULT.values(), ids=DIFFICULT)
    def test_none_before_any_policy_has_given_up_on_it(self, make):
        """Whatever it answers to a name it does not know."""
        assert given_up(make()) is None

    @pytest.mark.parametrize("make", DIFFICULT.values(), ids=DIFFICULT)
    def test_unless_given_up(self, some_way, make):
        """So that a fresh one is retried."""
        assert type(ending(some_way, Flaky([make(), "value"]), unless=given_up)) is str

    def test_none_of_an_error_that_answers_with_tuples(self, way):
        """Which is what a record is kept as."""

        class Tuples(Exception):
            def __getattr__(self, name):
                return ()

        assert given_up(Tuples()) is None
        assert way.run(Flaky([Tuples(), "value"]), unless=given_up) == "value"
