"""Async: the steps of an async call, under asyncio or trio, and the wrapper of coroutine functions.

Owns the same as its twin ``sync``, function by function, and what only async code can do: cancel
an attempt that takes too long, and end if the task was canceled.  Leaves every decision to
``decision``, and all reports to ``reporting``.
"""

from __future__ import annotations

from types import CoroutineType

from . import _async_backend, _checks, _clock, _deadline, _decision, _reporting
from ._attempt import GAVE_UP, NEW, NOTHING, RUNNING, SUCCEEDED, Attempt
from ._sync import QUIET
from ._tracebacks import context_kept, release, set_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._async_backend import Timeout
    from ._policy import Hook, Policy

    A = TypeVar("A", bound=Attempt)


def wrap(
    fn: Callable[..., Any],
    policy: Policy,
    name: str,
    fallback: Callable[[Attempt], Any] | None = None,
) -> Callable[..., Any]:
    """Return a coroutine function that awaits *fn* under *policy*."""
    budget = policy.budget

    known: Any = None  # the class of the last error known to be always retried

    async def plain(*args: Any, **kwargs: Any) -> Any:
        nonlocal known
        start = _clock.time.monotonic()
        before = _async_backend.cancellations()
        attempt = None
        try:
            while True:
                try:
                    value = fn(*args, **kwargs) if kwargs else fn(*args)
                    if type(value) is CoroutineType or _checks.is_awaitable(value):
                        value = await value
                except Exception as error:
                    if attempt is None:
                        attempt = Attempt(policy, name, start, args, kwargs)
                    kind = type(error)
                    if kind is not known and _decision.is_always_retried(policy, kind):
                        known = kind
                    count = _async_backend.cancellations()
                    is_simple = (
                        kind is known
                        and count <= before
                        and _decision.retry_simply(attempt, error, kind, _clock.time.monotonic())
                    )
                    if not is_simple and not await settle(attempt, error, before=before):
                        raise
                else:
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
                    # What `next_attempt` would do, without a coroutine around the sleep: tens of
                    # thousands of tasks may wait, each with its frames.
                    _reporting.retry(attempt)
                    wait: float = attempt._outcome
                    release(attempt._error)
                    try:
                        await _async_backend.sleep(wait)
                    except Exception as error:  # noqa: BLE001 - it is raised again
                        intruder = await interrupt(attempt, error)
                        try:
                            with context_kept(intruder):
                                raise intruder
                        finally:
                            del intruder  # its traceback holds this frame
                    attempt._next(wait)
                    before = count  # a cancellation in the wait would have ended the call
                    continue
                following = await next_attempt(attempt)
                if following is None:
                    with context_kept(attempt._error):
                        raise attempt._error
                attempt = following
                before = _async_backend.cancellations()
                attempt._stage = RUNNING
                del following  # as below
        except BaseException:
            if attempt is not None:
                _decision.leave(attempt)
            raise
        finally:
            del attempt  # the error's traceback holds this frame

    async def watched(*args: Any, **kwargs: Any) -> Any:
        start = _clock.time.monotonic()
        return await run(Attempt(policy, name, start, args, kwargs), fn, fallback)

    # If no code observes a first success, a call has no state until its first failure.
    return plain if policy._is_plain and fallback is None else watched


async def run(
    attempt: Attempt, fn: Callable[..., Any], fallback: Callable[[Attempt], Any] | None = None
) -> Any:
    """Make *attempt* and those that follow; return the result, or raise the final error."""
    policy, args, kwargs = attempt._policy, attempt._args, attempt._kwargs
    scope = None
    try:
        if attempt._stage is GAVE_UP:  # the timeout of the block passed before the call began
            await end(attempt)
        while attempt._stage is NEW:
            before = _async_backend.cancellations()
            attempt._stage = RUNNING
            if policy.before_attempt:
                await fire(policy.before_attempt, attempt)
            allowed = None if policy.attempt_timeout is None else limit(attempt)
            try:
                if policy.attempt_timeout is None:
                    value = fn(*args, **kwargs) if kwargs else fn(*args)
                    if _checks.is_awaitable(value):
                        value = await value
                else:
                    async with _async_backend.timeout(allowed) as scope:
                        value = fn(*args, **kwargs) if kwargs else fn(*args)
                        # 3.11 only traces an exit from an `async with` through its last line.
                        if _checks.is_awaitable(value):  # pragma: no branch
                            value = await value
            except Exception as error:
                timed_out = expired(scope, error, attempt, allowed)
                if not await settle(attempt, error, timed_out=timed_out, before=before):
                    if fallback is None or attempt.reason not in QUIET:
                        raise
                    return await finished(fallback(attempt))
            else:
                if policy.until is not None:  # which may reject what it has made of a cancellation
                    expired(scope, None, attempt, allowed)
                if not await settle(attempt, None, value, before=before):
                    if attempt._stage is SUCCEEDED:
                        return value
                    break
                del value  # a rejected result is not kept while the next attempt runs
            following = await next_attempt(attempt)
            if following is None:
                break
            attempt = following
            del following  # as below
        # It gave up while no exception is being handled: on a result, or after a decided retry.
        if fallback is not None and attempt.reason in QUIET:
            return await finished(fallback(attempt))
        with context_kept(attempt._error):
            raise attempt._error
    except BaseException:
        _decision.leave(attempt)
        raise
    finally:
        # The error's traceback holds this frame: a reference from here to it would be a cycle.
        # The scope has one: it holds the task, which holds the error that ends it.
        del attempt, scope


def limit(attempt: Attempt) -> float | None:
    """Return the seconds after which *attempt* is canceled; check that it can be."""
    _async_backend.check_running()
    return attempt.timeout


def expired(
    scope: Timeout | None, error: BaseException | None, attempt: Attempt, allowed: float | None
) -> bool:
    """
    Return whether *error* is the TimeoutError of *scope*; if so, name the limit in its text.

    An attempt that *scope* has ended was not healthy, whatever its body has made of that.
    """
    if scope is None or allowed is None:  # where there is one, there is the other
        return False
    if not scope.expired():
        return False
    _decision.mark_hung(attempt)
    which = "attempt_timeout"
    if allowed != attempt._policy.attempt_timeout:
        own, limit = attempt._own_limit(), attempt._limit()
        # Not `==`: the timeout of a block is a deadline too, which is rounded differently.
        is_own = own is not None and own - limit < 1e-6  # type: ignore[operator]  # then it is set
        which = "timeout" if is_own else "deadline"
    seconds = f"{allowed:.3g}" if allowed < 999.5 else f"{allowed:.0f}"
    text = f"{attempt.name} took longer than the {seconds} s that {which} allowed"
    return _async_backend.expired(scope, error, text)


async def settle(
    attempt: Attempt,
    error: Exception | None,
    value: Any = NOTHING,
    *,
    timed_out: bool = False,
    before: int | None = None,
) -> bool:
    """
    Decide what follows *attempt*, which raised *error* or else returned *value*, and report it.

    Args:
        before: The cancellations of the task when the attempt started; None: they do not matter.

    Returns:
        True: another attempt follows. False: the call has ended; ``attempt._stage`` shows how.
    """
    canceled = before is not None and _async_backend.was_canceled(before, error)
    try:
        if _decision.settle(attempt, error, value, _clock.time.monotonic(), timed_out, canceled):
            return True
    except Exception:
        await end(attempt)  # a broken predicate ends the call too
        raise
    await end(attempt)
    return False


async def next_attempt(attempt: A) -> A | None:
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
            before = _async_backend.cancellations()
            await fire(policy.on_retry, attempt)
            if _async_backend.was_canceled(before, None):  # pragma: no cover - not known on 3.11
                await _async_backend.meet_cancellation()
                _decision.cancel(attempt, attempt._error)  # a hook has swallowed it
                return None
        if is_bounded:
            follows = _decision.confirm(attempt, _clock.time.monotonic(), wait)
        if follows:
            release(attempt._error)
            if not is_unseen and attempt._before_wait is not None:
                await attempt._before_wait()
            stopped = False
            if policy.stop is None:
                await _async_backend.sleep(wait)
            else:
                stopped = await _async_backend.wait(policy.stop, wait)
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
        intruder = await interrupt(attempt, error)
        try:
            with context_kept(intruder):
                raise intruder
        finally:
            del intruder  # its traceback holds this frame
    await end(attempt)
    return None


async def interrupt(attempt: Attempt, intruder: Exception) -> Exception:
    """End a call because something else raised *intruder* into its wait; return what to raise."""
    misuse = _async_backend.misuse(intruder)
    if misuse is not None:  # the wait was not interrupted: it is impossible here
        _decision.break_off(attempt)
        set_context(misuse, attempt._error)
        await end(attempt)
        return misuse
    _decision.interrupt(attempt)
    set_context(intruder, attempt._error)
    await end(attempt, intruder)
    return intruder


async def end(attempt: Attempt, intruder: Exception | None = None) -> None:
    """Report that the call has ended, and run the hooks of its end."""
    _reporting.end(attempt, intruder)
    hooks = _decision.hooks_of_end(attempt)
    if hooks:
        await fire(hooks, attempt)


async def fire(hooks: tuple[Hook, ...], attempt: Attempt) -> None:
    """Run *hooks*, awaiting async ones; an error of one is logged, and has no other effect."""
    for hook in hooks:
        try:
            await finished(hook(attempt))
        except Exception:  # noqa: BLE001 - whatever it raises
            _reporting.hook_failed(hook, attempt)


async def finished(answer: Any) -> Any:
    """Return *answer*, awaited if necessary."""
    return await answer if _checks.is_awaitable(answer) else answer
