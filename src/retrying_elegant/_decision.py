"""Decision: the one place that decides what follows an attempt.

Theory of operation.  A call is a series of attempts.  The state of the call is that of its
current attempt, whose stage is one field, ``_stage``.  The stage WAITING has the wait as data, and
GAVE_UP the reason.  Every transition that decides something is a function of this module.

               enter           exit / return / raise
      NEW ────────► RUNNING ────────────────────► SETTLING ── result accepted ──► SUCCEEDED
       │                                             │  ├── healthy (reset_after): number = 1,
       │                                             │  │   counts start over, then as below
       │                                             │  └── filter | stop | attempts | timeout |
       │ block deadline passed (number 0)            │      wait | budget ──► GAVE_UP(reason)
       └────────────────────────────► GAVE_UP        │ wait decided, token taken     ▲
                                                     ▼                               │
                                                  WAITING ── late | stopped | interrupted
                                                     │                 (token back)
                                                     └── slept ──► NEW (number + 1)

A ``BaseException`` in WAITING returns the token, and is not announced.  A predicate or wait
callable that raises makes the call BROKEN: the ``on_give_up`` hooks run, but without a reason or
a record.  A canceled task ends its call in SETTLING, unannounced.

``settle`` moves an attempt out of RUNNING; ``confirm`` checks a decided retry again after the
hooks and after the wait; ``give_up``, ``interrupt`` and ``abandon`` end it.  ``decide`` is the
rule itself, in this order: filters, stop, attempts, timeout passed?, wait, would it end past the
timeout?, budget.

This module knows no clock (``now`` is an argument), no sleep, no asyncio, no hook and no log:
decorator, loop, block, clients and simulation call the same functions and act on the results.  It
calls only the user's predicates and wait callables, ``random``, the event ``stop`` and the budget.
Times are float seconds.
"""

from __future__ import annotations

from math import inf

from . import _checks, _deadline
from ._attempt import BROKEN, GAVE_UP, NEW, NOTHING, SETTLING, SUCCEEDED, WAITING
from ._errors import RetryError, TryAgain, hint_of
from ._giveup import given_up
from ._tracebacks import leaves, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._attempt import Attempt
    from ._giveup import Reason
    from ._policy import Hook, Policy

# The maximum number of attempts of every call in the process; `testing` sets it.
ceiling: int | None = None


def settle(
    attempt: Attempt,
    error: Exception | None,
    value: Any,
    now: float,
    timed_out: bool = False,
    canceled: bool = False,
) -> bool:
    """
    Settle *attempt*, which raised *error* or else returned *value*.

    Args:
        value: ``NOTHING`` if a loop stored no result, which is a success.
        timed_out: Whether *error* is the TimeoutError of the policy's own ``attempt_timeout``.
        canceled: Whether the task was canceled in the meantime. Unless the attempt succeeded, the
            call then ends as bare code would, unannounced.

    Returns:
        True: another attempt follows, after the seconds in ``attempt._outcome``.
        False: the call has ended; ``attempt._stage`` shows whether with success.

    Raises:
        Exception: whatever a predicate or wait callable of the user raises; StopIteration becomes
            RuntimeError.
        TypeError, ValueError: a predicate or wait callable returned an invalid value.
    """
    policy = attempt._policy
    try:
        if error is None and _accept(attempt, value):
            return False
        if canceled:
            cancel(attempt, error)
            return False
        if policy.reset_after is not None:
            _start_over_if_healthy(attempt, now, timed_out)
        elapsed = now - attempt._start
        if elapsed < attempt._slept:  # a frozen clock cannot hide the waits
            elapsed = attempt._slept
        if error is None:
            attempt._history += (elapsed, None, "")
        else:
            attempt._error = error
            attempt._history += (elapsed, type(error), attempt._text_of(error))
        limit = None
        if policy.timeout is not None or _deadline.innermost() is not None:
            limit = attempt._limit()
        outcome: Any = decide(policy, error, attempt, attempt._number, elapsed, limit, timed_out)
    except Exception as trouble:
        attempt._stage = BROKEN
        # A StopIteration would silently end a loop of the caller.
        if issubclass(type(trouble), StopIteration):
            raise RuntimeError("a predicate or wait callable raised StopIteration") from trouble
        raise
    # No call here, after which a signal handler might raise, because a token may have been taken.
    if outcome.__class__ is str:
        give_up(attempt, outcome)  # type: ignore[arg-type]  # it is a reason
        return False
    attempt._stage = WAITING
    attempt._outcome = outcome
    return True


def is_always_retried(policy: Policy, kind: type[Exception]) -> bool:
    """
    Return whether every error of the class *kind* is retried while ``attempts`` are left.

    The result never changes, so it may be cached: no metaclass in *on* can influence it.
    """
    on = policy.on
    if not policy._is_bare or policy.unless is not None:
        return False
    if type(on) is not type and not (
        isinstance(on, tuple) and all(type(rule) is type for rule in on)
    ):
        return False
    return issubclass(kind, on) and not issubclass(kind, TryAgain)  # type: ignore[arg-type]


def retry_simply(attempt: Attempt, error: Exception, kind: type[Exception], now: float) -> bool:
    """
    Settle a failure as ``settle`` would, but faster, if its class is always retried.

    This covers nearly all failures: attempts are left, and the wait comes from a ready backoff.

    Returns:
        True: another attempt follows. False: it is left to ``settle`` to decide.
    """
    policy, number = attempt._policy, attempt._number
    most = policy.attempts
    if (
        (most is not None and number >= most)
        or ceiling is not None
        or _deadline.innermost() is not None
    ):
        return False
    elapsed = now - attempt._start
    if elapsed < attempt._slept:
        elapsed = attempt._slept
    attempt._error = error
    attempt._history += (elapsed, kind, attempt._text_of(error))
    ready: Any = policy._ready  # a simple policy has one
    attempt._outcome = ready._draw(number, attempt._waited)
    attempt._stage = WAITING
    return True


def decide(
    policy: Policy,
    error: Exception | None,
    attempt: Attempt,
    number: int,
    elapsed: float,
    limit: float | None,
    timed_out: bool = False,
) -> float | Reason:
    """
    Return what follows failed attempt *number*: seconds to wait, or the reason to give up.

    Args:
        error: The error of the attempt; None if its result was rejected.
        attempt: The argument of a wait callable of the user; its hint is set here.
        elapsed: Seconds since the start of the call.
        limit: Seconds from the start after which no attempt starts; None: no limit.
    """
    if error is not None and not _is_retryable(policy, error, attempt, timed_out):
        return "not retryable"
    if policy.stop is not None and policy.stop.is_set():
        return "stopped"
    most = policy.attempts
    if most is not None and number >= most:
        return "attempts"
    if ceiling is not None and number + attempt._earlier >= ceiling:
        return "attempts"
    if limit is not None and elapsed >= limit:
        return "timeout"

    ready = policy._ready
    wait = _wait(policy, attempt) if ready is None else ready._draw(number, attempt._waited)
    if wait == inf:
        return "wait"
    if attempt._hint is not None:
        wait += attempt._hint
    if limit is not None and elapsed + wait >= limit:
        return "timeout"
    if policy.budget is not None and not policy.budget._take():
        return "budget"
    return wait


def confirm(attempt: Attempt, now: float, ahead: float = 0.0, *, stopped: bool = False) -> bool:
    """
    Confirm a decided retry, after the hooks and after the wait.

    Args:
        ahead: Seconds from *now* until the next attempt.
        stopped: Whether the event ``stop`` was set during the wait, if only briefly.

    Returns:
        True: the attempt follows. False: the call has given up after all.
    """
    stop = attempt._policy.stop
    if stopped or (stop is not None and stop.is_set()):
        give_up(attempt, "stopped")
        return False
    limit = attempt._limit()
    if limit is not None and attempt._elapsed(now) + ahead >= limit:
        give_up(attempt, "timeout")
        return False
    return True


def give_up(attempt: Attempt, reason: Reason) -> None:
    """End the call of *attempt* without success, because of *reason*."""
    abandon(attempt)
    attempt._stage = GAVE_UP
    attempt._outcome = reason
    if attempt._error is None:
        attempt._error = _rejected(attempt)


def cancel(attempt: Attempt, error: Exception | None) -> None:
    """End the call of a canceled task with *error*; None: with a rejected result."""
    abandon(attempt)
    attempt._stage = SETTLING
    attempt._error = _rejected(attempt) if error is None else error


def interrupt(attempt: Attempt) -> None:
    """End a call because something else raised an exception into its wait."""
    abandon(attempt)
    attempt._stage = GAVE_UP
    attempt._outcome = "interrupted"


def break_off(attempt: Attempt) -> None:
    """End a call that cannot wait for its next attempt because it is misused."""
    abandon(attempt)
    attempt._stage = BROKEN


def abandon(attempt: Attempt) -> None:
    """Return the token of a retry that will not be made, without announcing it."""
    if attempt._stage is WAITING:
        attempt._stage = SETTLING
        attempt._outcome = None
        if attempt._policy.budget is not None:
            attempt._policy.budget._put_back()


def leave(attempt: Attempt) -> None:
    """Return the token of a retry that will not be made, even if it was about to begin."""
    if attempt._stage is NEW and attempt._number + attempt._earlier > 1:
        attempt._stage = WAITING  # it has been decided, and has not begun
    abandon(attempt)


def hooks_of_end(attempt: Attempt) -> tuple[Hook, ...]:
    """Return the hooks to run at the end of the call; none if the end is not announced."""
    if attempt._stage is SUCCEEDED:
        return attempt._policy.on_success
    return () if attempt._stage is SETTLING else attempt._policy.on_give_up


def give_up_if_late(attempt: Attempt, now: float) -> None:
    """
    Give up before the first *attempt* of a block's call if the block's timeout has passed.

    Its number becomes 0, because no attempt was made.
    """
    timeout = attempt._policy.timeout
    if timeout is not None and attempt._elapsed(now) >= timeout:
        attempt._number = 0
        attempt._error = TimeoutError(f"{attempt.name} was not run: {timeout:g} s had passed")
        give_up(attempt, "timeout")


def succeed(attempt: Attempt, value: Any) -> None:
    """End the call of *attempt* with *value*, which was accepted, without crediting the budget."""
    attempt._result = value
    attempt._stage = SUCCEEDED


def credit(policy: Policy) -> None:
    """Credit the budget of *policy* with one success."""
    if policy.budget is not None:
        policy.budget._earn()


def mark_hung(attempt: Attempt) -> None:
    """Note that *attempt* was ended by its own ``attempt_timeout``, and so is never healthy."""
    attempt._began = inf


def _accept(attempt: Attempt, value: Any) -> bool:
    """Accept *value* as a success if the policy does; return whether it did."""
    policy = attempt._policy
    attempt._result = value
    if policy.until is not None and value is not NOTHING:
        verdict = _checks.answer("until", policy.until(value))
        if issubclass(type(verdict), TryAgain):
            attempt._hint = hint_of(verdict)
            return False
        if not verdict:
            return False
    succeed(attempt, value)
    credit(policy)
    return True


def _start_over_if_healthy(attempt: Attempt, now: float, timed_out: bool) -> None:
    """Count the failure of an attempt that ran long enough as the first of a new series."""
    policy = attempt._policy
    if timed_out or now - attempt._began < policy.reset_after:  # type: ignore[operator]  # it is set
        return
    attempt._earlier += attempt._number - 1
    attempt._number = 1
    attempt._waited = attempt._slept = 0.0
    attempt._history = ()
    attempt._start = now
    credit(policy)


def _is_retryable(policy: Policy, error: Exception, attempt: Attempt, timed_out: bool) -> bool:
    kind = type(error)
    # After a policy has given up on a TryAgain, it is an ordinary error to all others.
    if issubclass(kind, TryAgain) and given_up(error) is None:
        attempt._hint = hint_of(error)  # type: ignore[arg-type]  # it is a TryAgain
        return True
    on, unless = policy.on, policy.unless
    if unless is None:
        if isinstance(on, type) and issubclass(kind, on):  # as most are
            return True
    else:
        verdict = matches("unless", unless, error)
        if issubclass(type(verdict), TryAgain):
            _checks.reject(TypeError, "unless(...)", verdict, "a truth value, not a hint")
        if verdict:
            return False
    if timed_out:
        return True
    verdict = matches("on", on, error)
    if issubclass(type(verdict), TryAgain):
        attempt._hint = hint_of(verdict)
        return True
    return bool(verdict)


def matches(name: str, rules: Any, error: Exception) -> Any:
    """
    Return the first true result of *rules*, classes and predicates, for *error*.

    A group matches the classes in ``on`` if every leaf matches one of them, and a class in
    ``unless`` if any leaf does.
    """
    kind = type(error)
    rules = rules if isinstance(rules, tuple) else (rules,)
    for rule in rules:
        if not isinstance(rule, type):
            verdict = _checks.answer(name, rule(error))
            if verdict:
                return verdict
        elif issubclass(kind, rule):
            return True
        elif members(error):
            if name == "unless":
                if any(issubclass(type(leaf), rule) for leaf in leaves(error)):
                    return True
            elif _all_match(error, tuple(rule for rule in rules if isinstance(rule, type))):
                return True
    return False


def _all_match(error: BaseException, classes: Any) -> bool:
    return all(issubclass(type(leaf), classes) for leaf in leaves(error))


def _wait(policy: Policy, attempt: Attempt) -> float:
    """Return the wait of a policy without a ready backoff; infinity: no further attempt."""
    rule = policy.wait
    if isinstance(rule, tuple):
        return rule[min(attempt._number, len(rule)) - 1]
    if not callable(rule):
        return rule
    wait: Any = rule(attempt)
    if type(wait) is float and 0 <= wait < inf:
        return wait
    if _checks.is_infinite(wait):
        return inf
    return _checks.seconds("wait(...)", wait)


def _rejected(attempt: Attempt) -> RetryError:
    return RetryError(f"{attempt.name}: until accepted no result", result=attempt.result)
