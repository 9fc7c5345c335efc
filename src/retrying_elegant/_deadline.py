"""Deadline: one limit for every policy beneath it.

Owns the class ``deadline`` and the context variable that holds the innermost one.  Leaves its
effects to ``decision``.  Nothing here runs if the first attempt succeeds.  Times are
float seconds of the library's clock.
"""

from __future__ import annotations

from contextvars import ContextVar, copy_context

from . import _checks, _clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType
    from typing import Self

_innermost: ContextVar[deadline | None] = ContextVar("retrying_elegant.deadline", default=None)


class deadline:  # noqa: N801 - read as a word of the `with` statement
    """
    Limit all retries made inside it to the next *seconds*.

    No policy beneath it makes a retry at or after that moment, in this thread or task, or in tasks
    and ``asyncio.to_thread`` calls started in it: the policy gives up with the reason
    ``"timeout"``, as if its own ``timeout`` were the smaller of the two.  Of nested deadlines, the
    earliest applies.  First attempts are always made, and a running attempt is never interrupted:
    for that, pass :attr:`Attempt.timeout` to the client.  Threads of an executor do not inherit
    it; ``contextvars.copy_context().run`` passes it to them.

    Each object can be entered once.  After it has been left, it applies nowhere, not even in tasks
    that outlive it.

    Args:
        seconds: Seconds from entering it, as a number or a ``timedelta``. More than 0, and finite.

    Raises:
        TypeError: *seconds* is not a number of seconds.
        ValueError: *seconds* is not positive or not finite.
        RuntimeError: it is entered a second time.

    >>> from retrying_elegant import deadline, retrying, testing
    >>> with testing.instant(), deadline(10):
    ...     for attempt in retrying(None, wait=4, raises=False):
    ...         with attempt:
    ...             risky
    >>> attempt.number, attempt.reason
    (3, 'timeout')
    """

    __slots__ = ("_at", "_is_open", "_outer", "_seconds")

    def __init__(self, seconds: float | timedelta) -> None:
        self._seconds = _checks.seconds("seconds", seconds, positive=True)
        self._at: float | None = None  # the moment; None before it is entered
        self._is_open = False
        self._outer: deadline | None = None

    def __enter__(self) -> Self:
        if self._at is not None:
            raise RuntimeError("this deadline has been entered before: make one for each `with`")
        self._at = _clock.time.monotonic() + self._seconds
        self._outer = _innermost.get()
        kept = copy_context()  # noqa: F841 - keeps alive what `set` reads: see `_reporting`
        _innermost.set(self)
        # Last, so that an interruption before this leaves no deadline behind.
        self._is_open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        # Without this, tasks that each start the next one inside would keep those of all before.
        self._outer = _first_open(self._outer)
        # In another context (a generator closed elsewhere), or if a later deadline inside is still
        # open, the variable belongs to others, which skip closed deadlines.
        if _innermost.get() is self:
            kept = copy_context()  # noqa: F841 - as above
            _innermost.set(self._outer)

    @staticmethod
    def current() -> deadline | None:
        """Return the innermost deadline that applies here, or None."""
        return _first_open(_innermost.get())

    @property
    def remaining(self) -> float:
        """Seconds until this deadline, or an earlier one around it; at least 0."""
        if self._at is None:
            return self._seconds
        return max(self._moment() - _clock.time.monotonic(), 0.0)

    def _moment(self) -> float:
        """Return the earliest moment of this deadline and of the open ones around it."""
        earliest: float = self._at  # type: ignore[assignment]  # it has been entered
        this = self._outer
        while this is not None:
            if this._is_open and this._at < earliest:  # type: ignore[operator]  # as above
                earliest = this._at  # type: ignore[assignment]  # as above
            this = this._outer
        return earliest

    def __repr__(self) -> str:
        return f"deadline({self._seconds!r})"


def _first_open(this: deadline | None) -> deadline | None:
    """Return *this*, or the innermost one around it, that has been entered and not left."""
    while this is not None and not this._is_open:
        this = this._outer
    return this


innermost = _innermost.get  # a cheap check whether a deadline may apply here


def moment() -> float | None:
    """Return the moment at which retries end here, or None if no deadline applies."""
    this = deadline.current()
    return None if this is None else this._moment()
