"""Events: who is told what a call does.

Owns the log, the note and record on an error that is given up on, telling the
observers of the whole process, crediting the budget with a success, letting go of
what a failed attempt held, and how a failing hook is treated.  Leaves running the
hooks to the drivers, which differ in whether they can await them.  Nothing here
changes what becomes of a call.
"""

from __future__ import annotations

import sys
from _thread import _local

from ._checks import name_of
from ._errors import GiveUp, describe, headline, sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any

    from ._attempt import Attempt

    Observer = Callable[[Attempt], object]

# Who observes the whole process: `instrumentation` sets them. A tuple is replaced as a whole,
# so that reading it needs no lock.
retry_observers: tuple[Observer, ...] = ()
give_up_observers: tuple[Observer, ...] = ()
recovery_observers: tuple[Observer, ...] = ()
_here = _local()

_WARNING, _ERROR = 30, 40  # as in logging
_logger: Logger | None = None


def retrying(attempt: Attempt) -> None:
    """Tell that another attempt will follow the failed one."""
    logger = _logger or _log()
    if logger.isEnabledFor(_WARNING):
        template = "retrying %s in %.2f s after attempt %d: %s"
        _say(
            _WARNING,
            template,
            attempt.name,
            attempt.next_wait,
            attempt.number,
            describe(attempt._error),
        )
    if retry_observers:
        _tell(retry_observers, attempt)


def succeeded(attempt: Attempt) -> None:
    """Tell that the call has ended well."""
    budget = attempt._policy.budget
    if budget is not None:
        budget._earn()
    if recovery_observers and attempt._number > 1:
        _tell(recovery_observers, attempt)


def gave_up(attempt: Attempt) -> None:
    """Tell that the call has ended without success, its final error first of all."""
    name, number, elapsed = attempt.name, attempt._number, attempt.elapsed
    reason: Any = attempt._reason  # not None: the call has ended
    # An error that nobody wanted retried, and that was not, leaves as it came.
    if number > 1 or reason != "not retryable":
        sign(attempt._error, GiveUp(name, number, elapsed, reason, attempt._history_lines()))
    logger = _logger or _log()
    if logger.isEnabledFor(_WARNING):
        _say(
            _WARNING,
            "%s: %s",
            headline(name, number, elapsed, reason),
            describe(attempt._error),
        )
    if give_up_observers:
        _tell(give_up_observers, attempt)


def _say(level: int, template: str, *args: object, exc_info: bool = False) -> None:
    try:
        _log().log(level, template, *args, exc_info=exc_info)
    except Exception:  # noqa: BLE001, S110 - a broken filter or handler must not hide the error
        pass


def _tell(observers: tuple[Observer, ...], attempt: Attempt) -> None:
    """Tell *observers*; one that raises is logged and changes nothing."""
    # What an observer itself retries is told to nobody: telling it could go on without end.
    if getattr(_here, "telling", False):
        return
    _here.telling = True
    try:
        for observer in observers:
            try:
                observer(attempt)
            except Exception:  # noqa: BLE001 - whatever it raises
                hook_failed(observer, attempt)
    finally:
        _here.telling = False


def hook_failed(hook: object, attempt: Attempt) -> None:
    """A hook has raised: say so where it can be seen, and go on."""
    _say(_ERROR, "hook %s of %s raised", name_of(hook), attempt.name, exc_info=True)


def let_go(error: BaseException | None) -> None:
    """
    Drop the tracebacks of *error* and of the errors behind it.

    They hold every frame of the failed attempt, and the frames every local.  What
    the caller was handling before the call is not the attempt's: it stays whole.
    """
    if error is None:
        return
    handled = sys.exception()
    if handled is error.__context__ is error.__cause__ is None and not isinstance(
        error, BaseExceptionGroup
    ):  # alone, as nearly all are
        _drop_traceback(error, None)
        return
    kept: set[int] = set()
    while handled is not None and id(handled) not in kept:
        kept.add(id(handled))
        handled = handled.__context__
    rest: list[BaseException | None] = [error]
    while rest:
        this = rest.pop()
        # Where the traceback is gone already, this has been done after an earlier attempt.
        if this is None or this.__traceback__ is None or id(this) in kept:
            continue
        _drop_traceback(this, None)
        rest += (this.__context__, this.__cause__)
        if isinstance(this, BaseExceptionGroup):
            rest += this.exceptions


_drop_traceback = BaseException.with_traceback  # which no class of the user's can override


def _log() -> Logger:
    global _logger
    if _logger is None:
        import logging  # at the first failure: most programs that succeed never pay for it

        _logger = logging.getLogger("retrying_elegant")
    return _logger
