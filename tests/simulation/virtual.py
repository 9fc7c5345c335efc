"""Virtual time: events in the order of their times, and calls that the library decides.

Owns the clock of the simulations, their one seed, and the network between the
parties.  ``SimulatedCall`` is the only place that touches the decision core:
what follows a failure is decided there, as in earnest.  Nothing sleeps; all
times are float seconds.
"""

from __future__ import annotations

import contextlib
import heapq
import random
from typing import TYPE_CHECKING, Any

from retrying_elegant import Attempt, _decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retrying_elegant import Policy

SEED = 20241120  # fixed before the first run, and never searched for
FAILURE = ConnectionError("simulated")


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """Draw the same numbers each time, whatever was drawn before and will be after."""
    before = random.getstate()
    random.seed(SEED)
    try:
        yield
    finally:
        random.setstate(before)


def hop() -> float:
    """The time of one message between client and server: |N(10, 2)| ms."""
    return abs(random.normalvariate(0.010, 0.002))


class Timeline:
    """Events to come; each may add others."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._added = 0  # so that events of one time happen in the order they were added

    def at(self, time: float, act: Callable[..., None], *args: Any) -> None:
        """Let ``act(*args)`` happen at *time*."""
        self._added += 1
        heapq.heappush(self._events, (time, self._added, act, args))

    def run(self) -> None:
        """Let everything happen."""
        while self._events:
            self.now, _, act, args = heapq.heappop(self._events)
            act(*args)


class SimulatedCall:
    """One call under *policy*, begun at *now*."""

    __slots__ = ("_attempt",)

    def __init__(self, policy: Policy, now: float) -> None:
        self._attempt = Attempt(policy, "simulated", now)

    @property
    def attempts(self) -> int:
        """How many attempts have begun."""
        return self._attempt.number

    def failed(self, now: float) -> float | None:
        """Tell when the next attempt begins, after one that failed *now*; None: never."""
        if not _decision.settle(self._attempt, FAILURE, None, now):
            return None
        wait: float = self._attempt._outcome
        self._attempt = self._attempt._following(wait)
        return now + wait

    def succeeded(self) -> None:
        """End the call well: nothing is left to decide, but the budget earns."""
        _decision.credit(self._attempt._policy)
