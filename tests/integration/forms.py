"""The three forms of the library, sync and async, for a real function and a real event loop.

Each sends *risky* through one form, with the arguments that ``retry`` and ``retrying`` take.  No
event loop is named here: the async ones run under whichever runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrying_elegant import retry, retrying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def decorator(risky: Callable[[], Any], *args: Any, **options: Any) -> Any:
    return retry(*args, **options)(risky)()


def loop(risky: Callable[[], Any], *args: Any, **options: Any) -> Any:
    for attempt in retrying(*args, **options):
        with attempt:
            attempt.result = risky()
    return attempt.result


def block(risky: Callable[[], Any], *args: Any, **options: Any) -> Any:
    with retrying(*args, **options) as call:
        return call(risky)
    return None  # where raises=False ended the block


async def async_decorator(risky: Callable[[], Awaitable[Any]], *args: Any, **options: Any) -> Any:
    return await retry(*args, **options)(risky)()


async def async_loop(risky: Callable[[], Awaitable[Any]], *args: Any, **options: Any) -> Any:
    async for attempt in retrying(*args, **options):
        async with attempt:
            attempt.result = await risky()
    return attempt.result


async def async_block(risky: Callable[[], Awaitable[Any]], *args: Any, **options: Any) -> Any:
    async with retrying(*args, **options) as call:
        return await call(risky)
    return None  # where raises=False ended the block


SYNC = {"decorator": decorator, "loop": loop, "block": block}
ASYNC = {"decorator": async_decorator, "loop": async_loop, "block": async_block}


class Script:
    """
    Async attempts that play a script, one outcome per call; the last repeats for ever.

    An error, or a class of errors, is raised; a callable is called and awaited; anything else
    is returned.

    Attributes:
        calls: How many attempts have begun.
    """

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = outcomes
        self.calls = 0

    async def __call__(self) -> Any:
        self.calls += 1
        outcome = self.outcomes[min(self.calls, len(self.outcomes)) - 1]
        if isinstance(outcome, BaseException) or (
            isinstance(outcome, type) and issubclass(outcome, BaseException)
        ):
            raise outcome
        return await outcome() if callable(outcome) else outcome


def recorder(events: list[tuple[str, int]]) -> dict[str, Any]:
    """A hook of each kind, that writes down its kind and the attempt's number."""
    hooks = ("before_attempt", "on_retry", "on_success", "on_give_up")
    return {
        hook: lambda attempt, hook=hook: events.append((hook, attempt.number)) for hook in hooks
    }
