"""Jitter: when clients come back that have failed together.

Twenty clients fail at second 0, and each of their retries fails at once, under
the same exponential waits with different jitter, and under decorrelated ones.
Counted are the retries that start within any tenth of a second.

    python tests/simulation/jitter.py
"""

from __future__ import annotations

from bisect import bisect_left

import charts
import report
from virtual import SimulatedCall, seeded

from retrying_elegant import Policy, backoff

CLIENTS = 20
RETRIES = 4
TOGETHER = 0.1  # seconds

WAITS = {
    "jitter=0": backoff.exponential(1, cap=4, jitter=0),
    "jitter=0.5": backoff.exponential(1, cap=4, jitter=0.5),
    "jitter=1, the default": backoff.exponential(1, cap=4),
    "decorrelated": backoff.decorrelated(1, cap=4),
}


def starts(wait: backoff.Backoff) -> list[list[float]]:
    """When the retries of each client start, in seconds after the first failure."""
    policy = Policy(RETRIES + 1, wait=wait)
    with seeded():
        return [_starts(SimulatedCall(policy, 0.0)) for _ in range(CLIENTS)]


def _starts(call: SimulatedCall) -> list[float]:
    times, now = [], call.failed(0.0)
    while now is not None:
        times.append(now)
        now = call.failed(now)
    return times


def most_together(times: list[float]) -> int:
    """The greatest number of *times* within any ``TOGETHER`` seconds."""
    ordered = sorted(times)
    return max(bisect_left(ordered, time + TOGETHER) - i for i, time in enumerate(ordered))


def main() -> None:
    """Print the table and draw the figure."""
    found = {name: starts(wait) for name, wait in WAITS.items()}
    report.table(
        f"{CLIENTS} clients: their most retries within {TOGETHER} s",
        ["waits", *(f"retry {n}" for n in range(1, RETRIES + 1)), "the last starts at"],
        [
            [
                name,
                *(most_together(list(times)) for times in zip(*lines, strict=True)),
                f"{max(map(max, lines)):.1f} s",
            ]
            for name, lines in found.items()
        ],
    )
    report.save(
        "jitter",
        charts.timelines(
            f"{CLIENTS} clients that failed together at second 0",
            "seconds",
            [f"retry {n}" for n in range(1, RETRIES + 1)],
            [charts.Band(name, lines) for name, lines in found.items()],
        ),
    )


if __name__ == "__main__":
    main()
