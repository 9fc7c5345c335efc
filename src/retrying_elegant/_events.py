"""Events: who is told what a call does.

Owns the log, the note and record on an error that is given up on, telling the
observers of the whole process, and how a failing hook is treated.  Leaves
running the hooks to the drivers, which differ in whether they can await them.
Nothing here changes what a call does.
"""

from __future__ import annotations

import sys
from _thread import _local

from ._checks import name_of
from ._decision import describe
from ._errors import GiveUp, headline, sign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from typing import Any

    from ._attempt import Attempt
    from ._policy import Hook

    Observer = Callable[[Attempt], object]

# Who observes the whole process: `instrumentation` sets them. A tuple is replaced as a whole,
# so that reading it needs no lock.
retry_observers: tuple[Observer, ...] = ()
give_up_observers: tuple[Observer, ...] = ()
recovery_observers: tuple[Observer, ...] = ()
_here = _local()

_WARNING = 30  # logging.WARNING
_logger: Logger | None = None


def retrying(attempt: Attempt) -> tuple[Hook, ...]:
    """Tell that another attempt will follow the failed one; give the hooks that want to know."""
    logger = _logger or _log()
    if logger.isEnabledFor(_WARNING):
        logger.warning(
            "retrying %s in %.2f s after attempt %d: %s",
            attempt.name,
            attempt.next_wait,
            attempt.number,
            describe(attempt.error),
        )
    if retry_observers:
        _tell(retry_observers, attempt)
    return attempt._call.policy.on_retry


def succeeded(attempt: Attempt) -> tuple[Hook, ...]:
    """Tell that the call has ended well; give the hooks that want to know."""
    policy = attempt._call.policy
    if policy.budget is not None:
        policy.budget.earn()
    if recovery_observers and attempt._number > 1:
        _tell(recovery_observers, attempt)
    return policy.on_success


def gave_up(attempt: Attempt) -> tuple[Hook, ...]:
    """Tell that the call has ended without success; give the hooks that want to know."""
    call = attempt._call
    number, elapsed, error = attempt.number, attempt.elapsed, attempt._error
    reason: Any = call.reason  # not None: the call has ended
    # An error that nobody wanted retried, and that was not, leaves as it came.
    if number > 1 or reason != "not retryable":
        sign(error, GiveUp(call.name, number, elapsed, reason, call.history_lines()))
    call.history.clear()
    logger = _log()
    if logger.isEnabledFor(_WARNING):
        headline_ = headline(call.name, number, elapsed, reason)
        logger.warning("%s: %s", headline_, describe(error))
    if give_up_observers:
        _tell(give_up_observers, attempt)
    return call.policy.on_give_up


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
    _log().error("hook %s of %s raised", name_of(hook), attempt.name, exc_info=True)


def let_go(error: BaseException | None) -> None:
    """
    Drop the tracebacks of *error* and of the errors behind it.

    They hold every frame of the failed attempt, and the frames every local.  What
    the caller was handling before the call is not the attempt's: it stays whole.
    """
    if error is None:
        return
    if (
        error.__context__ is None
        and error.__cause__ is None
        and not isinstance(error, BaseExceptionGroup)
    ):
        error.with_traceback(None)
        return
    kept = {id(other) for other in _chain(sys.exception())}
    for other in _chain(error):
        if id(other) not in kept:
            other.with_traceback(None)


def _chain(error: BaseException | None) -> list[BaseException]:
    """*error* and all that is reached from it as cause, context or part of a group."""
    found: dict[int, BaseException] = {}
    rest = [error]
    while rest:
        this = rest.pop()
        if this is None or id(this) in found:
            continue
        found[id(this)] = this
        rest += (this.__cause__, this.__context__)
        if isinstance(this, BaseExceptionGroup):
            rest += this.exceptions
    return list(found.values())


def _log() -> Logger:
    global _logger
    if _logger is None:
        import logging  # at the first failure: most programs that succeed never pay for it

        _logger = logging.getLogger("retrying_elegant")
    return _logger
