"""A steady share of calls fails: what three retries cost and gain."""

import pytest
from failure_rates import outcome

from retrying_elegant import RetryBudget

REQUESTS = 4_000
BURST = 100 / REQUESTS  # what the full bucket of the start adds to the load
every_rate = pytest.mark.parametrize("percent", range(0, 101, 10))


@every_rate
class TestWithoutBudget:
    """Retries multiply the load, the more so the more fails."""

    def test_load_and_success(self, percent):
        """1 + p + p² + p³ calls per request, of which 1 - p⁴ succeed."""
        p = percent / 100
        found = outcome(percent, None, REQUESTS)
        assert found.load == pytest.approx(1 + p + p**2 + p**3, rel=0.03)
        assert found.success == pytest.approx(1 - p**4, abs=0.03)


@every_rate
class TestWithBudget:
    """The load never exceeds 1 + refill + burst, whatever fails."""

    @pytest.mark.parametrize("refill", [0, 0.1, 0.5])
    def test_load(self, percent, refill):
        """Even at 100 %; and what was earned bounds it closer."""
        found = outcome(percent, RetryBudget(refill=refill), REQUESTS)
        assert found.load <= 1 + refill + BURST
        assert found.load <= 1 + refill * found.success + BURST + 1e-9  # floats of whole numbers

    def test_success(self, percent):
        """Never fewer than without retries, and up to a tenth of failures nearly all."""
        found = outcome(percent, RetryBudget(), REQUESTS)
        assert found.success >= (0.99 if percent <= 10 else 1 - percent / 100 - 0.02)
