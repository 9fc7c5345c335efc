"""Async I/O: sleeping and timing out under whichever library runs the task.

Owns the choice between asyncio and trio, made each time at run time, and
imports neither before it runs.  Seconds are floats.
"""

from __future__ import annotations

import sys

from . import _clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from types import CodeType, TracebackType
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


_asyncio: Any = None  # imported when it is first needed: it is a large import


def sleep(seconds: float) -> Awaitable[None]:
    """Give what sleeps when it is awaited, and lets other tasks run even for 0 seconds."""
    if _clock.is_virtual():
        _clock.time.sleep(seconds)
        seconds = 0
    slept: Awaitable[None] = (_running_trio() or _asyncio or _import_asyncio()).sleep(seconds)
    return slept


def timeout(seconds: Any) -> Timeout:
    """Give what cancels its body after *seconds*, raising TimeoutError from its end."""
    trio = _running_trio()
    if trio is not None:
        return _TrioTimeout(trio, seconds)
    cancelling: Timeout = (_asyncio or _import_asyncio()).timeout(seconds)
    return cancelling


def expired(scope: Timeout | None, error: BaseException | None) -> bool:
    """Tell whether *error* is the TimeoutError of *scope*, not one of the user's own."""
    if scope is None or not scope.expired() or not isinstance(error, TimeoutError):
        return False
    if isinstance(scope, _TrioTimeout):
        error.__traceback__ = _without(_TrioTimeout.__aexit__.__code__, error.__traceback__)
    return True


def was_cancelled(error: BaseException | None) -> bool:
    """
    Tell whether the task was cancelled while the attempt ran that ended in *error*.

    Clean-up that fails replaces the CancelledError by its own error, and asyncio asks
    only once.  To be asked where the attempt's error is no longer handled; a cancellation
    that the caller is handling meanwhile is the caller's.
    """
    if error is None or (error.__context__ is None and not isinstance(error, BaseExceptionGroup)):
        return False  # it has replaced nothing, as nearly all have
    asyncio: Any = sys.modules.get("asyncio")
    if not _in_task_of("asyncio") or not asyncio.current_task().cancelling():
        return False
    seen: set[int] = set()
    handled = sys.exception()
    while handled is not None and id(handled) not in seen:
        seen.add(id(handled))
        handled = handled.__context__
    rest: list[BaseException | None] = [error]
    while rest:
        this = rest.pop()
        if this is None or id(this) in seen:
            continue
        seen.add(id(this))
        if isinstance(this, asyncio.CancelledError):
            return True
        # A timeout of the user's has used up the cancellation that is its cause.
        if isinstance(this, TimeoutError) and isinstance(this.__cause__, asyncio.CancelledError):
            seen.add(id(this.__cause__))
        rest.append(this.__context__)
        if isinstance(this, BaseExceptionGroup):
            rest += this.exceptions
    return False


class _TrioTimeout:
    """What ``asyncio.timeout`` is, for trio."""

    def __init__(self, trio: Any, seconds: float) -> None:
        self._scope = trio.CancelScope()
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


def _import_asyncio() -> Any:
    global _asyncio
    import asyncio

    _asyncio = asyncio
    return asyncio


def _without(code: CodeType, trace: TracebackType | None) -> TracebackType | None:
    """Give *trace* without the entries of *code*, for which users have no use."""
    if trace is None:
        return None
    trace.tb_next = _without(code, trace.tb_next)
    return trace.tb_next if trace.tb_frame.f_code is code else trace


def _running_trio() -> Any:
    """Give the module trio where it runs the current task; importing it is not ours to do."""
    # asyncio is asked as well, for trio-asyncio runs its tasks inside one of trio's.
    if _in_task_of("trio.lowlevel") and not _in_task_of("asyncio"):
        return sys.modules["trio"]
    return None


def _in_task_of(library: str) -> bool:
    """Tell whether *library* runs the current task."""
    module: Any = sys.modules.get(library)
    if module is None:
        return False
    try:
        return module.current_task() is not None
    except (RuntimeError, AttributeError):  # it does not run; it has not been imported to the end
        return False
