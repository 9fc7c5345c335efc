"""Elapsed time is that of the monotonic clock: what the wall clock says changes nothing."""

from __future__ import annotations

import time

import pytest
from ways import Flaky

from retrying_elegant import backoff, given_up, retrying


class Lost(Exception):
    """Retried in these tests."""


class TestWallClock:
    """A wall clock that is set, forward or back, while a call runs, is not held against it."""

    @pytest.mark.parametrize("step", [-86_400, 3_600, 10**9])
    def test_it_is_set_at_every_attempt(self, way, clock, monkeypatch, step):
        """Attempts at 0, 4 and 8 seconds, and none at 12, as ever."""
        starts = []
        now = [time.time()]

        def risky():
            now[0] += step
            raise Lost

        monkeypatch.setattr("time.time", lambda: now[0])
        with pytest.raises(Lost) as caught:
            way.run(
                risky,
                None,
                wait=4,
                timeout=10,
                before_attempt=lambda attempt: starts.append(attempt.elapsed),
            )
        assert starts == [0, 4, 8]
        assert given_up(caught.value).elapsed == 8
        assert given_up(caught.value).reason == "timeout"

    def test_a_success(self, way, clock, monkeypatch, waits):
        """The waits are those of the policy."""
        monkeypatch.setattr("time.time", lambda: 0.0)
        assert way.run(Flaky([Lost, Lost, "value"]), wait=[1, 2], timeout=10) == "value"
        assert waits == [1, 2]


class TestClockThatStandsStill:
    """A monotonic clock that does not move during waits, as of a suspended machine."""

    def test_the_waits_count(self, way, clock, own_waits):
        """The record's time is at least that of the waits."""
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), 3, on=Lost, wait=backoff.constant(2))
        assert given_up(caught.value).elapsed == 4

    def test_no_retry_is_announced_that_would_be_too_late(self, way, clock, own_waits):
        """The second would start after four seconds; and the record's lines have the waits, too."""
        announced = []
        with pytest.raises(Lost) as caught:
            way.run(
                Flaky([Lost]),
                wait=2,
                timeout=4,
                on_retry=lambda attempt: announced.append(attempt.number),
            )
        assert announced == [1]
        assert "attempt 2 at 2.00 s" in given_up(caught.value).history[1]

    def test_the_waits_of_a_block_count(self, clock, own_waits):
        """Those of its earlier calls, too."""
        with pytest.raises(Lost) as caught, retrying(2, wait=2, timeout=5) as call:
            call(Flaky([Lost, "value"]))
            call(Flaky([Lost, "value"]))
            call(Flaky([Lost, "value"]))
        assert given_up(caught.value).reason == "timeout"
        assert given_up(caught.value).elapsed == 4
