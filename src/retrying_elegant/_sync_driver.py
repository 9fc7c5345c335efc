"""Sync driver: carries a call out by blocking.

Owns the loop that calls, catches, asks, announces and sleeps, and the wrapper
whose first attempt is as cheap as it can be.  Leaves every decision to
``decision``, and to ``events`` who is told what.  ``async_driver`` is its twin,
function by function.
"""

from __future__ import annotations

from types import CoroutineType

from . import _clock, _events
from ._attempt import NOTHING
from ._decision import Call
from ._errors import context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, TypeVar

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
            call = Call(policy, name, start, args, kwargs)
            if not _goes_on(call, error):
                raise
        else:
            if type(value) is CoroutineType:
                refuse_coroutine(value, name)
            if budget is not None:
                budget.earn()
            return value
        return run(pause(call.take_failed()), fn)

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
        if call.reason is not None:  # in a block whose time was over before the call began
            give_up(attempt)
        while call.reason is None:
            if call.policy.before_attempt:
                fire(call.policy.before_attempt, attempt)
            try:
                value = fn(*call.args, **call.kwargs)
            except Exception as error:
                if gives_up(attempt, error):
                    if fallback is None or call.reason == "not retryable":
                        raise
                    return fallback(attempt)
            else:
                if type(value) is CoroutineType:
                    refuse_coroutine(value, call.name)
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
        del attempt, call


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
    policy = attempt._call.policy
    try:
        if not attempt._call.accepts(attempt, value):
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
    call = attempt._call
    try:
        if call.after_failure(attempt, error, _clock.time.monotonic()):
            return False
    except Exception:
        fire(call.policy.on_give_up, attempt)  # a broken predicate or wait ends the call too
        raise
    give_up(attempt)
    return True


def pause(attempt: A) -> A:
    """
    Announce the retry, let go of what failed, sleep, and give the attempt that follows.

    Where there is no time left for it after all, the call has given up and *attempt*
    itself comes back.
    """
    call = attempt._call
    try:
        _events.retrying(attempt)
        if call.policy.on_retry:
            fire(call.policy.on_retry, attempt)
        if call.is_too_late(attempt, _clock.time.monotonic()):
            give_up(attempt)
            return attempt
        _events.let_go(attempt._error)
        _clock.sleep(attempt._next_wait)
    except BaseException:
        call.wait_interrupted()
        raise
    following = call.after_wait(attempt, _clock.time.monotonic())
    if following is None:
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
    fire(attempt._call.policy.on_give_up, attempt)


def _goes_on(call: Call, error: Exception) -> bool:
    """Tell whether *call* goes on after the *error* of its first attempt, which it then keeps."""
    attempt = call.first()
    if gives_up(attempt, error):
        return False
    call.failed = attempt
    return True
