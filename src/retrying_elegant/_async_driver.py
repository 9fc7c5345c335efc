"""Async driver: carries a call out by awaiting, under asyncio or trio.

Owns the same loop as its twin ``sync_driver``, function by function, and what
only async code can do: cancel an attempt that takes too long.  Leaves every
decision to ``decision``, and to ``events`` who is told what.
"""

from __future__ import annotations

from . import _aio, _checks, _clock, _decision, _events
from ._attempt import NOTHING, Attempt
from ._errors import context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._policy import Hook, Policy

    A = TypeVar("A", bound=Attempt)


def wrap(
    fn: Callable[..., Any],
    policy: Policy,
    name: str,
    fallback: Callable[[Attempt], Any] | None = None,
) -> Callable[..., Any]:
    """Give a coroutine function that awaits *fn* under *policy*."""
    budget = policy.budget

    async def bare(*args: Any, **kwargs: Any) -> Any:
        start = _clock.time.monotonic()
        try:
            value = await (fn(*args, **kwargs) if kwargs else fn(*args))
        except Exception as error:  # noqa: BLE001 - it leaves, unless a retry follows
            attempt = Attempt(policy, name, start, args, kwargs)
            try:
                if await gives_up(attempt, error):
                    raise
            except BaseException:
                del attempt  # the error's traceback holds this frame
                raise
        else:
            if budget is not None:
                budget._earn()
            return value
        # Not in a function of its own: tasks wait by the ten thousand, each with its frames.
        try:
            while True:
                attempt = await pause(attempt)
                if attempt._reason is not None:
                    break  # the wait took too long
                try:
                    value = await (fn(*args, **kwargs) if kwargs else fn(*args))
                except Exception as error:
                    if await gives_up(attempt, error):
                        raise
                else:
                    await accepted(attempt, value)
                    return value
            with context_kept(attempt._error):
                raise attempt._error
        finally:
            del attempt  # as above

    async def watched(*args: Any, **kwargs: Any) -> Any:
        start = _clock.time.monotonic()
        return await run(Attempt(policy, name, start, args, kwargs), fn, fallback)

    # Where nobody looks at a first success, a call has no state until its first failure.
    return bare if policy._is_plain and fallback is None else watched


async def run(
    attempt: Attempt, fn: Callable[..., Any], fallback: Callable[[Attempt], Any] | None = None
) -> Any:
    """Make *attempt* and what must follow it; give the result, or raise the final error."""
    policy, args, kwargs = attempt._policy, attempt._args, attempt._kwargs
    try:
        if attempt._reason is not None:  # in a block whose time was over before the call began
            await give_up(attempt)
        while attempt._reason is None:
            if policy.before_attempt:
                await fire(policy.before_attempt, attempt)
            scope = None
            try:
                if policy.attempt_timeout is None:
                    value = fn(*args, **kwargs) if kwargs else fn(*args)
                    if _checks.is_awaitable(value):
                        value = await value
                else:
                    async with _aio.timeout(attempt.timeout) as scope:
                        value = fn(*args, **kwargs) if kwargs else fn(*args)
                        # 3.11 traces no way out of an `async with` but through its last line.
                        if _checks.is_awaitable(value):  # pragma: no branch
                            value = await value
            except Exception as error:
                if await gives_up(attempt, error, timed_out=_aio.expired(scope, error)):
                    if fallback is None or attempt._reason == "not retryable":
                        raise
                    return await finished(fallback(attempt))
            else:
                if await accepted(attempt, value):
                    return value
                if await gives_up(attempt, None):
                    break
            attempt = await pause(attempt)
        # It gave up with no exception on its way: on a result, or because a wait took too long.
        if fallback is not None:
            return await finished(fallback(attempt))
        with context_kept(attempt._error):
            raise attempt._error
    finally:
        # The error's traceback holds this frame: a way from here to the error would be a cycle.
        del attempt


async def accepted(attempt: Attempt, value: Any = NOTHING) -> bool:
    """Tell whether *value* ends the call with success; if it does, tell whom it concerns."""
    policy = attempt._policy
    try:
        if not _decision.accepts(attempt, value):
            return False
    except Exception:
        await fire(policy.on_give_up, attempt)  # a broken predicate ends the call too
        raise
    _events.succeeded(attempt)
    if policy.on_success:
        await fire(policy.on_success, attempt)
    return True


async def gives_up(attempt: Attempt, error: Exception | None, *, timed_out: bool = False) -> bool:
    """Tell whether *error*, or a refused result, ends the call; if so, tell whom it concerns."""
    try:
        if _decision.after_failure(attempt, error, _clock.time.monotonic(), timed_out):
            return False
    except Exception:
        # A broken predicate or wait ends the call too.
        await fire(attempt._policy.on_give_up, attempt)
        raise
    await give_up(attempt)
    return True


async def pause(attempt: A) -> A:
    """
    Announce the retry, let go of what failed, sleep, and give the attempt that follows.

    Where there is no time left for it after all, the call has given up and *attempt*
    itself comes back.
    """
    error = attempt._error
    if _aio.was_cancelled(error):
        _decision.wait_interrupted(attempt)
        try:
            with context_kept(error):
                raise error
        finally:
            # The error's traceback holds this frame.
            error = attempt = None  # type: ignore[assignment]  # they are not used any more
    policy, wait = attempt._policy, attempt._next_wait
    try:
        _events.retrying(attempt)
        if policy.on_retry:
            await fire(policy.on_retry, attempt)
        if policy.timeout is not None and _decision.is_late(attempt, _clock.time.monotonic(), wait):
            await give_up(attempt)
            return attempt
        _events.let_go(error)
        await _aio.sleep(wait)
    except BaseException:
        _decision.wait_interrupted(attempt)
        raise
    following = attempt._following(wait)
    if policy.timeout is not None and _decision.is_late(attempt, _clock.time.monotonic()):
        await give_up(attempt)
        return attempt
    return following


async def fire(hooks: tuple[Hook, ...], attempt: Attempt) -> None:
    """Run *hooks*, awaiting what can be awaited; one that raises is logged and changes nothing."""
    for hook in hooks:
        try:
            await finished(hook(attempt))
        except Exception:  # noqa: BLE001 - whatever it raises
            _events.hook_failed(hook, attempt)


async def finished(answer: Any) -> Any:
    """Give *answer* itself, or what it comes to where it must be awaited."""
    return await answer if _checks.is_awaitable(answer) else answer


async def give_up(attempt: Attempt) -> None:
    """Tell that the call has ended without success."""
    _events.gave_up(attempt)
    await fire(attempt._policy.on_give_up, attempt)
