"""Generators: retried until they have yielded their first item.

Owns the wrappers of generator and async generator functions.  After the first item, or the end
without one, the call has succeeded.  Everything that follows, errors included, passes unchanged
between consumer and generator, so no consumer sees an item twice.
"""

from __future__ import annotations

import sys

from . import _async, _async_backend, _clock, _decision, _sync
from ._attempt import RUNNING, Attempt
from ._tracebacks import context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from typing import Any

    from ._policy import Policy


def wrap(fn: Callable[..., Any], policy: Policy, name: str) -> Callable[..., Any]:
    """Return a generator function that starts *fn* under *policy*."""

    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        attempt = Attempt(policy, name, _clock.time.monotonic(), args, kwargs)
        try:
            while True:
                attempt._stage = RUNNING
                _sync.fire(policy.before_attempt, attempt)
                try:
                    source = fn(*args, **kwargs)
                    items = [next(source)]
                except StopIteration as end:
                    _sync.settle(attempt, None, end.value)
                    return end.value
                except Exception as error:
                    if not _sync.settle(attempt, error):
                        raise
                else:
                    _sync.settle(attempt, None, items[0])
                    break
                following = _sync.next_attempt(attempt)
                if following is None:
                    with context_kept(attempt._error):
                        raise attempt._error
                attempt = following
                del following  # as below
        except BaseException:
            _decision.leave(attempt)
            raise
        finally:
            del attempt  # the error's traceback holds this frame

        # Not `yield from`, which would request the first item of the source again, and would close
        # the source when a GeneratorExit is thrown in.
        while True:
            sent, thrown = None, None
            try:
                sent = yield items.pop()
            except BaseException as error:  # noqa: BLE001 - it is the source's to handle
                thrown = error
            # Outside the `except`, so that the error no longer counts as being handled here.
            try:
                items.append(source.send(sent) if thrown is None else source.throw(thrown))
            except StopIteration as end:
                return end.value
            finally:
                del thrown

    return generator


def wrap_async(fn: Callable[..., Any], policy: Policy, name: str) -> Callable[..., Any]:
    """Return an async generator function that starts *fn* under *policy*."""

    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        attempt = Attempt(policy, name, _clock.time.monotonic(), args, kwargs)
        scope = None
        try:
            while True:
                before = _async_backend.cancellations()
                attempt._stage = RUNNING
                await _async.fire(policy.before_attempt, attempt)
                allowed = None if policy.attempt_timeout is None else _async.limit(attempt)
                try:
                    source = fn(*args, **kwargs)
                    if policy.attempt_timeout is None:
                        items = [await _first(source)]
                    else:
                        async with _async_backend.timeout(allowed) as scope:
                            items = [await _first(source)]
                except StopAsyncIteration:
                    await _async.settle(attempt, None)
                    return
                except Exception as error:
                    timed_out = _async.expired(scope, error, attempt, allowed)
                    if not await _async.settle(attempt, error, timed_out=timed_out, before=before):
                        raise
                else:
                    try:
                        await _async.settle(attempt, None, items[0])
                    except BaseException:
                        await source.aclose()
                        raise
                    break
                following = await _async.next_attempt(attempt)
                if following is None:
                    with context_kept(attempt._error):
                        raise attempt._error
                attempt = following
                del following  # as below
        except BaseException:
            _decision.leave(attempt)
            raise
        finally:
            # The error's traceback holds this frame, and the task that the scope holds the error.
            del attempt, scope

        # As above.
        while True:
            sent, thrown = None, None
            try:
                sent = yield items.pop()
            except BaseException as error:  # noqa: BLE001 - it is the source's to handle
                thrown = error
            try:
                # Not by a name, which would hold the error together with this frame.
                items.append(
                    await (source.asend(sent) if thrown is None else source.athrow(thrown))
                )
            except StopAsyncIteration:
                return
            finally:
                del thrown

    return generator


def _first(source: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Start *source* without the event loop's hooks: only its consumer closes it."""
    hooks = sys.get_asyncgen_hooks()
    try:
        sys.set_asyncgen_hooks(None, None)  # inside, because an interruption may follow at once
        first = anext(source)
    finally:
        sys.set_asyncgen_hooks(*hooks)
    return first
