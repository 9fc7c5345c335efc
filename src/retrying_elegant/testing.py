"""Testing: make waits pass at once, and attempts few, in the tests of a program.

Owns three switches for a whole process, threads and tasks included.  Each is a
context manager; they nest, and are undone on any exit.  They cost nothing when
they are not in use.
"""

from __future__ import annotations

from . import _checks, _clock, _decision
from ._locks import new_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["instant", "limit", "off"]

_lock = new_lock()  # for the two lists of what is active, oldest first
_instants: list[instant] = []
_limits: list[limit] = []


class instant:  # noqa: N801 - called like a function, as all of these are
    """
    Inside, waits return at once, and the library's clock jumps forward by each.

    Attributes:
        waits: The seconds of each wait, in order.

    >>> from retrying_elegant import retrying, testing
    >>> with testing.instant() as time:
    ...     for attempt in retrying(3, wait=60, raises=False):
    ...         with attempt:
    ...             risky
    >>> time.waits
    [60.0, 60.0]
    """

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __enter__(self) -> Self:
        with _lock:
            _instants.append(self)
            if len(_instants) == 1:
                _clock.time = _JumpingClock(_clock.time)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _lock:
            _instants.remove(self)
            if not _instants and isinstance(_clock.time, _JumpingClock):
                _clock.time = _clock.time.beneath


class _JumpingClock:
    """Stands in for ``time``: a sleep takes no time, but the clock says that it did."""

    def __init__(self, beneath: _clock.Clock) -> None:
        self.beneath = beneath
        self._ahead = 0.0

    def monotonic(self) -> float:
        return self.beneath.monotonic() + self._ahead

    def sleep(self, seconds: float, /) -> None:
        with _lock:
            self._ahead += seconds
            for each in _instants:
                each.waits.append(seconds)


class limit:  # noqa: N801
    """
    Inside, every call makes at most *n* attempts, whatever its policy says.

    Args:
        n: At least 1. Where limits are nested, the smallest holds.

    >>> from retrying_elegant import retrying, testing
    >>> with testing.limit(2):
    ...     for attempt in retrying(100, wait=0, raises=False):
    ...         with attempt:
    ...             risky
    >>> attempt.number
    2
    """

    def __init__(self, n: int) -> None:
        most = _checks.attempts(n, "n")
        if most is None:
            _checks.refuse(TypeError, "n", n, "an int of 1 or more")
        self.n = most

    def __enter__(self) -> Self:
        with _lock:
            _limits.append(self)
            self._apply()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with _lock:
            _limits.remove(self)
            self._apply()

    @staticmethod
    def _apply() -> None:
        _decision.ceiling = min((each.n for each in _limits), default=None)


def off() -> limit:
    """
    Inside, every call is a single attempt: ``limit(1)`` by the name one looks for.

    >>> from retrying_elegant import retrying, testing
    >>> with testing.off():
    ...     for attempt in retrying(raises=False):
    ...         with attempt:
    ...             risky
    >>> attempt.number
    1
    """
    return limit(1)
