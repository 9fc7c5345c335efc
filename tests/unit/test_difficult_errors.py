"""Contract 6: an exception that cannot take a note or an attribute leaves all the same."""

from __future__ import annotations

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
    "odd notes": with_odd_notes,
    "10 MB": lambda: Exception("x" * 10_000_000),
    "surrogates": lambda: Exception("\ud800"),
    "control characters": lambda: Exception("\x00\x1b[2J\r\n\u2028"),
}


def ending(way, script, *args, **options):
    """The value, or the error that left: reporting such an error would be too much for pytest."""
    try:
        return way.run(script, *args, **options)
    except Exception as error:
        return error


@pytest.mark.parametrize("make", DIFFICULT.values(), ids=DIFFICULT)
class TestDifficultErrors:
    """Whatever an exception is like, it is retried and given up on as any other."""

    def test_it_is_retried(self, way, make):
        """To a success."""
        flaky = Flaky([make(), make(), "value"])
        assert type(ending(way, flaky)) is str
        assert flaky.calls == 3

    def test_it_leaves(self, way, make):
        """The same object, after the same number of calls."""
        error = make()
        flaky = Flaky([error])
        the_same = ending(way, flaky, 3) is error
        assert the_same
        assert flaky.calls == 3

    def test_it_leaves_when_it_is_not_retryable(self, way, make):
        """On a later attempt."""
        error = make()
        flaky = Flaky([KeyError, error])
        the_same = ending(way, flaky, on=KeyError) is error
        assert the_same
        assert flaky.calls == 2

    def test_asking_for_its_record_does_no_harm(self, way, make):
        """A record, or None if it could not be kept."""
        error = make()
        ending(way, Flaky([error]), 2)
        record = given_up(error)
        assert record is None or record.attempts == 2
