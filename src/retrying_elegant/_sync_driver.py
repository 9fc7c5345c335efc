"""Sync driver: carries a call out by blocking.

Owns the loop that calls, catches, asks, announces and sleeps, and the wrapper
whose first attempt is as cheap as it can be.  Leaves every decision to
``decision``, and to ``events`` who is told what.  ``async_driver`` is its twin,
function by function.
"""

from __future__ import annotations

from types import CoroutineType

from . import _clock, _decision, _events
from ._attempt import NOTHING, Attempt
from ._errors import context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

    from ._policy import Hook, Policy

    A = TypeVar("A", bound=Attempt)


def wrap(
    fn: Callable[..., Any],
    policy: Policy,
    name: str,
    fallback: Callable[[Attempt], Any] | None = None,
) -> Callable[..., Any]:
    """Give a function that calls *fn* under *policy*."""
    budget = policy.budget

    def bare(*args: Any, **kwargs: Any) -> Any:
        start = _clock.time.monotonic()
        try:
            value = fn(*args, **kwargs) if kwargs else fn(*args)
        except Exception as error:  # noqa: BLE001 - it leaves, unless a retry follows
            attempt = Attempt(policy, name, start, args, kwargs)
            try:
                if gives_up(attempt, error):
                    raise
            except BaseException:
                del attempt  # the error's traceback holds this frame
                raise
        else:
            if type(value) is CoroutineType:
                refuse_coroutine(value, name)
            if budget is not None:
                budget._earn()
            return value
        try:
            while True:
                attempt = pause(attempt)
                if attempt._reason is not None:
                    break  # the wait took too long
                try:
                    value = fn(*args, **kwargs) if kwargs else fn(*args)
                except Exception as error:
                    if gives_up(attempt, error):
                        raise
                else:
                    if type(value) is CoroutineType:
                        refuse_coroutine(value, name)
                    accepted(attempt, value)
                    return value
            with context_kept(attempt._error):
                raise attempt._error
        finally:
            del attempt  # as above

    def watched(*args: Any, **kwargs: Any) -> Any:
        start = _clock.time.monotonic()
        return run(Attempt(policy, name, start, args, kwargs), fn, fallback)

    # Where nobody looks at a first success, a call has no state until its first failure.
    return bare if policy._is_plain and fallback is None else watched


def run(
    attempt: Attempt, fn: Callable[..., Any], fallback: Callable[[Attempt], Any] | None = None
) -> Any:
    """Make *attempt* and what must follow it; give the result, or raise the final error."""
    policy, args, kwargs = attempt._policy, attempt._args, attempt._kwargs
    try:
        if attempt._reason is not None:  # in a block whose time was over before the call began
            give_up(attempt)
        while attempt._reason is None:
            if policy.before_attempt:
                fire(policy.before_attempt, attempt)
            try:
                value = fn(*args, **kwargs) if kwargs else fn(*args)
            except Exception as error:
                if gives_up(attempt, error):
                    if fallback is None or attempt._reason == "not retryable":
                        raise
                    return fallback(attempt)
            else:
                if type(value) is CoroutineType:
                    refuse_coroutine(value, attempt.name)
                if accepted(attempt, value):
                    return value
                if gives_up(attempt, None):
                    break
            attempt = pause(attempt)
        # It gave up with no exception on its way: on a result, or because a wait took too long.
        if fallback is not None:
            return fallback(attempt)
        with context_kept(attempt._error):
            raise attempt._error
    finally:
        # The error's traceback holds this frame: a way from here to the error would be a cycle.
        del attempt


def refuse_coroutine(value: CoroutineType[Any, Any, Any], name: str) -> NoReturn:
    """Refuse what a plain function has returned: nothing of it has run, or could be retried."""
    value.close()
    raise TypeError(
        f"{name} is a plain function that returned a coroutine, which would not be retried: "
        "make it an `async def`, or write `async with retrying(...) as call` and "
        "`await call(...)`"
    )


def accepted(attempt: Attempt, value: Any = NOTHING) -> bool:
    """Tell whether *value* ends the call with success; if it does, tell whom it concerns."""
    policy = attempt._policy
    try:
        if not _decision.accepts(attempt, value):
            return False
    except Exception:
        fire(policy.on_give_up, attempt)  # a broken predicate ends the call too
        raise
    _events.succeeded(attempt)
    if policy.on_success:
        fire(policy.on_success, attempt)
    return True


def gives_up(attempt: Attempt, error: Exception | None) -> bool:
    """Tell whether *error*, or a refused result, ends the call; if so, tell whom it concerns."""
    try:
        if _decision.after_failure(attempt, error, _clock.time.monotonic()):
            return False
    except Exception:
        # A broken predicate or wait ends the call too.
        fire(attempt._policy.on_give_up, attempt)
        raise
    give_up(attempt)
    return True


def pause(attempt: A) -> A:
    """
    Announce the retry, let go of what failed, sleep, and give the attempt that follows.

    Where there is no time left for it after all, the call has given up and *attempt*
    itself comes back.
    """
    policy, wait = attempt._policy, attempt._next_wait
    try:
        _events.retrying(attempt)
        if policy.on_retry:
            fire(policy.on_retry, attempt)
        if policy.timeout is not None and _decision.is_late(attempt, _clock.time.monotonic(), wait):
            give_up(attempt)
            return attempt
        _events.let_go(attempt._error)
        _clock.sleep(wait)
    except BaseException:
        _decision.wait_interrupted(attempt)
        raise
    following = attempt._following(wait)
    if policy.timeout is not None and _decision.is_late(attempt, _clock.time.monotonic()):
        give_up(attempt)
        return attempt
    return following


def fire(hooks: tuple[Hook, ...], attempt: Attempt) -> None:
    """Run *hooks*; one that raises is logged and changes nothing."""
    for hook in hooks:
        try:
            hook(attempt)
        except Exception:  # noqa: BLE001 - whatever it raises
            _events.hook_failed(hook, attempt)


def give_up(attempt: Attempt) -> None:
    """Tell that the call has ended without success."""
    _events.gave_up(attempt)
    fire(attempt._policy.on_give_up, attempt)
