"""Async I/O: sleeping and timing out under whichever library runs the task.

Owns the choice between asyncio and trio, made each time at run time, and
imports neither before it runs.  Seconds are floats.
"""

from __future__ import annotations

import sys

from . import _clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Protocol, Self

    class Timeout(Protocol):
        """An async context manager that cancels what runs in it, then raises TimeoutError."""

        async def __aenter__(self) -> Any: ...
        async def __aexit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            trace: TracebackType | None,
            /,
        ) -> bool | None: ...
        def expired(self) -> bool: ...


async def sleep(seconds: float) -> None:
    """Sleep, and let other tasks run even for 0 seconds."""
    if _clock.is_virtual():
        _clock.time.sleep(seconds)
        seconds = 0
    trio = _running_trio()
    if trio is not None:
        await trio.sleep(seconds)
    else:
        import asyncio

        await asyncio.sleep(seconds)


def timeout(seconds: float | None) -> Timeout:
    """Give what cancels its body after *seconds*, raising TimeoutError from its end."""
    trio = _running_trio()
    if trio is not None:
        return _TrioTimeout(trio, seconds)
    import asyncio

    return asyncio.timeout(seconds)


def expired(scope: Timeout | None, error: BaseException | None) -> bool:
    """Tell whether *error* is the TimeoutError of *scope*, not one of the user's own."""
    return scope is not None and scope.expired() and isinstance(error, TimeoutError)


class _TrioTimeout:
    """What ``asyncio.timeout`` is, for trio."""

    def __init__(self, trio: Any, seconds: float | None) -> None:
        self._scope = trio.CancelScope()
        if seconds is not None:
            self._scope.deadline = trio.current_time() + seconds

    async def __aenter__(self) -> Self:
        self._scope.__enter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        swallowed: bool | None = self._scope.__exit__(kind, error, trace)
        if self.expired():
            raise TimeoutError from error
        return swallowed

    def expired(self) -> bool:
        cancelled: bool = self._scope.cancelled_caught
        return cancelled


def _running_trio() -> Any:
    """Give the module trio where it runs the current task; importing it is not ours to do."""
    trio = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return None
    return trio
