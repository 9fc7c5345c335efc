"""Clock: where the package gets its time from.

Owns the one name through which everybody reads the clock and sleeps, so that
``testing`` can put another clock in its place.  ``time`` is always looked up
when it is used, as ``_clock.time.monotonic()``; seconds are floats.
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

# time.sleep raises OverflowError past some 292 years; this is 30 and nobody will be there.
_LONGEST = 1e9


def is_virtual() -> bool:
    """Return whether waits pass at once, because ``testing`` has replaced the clock."""
    return time is not real


def sleep(seconds: float) -> None:
    """Sleep; not at all for 0 seconds, for even ``sleep(0)`` gives the processor away."""
    clock = time
    if seconds > 0 or clock is not real:
        clock.sleep(seconds if seconds < _LONGEST else _LONGEST)


def wait(event: Event, seconds: float) -> None:
    """Sleep until *event* is set, at most *seconds*; blocking in the event's own ``wait``."""
    if event.is_set():
        return
    clock = time  # looked at once: another thread may be putting the real one back
    if clock is not real:
        clock.sleep(seconds)
    elif seconds > 0:
        event.wait(seconds if seconds < _LONGEST else _LONGEST)
