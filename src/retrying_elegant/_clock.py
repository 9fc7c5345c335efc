"""Clock: where the package gets its time from.

Owns the one name through which the package reads the clock and sleeps, so that ``testing``
can replace the clock.  ``time`` is looked up whenever it is used, as
``_clock.time.monotonic()``; seconds are floats.
"""

from __future__ import annotations

import time as _time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Clock(Protocol):
        """The part of the ``time`` module that is used here."""

        def monotonic(self) -> float: ...
        def sleep(self, seconds: float, /) -> None: ...

    class Event(Protocol):
        """The part of a ``threading.Event`` that is used here."""

        def is_set(self) -> bool: ...
        @property
        def wait(self) -> Any: ...


real: Clock = _time
time: Clock = real

# Waiting raises OverflowError beyond about 292 years; this is about 30.
_LONGEST = 1e9


def is_virtual() -> bool:
    """Return whether waits take no time, because ``testing`` has replaced the clock."""
    return time is not real


def sleep(seconds: float) -> None:
    """Sleep, but not for 0 seconds: even ``sleep(0)`` yields the processor."""
    clock = time
    if seconds > 0 or clock is not real:
        try:
            clock.sleep(seconds)
        except OverflowError:
            if seconds <= _LONGEST:
                raise  # as a signal handler may
            clock.sleep(_LONGEST)


def wait(event: Event, seconds: float) -> bool:
    """
    Sleep until *event* is set, at most *seconds*, in the event's own ``wait``.

    Returns:
        Whether it was seen to be set; it may have been cleared since.
    """
    if event.is_set():
        return True
    clock = time  # read only once: another thread may be restoring the real one
    if clock is not real:
        clock.sleep(seconds)
    elif seconds > 0:
        return bool(event.wait(seconds if seconds < _LONGEST else _LONGEST))
    return False
