"""Outage: a steady stream of requests into a server that fails for a while.

Sixty seconds in which every call fails, and a blip of 0.2 s, for clients that
do not retry, that retry, and that retry within a budget.  Counted are the calls
beyond the first of each request, and the requests that succeed.

    python tests/simulation/outage.py
"""

from __future__ import annotations

import report
from charts import Panel
from virtual import SimulatedCall, Timeline, hop, seeded

from retrying_elegant import Policy, RetryBudget, backoff

RATE = 100  # requests per second
BEFORE, AFTER = 30.0, 30.0  # seconds of health around the fault
OUTAGE, BLIP = 60.0, 0.2
BLIPS = 100  # one blip meets 20 requests: too few to tell one percent from five

RETRIES = Policy(4, wait=backoff.exponential(0.1))


def policies() -> dict[str, Policy]:
    """What clients may do; with a new budget each time, for budgets change."""
    return {
        "no retries": RETRIES.replace(attempts=1),
        "4 attempts": RETRIES,
        "4 attempts, budget": RETRIES.replace(budget=RetryBudget()),
    }


class Run:
    """
    One run through health, a fault of *down* seconds, and health again.

    Attributes:
        calls: The times at which calls reached the server.
        requests: How many began in all.
        successes: How many of them succeeded.
        met: How many began during the fault.
        rescued: How many of these succeeded.
        extra: Calls beyond the first, of all requests.
        extra_met: Those of the requests that began during the fault.
    """

    def __init__(
        self, policy: Policy, down: float, *, before: float = BEFORE, after: float = AFTER
    ) -> None:
        self._timeline = Timeline()
        self._fault = (before, before + down)
        self.calls: list[float] = []
        self.requests = self.successes = self.met = self.rescued = 0
        self.extra = self.extra_met = 0
        for number in range(round((before + down + after) * RATE)):
            self._timeline.at(number / RATE, self._begin, policy)
        self._timeline.run()

    def _is_down(self, time: float) -> bool:
        return self._fault[0] <= time < self._fault[1]

    def _begin(self, policy: Policy) -> None:
        now = self._timeline.now
        met = self._is_down(now)
        self.requests += 1
        self.met += met
        self._timeline.at(now + hop(), self._reach, SimulatedCall(policy, now), met)

    def _reach(self, call: SimulatedCall, met: bool) -> None:
        now = self._timeline.now
        self.calls.append(now)
        if call.attempts > 1:
            self.extra += 1
            self.extra_met += met
        self._timeline.at(now + hop(), self._answer, call, met, not self._is_down(now))

    def _answer(self, call: SimulatedCall, met: bool, well: bool) -> None:
        now = self._timeline.now
        if well:
            call.succeeded()
            self.successes += 1
            self.rescued += met
        elif (begins := call.failed(now)) is not None:
            self._timeline.at(begins + hop(), self._reach, call, met)


def outages() -> dict[str, Run]:
    """The long outage, met by each kind of client."""
    with seeded():
        return {name: Run(policy, OUTAGE) for name, policy in policies().items()}


def blips(count: int = BLIPS) -> dict[str, list[Run]]:
    """Many blips, each met by new clients."""
    found: dict[str, list[Run]] = {name: [] for name in policies()}
    for name, runs in found.items():
        with seeded():
            for _ in range(count):
                runs.append(Run(policies()[name], BLIP, before=1.0, after=2.0))
    return found


def _row(fault: str, name: str, runs: list[Run]) -> list[object]:
    """Sum up *runs* for the table."""
    met, extra = sum(run.met for run in runs), sum(run.extra_met for run in runs)
    return [
        fault,
        name,
        f"{met / len(runs):.0f}",
        f"{extra / len(runs):.1f}".removesuffix(".0"),
        f"{sum(run.rescued for run in runs) / met:.1%}",
        max(max(per_second(run)) for run in runs),
    ]


def per_second(run: Run) -> list[int]:
    """How many calls reached the server in each second."""
    counts = [0] * (int(max(run.calls)) + 1)
    for time in run.calls:
        counts[int(time)] += 1
    return counts


def main() -> None:
    """Print the table and draw the figure."""
    long, short = outages(), blips()
    report.table(
        "Requests that begin during the fault, and the calls they cost",
        ["fault", "clients", "requests", "extra calls", "succeed", "most calls in a second"],
        [_row("60 s", name, [run]) for name, run in long.items()]
        + [_row("0.2 s", name, runs) for name, runs in short.items()],
    )
    end = round(BEFORE + OUTAGE + AFTER)
    report.figure(
        "outage",
        "100 requests per second into an outage of 60 s",
        Panel(
            "Calls that reach the server, per second",
            "seconds; the outage lasts from 30 to 90",
            {name: list(enumerate(per_second(run)[:end])) for name, run in long.items()},
        ),
    )


if __name__ == "__main__":
    main()
