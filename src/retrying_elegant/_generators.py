"""Generators: retried until the first item has come out.

Owns the wrappers of generator and async generator functions.  After the first
item, or the end without one, the call has succeeded: everything that follows,
errors included, passes between consumer and generator untouched, so that no
consumer sees an item twice.
"""

from __future__ import annotations

import sys

from . import _aio, _async_driver, _clock, _sync_driver
from ._attempt import Attempt
from ._errors import context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from typing import Any

    from ._policy import Policy


def wrap(fn: Callable[..., Any], policy: Policy, name: str) -> Callable[..., Any]:
    """Give a generator function that starts *fn* under *policy*."""

    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        attempt = Attempt(policy, name, _clock.time.monotonic(), args, kwargs)
        try:
            while True:
                _sync_driver.fire(policy.before_attempt, attempt)
                try:
                    source = fn(*args, **kwargs)
                    items = [next(source)]
                except StopIteration as end:
                    _sync_driver.accepted(attempt, end.value)
                    return end.value
                except Exception as error:
                    if _sync_driver.gives_up(attempt, error):
                        raise
                else:
                    _sync_driver.accepted(attempt, items[0])
                    break
                attempt = _sync_driver.pause(attempt)
                if attempt._reason is not None:
                    with context_kept(attempt._error):
                        raise attempt._error
        finally:
            del attempt  # the error's traceback holds this frame

        # Not `yield from`: that would ask the source for its first item once more, and close
        # it where a GeneratorExit is only thrown in.
        while True:
            sent, thrown = None, None
            try:
                sent = yield items.pop()
            except BaseException as error:  # noqa: BLE001 - it is the source's to handle
                thrown = error
            # Outside the `except`, so that an error the source has handled is over.
            try:
                items.append(source.send(sent) if thrown is None else source.throw(thrown))
            except StopIteration as end:
                return end.value
            finally:
                del thrown

    return generator


def wrap_async(fn: Callable[..., Any], policy: Policy, name: str) -> Callable[..., Any]:
    """Give an async generator function that starts *fn* under *policy*."""

    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        attempt = Attempt(policy, name, _clock.time.monotonic(), args, kwargs)
        try:
            while True:
                await _async_driver.fire(policy.before_attempt, attempt)
                scope = None
                try:
                    source = fn(*args, **kwargs)
                    if policy.attempt_timeout is None:
                        items = [await _first(source)]
                    else:
                        async with _aio.timeout(attempt.timeout) as scope:
                            items = [await _first(source)]
                except StopAsyncIteration:
                    await _async_driver.accepted(attempt)
                    return
                except Exception as error:
                    timed_out = _aio.expired(scope, error)
                    if await _async_driver.gives_up(attempt, error, timed_out=timed_out):
                        raise
                else:
                    try:
                        await _async_driver.accepted(attempt, items[0])
                    except BaseException:
                        await source.aclose()
                        raise
                    break
                attempt = await _async_driver.pause(attempt)
                if attempt._reason is not None:
                    with context_kept(attempt._error):
                        raise attempt._error
        finally:
            del attempt  # the error's traceback holds this frame

        # As above.
        while True:
            sent, thrown = None, None
            try:
                sent = yield items.pop()
            except BaseException as error:  # noqa: BLE001 - it is the source's to handle
                thrown = error
            try:
                step = source.asend(sent) if thrown is None else source.athrow(thrown)
                items.append(await step)
            except StopAsyncIteration:
                return
            finally:
                del thrown

    return generator


def _first(source: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Start *source*, unknown to the event loop: its consumer closes it, and nobody else."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return anext(source)
    finally:
        sys.set_asyncgen_hooks(*hooks)
