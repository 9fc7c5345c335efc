"""Generators: retried until the first item has come out.

Owns the wrappers of generator and async generator functions.  After the first
item, or the end without one, the call has succeeded: everything that follows,
errors included, passes between consumer and generator untouched, so that no
consumer sees an item twice.
"""

from __future__ import annotations

from . import _aio, _async_driver, _clock, _sync_driver
from ._decision import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any, Self

    from ._policy import Policy


def wrap(fn: Callable[..., Any], policy: Policy, name: str) -> Callable[..., Any]:
    """Give a generator function that starts *fn* under *policy*."""

    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = Call(policy, name, _clock.time.monotonic(), args, kwargs)
        attempt = call.first()
        try:
            while True:
                _sync_driver.fire(policy.before_attempt, attempt)
                try:
                    source = fn(*args, **kwargs)
                    first = [next(source)]
                except StopIteration as end:
                    _sync_driver.settle(attempt, value=end.value)
                    return end.value
                except Exception as error:
                    if not _sync_driver.settle(attempt, error):
                        raise
                else:
                    _sync_driver.settle(attempt, value=first[0])
                    break
                attempt = _sync_driver.pause(attempt)
                if call.reason is not None:
                    raise attempt._error
        finally:
            del attempt, call  # the error's traceback holds this frame
        return (yield from _Started(first, source))

    return generator


class _Started:
    """A generator whose *first* item has been taken out, and is given once more."""

    def __init__(self, first: list[Any], source: Generator[Any, Any, Any]) -> None:
        self._first = first
        self._source = source
        self.send = source.send
        self.throw = source.throw
        self.close = source.close

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self._first.pop() if self._first else next(self._source)


def wrap_async(fn: Callable[..., Any], policy: Policy, name: str) -> Callable[..., Any]:
    """Give an async generator function that starts *fn* under *policy*."""

    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = Call(policy, name, _clock.time.monotonic(), args, kwargs)
        attempt = call.first()
        try:
            while True:
                await _async_driver.fire(policy.before_attempt, attempt)
                scope = None
                try:
                    source = fn(*args, **kwargs)
                    if policy.attempt_timeout is None:
                        item = await anext(source)
                    else:
                        async with _aio.timeout(attempt.timeout) as scope:
                            item = await anext(source)
                except StopAsyncIteration:
                    await _async_driver.settle(attempt)
                    return
                except Exception as error:
                    timed_out = _aio.expired(scope, error)
                    if not await _async_driver.settle(attempt, error, timed_out=timed_out):
                        raise
                else:
                    await _async_driver.settle(attempt, value=item)
                    break
                attempt = await _async_driver.pause(attempt)
                if call.reason is not None:
                    raise attempt._error
        finally:
            del attempt, call  # the error's traceback holds this frame

        # `yield from` by hand, for async generators have none.
        try:
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    await source.aclose()
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the generator's to handle
                    item = await source.athrow(thrown)
                else:
                    item = await source.asend(sent)
        except StopAsyncIteration:
            return

    return generator
