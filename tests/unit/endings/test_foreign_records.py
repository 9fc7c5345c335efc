"""Contract 6: records written by later versions, and by nobody."""

from __future__ import annotations

import pickle

import pytest
from ways import Flaky

from retrying_elegant import GiveUp, given_up, retry


class Lost(Exception):
    """Retried in these tests."""


def record_of(error):
    """The name and the value of the attribute that holds the record of *error*."""
    ((name, value),) = [item for item in vars(error).items() if item[0] != "__notes__"]
    return name, value


@pytest.fixture
def error():
    """One that has been given up on."""
    error = Lost("down")
    with pytest.raises(Lost):
        retry(3, wait=0, name="fetch")(Flaky([error]))()
    return error


class TestLaterVersions:
    """`given_up` reads the fields that it knows."""

    def test_where_the_record_is(self, error):
        """Under one name, as plain values: other versions read what this one writes."""
        name, (*values, history) = record_of(error)
        assert name == "__retrying_elegant__"
        assert [type(value) for value in values] == [str, int, float, str]
        assert [type(line) for line in history] == [str, str, str]

    def test_more_fields(self, error):
        """Further ones are ignored."""
        name, value = record_of(error)
        known = given_up(error)
        setattr(error, name, (*value, "something new", {"and": "more"}))
        assert given_up(error) == known

    def test_an_unknown_reason(self, error):
        """Is shown as it is."""
        name, value = record_of(error)
        setattr(error, name, tuple("the moon" if field == "attempts" else field for field in value))
        record = given_up(error)
        assert record.reason == "the moon"
        assert "the moon" in str(record)

    def test_in_the_middle_of_a_failure(self, way, error):
        """An outer policy gives up on such an error as on any other."""
        name, value = record_of(error)
        setattr(error, name, (*value, "something new"))
        with pytest.raises(Lost):
            way.run(Flaky([error]), 2, unless=given_up)
        with pytest.raises(Lost):
            way.run(Flaky([error]), 2, name="outer")
        assert given_up(error).name == "outer"


class TestOfAResponse:
    """The error that a client makes of a response has the record of the response."""

    def test_it_is_found(self, error):
        """By `given_up`, for `unless`."""

        class Response:
            pass

        class StatusError(Exception):
            response = Response()

        name, value = record_of(error)
        setattr(StatusError.response, name, value)
        assert given_up(StatusError()) == given_up(error)

    def test_a_response_without_one(self):
        """Such an error has none either."""

        class StatusError(Exception):
            response = object()

        assert given_up(StatusError()) is None


class TestForgedRecords:
    """Are None, and raise nothing."""

    @pytest.mark.parametrize(
        "forged",
        [
            None,
            7,
            "a text of five",
            (),
            ("fetch", 3),
            ("fetch", "three", 1.0, "attempts", ()),
            (7, 3, 1.0, "attempts", ()),
            ("fetch", 3, 1.0, "attempts", (7,)),
            ("fetch", 3, 1.0, ["attempts"], ()),
            ("fetch", 3, "one", "attempts", ()),
            ("fetch", 3, 1.0, "attempts", 7),
            {"name": "fetch"},
        ],
        ids=lambda forged: str(forged)[:40],
    )
    def test_of_a_wrong_shape(self, error, forged):
        """Whatever stands there."""
        name, _ = record_of(error)
        setattr(error, name, forged)
        assert given_up(error) is None

    def test_a_line_whose_class_equals_any(self, error):
        """It is not a text for that."""

        class EqualToAll(type):
            def __eq__(cls, other):
                return True

            __hash__ = None

        name, _ = record_of(error)
        line = EqualToAll("Line", (), {})()
        setattr(error, name, ("fetch", 3, 1.0, "attempts", (line,)))
        assert given_up(error) is None

    def test_one_whose_iteration_fails(self, error):
        """Hostile too."""

        class Hostile:
            def __iter__(self):
                raise ValueError("no")

        name, _ = record_of(error)
        setattr(error, name, Hostile())
        assert given_up(error) is None

    @pytest.mark.parametrize("no_error", [None, 7, "error", Lost], ids=str)
    def test_of_what_is_no_error(self, no_error):
        """None as well."""
        assert given_up(no_error) is None


class TestTheText:
    """`str` of a record never raises."""

    @pytest.mark.parametrize(
        "record",
        [
            GiveUp("fetch", 3, 1.0, "the moon", ("attempt 1",)),
            GiveUp(None, None, None, None, None),
            GiveUp("fetch", "three", "long", 7, 7),
        ],
        ids=["unknown reason", "None", "wrong types"],
    )
    def test_of_one_made_by_hand(self, record):
        """Whatever it was made of."""
        assert isinstance(str(record), str)
        assert pickle.loads(pickle.dumps(record)) == record
