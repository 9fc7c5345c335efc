"""
By hand: what one would write without a library, and the calls that all protect.

Owns the baselines of all ratios and the functions that succeed or fail.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Function = Callable[..., Any]
    AsyncFunction = Callable[..., Awaitable[Any]]

ATTEMPTS = 5


def succeeding() -> Function:
    """Give a function that returns at once."""

    def work(a: int) -> int:
        return a

    return work


def failing(times: int) -> Function:
    """Give a function that fails *times* times before each success."""
    left = times

    def work(a: int) -> int:
        nonlocal left
        if left:
            left -= 1
            raise ConnectionError("no answer")
        left = times
        return a

    return work


def lost(a: int) -> int:
    """Fail."""
    raise ConnectionError("no answer")


def awaited(fn: Function) -> AsyncFunction:
    """Give *fn* as a coroutine function that does not let go of the event loop."""

    async def work(a: int) -> int:
        return fn(a)

    return work


def pass_through(fn: Function) -> Function:
    """The least that a decorator can cost."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    return wrapper


def loop(fn: Function, attempts: int = ATTEMPTS) -> Function:
    """Exponential waits with full jitter."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for number in range(attempts):
            try:
                return fn(*args, **kwargs)
            except ConnectionError:
                if number == attempts - 1:
                    raise
            time.sleep(min(30.0, 0.5 * 2**number) * random.random())
        raise AssertionError

    return wrapper


def loop_with_timeout(fn: Function) -> Function:
    """The same within 30 seconds, for which it reads the clock first."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = time.monotonic()
        for number in range(ATTEMPTS):
            try:
                return fn(*args, **kwargs)
            except ConnectionError:
                wait = min(30.0, 0.5 * 2**number) * random.random()
                if number == ATTEMPTS - 1 or time.monotonic() - start + wait > 30:
                    raise
            time.sleep(wait)
        raise AssertionError

    return wrapper


def async_pass_through(fn: AsyncFunction) -> AsyncFunction:
    """The least that a decorator of coroutine functions can cost."""

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await fn(*args, **kwargs)

    return wrapper


def async_loop(fn: AsyncFunction) -> AsyncFunction:
    """Exponential waits with full jitter."""

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        for number in range(ATTEMPTS):
            try:
                return await fn(*args, **kwargs)
            except ConnectionError:
                if number == ATTEMPTS - 1:
                    raise
            await asyncio.sleep(min(30.0, 0.5 * 2**number) * random.random())
        raise AssertionError

    return wrapper


def async_constant_loop(fn: AsyncFunction, wait: float) -> AsyncFunction:
    """The same wait each time, slept where the failed attempt is already forgotten."""

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        for number in range(ATTEMPTS):
            try:
                return await fn(*args, **kwargs)
            except ConnectionError:
                if number == ATTEMPTS - 1:
                    raise
            await asyncio.sleep(wait)
        raise AssertionError

    return wrapper
