"""Testing: skip waits and limit attempts while the tests of a program run.

Owns three switches for the whole process, including all threads and tasks.  Each is a
context manager; they nest, and any exit restores what was in effect before.  They cost nothing
while unused.  Nothing here takes a lock (see ``_atomic``), so signal handlers and finalizers may
enter and leave them, and wait inside them, as well.
"""

from __future__ import annotations

from typing import NamedTuple

from . import _checks, _clock, _decision
from ._atomic import Cell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from types import TracebackType
    from typing import Self, TypeVar

    T = TypeVar("T")

__all__ = ["instant", "limit", "off"]


class _Active(NamedTuple):
    """What has been entered and not left, oldest first."""

    instants: tuple[instant, ...] = ()
    clock: _JumpingClock | None = None  # of all instants
    limits: tuple[limit, ...] = ()


_active = Cell(_Active())


def _change(change: Callable[[_Active], _Active]) -> None:
    """Change what is active, and make the library use it."""
    while True:
        link = _active.newest()
        if _active.replace(link, change(link[0])):
            break
    while True:
        link = _active.newest()
        active: _Active = link[0]
        ceiling = min((each.n for each in active.limits), default=None)
        # If it was changed in the meantime, that call has updated the library.  Between these
        # lines, only another thread of a free-threaded build can: hence the second comparison.
        if _active.newest() is link:
            _clock.time = active.clock or _clock.real
            _decision.ceiling = ceiling
            if _active.newest() is link:
                return


def _without(entered: tuple[T, ...], this: object) -> tuple[T, ...]:
    """Return *entered* as it is when *this* is left, once."""
    last = max(index for index, each in enumerate(entered) if each is this)
    return entered[:last] + entered[last + 1 :]


class instant:  # noqa: N801 - called like a function, as all of these are
    """
    Inside, waits return immediately, and the library's clock jumps forward by each.

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
        def enter(active: _Active) -> _Active:
            instants: tuple[instant, ...] = (*active.instants, self)
            return active._replace(instants=instants, clock=active.clock or _JumpingClock())

        _change(enter)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        def leave(active: _Active) -> _Active:
            instants = _without(active.instants, self)
            return active._replace(instants=instants, clock=active.clock if instants else None)

        _change(leave)

    def advance(self, seconds: float | timedelta) -> None:
        """
        Move the library's clock forward, as if the attempt had taken that long.

        This is not a wait, so *waits* does not list it.  It cancels nothing: an
        ``attempt_timeout`` is measured on the event loop's own clock.

        Args:
            seconds: 0 or more.

        Raises:
            RuntimeError: this object has not been entered.
            TypeError, ValueError: *seconds* is not a duration.

        >>> from retrying_elegant import retrying, testing
        >>> with testing.instant() as time:
        ...     for attempt in retrying(timeout=30, wait=0, raises=False):
        ...         with attempt:
        ...             time.advance(20)
        ...             risky
        >>> attempt.number
        2
        """
        seconds = _checks.seconds("seconds", seconds)
        active: _Active = _active.value
        if active.clock is None or not any(each is self for each in active.instants):
            raise RuntimeError("advance() works inside `with testing.instant()` only")
        active.clock.advance(seconds)


class _JumpingClock:
    """A replacement for ``time``: a sleep takes no time, but moves the clock forward."""

    def __init__(self) -> None:
        self._ahead = Cell(0.0)

    def monotonic(self) -> float:
        ahead: float = self._ahead.value
        return _clock.real.monotonic() + ahead

    def sleep(self, seconds: float, /) -> None:
        self.advance(seconds)
        active: _Active = _active.value
        once_each = {id(each): each for each in active.instants}  # however often it was entered
        for each in once_each.values():
            each.waits.append(seconds)

    def advance(self, seconds: float) -> None:
        while True:
            link = self._ahead.newest()
            if self._ahead.replace(link, link[0] + seconds):
                return


class limit:  # noqa: N801
    """
    Inside, every call makes at most *n* attempts, whatever its policy says.

    All attempts count, including those before a healthy one that made the policy start over.

    Args:
        n: At least 1. Of nested limits, the smallest applies.

    >>> from retrying_elegant import retrying, testing
    >>> with testing.limit(2):
    ...     for attempt in retrying(100, wait=0, raises=False):
    ...         with attempt:
    ...             risky
    >>> attempt.number
    2
    """

    def __init__(self, n: int) -> None:
        rule = "an int of 1 or more"
        most = _checks.attempts("n", n, rule)
        if most is None:
            _checks.reject(TypeError, "n", n, rule)
        self.n = most

    def __enter__(self) -> Self:
        _change(lambda active: active._replace(limits=(*active.limits, self)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _change(lambda active: active._replace(limits=_without(active.limits, self)))


def off() -> limit:
    """
    Inside, every call makes a single attempt: another name for ``limit(1)``.

    >>> from retrying_elegant import retrying, testing
    >>> with testing.off():
    ...     for attempt in retrying(raises=False):
    ...         with attempt:
    ...             risky
    >>> attempt.number
    1
    """
    return limit(1)
