"""A server that fails for a while, and what clients send it meanwhile."""

import pytest
from outage import OUTAGE, RATE, blips, outages

WITHIN = "4 attempts, budget"


@pytest.fixture(scope="module")
def long():
    return outages()


@pytest.fixture(scope="module")
def short():
    return blips()


class TestOutage:
    """Sixty seconds in which every call fails."""

    def test_without_retries(self, long):
        """Every request costs one call: the load that the others are held against."""
        run = long["no retries"]
        assert run.met == OUTAGE * RATE
        assert len(run.calls) == run.requests
        assert run.extra == 0

    def test_without_budget(self, long):
        """Three retries of 6 000 requests: about 18 000 extra calls, and nothing gained."""
        run = long["4 attempts"]
        assert run.extra_met == pytest.approx(18_000, rel=0.01)
        assert run.rescued / run.met < 0.01

    def test_with_budget(self, long):
        """At most 100 extra calls and a tenth of the successes; in the outage just the 100."""
        run = long[WITHIN]
        assert run.extra <= 100 + 0.1 * run.successes
        assert run.extra_met == 100

    def test_the_budget_costs_no_request_that_could_succeed(self, long):
        """What retries rescue here began in the last second of the outage."""
        lost = long["4 attempts"].successes - long[WITHIN].successes
        assert 0 <= lost < RATE


class TestBlip:
    """A fault of 0.2 s, a hundred times."""

    def test_the_budget_does_not_stand_in_the_way(self, short):
        """At least 95 % of the requests that meet it succeed with the default budget."""
        runs = short[WITHIN]
        assert sum(run.rescued for run in runs) / sum(run.met for run in runs) >= 0.95

    def test_they_would_have_failed(self, short):
        """Without retries nearly all of them do."""
        runs = short["no retries"]
        assert sum(run.rescued for run in runs) / sum(run.met for run in runs) < 0.05

    def test_it_is_no_different_from_no_budget(self, short):
        """A blip takes fewer than a hundred retries, so that the budget refuses none."""
        assert [run.calls for run in short[WITHIN]] == [run.calls for run in short["4 attempts"]]

    def test_retries_stay_within_the_budget(self, short):
        """In every single run."""
        assert all(run.extra <= 100 + 0.1 * run.successes for run in short[WITHIN])
