"""Block: several calls under one deadline, ``with retrying(...) as call``.

Owns what the calls of a block share: the deadline, how it went, and its end
when one gives up.  Leaves each call to the drivers.
"""

from __future__ import annotations

import warnings

from . import _async_driver, _checks, _clock, _decision, _sync_driver
from ._attempt import Attempt
from ._errors import add_note, context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, NoReturn, ParamSpec, TypeVar

    from ._policy import Policy

    P = ParamSpec("P")
    R = TypeVar("R")

_ASYNC_FORM = "write `async with retrying(...) as call` and `await call(...)`"


class BlockAttempt(Attempt):
    """An attempt of a call in a block, which it tells how long it has waited."""

    __slots__ = ("_block",)

    _block: AnyBlock

    def _following(self, wait: float) -> BlockAttempt:
        following = super()._following(wait)
        block = following._block = self._block
        # Calls that run side by side wait side by side: the longest counts, not the sum.
        block._slept = max(block._slept, following._slept)
        return following


class EndOfBlock(BaseException):
    """
    What ends a block of ``raises=False`` at a call that gave up.

    Not an Exception, so that no ``except Exception`` in the block stops it and no
    other policy retries it.  An ``except BaseException`` sees it: let it pass.
    """

    def __init__(self, block: AnyBlock) -> None:
        super().__init__("a call of this block gave up")
        self.block = block


class AnyBlock:
    """What sync and async blocks share."""

    def __init__(self, policy: Policy, *, raises: bool) -> None:
        self._policy = policy
        self._raises = raises
        self._start = _clock.time.monotonic()
        self._slept = 0.0
        self._used = False
        self._open = True
        self._succeeded = True
        self._error: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether no call has given up."""
        return self._succeeded

    @property
    def error(self) -> Exception | None:
        """With ``raises=False``, the error of the call that gave up; otherwise None."""
        return self._error

    def close(self, error: BaseException | None) -> bool:
        """End the block, which *error* leaves; True: that goes no further."""
        self._open = False
        if error is not None:
            rest = self._without_end(error)
            if rest is None:
                return True
            if rest is not error:
                raise rest
        if not self._used:
            missed = "retrying_elegant: nothing was retried, for no call went through `call(...)`"
            if error is None:
                warnings.warn(missed, RuntimeWarning, stacklevel=4)
            elif isinstance(error, Exception):
                add_note(error, missed)
        return False

    def _name_for(self, fn: Callable[..., Any]) -> str:
        """Give the name of the call of *fn* that begins, if it may."""
        self._used = True
        if not self._open:
            raise RuntimeError("this block has ended: `call` works inside its `with` only")
        if not callable(fn):
            _checks.refuse(TypeError, "fn", fn, "a callable, and its arguments after it")
        if _checks.is_generator_function(fn) or _checks.is_async_generator_function(fn):
            rule = "a function whose result comes at once, not a generator function"
            _checks.refuse(TypeError, "fn", fn, rule)
        return self._policy.name or _checks.name_of(fn)

    def _first(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BlockAttempt:
        """Give the first attempt of a call; where it is too late for that, it has given up."""
        attempt = BlockAttempt(self._policy, name, self._start, args, kwargs)
        attempt._block = self
        attempt._slept = self._slept
        _decision.give_up_if_late(attempt, _clock.time.monotonic())
        return attempt

    def _end(self, error: Exception) -> NoReturn:
        """End the block without *error*, with which a call of it gave up."""
        if self._error is None:
            self._error = error
        del error  # the traceback of the end holds this frame
        raise EndOfBlock(self)

    def _without_end(self, error: BaseException) -> BaseException | None:
        """Give *error* without what only ends this block, alone or in a task group's group."""

        def is_end(inner: BaseException) -> bool:
            return isinstance(inner, EndOfBlock) and inner.block is self

        if isinstance(error, BaseExceptionGroup):
            ends, rest = error.split(is_end)
            return error if ends is None else rest
        return None if is_end(error) else error


class Block(AnyBlock):
    """What ``with retrying(...) as call`` gives: ``call(fn, *args, **kwargs)``."""

    def __call__(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Call *fn* under the policy of the block and give its result.

        Raises:
            Exception: the error of *fn* that the policy gave up on.
            TimeoutError: the deadline of the block had passed; *fn* was not run.
            TypeError: *fn* cannot be called, is a generator function, a coroutine
                function, or returned a coroutine.
            RuntimeError: the block has ended.
        """
        if _checks.is_coroutine_function(fn):
            raise TypeError(f"{_checks.name_of(fn)} is a coroutine function: {_ASYNC_FORM}")
        name = self._name_for(fn)
        ends: list[Exception] = []  # the error at which a quiet block ends
        take = None if self._raises else lambda attempt: ends.append(attempt._error)
        try:
            # No name for the attempt: this frame would hold it, and its error, to the end.
            value: R = _sync_driver.run(self._first(name, args, kwargs), fn, take)
        except Exception:
            self._succeeded = False
            raise
        if not ends:
            return value
        self._succeeded = False
        if self._open:
            self._end(ends.pop())
        # A task that outlived the block: there is nothing to end any more.
        with context_kept(ends[0]):
            raise ends.pop()


class AsyncBlock(AnyBlock):
    """What ``async with retrying(...) as call`` gives: ``await call(fn, *args, **kwargs)``."""

    async def __call__(
        self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """
        Await *fn* under the policy of the block and give its result.

        Raises:
            Exception: the error of *fn* that the policy gave up on.
            TimeoutError: the deadline of the block had passed; *fn* was not run.
            TypeError: *fn* cannot be called, or is a generator function.
            RuntimeError: the block has ended.
        """
        name = self._name_for(fn)
        ends: list[Exception] = []  # the error at which a quiet block ends
        take = None if self._raises else lambda attempt: ends.append(attempt._error)
        try:
            # No name for the attempt: this frame would hold it, and its error, to the end.
            value: R = await _async_driver.run(self._first(name, args, kwargs), fn, take)
        except Exception:
            self._succeeded = False
            raise
        if not ends:
            return value
        self._succeeded = False
        if self._open:
            self._end(ends.pop())
        # A task that outlived the block: there is nothing to end any more.
        with context_kept(ends[0]):
            raise ends.pop()
