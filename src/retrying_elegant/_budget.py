"""Budget: how many retries a service may receive, in proportion to its successes.

Owns the token bucket, counted in whole thousandths of a token.  Leaves when to take a token
to ``decision``.  It is the only mutable part of a policy, and changes without a lock (see
``_atomic``): threads, signal handlers, finalizers and forked children may use one bucket at any
moment, even while one of them is in the middle of a method below.

If an exception from a signal handler ends a method, the method has had no effect: ``_take`` has
either returned True or taken no token.
"""

from __future__ import annotations

from . import _checks
from ._atomic import Cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_TOKEN = 1000
_FULL = [0]  # the link of a full bucket


class RetryBudget:
    """
    A token bucket, shared by all policies that call one service.

    It starts full.  First attempts are free.  A retry takes one token when it is decided; if none
    is left, the policy gives up immediately, with the reason ``"budget"``.  Every successful
    call adds *refill*, up to *capacity*, and so does every healthy attempt (see ``reset_after``).
    Under any interleaving of threads and tasks, retries therefore never exceed ``capacity + refill
    * (successes + healthy attempts)``: an outage ends them, instead of being multiplied by them.

    Args:
        capacity: The maximum number of tokens: how many retries are possible without a
            success in between. At least 1.
        refill: The tokens that a success adds: 0.1 allows one retry for ten successes.
            0, or between 0.001 and *capacity*; rounded to thousandths.

    Raises:
        ValueError: *capacity* or *refill* is out of range.

    Source:
        The retry throttling of gRPC's proposal A6; and the per-client retry budget of "Handling
        Overload", chapter 21 of *Site Reliability Engineering*, 2016.

    Budgets are equal only to themselves.  Pickling or copying one creates a new,
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
        least = 1 / _TOKEN if refill else 0  # what would be rounded to 0 is rejected
        self._capacity = round(capacity * _TOKEN)
        self._refill = round(_checks.number("refill", refill, least, capacity, rule) * _TOKEN)
        # Counted down from full, so that "is it full?" is one comparison.
        self._missing = Cell(0)

    @property
    def capacity(self) -> float:
        """The maximum number of tokens."""
        return self._capacity / _TOKEN

    @property
    def refill(self) -> float:
        """The tokens that a successful call adds."""
        return self._refill / _TOKEN

    @property
    def tokens(self) -> float:
        """The tokens that are left."""
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
        """Return the token of a retry that will not be made."""
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
