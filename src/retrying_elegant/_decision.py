"""Decision: what follows an attempt.

Owns the state of ONE call and everything that is decided about it, in one
order: filters, attempts, timeout passed?, wait, would it end past the timeout?,
budget.  Knows no clock (``now`` comes from outside), no sleep, no asyncio, no
hook and no log: decorator, loop, block and simulation all ask it the same
questions and act on the answers.  Times are float seconds.
"""

from __future__ import annotations

from math import inf

from . import _checks
from ._attempt import NOTHING, SUCCEEDED, Attempt
from ._errors import NOT_ACCEPTED, RetryError, TryAgain, given_up, raw, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType
    from typing import Any, TypeVar

    from ._errors import Reason
    from ._policy import Policy

    A = TypeVar("A", bound=Attempt)

    # Where a loop stands: its code and the offset of the instruction that started it.
    Place = tuple[CodeType, int]

_HISTORY = 10  # failed attempts that a record describes

# The most attempts that any call of the process may make: `testing` sets it.
ceiling: int | None = None


class Call:
    """
    One call under a policy, from its first attempt to its end.

    Args:
        label: The name for logs and notes, or the place of a loop, which becomes
            ``file.py:line`` only when somebody asks.
        start: When the time of the policy's ``timeout`` began.
        slept: Seconds that have already been slept since *start*.

    Attributes:
        reason: Why the call gave up; None while it has not.
        failed: The first attempt on its way from the `except` it failed in to its wait.
        raises: Whether the final error leaves the loop that makes the attempts.
        history: Number, seconds since start and raw text of each failed attempt, of which
            only the last ten need to be there.  Not the errors: they may hold sockets
            and bodies.  Put into words when somebody asks.
    """

    __slots__ = (
        "_label",
        "args",
        "failed",
        "history",
        "kwargs",
        "policy",
        "raises",
        "reason",
        "slept",
        "start",
    )

    def __init__(
        self,
        policy: Policy,
        label: str | Place,
        start: float,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] = {},  # noqa: B006 - never written to
        slept: float = 0.0,
    ) -> None:
        self.policy = policy
        self._label = label
        self.start = start
        self.args = args
        self.kwargs = kwargs
        self.slept = slept
        self.raises = True
        self.reason: Reason | None = None
        self.failed: Attempt | None = None
        self.history: list[tuple[int, float, tuple[str, str] | None]] = []

    @property
    def name(self) -> str:
        """What is called, as logs and notes name it."""
        if not isinstance(self._label, str):
            self._label = _place_name(*self._label)
        return self._label

    def elapsed(self, now: float) -> float:
        """Seconds since the start; a clock that stands still cannot hide the waits."""
        clocked = now - self.start
        return clocked if clocked > self.slept else self.slept

    def first(self) -> Attempt:
        """Give the first attempt of the call."""
        return Attempt(self, 1, 0.0)

    def take_failed(self) -> Attempt:
        """
        Give the attempt that has failed, and keep it no longer.

        So that no frame holds it, and its error and what that holds, while others run.
        """
        attempt, self.failed = self.failed, None
        assert attempt is not None  # noqa: S101 - it is kept before it is taken
        return attempt

    def first_in_time(self, now: float) -> Attempt:
        """
        Give the first attempt of a call whose time may have begun long before it.

        When the timeout has passed already, the call has given up, and the attempt is
        number 0: none was made.
        """
        timeout = self.policy.timeout
        if timeout is None or self.elapsed(now) < timeout:
            return self.first()
        attempt = Attempt(self, 0, 0.0)
        attempt._error = TimeoutError(f"{self.name} was not run: {timeout:g} s had passed")
        self._stop(attempt, "timeout")
        return attempt

    def accepts(self, attempt: Attempt, value: Any) -> bool:
        """
        Tell whether *attempt*, which ended with *value* or with ``NOTHING``, is a success.

        Raises:
            Whatever ``until`` raises; TypeError when it returns what it may not.
        """
        attempt._result = value
        until = self.policy.until
        if until is None or value is NOTHING or _checks.answer("until", until(value)):
            attempt._stage = SUCCEEDED
            return True
        return False

    def after_failure(
        self, attempt: Attempt, error: Exception | None, now: float, *, timed_out: bool = False
    ) -> bool:
        """
        Decide what follows when *attempt* has raised *error*, or returned what was not accepted.

        Returns:
            True: another attempt follows, after ``attempt.next_wait`` seconds.
            False: the call gives up, because of ``self.reason``.

        Raises:
            Whatever a predicate or a wait callable of the user raises; TypeError or
            ValueError when one returns what it may not.
        """
        policy = self.policy
        elapsed = self.elapsed(now)
        self.history.append((attempt._number, elapsed, None if error is None else raw(error)))

        if error is not None:
            attempt._error = error
            if not self._is_retryable(attempt, error, timed_out):
                return self._stop(attempt, "not retryable")

        limit = policy.attempts
        if ceiling is not None:
            limit = ceiling if limit is None else min(limit, ceiling)
        if limit is not None and attempt._number >= limit:
            return self._stop(attempt, "attempts")

        timeout = policy.timeout
        if timeout is not None and elapsed >= timeout:
            return self._stop(attempt, "timeout")

        wait = self._wait(attempt)
        if timeout is not None and elapsed + wait >= timeout:
            return self._stop(attempt, "timeout")

        if policy.budget is not None and not policy.budget.take():
            return self._stop(attempt, "budget")

        attempt._next_wait = wait
        return True

    def is_too_late(self, attempt: Attempt, now: float) -> bool:
        """Tell whether hooks took so long that the wait would now end past the timeout."""
        timeout = self.policy.timeout
        if timeout is None or self.elapsed(now) + attempt._next_wait < timeout:
            return False
        return not self._stop(attempt, "timeout")

    def after_wait(self, attempt: A, now: float) -> A | None:
        """Give the attempt that follows, or None: the wait took longer than the timeout allows."""
        wait: float = attempt._next_wait
        self.slept += wait
        if len(self.history) > _HISTORY:
            del self.history[0]
        timeout = self.policy.timeout
        if timeout is not None and self.elapsed(now) >= timeout:
            self._stop(attempt, "timeout")
            return None
        return type(attempt)(self, attempt._number + 1, wait)

    def wait_interrupted(self) -> None:
        """Put back what a retry cost that will not be made."""
        if self.policy.budget is not None:
            self.policy.budget.put_back()

    def history_lines(self) -> tuple[str, ...]:
        """Put the last failed attempts into words."""
        return tuple(
            f"attempt {number} at {elapsed:.2f} s: {words(*text) if text else NOT_ACCEPTED}"
            for number, elapsed, text in self.history[-_HISTORY:]
        )

    def _is_retryable(self, attempt: Attempt, error: Exception, timed_out: bool) -> bool:
        # A TryAgain that some policy has given up on is an ordinary error to the next.
        if isinstance(error, TryAgain) and given_up(error) is None:
            attempt._hint = error.after
            return True
        unless, on = self.policy.unless, self.policy.on
        if unless is not None:
            if isinstance(unless, (type, tuple)):
                if isinstance(error, unless) or (
                    isinstance(error, BaseExceptionGroup)
                    and any(isinstance(leaf, unless) for leaf in _leaves(error))
                ):
                    return False
            elif _checks.answer("unless", unless(error)):
                return False
        if timed_out:
            return True
        if isinstance(on, (type, tuple)):
            return isinstance(error, on) or (
                isinstance(error, BaseExceptionGroup)
                and all(isinstance(leaf, on) for leaf in _leaves(error))
            )
        verdict = _checks.answer("on", on(error))
        if isinstance(verdict, TryAgain):
            attempt._hint = verdict.after
        return bool(verdict)

    def _wait(self, attempt: Attempt) -> float:
        rule = self.policy.wait
        if callable(rule):
            wait = rule(attempt)
            # What the backoffs return is a float already, and within bounds.
            if type(wait) is not float or not 0 <= wait < inf:
                wait = _checks.seconds("wait(...)", wait)
        elif isinstance(rule, tuple):
            wait = rule[min(attempt._number, len(rule)) - 1]
        else:
            wait = rule
        return wait if attempt._hint is None else wait + attempt._hint

    def _stop(self, attempt: Attempt, reason: Reason) -> bool:
        self.reason = reason
        attempt._next_wait = None
        if attempt._error is None:
            attempt._error = RetryError(
                f"{self.name}: until accepted no result", result=attempt.result
            )
        return False


def _leaves(group: BaseExceptionGroup) -> Iterator[BaseException]:
    """Give the errors in *group*, and in the groups in it."""
    for inner in group.exceptions:
        if isinstance(inner, BaseExceptionGroup):
            yield from _leaves(inner)
        else:
            yield inner


def _place_name(code: CodeType, offset: int) -> str:
    """The place of a loop as ``file.py:line``."""
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return f"{file}:{next(lines, code.co_firstlineno)}"
