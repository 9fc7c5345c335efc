"""Contract 7: a `Retry-After` beyond `max_retry_after` is mentioned wherever there is a note."""

from __future__ import annotations

import urllib.error
from email.message import Message

import pytest
from ways import Flaky

from retrying_elegant import given_up, web


def answered(status, retry_after=None):
    """The error of urllib for such a response."""
    headers = Message()
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return urllib.error.HTTPError("http://127.0.0.1/", status, "busy", headers, None)


def note(way, outcomes, **fields):
    """The note of a call that is given up on."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        way.run(Flaky(outcomes), 5, wait=0, **fields)
    for outcome in outcomes:
        outcome.close()
    record = given_up(caught.value)
    assert record is None or caught.value.__notes__ == [str(record)]
    return "" if record is None else str(record)


class TestATooLongRetryAfter:
    """It ends the call as not retryable, and the note says how long was asked for."""

    def test_on_a_later_attempt(self, way):
        """The attempt's own line has it."""
        text = note(way, [answered(503), answered(503, 3000)], on=web.transient)
        assert "(the server asked for 3000 s)" in text.splitlines()[-1]

    def test_in_a_tuple(self, way):
        """Of filters."""
        outcomes = [answered(503), answered(503, 3000)]
        assert "3000 s" in note(way, outcomes, on=(KeyError, web.transient))

    def test_by_a_limit_of_its_own(self, way):
        """`web.Transient(max_retry_after=...)`."""
        outcomes = [answered(503), answered(503, 61)]
        assert "61 s" in note(way, outcomes, on=web.Transient(max_retry_after=60))

    def test_within_the_limit(self, way):
        """Nothing to mention."""
        assert "asked" not in note(way, [answered(503, 5)], on=web.transient)

    def test_another_error(self, way):
        """A 404 has no hint."""
        assert "asked" not in note(way, [answered(503), answered(404)], on=web.transient)
