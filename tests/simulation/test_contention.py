"""The AWS contention experiment, on this library's decisions."""

import pytest
from contention import POLICIES, outcome

# What the article's own simulator gives at 100 clients: calls and milliseconds.
REFERENCE = {
    "no backoff": (2422, 2036),
    "no jitter": (1857, 63759),
    "equal jitter": (812, 6564),
    "full jitter": (796, 4868),
    "decorrelated": (1005, 4652),
}


@pytest.mark.parametrize(("name", "calls", "milliseconds"), [(n, *r) for n, r in REFERENCE.items()])
class TestReference:
    """Each backoff does what it did in "Exponential Backoff And Jitter"."""

    def test_a_hundred_clients(self, name, calls, milliseconds):
        """Within 5 % in calls and 10 % in time, over 100 trials."""
        found = outcome(POLICIES[name], 100)
        assert found.calls == pytest.approx(calls, rel=0.05)
        assert found.seconds * 1000 == pytest.approx(milliseconds, rel=0.10)


class TestWhatJitterIsFor:
    """Waiting alone does not end contention: only waits that differ do."""

    def test_few_clients(self):
        """Already for ten, jitter saves calls, and most of the time that waiting costs."""
        found = {name: outcome(policy, 10, trials=50) for name, policy in POLICIES.items()}
        assert found["full jitter"].calls < found["no jitter"].calls
        assert found["full jitter"].seconds < found["no jitter"].seconds / 4
        assert found["no jitter"].calls == pytest.approx(found["no backoff"].calls, rel=0.05)

    def test_the_same_seed_the_same_table(self):
        """A run is not changed by what ran before it."""
        policy = POLICIES["full jitter"]
        assert outcome(policy, 10, trials=5) == outcome(policy, 10, trials=5)
