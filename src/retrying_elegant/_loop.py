"""Loop: the passes of ``for attempt in retrying(...)`` and their ``with attempt:``.

Owns what a pass must do (be entered once, then left) and which end of it means
what.  Leaves deciding, announcing and sleeping to the drivers; it calls nothing
itself, for the body of the loop is the user's.
"""

from __future__ import annotations

import sys
import warnings

from . import _aio, _async_driver, _checks, _clock, _sync_driver
from ._attempt import ENTERED, LEFT, NEW, SUCCEEDED, Attempt
from ._errors import context_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import Any, NoReturn, Self

    from ._policy import Policy


class LoopAttempt(Attempt):
    """What the attempts of sync and async loops share: each is entered once, then left."""

    __slots__ = ()

    _written = "with attempt:"
    _raises = True

    @property
    def result(self) -> Any:
        """What the body stores for ``until`` to judge; None before that."""
        return super().result

    @result.setter
    def result(self, value: Any) -> None:
        self._result = value

    def _entered_before(self) -> RuntimeError:
        return RuntimeError(
            f"attempt {self._number} of {self.name} has been entered before: "
            f"write `{self._written}` once in each pass of the loop"
        )

    def _goes_on(self) -> bool:
        """Tell at the end of a pass whether another follows."""
        if self._stage < LEFT:
            state = "left" if self._stage == ENTERED else "entered"
            raise RuntimeError(
                f"attempt {self._number} of {self.name} was never {state}: "
                f"write `{self._written}` around the code to retry, in each pass of the loop"
            )
        return self._next_wait is not None

    def _final(self) -> Exception | None:
        """Give the error that leaves the loop, let go of; None: it stays in."""
        if not self._raises and self._reason != "not retryable":
            return None
        final: Exception = self._error
        self._let_go()
        return final

    def _let_go(self) -> None:
        # The error's traceback holds the frame of the loop, and that the loop variable.
        self._error = None

    def _no_end(self, error: Exception) -> RuntimeError:
        # Raised from the iterator of a loop, *error* would end it as if all were well.
        return RuntimeError(f"attempt {self._number} of {self.name} raised {type(error).__name__}")

    def _raise_late(self) -> None:
        """Raise the final error, unless it stays in, where no attempt could follow in time."""
        final = self._final()
        if final is None:
            return
        if isinstance(final, (StopIteration, StopAsyncIteration)):
            raise self._no_end(final) from final
        try:
            with context_kept(final):
                raise final
        finally:
            del final  # the error's traceback holds this frame


class SyncAttempt(LoopAttempt):
    """One pass of ``for attempt in retrying(...)``: write ``with attempt:`` in it."""

    __slots__ = ()

    def __enter__(self) -> Self:
        if self._stage != NEW:
            raise self._entered_before()
        self._stage = ENTERED
        if self._policy.before_attempt:
            _sync_driver.fire(self._policy.before_attempt, self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None and self._number == 1 and self._policy._is_plain:
            self._stage = SUCCEEDED
            if self._policy.budget is not None:
                self._policy.budget._earn()
            return True
        self._stage = LEFT
        if error is not None and not isinstance(error, Exception):
            return False
        final = self._ended(error)
        if final is None:
            return True
        if final is error:
            return False
        try:
            raise final  # no result was accepted
        finally:
            del final  # the error's traceback holds this frame

    if not TYPE_CHECKING:  # they are to see that it is not there

        async def __aenter__(self) -> NoReturn:
            raise TypeError(
                "in a plain `for` loop, write `with attempt:`; in async code, "
                "`async for attempt in retrying(...)` and `async with attempt:`"
            )

        __aexit__ = __aenter__

    def _ended(self, error: Exception | None) -> Exception | None:
        """Settle what *error*, or the stored result, comes to; give the error that leaves."""
        try:
            if error is None and _sync_driver.accepted(self, self._result):
                return None
            return self._final() if _sync_driver.gives_up(self, error) else None
        except BaseException:
            self._let_go()
            raise


class AsyncAttempt(LoopAttempt):
    """One pass of ``async for attempt in retrying(...)``: write ``async with attempt:`` in it."""

    __slots__ = ("_scope",)

    _written = "async with attempt:"

    async def __aenter__(self) -> Self:
        if self._stage != NEW:
            raise self._entered_before()
        self._stage = ENTERED
        self._scope: Any = None
        policy = self._policy
        if policy.before_attempt:
            await _async_driver.fire(policy.before_attempt, self)
        if policy.attempt_timeout is not None:
            self._scope = _aio.timeout(self.timeout)
            await self._scope.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is None and self._number == 1 and self._policy._is_plain:
            self._stage = SUCCEEDED
            if self._policy.budget is not None:
                self._policy.budget._earn()
            return True
        self._stage = LEFT
        scope = self._scope
        if scope is not None:
            try:
                await scope.__aexit__(kind, error, trace)
            except Exception as late:  # the TimeoutError that a cancellation has become
                timed_out = _aio.expired(scope, late)
                if await self._ended(late, timed_out=timed_out) is None:
                    return True
                raise
            finally:
                del trace  # of the error, which holds this frame
        if error is not None and not isinstance(error, Exception):
            return False
        final = await self._ended(error)
        if final is None:
            return True
        if final is error:
            return False
        try:
            raise final  # no result was accepted
        finally:
            del final  # the error's traceback holds this frame

    if not TYPE_CHECKING:  # they are to see that it is not there

        def __enter__(self) -> NoReturn:
            raise TypeError("in an `async for` loop, write `async with attempt:`")

        __exit__ = __enter__

    async def _ended(self, error: Exception | None, *, timed_out: bool = False) -> Exception | None:
        """Settle what *error*, or the stored result, comes to; give the error that leaves."""
        try:
            if error is None and await _async_driver.accepted(self, self._result):
                return None
            over = await _async_driver.gives_up(self, error, timed_out=timed_out)
            return self._final() if over else None
        except BaseException:
            self._let_go()
            raise


class QuietSyncAttempt(SyncAttempt):
    """One of a loop in which the final error stays: ``raises=False``."""

    __slots__ = ()

    _raises = False


class QuietAsyncAttempt(AsyncAttempt):
    """Its twin."""

    __slots__ = ()

    _raises = False


class Loop:
    """What is looped over: each iteration starts afresh."""

    __slots__ = ("_policy", "_raises")

    _policy: Policy
    _raises: bool

    def __iter__(self) -> Iterator[SyncAttempt]:
        """Give the passes of a ``for`` loop, and sleep between them."""
        # Runs when the loop asks for its first pass, and then in the frame the loop stands in.
        policy = self._policy
        if policy.before_attempt or policy.on_retry or policy.on_success or policy.on_give_up:
            policy.refuse_async(form="a sync loop", attempt_timeout=False)
        frame = sys._getframe(1)
        label = policy.name or (frame.f_code, frame.f_lasti)
        del frame
        kind = SyncAttempt if self._raises else QuietSyncAttempt
        attempt = kind(policy, label, _clock.time.monotonic())
        yield attempt
        if attempt._stage == SUCCEEDED:
            return  # at once, as nearly all do
        while attempt._goes_on():
            if attempt._number == 1:
                _warn_in_async_code(sys._getframe(1))
            attempt = _sync_driver.pause(attempt)
            if attempt._reason is not None:
                attempt._raise_late()
                return
            yield attempt

    def __aiter__(self) -> AsyncPasses:
        policy, frame = self._policy, sys._getframe(1)
        label = policy.name or (frame.f_code, frame.f_lasti)
        kind = AsyncAttempt if self._raises else QuietAsyncAttempt
        return AsyncPasses(kind(policy, label, _clock.time.monotonic()))


class AsyncPasses:
    """Give the passes of an ``async for`` loop, and sleep between them."""

    # Not an async generator: the event loop keeps books on each of those, which costs far more.
    __slots__ = ("_attempt", "_has_begun")

    def __init__(self, first: AsyncAttempt) -> None:
        self._attempt = first
        self._has_begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AsyncAttempt:
        attempt = self._attempt
        if not self._has_begun:
            self._has_begun = True
            return attempt
        if not attempt._goes_on():
            raise StopAsyncIteration
        try:
            attempt = await _async_driver.pause(attempt)
        except StopAsyncIteration as error:  # the attempt's own, which would end the loop
            attempt._let_go()
            raise attempt._no_end(error) from error
        except BaseException:
            attempt._let_go()  # it may be the attempt's own error, too
            raise
        if attempt._reason is not None:
            attempt._raise_late()
            raise StopAsyncIteration
        self._attempt = attempt
        return attempt


def _warn_in_async_code(frame: FrameType) -> None:
    if _checks.is_async_code(frame.f_code):
        warnings.warn(
            "a plain `for` in an `async def` blocks the event loop while it waits: "
            "write `async for attempt in retrying(...)` and `async with attempt:`",
            RuntimeWarning,
            stacklevel=3,
        )
