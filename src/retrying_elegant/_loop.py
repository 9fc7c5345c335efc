"""Loop: the iterations of ``for attempt in retrying(...)`` and their ``with attempt:``.

Owns the rules of an iteration (its attempt is entered once, then left), and the meaning of each
way to leave it.  Leaves deciding, reporting and sleeping to ``sync`` and ``async``.  It makes no
calls itself, because the body of the loop belongs to the user.
"""

from __future__ import annotations

import sys
import warnings

from . import _async, _async_backend, _checks, _clock, _decision, _sync
from ._attempt import NEW, RUNNING, SETTLING, SUCCEEDED, WAITING, Attempt
from ._tracebacks import context_kept, set_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType, TracebackType
    from typing import Any, NoReturn, Self

    from ._policy import Policy


class LoopAttempt(Attempt):
    """The base of attempts in sync and async loops: each is entered once, then left."""

    __slots__ = ()

    _written = "with attempt:"
    _raises = True

    @property
    def result(self) -> Any:
        """The result that the body stores for ``until``; None before that."""
        return super().result

    @result.setter
    def result(self, value: Any) -> None:
        self._result = value

    def _entered_before(self) -> RuntimeError:
        return RuntimeError(
            f"attempt {self._number} of {self.name} has been entered before: "
            f"write `{self._written}` once in each iteration of the loop"
        )

    def _continues(self) -> bool:
        """Return, at the end of an iteration, whether another follows."""
        if self._stage is NEW or self._stage is RUNNING:
            state = "entered" if self._stage is NEW else "left"
            raise RuntimeError(
                f"attempt {self._number} of {self.name} was never {state}: "
                f"write `{self._written}` around the code to retry, in each iteration of the loop"
            )
        return self._stage is WAITING

    def _release_final(self) -> Exception | None:
        """Release and return the error that propagates from the loop; None if it is kept."""
        if not self._raises and self.reason in _sync.QUIET:
            return None
        final: Exception = self._error
        self._release()
        return final

    def _release(self) -> None:
        # The error's traceback holds the frame of the loop, which holds the loop variable.
        self._error = None

    def _not_an_end(self, error: Exception) -> RuntimeError:
        # Raised from the iterator, *error* would end the loop as if it had succeeded.
        return RuntimeError(f"attempt {self._number} of {self.name} raised {type(error).__name__}")

    def _raise_final(self) -> None:
        """Raise the final error, unless it is kept, after a decided retry that was not made."""
        final = self._release_final()
        if final is None:
            return
        if issubclass(type(final), (StopIteration, StopAsyncIteration)):
            raise self._not_an_end(final) from final
        try:
            with context_kept(final):
                raise final
        finally:
            del final  # the error's traceback holds this frame


class SyncAttempt(LoopAttempt):
    """One attempt of ``for attempt in retrying(...)``: write ``with attempt:`` around the code."""

    __slots__ = ()

    def __enter__(self) -> Self:
        if self._stage is not NEW:
            raise self._entered_before()
        self._stage = RUNNING
        if self._policy.before_attempt:
            _sync.fire(self._policy.before_attempt, self)
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
                _decision.credit(self._policy)
            return True
        self._stage = SETTLING
        if error is not None and not issubclass(type(error), Exception):
            return False
        final = self._settle(error)  # type: ignore[arg-type]  # an Exception, or None
        if final is None:
            return True
        if final is error:
            return False
        try:
            raise final  # no result was accepted
        finally:
            del final  # the error's traceback holds this frame

    if not TYPE_CHECKING:  # for type checkers, it must not exist

        async def __aenter__(self) -> NoReturn:
            raise TypeError(
                "in a regular `for` loop, write `with attempt:`; in async code, "
                "`async for attempt in retrying(...)` and `async with attempt:`"
            )

        __aexit__ = __aenter__

    def _settle(self, error: Exception | None) -> Exception | None:
        """Settle the attempt by *error* or the stored result; return the error that propagates."""
        try:
            if _sync.settle(self, error, self._result) or self._stage is SUCCEEDED:
                return None
            return self._release_final()
        except BaseException:
            self._release()
            raise


class AsyncAttempt(LoopAttempt):
    """One attempt of ``async for attempt in retrying(...)``: write ``async with attempt:``."""

    __slots__ = ("_allowed", "_before", "_scope")

    _written = "async with attempt:"

    def __getstate__(self) -> Any:
        nothing, slots = super().__getstate__()
        return nothing, {**slots, "_scope": None}  # which belongs to the event loop

    async def __aenter__(self) -> Self:
        if self._stage is not NEW:
            raise self._entered_before()
        self._scope: Any = None
        self._before = _async_backend.cancellations()
        self._stage = RUNNING
        policy = self._policy
        if policy.before_attempt:
            await _async.fire(policy.before_attempt, self)
        if policy.attempt_timeout is not None:
            self._allowed = _async.limit(self)
            self._scope = _async_backend.timeout(self._allowed)
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
                _decision.credit(self._policy)
            return True
        self._stage = SETTLING
        scope, timed_out = self._scope, False
        if scope is not None:
            self._scope = None
            try:
                await scope.__aexit__(kind, error, trace)
            except Exception as late:  # the TimeoutError that a cancellation has become
                timed_out = _async.expired(scope, late, self, self._allowed)
                if await self._settle(late, timed_out=timed_out) is None:
                    return True
                raise
            else:
                timed_out = _async.expired(scope, error, self, self._allowed)
            finally:
                del scope  # it holds the task, which holds the error that ends it
        if error is not None and not issubclass(type(error), Exception):
            return False
        final = await self._settle(error, timed_out=timed_out)  # type: ignore[arg-type]  # an Exception, or None
        if final is None:
            return True
        if final is error:
            return False
        try:
            raise final  # no result was accepted
        finally:
            del final  # the error's traceback holds this frame

    if not TYPE_CHECKING:  # for type checkers, it must not exist

        def __enter__(self) -> NoReturn:
            raise TypeError("in an `async for` loop, write `async with attempt:`")

        __exit__ = __enter__

    async def _settle(self, error: Exception | None, *, timed_out: bool) -> Exception | None:
        """Settle the attempt by *error* or the stored result; return the error that propagates."""
        try:
            follows = await _async.settle(
                self,
                error,
                self._result,
                timed_out=timed_out,
                before=self._before,
            )
            if follows or self._stage is SUCCEEDED:
                return None
            return self._release_final()
        except BaseException:
            self._release()
            raise


class QuietSyncAttempt(SyncAttempt):
    """An attempt of a loop that keeps the final error: ``raises=False``."""

    __slots__ = ()

    _raises = False


class QuietAsyncAttempt(AsyncAttempt):
    """The same for an async loop."""

    __slots__ = ()

    _raises = False


class Loop:
    """The object that is iterated over; iterating over it again is a new call."""

    __slots__ = ("_policy", "_raises")

    _policy: Policy
    _raises: bool

    def __iter__(self) -> Iterator[SyncAttempt]:
        """Yield the attempts of a ``for`` loop, and sleep between them."""
        # This runs when the loop requests its first attempt, called from the frame of the loop.
        policy = self._policy
        if policy._needs_check:
            policy._check_sync("a sync loop", attempt_timeout=False)
        frame = sys._getframe(1)
        label = policy.name or (frame.f_code, frame.f_lasti)
        del frame
        kind = SyncAttempt if self._raises else QuietSyncAttempt
        attempt = kind(policy, label, _clock.time.monotonic())
        if policy.budget is None:
            yield attempt
        else:
            try:
                yield attempt
            except GeneratorExit:
                _decision.leave(attempt)
                raise
        if attempt._stage is SUCCEEDED:
            return  # as nearly all loops do
        try:
            while attempt._continues():
                if attempt._number + attempt._earlier == 1:
                    _warn_in_async_code(sys._getframe(1), attempt)
                following = _sync.next_attempt(attempt)
                if following is None:
                    attempt._raise_final()
                    return
                attempt = following
                yield attempt
        except GeneratorExit:
            if policy.budget is not None:  # without one, `next_wait` stays as it was decided
                _decision.leave(attempt)
            raise
        except BaseException:
            _decision.leave(attempt)
            raise

    def __aiter__(self) -> AsyncAttempts:
        policy, frame = self._policy, sys._getframe(1)
        if policy.stop is not None:
            policy._check_async("an async loop")
        label = policy.name or (frame.f_code, frame.f_lasti)
        kind = AsyncAttempt if self._raises else QuietAsyncAttempt
        attempts = AsyncAttempts if policy.budget is None else BudgetedAsyncAttempts
        return attempts(kind(policy, label, _clock.time.monotonic()))


class AsyncAttempts:
    """The attempts of an ``async for`` loop, with a sleep between them."""

    # Not an async generator, because the event loop tracks those, which costs far more.
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
        if not attempt._continues():
            raise StopAsyncIteration
        try:
            following = await _async.next_attempt(attempt)
        except StopAsyncIteration as error:  # raised into the wait, it would end the loop
            raise attempt._not_an_end(error) from error
        except BaseException:
            _decision.leave(attempt)
            raise
        if following is None:
            attempt._raise_final()
            raise StopAsyncIteration
        self._attempt = following
        return following


class BudgetedAsyncAttempts(AsyncAttempts):
    """The attempts of a policy with a budget: leaving the loop early returns the token."""

    __slots__ = ()

    def __del__(self) -> None:
        _decision.leave(self._attempt)


def _warn_in_async_code(frame: FrameType, attempt: SyncAttempt) -> None:
    if not _checks.is_async_code(frame.f_code):
        return
    try:
        warnings.warn(
            "a regular `for` in an `async def` blocks the event loop while it waits: "
            "write `async for attempt in retrying(...)` and `async with attempt:`",
            RuntimeWarning,
            stacklevel=3,
        )
    except Warning as warning:  # the program turns warnings into errors
        _decision.break_off(attempt)
        set_context(warning, attempt._error)
        _sync.end(attempt)
        attempt._release()
        raise
