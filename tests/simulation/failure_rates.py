"""Failure rates: what retries cost and gain while a share of all calls fails.

In a steady state each call fails with the same probability, whatever became of
the others.  The load factor is calls per request; requests that succeed are
counted, with three retries, and with three retries within a budget.

    python tests/simulation/failure_rates.py
"""

from __future__ import annotations

import random
from typing import NamedTuple

import report
from charts import Panel
from virtual import SimulatedCall, Timeline, hop, seeded

from retrying_elegant import Policy, RetryBudget, backoff

RATE = 100  # requests per second
REQUESTS = 20_000
PERCENT = tuple(range(0, 101, 5))

RETRIES = Policy(4, wait=backoff.exponential(0.1))


class Outcome(NamedTuple):
    """What became of all requests."""

    load: float
    success: float


class _Service:
    """A server whose calls fail with a fixed probability, and its clients."""

    def __init__(self, policy: Policy, rate: float, requests: int) -> None:
        self._timeline = Timeline()
        self._rate = rate
        self.calls = self.successes = 0
        for number in range(requests):
            begins = number / RATE
            self._timeline.at(begins + 2 * hop(), self._answer, SimulatedCall(policy, begins))
        self._timeline.run()

    def _answer(self, call: SimulatedCall) -> None:
        now = self._timeline.now
        self.calls += 1
        if random.random() >= self._rate:
            call.succeeded()
            self.successes += 1
        elif (begins := call.failed(now)) is not None:
            self._timeline.at(begins + 2 * hop(), self._answer, call)


def outcome(percent: int, budget: RetryBudget | None, requests: int = REQUESTS) -> Outcome:
    """Let *requests* meet a failure rate of *percent*."""
    with seeded():
        service = _Service(RETRIES.replace(budget=budget), percent / 100, requests)
    return Outcome(service.calls / requests, service.successes / requests)


def _cell(outcome: Outcome) -> str:
    return f"{outcome.load:.2f} / {outcome.success:.1%}"


def main() -> None:
    """Print the table and draw the figure."""
    found = {
        "4 attempts": {percent: outcome(percent, None) for percent in PERCENT},
        "4 attempts, budget": {percent: outcome(percent, RetryBudget()) for percent in PERCENT},
    }
    report.table(
        "Calls per request / requests that succeed",
        ["calls that fail", *found],
        [
            [f"{percent}%", *(_cell(at[percent]) for at in found.values())]
            for percent in PERCENT
            if percent % 10 == 0
        ],
    )
    report.figure(
        "failure-rates",
        "Three retries at a steady failure rate",
        Panel(
            "Load: calls per request",
            "% of calls that fail",
            {name: [(p, o.load) for p, o in at.items()] for name, at in found.items()},
        ),
        Panel(
            "% of requests that succeed",
            "% of calls that fail",
            {name: [(p, 100 * o.success) for p, o in at.items()] for name, at in found.items()},
        ),
    )


if __name__ == "__main__":
    main()
