"""The decision, asked directly: what the tests of its rules share."""

from __future__ import annotations

from retrying_elegant import Policy, _decision
from retrying_elegant._attempt import RUNNING, Attempt


class Lost(Exception):
    """Retried in these tests."""


def attempt_of(policy, *, stage=RUNNING, number=1):
    """An attempt at the start of time."""
    attempt = Attempt(policy, "risky", 0.0)
    attempt._number = number
    attempt._stage = stage
    return attempt


def decided(policy, *, error=None, number=1, elapsed=0.0, limit=None, timed_out=False):
    """What `decide` says of a failure."""
    attempt = attempt_of(policy, number=number)
    error = Lost() if error is None else error
    return _decision.decide(policy, error, attempt, number, elapsed, limit, timed_out)


def is_retried(error, **filters):
    """Whether a policy with these *filters* retries *error*."""
    outcome = decided(Policy(wait=1, **filters), error=error)
    assert outcome in (1, "not retryable")
    return outcome == 1
