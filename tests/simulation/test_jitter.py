"""When clients come back that have failed together."""

from itertools import chain

import pytest
from jitter import CLIENTS, RETRIES, WAITS, most_together, starts


class TestJitter:
    """Without jitter all come back at once; with it they are spread."""

    def test_without(self):
        """Each retry of all clients starts in the same moment."""
        for times in zip(*starts(WAITS["jitter=0"]), strict=True):
            assert len(set(times)) == 1
            assert most_together(list(times)) == CLIENTS

    @pytest.mark.parametrize("name", [name for name in WAITS if name != "jitter=0"])
    def test_with(self, name):
        """Never more than half of them within a tenth of a second, whichever the retry."""
        for times in zip(*starts(WAITS[name]), strict=True):
            assert most_together(list(times)) <= CLIENTS / 2

    @pytest.mark.parametrize("name", list(WAITS))
    def test_all_are_there(self, name):
        """Each client with each of its retries, and the same ones at each run."""
        lines = starts(WAITS[name])
        assert [len(line) for line in lines] == [RETRIES] * CLIENTS
        assert all(line == sorted(line) for line in lines)
        assert list(chain(*lines)) == list(chain(*starts(WAITS[name])))


class TestMostTogether:
    """The greatest number of times within a tenth of a second."""

    @pytest.mark.parametrize(
        ("times", "expected"),
        [([1.0], 1), ([1.0, 3.0], 1), ([3.0, 1.0, 1.05, 1.09, 1.15], 3), ([2.0] * 4, 4)],
    )
    def test_cases(self, times, expected):
        """In any order; the end of the tenth does not count."""
        assert most_together(times) == expected
