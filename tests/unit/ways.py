"""One harness for every way in.

A *way* is one form of the library (decorator, loop, block) in one colour (sync, async).
``way.run(risky, 3, on=OSError)`` sends the plain callable *risky*, the script of an attempt,
through it with the arguments that ``retry`` and ``retrying`` take, and gives back the value or
lets the error leave.  Async ways also have ``way.start(...)``, the coroutine behind ``run``.

The event loop here skips its own waiting, so that no async test takes time either.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import selectors
import time
import traceback
import types
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import retrying_elegant
from retrying_elegant import retry, retrying

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

THOROUGH = os.environ.get("TESTS") == "thorough"  # or else a quick run
NEWEST = pickle.HIGHEST_PROTOCOL
PROTOCOLS = [0, *(pytest.param(n, marks=pytest.mark.crossed) for n in range(1, NEWEST)), NEWEST]
MONOTONIC = time.monotonic  # the real one, whatever a test puts in its place
PACKAGE = Path(retrying_elegant.__file__).parent
PATIENCE = 10  # real seconds, and only where a test would hang for ever


class Flaky:
    """Plays a script, one outcome per call: errors are raised, anything else is returned.

    An error class is raised anew each time, an error object is raised as it is.  The last
    outcome repeats for ever.
    """

    def __init__(self, script: Iterable[Any]) -> None:
        self.script = list(script)
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        outcome = self.script[min(self.calls, len(self.script)) - 1]
        if isinstance(outcome, BaseException) or (
            isinstance(outcome, type) and issubclass(outcome, BaseException)
        ):
            raise outcome
        return outcome


def holders(error: BaseException) -> list[tuple[str, str]]:
    """The variables of the library that hold *error* in frames of its traceback: a cycle."""
    return [
        (frame.f_code.co_qualname, name)
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE)
        for name, value in frame.f_locals.items()
        if error in (value, getattr(value, "error", None))
        or (isinstance(value, types.TracebackType) and value is error.__traceback__)
    ]


class _SkippingSelector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is not None:
            events = super().select(0)
            if not events:
                self.skipped += max(timeout, 0.0)
            return events
        events = super().select(PATIENCE)  # no timer at all: only a thread can go on from here
        if not events:
            raise RuntimeError("every task waits for something that nobody will do")
        return events


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return MONOTONIC() + self._skipping.skipped

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        await super().shutdown_default_executor()  # its threads take real time to end


def run_async(main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(main)


def as_coroutine_function(risky: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """*risky* for the async ways; what it returns is awaited if it can be."""

    async def attempt(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)  # a real suspension, so that tasks do interleave
        value = risky(*args, **kwargs)
        return await value if inspect.isawaitable(value) else value

    return attempt


def mark(fn: Any) -> Any:
    """Mark *fn* as a coroutine function, as `inspect.markcoroutinefunction` does."""
    if hasattr(inspect, "markcoroutinefunction"):
        return inspect.markcoroutinefunction(fn)
    fn._is_coroutine = asyncio.coroutines._is_coroutine
    return fn


def decorator_sync(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return retry(*args, **options)(risky)()


def loop_sync(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    for attempt in retrying(*args, **options):
        with attempt:
            attempt.result = risky()
    return attempt.result


def block_sync(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    with retrying(*args, **options) as call:
        return call(risky)
    return None  # where raises=False ended the block


async def decorator_async(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return await retry(*args, **options)(as_coroutine_function(risky))()


async def loop_async(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    async for attempt in retrying(*args, **options):
        async with attempt:
            attempt.result = await as_coroutine_function(risky)()
    return attempt.result


async def block_async(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    async with retrying(*args, **options) as call:
        return await call(as_coroutine_function(risky))
    return None  # where raises=False ended the block


class Way:
    """One form in one colour."""

    def __init__(self, form: str, colour: str, start: Callable[..., Any]) -> None:
        self.form = form
        self.colour = colour
        self.start = start

    def __repr__(self) -> str:
        return f"{self.form}-{self.colour}"

    def run(self, risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
        outcome = self.start(risky, *args, **options)
        return run_async(outcome) if self.colour == "async" else outcome


WAYS = [
    Way("decorator", "sync", decorator_sync),
    Way("loop", "sync", loop_sync),
    Way("block", "sync", block_sync),
    Way("decorator", "async", decorator_async),
    Way("loop", "async", loop_async),
    Way("block", "async", block_async),
]


def generator_sync(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    @retry(*args, **options)
    def items() -> Any:
        yield risky()

    (item,) = items()
    return item


async def generator_async(risky: Callable[..., Any], *args: Any, **options: Any) -> Any:
    @retry(*args, **options)
    async def items() -> Any:
        value = risky()
        yield await value if inspect.isawaitable(value) else value

    (item,) = [item async for item in items()]
    return item


# Not among WAYS, for much of what is tested through those is different in generators.
GENERATORS = [
    Way("generator", "sync", generator_sync),
    Way("generator", "async", generator_async),
]


def first_two(ways: list[Way]) -> list[Any]:
    """Parameters of a quick run: the first sync and the first async way; of a thorough one: all."""
    two = {way.colour: way for way in reversed(ways)}.values()
    return [
        way if way in two else pytest.param(way, marks=pytest.mark.crossed, id=repr(way))
        for way in ways
    ]
