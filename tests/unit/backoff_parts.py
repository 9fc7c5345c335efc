"""One of each backoff, and a way to ask any of them without a call around it."""

from types import SimpleNamespace

import pytest

from retrying_elegant import backoff


def wait(rule, number, waited=0.0):
    """The wait before retry *number*: the two things of an attempt a rule may look at."""
    return rule(SimpleNamespace(number=number, waited=waited))


FAMILY = {
    "constant": backoff.constant(2),
    "linear": backoff.linear(),
    "exponential": backoff.exponential(),
    "fibonacci": backoff.fibonacci(),
    "sequence": backoff.sequence(1, 2, 5),
    "decorrelated": backoff.decorrelated(),
}
every_rule = pytest.mark.parametrize("rule", FAMILY.values(), ids=FAMILY)
