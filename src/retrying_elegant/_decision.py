"""Decision: what follows an attempt.

Owns everything that is decided about a call, in one order: filters, attempts,
timeout passed?, wait, would it end past the timeout?, budget.  The state of the
call is that of its attempt.  Knows no clock (``now`` comes from outside), no
sleep, no asyncio, no hook and no log: decorator, loop, block and simulation all
ask it the same questions and act on the answers.  Times are float seconds.
"""

from __future__ import annotations

from math import inf

from . import _checks
from ._attempt import NOTHING, SUCCEEDED
from ._errors import RetryError, TryAgain, given_up, text_of
from .backoff import Backoff

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from ._attempt import Attempt
    from ._errors import Reason

_CLASSES = (type, tuple)  # what a filter is that names classes; the others are predicates

# The most attempts that any call of the process may make: `testing` sets it.
ceiling: int | None = None


def accepts(attempt: Attempt, value: Any) -> bool:
    """
    Tell whether *attempt*, which ended with *value* or with ``NOTHING``, is a success.

    Raises:
        Whatever ``until`` raises; TypeError when it returns what it may not.
    """
    attempt._result = value
    until = attempt._policy.until
    if until is None or value is NOTHING or _checks.answer("until", until(value)):
        attempt._stage = SUCCEEDED
        return True
    return False


def after_failure(
    attempt: Attempt, error: Exception | None, now: float, timed_out: bool = False
) -> bool:
    """
    Decide what follows when *attempt* has raised *error*, or returned what was not accepted.

    Args:
        timed_out: *error* is the TimeoutError of the policy's own ``attempt_timeout``.

    Returns:
        True: another attempt follows, after ``attempt.next_wait`` seconds.
        False: the call gives up, because of ``attempt._reason``.

    Raises:
        Whatever a predicate or a wait callable of the user raises; TypeError or
        ValueError when one returns what it may not.
    """
    policy, number = attempt._policy, attempt._number
    elapsed = attempt._elapsed(now)

    if error is None:
        attempt._history += (elapsed, None, "")
    else:
        attempt._history += (elapsed, type(error), text_of(error))
        attempt._error = error
        if not _is_retryable(attempt, error, timed_out):
            return _stop(attempt, "not retryable")

    limit = policy.attempts
    if (limit is not None and number >= limit) or (ceiling is not None and number >= ceiling):
        return _stop(attempt, "attempts")

    timeout = policy.timeout
    if timeout is not None and elapsed >= timeout:
        return _stop(attempt, "timeout")

    wait = _wait(attempt)
    if timeout is not None and elapsed + wait >= timeout:
        return _stop(attempt, "timeout")

    if policy.budget is not None and not policy.budget._take():
        return _stop(attempt, "budget")

    attempt._next_wait = wait
    return True


def is_late(attempt: Attempt, now: float, ahead: float = 0.0) -> bool:
    """Tell whether, *ahead* seconds from now, the timeout has passed; then the call gives up."""
    timeout = attempt._policy.timeout
    if timeout is None or attempt._elapsed(now) + ahead < timeout:
        return False
    return not _stop(attempt, "timeout")


def give_up_if_late(attempt: Attempt, now: float) -> None:
    """
    Give up before the first *attempt* where the timeout has passed already.

    The attempt becomes number 0, for none was made.
    """
    timeout = attempt._policy.timeout
    if timeout is not None and attempt._elapsed(now) >= timeout:
        attempt._number = 0
        attempt._error = TimeoutError(f"{attempt.name} was not run: {timeout:g} s had passed")
        _stop(attempt, "timeout")


def wait_interrupted(attempt: Attempt) -> None:
    """Put back what a retry cost that will not be made."""
    if attempt._policy.budget is not None:
        attempt._policy.budget._put_back()


def _is_retryable(attempt: Attempt, error: Exception, timed_out: bool) -> bool:
    # A TryAgain that some policy has given up on is an ordinary error to the next.
    if isinstance(error, TryAgain) and given_up(error) is None:
        attempt._hint = error.after
        return True
    policy = attempt._policy
    unless = policy.unless
    if unless is not None:
        if isinstance(unless, _CLASSES):
            if isinstance(error, unless) or any(isinstance(e, unless) for e in _leaves(error)):
                return False
        elif _checks.answer("unless", unless(error)):
            return False
    if timed_out:
        return True
    on = policy.on
    if isinstance(on, _CLASSES):
        return isinstance(error, on) or all(isinstance(e, on) for e in _leaves(error))
    verdict = _checks.answer("on", on(error))
    if isinstance(verdict, TryAgain):
        attempt._hint = verdict.after
    return bool(verdict)


def _wait(attempt: Attempt) -> float:
    rule = attempt._policy.wait
    if isinstance(rule, Backoff):
        # As a method, which is called faster than an object.
        wait = _seconds(rule.__call__(attempt))
    elif callable(rule):
        wait = _seconds(rule(attempt))
    elif isinstance(rule, tuple):
        wait = rule[min(attempt._number, len(rule)) - 1]
    else:
        wait = rule
    return wait if attempt._hint is None else wait + attempt._hint


def _seconds(wait: Any) -> float:
    """Give what a rule has answered; that of the backoffs is a float already, and within bounds."""
    if type(wait) is float and 0 <= wait < inf:
        return wait
    return _checks.seconds("wait(...)", wait)


def _stop(attempt: Attempt, reason: Reason) -> bool:
    attempt._reason = reason
    attempt._next_wait = None
    if attempt._error is None:
        attempt._error = RetryError(
            f"{attempt.name}: until accepted no result", result=attempt.result
        )
    return False


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """Give the errors in *error* and in the groups in it, or *error* itself where it is none."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
