"""Decision: what follows an attempt, the one place that decides.

Theory of operation.  A call is a series of attempts.  The state of the call is that of its
current attempt, and its stage is one field, ``_stage``; the wait is data of the stage WAITING,
the reason of GAVE_UP.  Every transition that decides something is a function of this module.

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

A ``BaseException`` in WAITING puts the token back and is announced nowhere.  A predicate or wait
callable that raises makes the call BROKEN: the ``on_give_up`` hooks run, but there is no reason
and no record.  A canceled task ends its call in SETTLING, unannounced.

``settle`` moves an attempt out of RUNNING, ``confirm`` checks a decided retry again after the
hooks and after the wait, ``give_up``, ``interrupt`` and ``abandon`` end it.  ``decide`` is the
rule itself, of plain values, in this order: filters, stop, attempts, timeout passed?, wait, would
it end past the timeout?, budget.

Knows no clock (``now`` comes from outside), no sleep, no asyncio, no hook and no log: decorator,
loop, block, clients and simulation ask it the same questions and act on the answers.  It calls
the user's predicates and wait callables, ``random``, the event ``stop`` and the budget, and
nothing else.  Times are float seconds.
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

# The most attempts that any call of the process may make: `testing` sets it.
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
        value: ``NOTHING`` where a loop stored no result, which is a success.
        timed_out: *error* is the TimeoutError of the policy's own ``attempt_timeout``.
        canceled: The task was canceled meanwhile: unless it succeeded, the call ends as bare code
            would, announced nowhere.

    Returns:
        True: another attempt follows, after the seconds in ``attempt._outcome``.
        False: the call has ended, with success or not: ``attempt._stage`` tells.

    Raises:
        Whatever a predicate or a wait callable of the user raises (StopIteration as
        RuntimeError); TypeError or ValueError when one returns what it must not.
    """
    policy = attempt._policy
    try:
        if error is None and _accept(attempt, value):
            return False
        if canceled:
            _cancel(attempt, error)
            return False
        if policy.reset_after is not None:
            _start_over_if_healthy(attempt, now, timed_out)
        elapsed = now - attempt._start
        if elapsed < attempt._slept:  # a clock that does not move cannot hide the waits
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
        # It would end a loop of the caller's, silently.
        if issubclass(type(trouble), StopIteration):
            raise RuntimeError("a predicate or wait callable raised StopIteration") from trouble
        raise
    # Not by a call, after which a signal handler might raise: a token may have been taken.
    if outcome.__class__ is str:
        give_up(attempt, outcome)  # type: ignore[arg-type]  # it is a reason
        return False
    attempt._stage = WAITING
    attempt._outcome = outcome
    return True


def is_always_retried(policy: Policy, kind: type[Exception]) -> bool:
    """
    Return whether every error of the class *kind* is retried while ``attempts`` are left.

    The answer stays the same, so that it may be kept: no metaclass of *on* has a say in it.
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
    Settle a failure of which ``settle`` would say the same, only more slowly.

    That is so of nearly all: such an error is always retried, attempts are left, and a ready
    backoff gives the wait.

    Returns:
        True: another attempt follows. False: nothing was decided, and ``settle`` decides.
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
    Decide what follows failed attempt *number*: seconds to wait, or the reason to give up.

    Args:
        error: None: the result was rejected.
        attempt: What a wait callable of the user receives; its hint is set here.
        elapsed: Seconds since the start of the call.
        limit: Seconds since then after which no attempt starts; None: no limit.
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
        ahead: Seconds from *now* at which the next attempt is to start.
        stopped: The event ``stop`` was set during the wait, if only for a moment.

    Returns:
        True: it follows. False: the call gave up after all.
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


def interrupt(attempt: Attempt) -> None:
    """End a call into whose wait something else has raised an exception."""
    abandon(attempt)
    attempt._stage = GAVE_UP
    attempt._outcome = "interrupted"


def break_off(attempt: Attempt) -> None:
    """End a call that cannot wait for its next attempt, because of how it is used."""
    abandon(attempt)
    attempt._stage = BROKEN


def abandon(attempt: Attempt) -> None:
    """Put back what a retry has cost that will not be made; announced nowhere."""
    if attempt._stage is WAITING:
        attempt._stage = SETTLING
        attempt._outcome = None
        if attempt._policy.budget is not None:
            attempt._policy.budget._put_back()


def leave(attempt: Attempt) -> None:
    """Put back what a retry has cost that will not be made, even if it was about to begin."""
    if attempt._stage is NEW and attempt._number + attempt._earlier > 1:
        attempt._stage = WAITING  # it was decided, and has not begun
    abandon(attempt)


def hooks_of_end(attempt: Attempt) -> tuple[Hook, ...]:
    """Return the hooks to run at the end of the call; none where it is announced nowhere."""
    if attempt._stage is SUCCEEDED:
        return attempt._policy.on_success
    return () if attempt._stage is SETTLING else attempt._policy.on_give_up


def give_up_if_late(attempt: Attempt, now: float) -> None:
    """
    Give up before the first *attempt* of a block's call if the block's timeout has passed.

    The attempt becomes number 0, because none was made.
    """
    timeout = attempt._policy.timeout
    if timeout is not None and attempt._elapsed(now) >= timeout:
        attempt._number = 0
        attempt._error = TimeoutError(f"{attempt.name} was not run: {timeout:g} s had passed")
        give_up(attempt, "timeout")


def succeed(attempt: Attempt, value: Any) -> None:
    """End the call of *attempt* with *value*, which is accepted; crediting is another step."""
    attempt._result = value
    attempt._stage = SUCCEEDED


def credit(policy: Policy) -> None:
    """Add what one success earns to the budget of *policy*."""
    if policy.budget is not None:
        policy.budget._earn()


def _accept(attempt: Attempt, value: Any) -> bool:
    """Accept *value* as a success, if the policy does."""
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


def _cancel(attempt: Attempt, error: Exception | None) -> None:
    attempt._stage = SETTLING
    attempt._error = _rejected(attempt) if error is None else error


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
    # A TryAgain that some policy has given up on is an ordinary error to the next.
    if issubclass(kind, TryAgain) and given_up(error) is None:
        attempt._hint = hint_of(error)  # type: ignore[arg-type]  # as the class says
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
    Return the first truthy answer of *rules*, classes and predicates, to *error*.

    A group matches a class of ``on`` where all its leaves match one of them, a class of
    ``unless`` where any leaf does.
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
    """Return the wait of a policy without a ready backoff; infinite: no further attempt."""
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
