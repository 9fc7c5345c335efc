"""Sync: the steps of a synchronous call, and the wrapper of synchronous functions.

Owns settling an attempt, waiting for the next one, and the loop that makes the calls; and a wrapper
whose first attempt costs as little as possible.  Leaves every decision to ``decision``, and all
reports to ``reporting``.  ``async`` is its twin, function by function.
"""

from __future__ import annotations

from types import GeneratorType

from . import _async_backend, _checks, _clock, _deadline, _decision, _reporting
from ._attempt import GAVE_UP, NEW, NOTHING, RUNNING, SUCCEEDED, Attempt
from ._text import one_line
from ._tracebacks import context_kept, release, set_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

    from ._policy import Hook, Policy

    A = TypeVar("A", bound=Attempt)

# Reasons for which `fallback` and `raises=False` apply.
QUIET = frozenset({"attempts", "timeout", "budget", "stopped", "wait"})


def wrap(
    fn: Callable[..., Any],
    policy: Policy,
    name: str,
    fallback: Callable[[Attempt], Any] | None = None,
) -> Callable[..., Any]:
    """Return a function that calls *fn* under *policy*."""
    budget = policy.budget
    checked: type = type(None)  # the type of the last result that was known not to be awaitable
    known: Any = None  # the class of the last error known to be always retried

    def plain(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked, known
        start = _clock.time.monotonic()
        attempt = None
        try:
            while True:
                try:
                    value = fn(*args, **kwargs) if kwargs else fn(*args)
                except Exception as error:
                    if attempt is None:
                        attempt = Attempt(policy, name, start, args, kwargs)
                    kind = type(error)
                    if kind is not known and _decision.is_always_retried(policy, kind):
                        known = kind
                    is_simple = kind is known and _decision.retry_simply(
                        attempt, error, kind, _clock.time.monotonic()
                    )
                    if not is_simple and not settle(attempt, error):
                        raise
                else:
                    if type(value) is not checked:
                        checked = check_result(value, name)
                    if budget is not None:
                        _decision.credit(policy)
                    if attempt is not None and _reporting.recovery_observers:
                        _decision.succeed(attempt, value)
                        _reporting.end(attempt)
                    return value
                if (
                    policy._is_quiet
                    and not _reporting.retry_observers
                    and (is_simple or not _deadline.innermost())
                ):
                    # What `next_attempt` would do, with fewer calls.
                    _reporting.retry(attempt)
                    wait: float = attempt._outcome
                    release(attempt._error)
                    try:
                        _clock.sleep(wait)
                    except Exception as error:  # noqa: BLE001 - it is raised again
                        intruder = interrupt(attempt, error)
                        try:
                            with context_kept(intruder):
                                raise intruder
                        finally:
                            del intruder  # its traceback holds this frame
                    attempt._next(wait)
                    continue
                following = next_attempt(attempt)
                if following is None:
                    with context_kept(attempt._error):
                        raise attempt._error
                attempt = following
                attempt._stage = RUNNING
                del following  # as below
        except BaseException:
            if attempt is not None:
                _decision.leave(attempt)
            raise
        finally:
            del attempt  # the error's traceback holds this frame

    def watched(*args: Any, **kwargs: Any) -> Any:
        start = _clock.time.monotonic()
        return run(Attempt(policy, name, start, args, kwargs), fn, fallback)

    # If no code observes a first success, a call has no state until its first failure.
    return plain if policy._is_plain and fallback is None else watched


def run(
    attempt: Attempt, fn: Callable[..., Any], fallback: Callable[[Attempt], Any] | None = None
) -> Any:
    """Make *attempt* and those that follow; return the result, or raise the final error."""
    policy, args, kwargs = attempt._policy, attempt._args, attempt._kwargs
    try:
        if attempt._stage is GAVE_UP:  # the timeout of the block passed before the call began
            end(attempt)
        while attempt._stage is NEW:
            attempt._stage = RUNNING
            if policy.before_attempt:
                fire(policy.before_attempt, attempt)
            try:
                value = fn(*args, **kwargs) if kwargs else fn(*args)
            except Exception as error:
                if not settle(attempt, error):
                    if fallback is None or attempt.reason not in QUIET:
                        raise
                    return fallback(attempt)
            else:
                check_result(value, attempt.name)
                if not settle(attempt, None, value):
                    if attempt._stage is SUCCEEDED:
                        return value
                    break
                del value  # a rejected result is not kept while the next attempt runs
            following = next_attempt(attempt)
            if following is None:
                break
            attempt = following
            del following  # as below
        # It gave up while no exception is being handled: on a result, or after a decided retry.
        if fallback is not None and attempt.reason in QUIET:
            return fallback(attempt)
        with context_kept(attempt._error):
            raise attempt._error
    except BaseException:
        _decision.leave(attempt)
        raise
    finally:
        # The error's traceback holds this frame: a reference from here to it would be a cycle.
        del attempt


def check_result(value: Any, name: str) -> type:
    """
    Reject the result of a synchronous function if it has to be awaited.

    Returns:
        A type whose values need no further check: that of *value*, or of None.

    Raises:
        TypeError: *value* has to be awaited, so it would not be retried. A coroutine is closed, a
            task continues.
    """
    kind = type(value)
    if not hasattr(kind, "__await__") and kind is not GeneratorType:
        return kind
    if _checks.is_awaitable(value) and _async_backend.is_unfinished(value):
        reject_result(value, name)
    return type(None)


def reject_result(value: Any, name: str) -> NoReturn:
    """Raise TypeError for *value*, which would have to be awaited."""
    what = f"an awaitable ({one_line(type(value).__qualname__)})"
    if _async_backend.is_coroutine(value):
        what = "a coroutine"
        try:
            value.close()
        except Exception:  # noqa: BLE001, S110 - it has not begun, and must not hide the message
            pass
    raise TypeError(
        f"{name} is a synchronous function that returned {what}, which would not be retried: "
        "make it an `async def` that awaits it, or write `async with retrying(...) as call` and "
        "`await call(...)`"
    )


def settle(attempt: Attempt, error: Exception | None, value: Any = NOTHING) -> bool:
    """
    Decide what follows *attempt*, which raised *error* or else returned *value*, and report it.

    Returns:
        True: another attempt follows. False: the call has ended; ``attempt._stage`` shows how.
    """
    try:
        if _decision.settle(attempt, error, value, _clock.time.monotonic()):
            return True
    except Exception:
        end(attempt)  # a broken predicate ends the call too
        raise
    end(attempt)
    return False


def next_attempt(attempt: A) -> A | None:
    """
    Announce the retry, release what failed, sleep, and return the attempt that follows.

    Return None if the call has given up after all, which is then reported.  The caller returns the
    token if a ``BaseException`` is raised.
    """
    policy = attempt._policy
    wait: float = attempt._outcome
    is_unseen = policy._is_unseen and type(attempt) is Attempt and not _reporting.retry_observers
    is_bounded = policy._is_bounded or _deadline.innermost() is not None
    follows = True
    try:
        _reporting.retry(attempt)
        if policy.on_retry:
            fire(policy.on_retry, attempt)
        if is_bounded:
            follows = _decision.confirm(attempt, _clock.time.monotonic(), wait)
        if follows:
            release(attempt._error)
            if not is_unseen and attempt._before_wait is not None:
                attempt._before_wait()
            stopped = False
            if policy.stop is None:
                _clock.sleep(wait)
            else:
                stopped = _clock.wait(policy.stop, wait)
            if is_bounded:
                follows = _decision.confirm(attempt, _clock.time.monotonic(), stopped=stopped)
        if follows:
            if is_unseen:
                attempt._next(wait)
                return attempt
            following = attempt._following(wait)
            if policy.reset_after is not None:
                following._began = _clock.time.monotonic()
            return following
    except Exception as error:  # noqa: BLE001 - it is raised again
        intruder = interrupt(attempt, error)
        try:
            with context_kept(intruder):
                raise intruder
        finally:
            del intruder  # its traceback holds this frame
    end(attempt)
    return None


def interrupt(attempt: Attempt, intruder: Exception) -> Exception:
    """End a call because something else raised *intruder* into its wait; return what to raise."""
    _decision.interrupt(attempt)
    set_context(intruder, attempt._error)
    end(attempt, intruder)
    return intruder


def end(attempt: Attempt, intruder: Exception | None = None) -> None:
    """Report that the call has ended, and run the hooks of its end."""
    _reporting.end(attempt, intruder)
    hooks = _decision.hooks_of_end(attempt)
    if hooks:
        fire(hooks, attempt)


def fire(hooks: tuple[Hook, ...], attempt: Attempt) -> None:
    """Run *hooks*; an error of one is logged, and has no other effect."""
    for hook in hooks:
        try:
            hook(attempt)
        except Exception:  # noqa: BLE001 - whatever it raises
            _reporting.hook_failed(hook, attempt)
