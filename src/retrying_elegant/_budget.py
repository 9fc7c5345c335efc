"""Budget: how many retries one target may cost, tied to its successes.

Owns the token bucket, counted in whole thousandths of a token.  Leaves when to take a token
to ``decision``.  Of all that a policy holds, it is the only thing that changes, and it does so
without a lock (see ``_atomic``): threads, signal handlers, finalizers and forked children may use
one bucket at any moment, also while one of them is in the middle of a method below.

A method that an exception from a signal handler ends has done nothing: ``_take`` has either
returned True or taken no token.
"""

from __future__ import annotations

from . import _checks
from ._atomic import Cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_TOKEN = 1000
_FULL = [0]  # the link of a bucket from which nothing is missing


class RetryBudget:
    """
    A token bucket that all policies calling one target share.

    It starts full.  First attempts are free; a retry takes one token when it is
    decided, and with none left the policy gives up at once, with the reason
    ``"budget"``.  Every successful call adds *refill*, up to *capacity*.  So,
    under any interleaving of threads and tasks, retries never exceed
    ``capacity + refill * successes``: in an outage they end, instead of
    multiplying the load.

    Args:
        capacity: The most tokens it holds: retries that are possible with no
            success between them. At least 1.
        refill: What a success adds: 0.1 allows one retry for ten successes.
            0, or between 0.001 and *capacity*; rounded to thousandths.

    Raises:
        ValueError: *capacity* or *refill* is out of range.

    Budgets are equal only to themselves.  Pickling or copying one gives a new,
    full bucket of the same size: a budget belongs to one process.

    >>> budget = RetryBudget(capacity=10)
    >>> budget.tokens
    10.0
    """

    __slots__ = ("__weakref__", "_capacity", "_missing", "_refill")

    def __init__(self, capacity: float = 100, refill: float = 0.1) -> None:
        most = 1e12  # far past any use, and exact in thousandths
        capacity = _checks.number("capacity", capacity, 1, most, "a finite number of 1 or more")
        rule = "0, or a number from 0.001 to capacity"
        least = 1 / _TOKEN if refill else 0  # what would be rounded to nothing is rejected
        self._capacity = round(capacity * _TOKEN)
        self._refill = round(_checks.number("refill", refill, least, capacity, rule) * _TOKEN)
        # Counted down from full, so that "is it full?" is one comparison.
        self._missing = Cell(0)

    @property
    def capacity(self) -> float:
        """The most tokens it holds."""
        return self._capacity / _TOKEN

    @property
    def refill(self) -> float:
        """The tokens that a successful call adds."""
        return self._refill / _TOKEN

    @property
    def tokens(self) -> float:
        """The tokens it holds now."""
        missing: int = self._missing.value
        return (self._capacity - missing) / _TOKEN

    def _take(self) -> bool:
        """Take the token of one retry; return False, and take nothing, if none is left."""
        cell = self._missing
        while True:
            link = cell.newest()
            missing = link[0] + _TOKEN
            if missing > self._capacity:
                return False
            if cell.replace(link, missing):
                return True

    def _put_back(self) -> None:
        """Put back the token of a retry that will not be made."""
        self._add(_TOKEN)

    def _earn(self) -> None:
        """Add what one successful call earns."""
        if self._missing.link != _FULL:
            self._add(self._refill)

    def _add(self, amount: int) -> None:
        cell = self._missing
        while True:
            link = cell.newest()
            missing = link[0] - amount
            if cell.replace(link, missing if missing > 0 else 0):
                return

    def __repr__(self) -> str:
        return f"RetryBudget(capacity={self.capacity:g}, refill={self.refill:g})"

    def __reduce__(self) -> tuple[type[Self], tuple[float, float]]:
        return type(self), (self.capacity, self.refill)
