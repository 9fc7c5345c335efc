"""Async backend: sleeps, timeouts and cancellation under asyncio or trio.

Owns the choice between the two libraries, which is made each time, at run time, and imports neither
before it runs.  Seconds are floats.
"""

from __future__ import annotations

import sys
from _collections_abc import Coroutine
from types import GeneratorType

from . import _clock
from ._tracebacks import chain, members, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
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


_modules = sys.modules
_asyncio: Any = None  # imported when it is first needed: it is a large import


def sleep(seconds: float) -> Awaitable[None]:
    """Return an awaitable that sleeps, and lets other tasks run even for 0 seconds."""
    clock = _clock.time  # read only once, so that the real one never sleeps here
    if clock is not _clock.real:
        clock.sleep(seconds)
        seconds = 0
    trio = _running_trio() if "trio" in _modules else None  # few programs have both
    slept: Awaitable[None] = (trio or _asyncio or _import_asyncio()).sleep(seconds)
    return slept


class ForeignEventError(RuntimeError):
    """Raised for an event of another event loop or library than the one that runs the task."""


async def wait(event: _clock.Event, seconds: float) -> bool:
    """
    Sleep until *event* is set, at most *seconds*.

    Returns:
        Whether it was seen to be set; it may have been cleared since.

    Raises:
        ForeignEventError: *event* belongs to another event loop or library.
    """
    if event.is_set():
        return True
    if _clock.is_virtual() or seconds == 0:
        await sleep(seconds)
        return False
    scope = timeout(seconds)
    try:
        async with scope:
            await _wait_for(event)
    except TimeoutError:
        if not scope.expired():
            raise
        return False
    finally:
        del scope  # it holds the task, which holds the error that ends it
    return True


async def _wait_for(event: _clock.Event) -> None:
    try:
        await event.wait()
    except (RuntimeError, AttributeError) as error:  # asyncio's event finds no loop under trio
        if type(error) not in (RuntimeError, AttributeError):
            raise  # something else has raised it into the wait
        raise ForeignEventError(
            f"stop: the {type(event).__module__}.{type(event).__qualname__} belongs to another "
            f"event loop or library than the one that runs here ({error})"
        ) from error


def timeout(seconds: Any) -> Timeout:
    """Return a context manager that cancels its body after *seconds*, then raises TimeoutError."""
    trio = _running_trio()
    if trio is not None:
        return _TrioTimeout(trio, seconds)
    canceling: Timeout = (_asyncio or _import_asyncio()).timeout(seconds)
    return canceling


def expired(scope: Timeout, error: BaseException | None, what: str) -> bool:
    """
    Return whether *error* is the TimeoutError of *scope*, which has expired.

    Args:
        what: The text of the error, which names the limit.
    """
    if error is None or not issubclass(type(error), TimeoutError):
        return False
    # Of no help to users; and its frame holds the scope, hence the task, which may hold the error.
    error.__traceback__ = without(type(scope).__aexit__.__code__, error.__traceback__)
    if not error.args:
        error.args = (what,)
    return True


def misuse(error: Exception) -> Exception | None:
    """Return what to raise if *error* comes from a wait that is impossible here, or None."""
    if type(error) is ForeignEventError:
        wrong = RuntimeError(str(error))
        wrong.__cause__ = error.__cause__
        return wrong
    if issubclass(type(error), RuntimeError) and not is_running():
        wrong = _neither()
        wrong.__cause__ = error
        return wrong
    return None


def check_running() -> None:
    """Raise RuntimeError if neither asyncio nor trio runs the current task."""
    if not is_running():
        raise _neither()


def _neither() -> RuntimeError:
    return RuntimeError(
        "retrying_elegant waits under asyncio or trio, and neither runs this coroutine "
        "(with Twisted, write `Deferred.fromFuture(asyncio.ensure_future(...))`)"
    )


# Where asyncio stores the current task, found at first use.  Before Python 3.12, `current_task` is
# Python code, and takes longer than the rest of a successful call.
_current_task: Any = None
_current_tasks: Any = None
_running_loop: Any = None


def _find_tasks() -> int:
    """Find where asyncio stores the current task, and return how often it was canceled."""
    global _current_task, _current_tasks, _running_loop
    asyncio: Any = sys.modules.get("asyncio")
    try:
        _running_loop = asyncio._get_running_loop
        _current_task = asyncio.current_task
        _current_tasks = getattr(asyncio.tasks, "_current_tasks", None)
        return _current_task().cancelling()  # type: ignore[no-any-return]  # an int
    except (AttributeError, RuntimeError):  # asyncio is not (fully) imported, or runs no task
        return 0


if sys.version_info >= (3, 12):  # pragma: no cover - coverage is measured on 3.11

    def cancellations() -> int:
        """Return how often the current task of asyncio was canceled; 0 without one."""
        try:
            return _current_task().cancelling()  # type: ignore[no-any-return]  # an int
        except (AttributeError, RuntimeError):  # no task; no event loop
            return 0
        except TypeError:  # not found yet
            return _find_tasks()

else:  # pragma: no branch - as above

    def cancellations() -> int:
        """Return how often the current task of asyncio was canceled; 0 without one."""
        try:
            count: int = _current_tasks.get(_running_loop()).cancelling()
            return count
        except AttributeError:  # no task, or not found yet
            return _find_tasks() if _current_tasks is None else 0


def was_canceled(before: int, error: BaseException | None) -> bool:
    """
    Return whether the task was canceled during an attempt, which may have swallowed that.

    Args:
        before: ``cancellations()`` when the attempt started.
        error: The error of the attempt; None: a rejected result.
    """
    if cancellations() <= before:
        return False
    if sys.version_info >= (3, 13):  # pragma: no cover - coverage is measured on 3.11
        return True
    # Before 3.13, a TaskGroup that fails does not lower the count again.
    return error is not None and not any(members(this) for this in chain(error))


async def meet_cancellation() -> None:  # pragma: no cover - coverage is measured on 3.11
    """Raise the cancellation of asyncio's current task here if it has not been raised yet."""
    await (_asyncio or _import_asyncio()).sleep(0)


def is_running() -> bool:
    """Return whether asyncio or trio runs the current task."""
    return _in_task_of("asyncio") or _in_task_of("trio.lowlevel")


def is_coroutine(value: Any) -> bool:
    """Return whether *value* is a coroutine of any kind; an old one is a generator."""
    return isinstance(value, (Coroutine, GeneratorType))


def is_unfinished(value: Any) -> bool:
    """
    Return whether *value*, returned by a synchronous callable, still has to be awaited.

    This is the case for coroutines and asyncio's futures, and for other awaitables while an event
    loop runs in this thread; elsewhere, these may be ordinary values.
    """
    if is_coroutine(value):
        return True
    asyncio: Any = sys.modules.get("asyncio")
    if isinstance(value, getattr(asyncio, "Future", ())):
        return True
    running = getattr(asyncio, "_get_running_loop", None)
    if running is not None and running() is not None:
        return True
    return _in_task_of("trio.lowlevel")


class _TrioTimeout:
    """The equivalent of ``asyncio.timeout`` for trio."""

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
        if self._scope.cancelled_caught:
            raise TimeoutError from error
        return swallowed

    def expired(self) -> bool:
        canceled: bool = self._scope.cancel_called
        return canceled


def _import_asyncio() -> Any:
    global _asyncio
    import asyncio

    _asyncio = asyncio
    return asyncio


def _running_trio() -> Any:
    """Return the module trio if it runs the current task, without importing it."""
    # asyncio is checked too, because trio-asyncio runs asyncio's tasks inside one of trio's.
    if _in_task_of("trio.lowlevel") and not _in_task_of("asyncio"):
        return sys.modules["trio"]
    return None


def _in_task_of(library: str) -> bool:
    """Return whether *library* runs the current task."""
    module: Any = sys.modules.get(library)
    if module is None:
        return False
    try:
        return module.current_task() is not None
    except (RuntimeError, AttributeError):  # it is not running, or not fully imported
        return False
