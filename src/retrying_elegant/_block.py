"""Block: several calls under one deadline, ``with retrying(...) as call``.

Owns what the calls of a block share: the deadline, the outcome, and the end of the block when a
call gives up.
Leaves each call to ``sync`` and ``async``.
"""

from __future__ import annotations

import warnings

from . import _async, _checks, _clock, _deadline, _decision, _sync
from ._attempt import Attempt
from ._giveup import add_note
from ._tracebacks import context_kept, leaves, members

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, ParamSpec, TypeVar

    from ._policy import Policy

    P = ParamSpec("P")
    R = TypeVar("R")

_ASYNC_FORM = "write `async with retrying(...) as call` and `await call(...)`"
_ANY_GENERATOR = _checks.GENERATOR | _checks.ASYNC_GENERATOR


class BlockAttempt(Attempt):
    """An attempt of a call in a block; it reports its waits to the block."""

    __slots__ = ("_block",)

    _block: AnyBlock

    def _following(self, wait: float) -> BlockAttempt:
        # Set the block first, because _hand_over writes to it.
        following = BlockAttempt.__new__(BlockAttempt)
        following._block = self._block
        return self._hand_over(following, wait)

    def _next(self, wait: float) -> None:
        # Concurrent calls wait concurrently: the longest wait counts, not the sum.
        block = self._block
        block._slept = max(block._slept, self._slept + wait)
        super()._next(wait)

    def _own_limit(self) -> float | None:
        """Return the limit as the base class does; in a new series, the block's timeout remains."""
        timeout, block = self._policy.timeout, self._block
        if timeout is not None and self._start != block._start:
            timeout += block._start - self._start
        return timeout


class EndOfBlock(BaseException):
    """
    Raised to end a block with ``raises=False`` when a call gives up.

    It is not an Exception, so no ``except Exception`` in the block catches it and no other
    policy retries it.  An ``except BaseException`` has to let it propagate.
    """

    def __init__(self, block: AnyBlock) -> None:
        super().__init__("a call of this block gave up")
        self.block = block


class Ended:
    """What ``run`` returns in a block with ``raises=False`` when the call gives up."""

    __slots__ = ("error",)

    def __init__(self, attempt: Attempt) -> None:
        self.error: Exception = attempt._error


class AnyBlock:
    """What sync and async blocks share."""

    def __init__(self, policy: Policy, *, raises: bool) -> None:
        self._policy = policy
        self._fallback = None if raises else Ended
        self._deadline = None if policy.timeout is None else _deadline.deadline(policy.timeout)
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

    def _begin(self) -> None:
        """Begin the block: its timeout is a deadline for everything beneath."""
        if self._deadline is not None:
            self._deadline.__enter__()

    def _close(self, error: BaseException | None) -> bool:
        """End the block, from which *error* propagates; return True to suppress it."""
        self._open = False
        if self._deadline is not None:
            self._deadline.__exit__(None, None, None)
        if error is not None:
            rest = self._without_end(error)
            if rest is None:
                return True
            if rest is not error:
                raise rest
        if not self._used:
            missed = "retrying_elegant: nothing was retried, because no call used `call(...)`"
            if error is None:
                warnings.warn(missed, RuntimeWarning, stacklevel=4)
            elif issubclass(type(error), Exception):
                add_note(error, missed)
        return False

    def _check(self, fn: Callable[..., Any], flags: int) -> None:
        """Reject a call of *fn*, whose code flags are *flags*, if it cannot be made."""
        self._used = True
        if not self._open:
            raise RuntimeError("this block has ended: `call` works inside its `with` only")
        if not callable(fn):
            _checks.reject(TypeError, "fn", fn, "a callable, followed by its arguments")
        if flags & _ANY_GENERATOR and not flags & _checks.ITERABLE_COROUTINE:
            rule = "a function that returns its result, not a generator function"
            _checks.reject(TypeError, "fn", fn, rule)

    def _first(
        self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> BlockAttempt:
        """Return the first attempt of a call; if it is too late, that one has given up."""
        policy = self._policy
        name = policy.name or _checks.name_of(fn)
        attempt = BlockAttempt(policy, name, self._start, args, kwargs)
        attempt._block = self
        attempt._slept = self._slept
        if policy.reset_after is not None or policy.timeout is not None:
            attempt._began = now = _clock.time.monotonic()
            _decision.give_up_if_late(attempt, now)
        return attempt

    def _end(self, ended: Ended) -> None:
        """End the block because a call gave up, unless the block has ended already."""
        self._succeeded = False
        if self._open:
            if self._error is None:
                self._error = ended.error
            raise EndOfBlock(self)

    def _without_end(self, error: BaseException) -> BaseException | None:
        """Return *error* without the ``EndOfBlock`` of this block, alone or in a group."""

        def is_end(inner: BaseException) -> bool:
            return type(inner) is EndOfBlock and inner.block is self

        if not members(error):
            return None if is_end(error) else error
        if not any(is_end(leaf) for leaf in leaves(error)):  # it may be nested very deep
            return error
        group: BaseExceptionGroup[BaseException] = error  # type: ignore[assignment]  # it is one
        return group.split(is_end)[1]


class Block(AnyBlock):
    """The target of ``with retrying(...) as call``: use it as ``call(fn, *args, **kwargs)``."""

    def __call__(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """
        Call *fn* under the policy of the block and return its result.

        Raises:
            Exception: the error of *fn* that the policy gave up on.
            TimeoutError: the deadline of the block had passed; *fn* was not run.
            TypeError: *fn* cannot be called, is a generator function or a coroutine
                function, or returned something that must be awaited.
            RuntimeError: the block has ended.
        """
        flags = _checks.flags_of(fn)
        if flags & (_checks.COROUTINE | _checks.ITERABLE_COROUTINE):
            raise TypeError(f"{_checks.name_of(fn)} is a coroutine function: {_ASYNC_FORM}")
        self._check(fn, flags)
        try:
            # No name for the attempt: this frame would hold it, and its error, to the end.
            value: Any = _sync.run(self._first(fn, args, kwargs), fn, self._fallback)
        except Exception:
            self._succeeded = False
            raise
        if type(value) is not Ended:
            return value  # type: ignore[no-any-return]  # run returns what fn returns
        self._end(value)
        try:
            with context_kept(value.error):
                raise value.error
        finally:
            del value  # the error's traceback holds this frame


class AsyncBlock(AnyBlock):
    """The target of ``async with retrying(...) as call``: ``await call(fn, *args, **kwargs)``."""

    async def __call__(
        self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """
        Await *fn* under the policy of the block and return its result.

        Raises:
            Exception: the error of *fn* that the policy gave up on.
            TimeoutError: the deadline of the block had passed; *fn* was not run.
            TypeError: *fn* cannot be called, or is a generator function.
            RuntimeError: the block has ended.
        """
        self._check(fn, _checks.flags_of(fn))
        try:
            # No name for the attempt: this frame would hold it, and its error, to the end.
            value: Any = await _async.run(self._first(fn, args, kwargs), fn, self._fallback)
        except Exception:
            self._succeeded = False
            raise
        if type(value) is not Ended:
            return value  # type: ignore[no-any-return]  # run returns what fn returns
        self._end(value)
        try:
            with context_kept(value.error):
                raise value.error
        finally:
            del value  # the error's traceback holds this frame
