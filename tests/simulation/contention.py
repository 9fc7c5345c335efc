"""Contention: N clients that each must update one row, with optimistic concurrency.

The experiment of "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
A client reads the version of the row and writes with it; the write succeeds if
nobody has written in between, otherwise the client waits and reads again, until
it has succeeded once.  Counted are writes, and the time until all are done.

    python tests/simulation/contention.py
"""

from __future__ import annotations

from typing import NamedTuple

import report
from charts import Panel
from virtual import SimulatedCall, Timeline, hop, seeded

from retrying_elegant import Policy, backoff

TRIALS = 100
CLIENTS = (10, 40, 70, 100, 130, 160, 190)

# The article's base is 5 ms, and its first wait is drawn with n = 1: from 10 ms.
POLICIES = {
    "no backoff": Policy(None, wait=0),
    "no jitter": Policy(None, wait=backoff.exponential(0.010, cap=2, jitter=0)),
    "equal jitter": Policy(None, wait=backoff.exponential(0.010, cap=2, jitter=0.5)),
    "full jitter": Policy(None, wait=backoff.exponential(0.010, cap=2, jitter=1)),
    "decorrelated": Policy(None, wait=backoff.decorrelated(0.005, cap=2)),
}


class Outcome(NamedTuple):
    """Means over all trials."""

    calls: float
    seconds: float


class _Row:
    """The row and its clients, from the start to the last success."""

    def __init__(self, policy: Policy, clients: int) -> None:
        self.timeline = Timeline()
        self.calls = 0
        self._version = 0
        for _ in range(clients):
            self.timeline.at(hop(), self._read, SimulatedCall(policy, 0.0))
        self.timeline.run()

    def _read(self, call: SimulatedCall) -> None:
        self.timeline.at(self.timeline.now + hop() + hop(), self._write, call, self._version)

    def _write(self, call: SimulatedCall, version: int) -> None:
        self.calls += 1
        answered = self.timeline.now + hop()
        if version == self._version:
            self._version += 1
            self.timeline.at(answered, call.succeeded)
        else:
            begins = call.failed(answered)
            assert begins is not None
            self.timeline.at(begins + hop(), self._read, call)


def outcome(policy: Policy, clients: int, trials: int = TRIALS) -> Outcome:
    """Run the experiment."""
    with seeded():
        rows = [_Row(policy, clients) for _ in range(trials)]
    return Outcome(
        sum(row.calls for row in rows) / trials,
        sum(row.timeline.now for row in rows) / trials,
    )


def _cell(outcome: Outcome) -> str:
    return f"{outcome.calls:.0f} / {outcome.seconds * 1000:.0f}"


def main() -> None:
    """Print the table and draw the figure."""
    found = {
        name: {clients: outcome(policy, clients) for clients in CLIENTS}
        for name, policy in POLICIES.items()
    }
    report.table(
        "Calls / milliseconds",
        ["clients", *found],
        [[clients, *(_cell(at[clients]) for at in found.values())] for clients in CLIENTS],
    )
    report.figure(
        "contention",
        "Clients that compete for one row",
        Panel(
            "Work: calls until all have succeeded",
            "clients",
            {name: [(n, o.calls) for n, o in at.items()] for name, at in found.items()},
        ),
        Panel(
            "Time: seconds until all have succeeded",
            "clients",
            {name: [(n, o.seconds) for n, o in at.items()] for name, at in found.items()},
            log=True,
        ),
    )


if __name__ == "__main__":
    main()
