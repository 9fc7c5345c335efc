"""Sync driver: carries a call out by blocking.

Owns the loop that calls, catches, asks, announces and sleeps, and the wrapper
whose first attempt is as cheap as it can be.  Leaves every decision to
``decision``, and to ``events`` who is told what.  ``async_driver`` is its twin,
function by function.
"""

from __future__ import annotations

from . import _clock, _events
from ._attempt import NOTHING
from ._decision import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._attempt import Attempt
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
        except Exception as error:
            attempt = _first_failure(Call(policy, name, start, args, kwargs), error)
            if attempt is None:
                raise
        else:
            if budget is not None:
                budget.earn()
            return value
        try:
            return run(pause(attempt), fn)
        finally:
            del attempt  # for the reason that run gives

    def watched(*args: Any, **kwargs: Any) -> Any:
        call = Call(policy, name, _clock.time.monotonic(), args, kwargs)
        return run(call.first(), fn, fallback)

    # Where nobody looks at a first success, a call has no state until its first failure.
    looks = policy.until is not None or fallback is not None
    return watched if looks or policy.before_attempt or policy.on_success else bare


def run(
    attempt: Attempt, fn: Callable[..., Any], fallback: Callable[[Attempt], Any] | None = None
) -> Any:
    """Make *attempt* and what must follow it; give the result, or raise the final error."""
    call = attempt._call
    try:
        while call.reason is None:
            if call.policy.before_attempt:
                fire(call.policy.before_attempt, attempt)
            try:
                value = fn(*call.args, **call.kwargs)
            except Exception as error:
                if failed(attempt, error):
                    if fallback is None or call.reason == "not retryable":
                        raise
                    return fallback(attempt)
            else:
                if accepted(attempt, value):
                    return value
                if failed(attempt, None):
                    break
            attempt = pause(attempt)
        # It gave up with no exception on its way: on a result, or because a wait took too long.
        if fallback is not None:
            return fallback(attempt)
        raise attempt._error
    finally:
        # The error's traceback holds this frame: a way from here to the error would be a cycle.
        del attempt, call


def accepted(attempt: Attempt, value: Any = NOTHING) -> bool:
    """Tell whether *value* ends the call with success; if it does, tell whom it concerns."""
    call = attempt._call
    try:
        if not call.accepts(attempt, value):
            return False
    except Exception:
        fire(call.policy.on_give_up, attempt)  # a broken predicate ends the call too
        raise
    hooks = _events.succeeded(attempt)
    if hooks:
        fire(hooks, attempt)
    return True


def failed(attempt: Attempt, error: Exception | None) -> bool:
    """Tell whether *error*, or a refused result, ends the call; if so, tell whom it concerns."""
    call = attempt._call
    try:
        if call.after_failure(attempt, error, _clock.time.monotonic()):
            return False
    except Exception:
        fire(call.policy.on_give_up, attempt)  # a broken predicate or wait ends the call too
        raise
    hooks = _events.gave_up(attempt)
    if hooks:
        fire(hooks, attempt)
    return True


def pause(attempt: A) -> A:
    """
    Announce the retry, let go of what failed, sleep, and give the attempt that follows.

    Where the wait took longer than the timeout allows, the call has given up and
    *attempt* itself comes back.
    """
    call = attempt._call
    try:
        hooks = _events.retrying(attempt)
        if hooks:
            fire(hooks, attempt)
        _events.let_go(attempt._error)
        _clock.sleep(attempt._next_wait)
    except BaseException:
        call.wait_interrupted()
        raise
    following = call.after_wait(attempt, _clock.time.monotonic())
    if following is None:
        fire(_events.gave_up(attempt), attempt)
        return attempt
    return following


def fire(hooks: tuple[Hook, ...], attempt: Attempt) -> None:
    """Run *hooks*; one that raises is logged and changes nothing."""
    for hook in hooks:
        try:
            hook(attempt)
        except Exception:  # noqa: BLE001 - whatever it raises
            _events.hook_failed(hook, attempt)


def _first_failure(call: Call, error: Exception) -> Attempt | None:
    attempt = call.first()
    return None if failed(attempt, error) else attempt
