"""Reporting: log lines, records and observers.

Owns the log lines, the record and note of a call that gave up, the observers of the whole process,
and the report of a failing hook.  Leaves running the policy's hooks to ``sync`` and ``async``,
because only the latter can await them.  Nothing here changes the outcome of a call, and nothing
here runs if a call succeeds at once.
"""

from __future__ import annotations

import sys
from _thread import _local
from contextvars import ContextVar

from ._attempt import GAVE_UP, SUCCEEDED, Attempt
from ._checks import name_of
from ._giveup import GiveUp, class_name, headline, sign
from ._text import one_line
from ._tracebacks import drop_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any

    Observer = Callable[[Attempt], object]

# The observers of the whole process, set by `instrumentation`. A tuple is replaced as a whole, so
# reading it needs no lock.
retry_observers: tuple[Observer, ...] = ()
give_up_observers: tuple[Observer, ...] = ()
recovery_observers: tuple[Observer, ...] = ()

# Retries made while one of our observers or log lines is being handled, in the same context, are
# not reported, because that could continue without end.  These sets hold the contexts that handle
# one.  A context variable alone would do, except for a bug of CPython before 3.12: the garbage
# collector may run a finalizer while one is being set, and the interpreter crashes if the finalizer
# sets one too.  So ours is set only once in each context.
_observing: set[object] = set()
_logging: set[object] = set()
_thread = _local()
_context: ContextVar[object] = ContextVar("retrying_elegant.context", default=None)

_DEBUG, _ERROR = 10, 40  # as in logging
_loggers: tuple[Logger, Logger, Logger] | None = None


def retry(attempt: Attempt) -> None:
    """Report that another attempt follows the failed one."""
    level = attempt._policy.log_level
    if level is not None:
        if attempt._error is None:  # as in `level_of_retry`, with one call less
            level = min(level, _DEBUG)
        logger = (_loggers or _find_loggers())[0]
        try:
            if logger is not None and logger.isEnabledFor(level):
                _log(
                    logger,
                    level,
                    "retrying %s in %.2f s after attempt %d: %s",
                    one_line(attempt.name),
                    attempt._outcome,
                    attempt._number,
                    attempt._describe(attempt._error),
                    extra=_fields(attempt, attempt._error),
                )
        except Exception:  # noqa: BLE001, S110 - a broken log must not hide the error
            pass
    if retry_observers:
        _notify(retry_observers, attempt)


def level_of_retry(attempt: Attempt) -> int | None:
    """Return the level at which the retry after *attempt* is logged; None: it is not logged."""
    level = attempt._policy.log_level
    if level is not None and attempt._error is None:
        return min(level, _DEBUG)  # polling is not worth a warning
    return level


def is_reported(attempt: Attempt) -> bool:
    """
    Return whether giving up on *attempt* is recorded and logged.

    A non-retryable error of the first attempt is an ordinary error, and is not.
    """
    return attempt._number > 1 or attempt._outcome != "not retryable" or attempt._is_remarkable()


def end(attempt: Attempt, intruder: Exception | None = None) -> None:
    """
    Report how the call of *attempt* ended, beginning with the record on its final error.

    Args:
        intruder: An exception that something else raised into the wait.
    """
    if attempt._stage is SUCCEEDED:
        if recovery_observers and attempt._number + attempt._earlier > 1:
            _notify(recovery_observers, attempt)
    elif attempt._stage is GAVE_UP:
        _report_give_up(attempt, attempt._error if intruder is None else intruder)


def _report_give_up(attempt: Attempt, error: Any) -> None:
    name, number, reason = one_line(attempt.name), attempt._number, attempt._outcome
    if is_reported(attempt):
        elapsed = attempt.elapsed
        sign(error, GiveUp(name, number, elapsed, reason, _history(attempt, reason)))
        level = attempt._policy.log_level
        logger = (_loggers or _find_loggers())[1]
        try:
            if level is not None and logger is not None and logger.isEnabledFor(level):
                _log(
                    logger,
                    level,
                    "%s: %s",
                    headline(name, number, elapsed, reason),
                    attempt._describe(error),
                    extra=_fields(attempt, error),
                )
        except Exception:  # noqa: BLE001, S110 - as above
            pass
    if give_up_observers:
        _notify(give_up_observers, attempt)


def _history(attempt: Attempt, reason: str) -> tuple[str, ...]:
    lines = attempt._history_lines()
    asked = _refused_hint(attempt) if reason == "not retryable" and lines else None
    if asked is None:
        return lines
    return (*lines[:-1], f"{lines[-1]} (the server asked for {asked:.0f} s)")


def _refused_hint(attempt: Attempt) -> float | None:
    """Return the hint of the service in seconds, if a filter found it too long."""
    rules = attempt._policy.on
    for rule in rules if isinstance(rules, tuple) else (rules,):
        find = getattr(type(rule), "_refused_hint", None)  # a mock itself has every attribute
        asked: float | None = None if find is None else find(rule, attempt._error)
        if asked is not None:
            return asked
    return None


def _fields(attempt: Attempt, error: Any) -> dict[str, Any]:
    """Return the values of a log record for structured logs."""
    return {
        "retry_name": one_line(attempt.name),
        "retry_attempt": attempt._number,
        "retry_wait": attempt.next_wait,
        "retry_elapsed": attempt.elapsed,
        "retry_reason": attempt.reason,
        "retry_error": None if error is None else class_name(type(error)),
    }


def hook_failed(hook: object, attempt: Attempt) -> None:
    """Log that a hook raised."""
    logger = (_loggers or _find_loggers())[2]
    if logger is None:
        return
    try:
        name, call = name_of(hook), one_line(attempt.name)
        # That of a client shows the URL; what may be said of it is in lines of its own.
        drop_context(attempt._error)
        _log(logger, _ERROR, "hook %s of %s raised", name, call, exc_info=True)
    except Exception:  # noqa: BLE001, S110 - as above
        pass


def _log(logger: Logger, level: int, template: str, *args: object, **options: Any) -> None:
    here = _here()
    if here in _logging:
        return
    try:
        _logging.add(here)  # inside the `try`, because an interruption may follow at once
        logger.log(level, template, *args, **options)
    finally:
        _logging.discard(here)


def _notify(observers: tuple[Observer, ...], attempt: Attempt) -> None:
    """Notify *observers*; an error of one is logged, and has no other effect."""
    here = _here()
    if here in _observing:
        return
    try:
        _observing.add(here)  # inside the `try`, because an interruption may follow at once
        for observer in observers:
            try:
                observer(attempt)
            except Exception:  # noqa: BLE001 - whatever it raises
                hook_failed(observer, attempt)
    finally:
        _observing.discard(here)


def _here() -> object:
    """Return an identity of the current context, and of the greenlet or thread in it."""
    context = _context.get()
    if context is None:
        context = object()
        _context.set(context)
    current = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    if current is not None:
        return context, current()
    # Not the number of the thread, which a different thread may have in a forked child.
    return context, _thread.__dict__.setdefault("token", object())


def _find_loggers() -> Any:
    """Return the loggers of retries, of give-ups and of the package; None if unavailable."""
    global _loggers
    try:
        from logging import getLogger  # imported at the first failure

        package = getLogger("retrying_elegant")
        _loggers = (package.getChild("retry"), package.getChild("give_up"), package)
    except Exception:  # noqa: BLE001 - the interpreter may be shutting down
        return None, None, None
    return _loggers
