"""Attempt: what users see of one attempt, and the books of its call.

Owns the object that loops yield and that hooks, wait callables and fallbacks
receive.  Each attempt takes over the books of the one before it: when the call
began, what has been slept, what has failed.  Leaves what follows from an attempt
to ``decision``, and the loop's ``with`` to ``loop``; they and the drivers write
its underscored slots.  Durations are float seconds.
"""

from __future__ import annotations

from types import MappingProxyType

from . import _clock
from ._errors import brief, in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType
    from typing import Any, Self

    from ._errors import Reason
    from ._policy import Policy

    # Where a loop stands: its code and the offset of the instruction that started it.
    Place = tuple[CodeType, int]

# A result may be None, so that "no result" needs a value of its own.
NOTHING: Any = object()

# How far an attempt has got; only the `with` of a loop's attempt makes all of these steps.
NEW, ENTERED, LEFT, SUCCEEDED = range(4)

_HISTORY = 10  # failed attempts that a record describes


class Attempt:
    """
    One attempt of a call: read it in hooks, in wait callables, and after a loop.

    Attributes are read-only; in a loop with ``until``, the body sets ``result``.

    >>> from retrying_elegant import retrying
    >>> for attempt in retrying(3, raises=False, wait=0, name="lookup"):
    ...     with attempt:
    ...         {}["missing"]
    >>> attempt
    <attempt 3 of lookup: KeyError: 'missing'>
    >>> attempt.number, attempt.succeeded
    (3, False)
    """

    __slots__ = (
        "_args",
        "_error",
        "_hint",
        "_history",
        "_kwargs",
        "_label",
        "_next_wait",
        "_number",
        "_policy",
        "_reason",
        "_result",
        "_slept",
        "_stage",
        "_start",
        "_waited",
    )

    def __init__(
        self,
        policy: Policy,
        label: str | Place,
        start: float,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] = {},  # noqa: B006 - never written to
        number: int = 1,
        waited: float = 0.0,
        slept: float = 0.0,
        history: tuple[Any, ...] = (),
    ) -> None:
        self._policy = policy
        self._label = label  # of a loop, its place: in words only when somebody asks
        self._start = start  # when the time of the policy's timeout began
        self._args = args
        self._kwargs = kwargs
        self._number = number
        self._waited = waited
        self._slept = slept
        # Of each failed attempt: seconds since the start, and kind and text of the error, or None
        # and "". In one flat tuple, which takes the least memory while many tasks wait; and the
        # texts, not the errors, which may hold sockets and bodies.
        self._history = history
        self._hint: float | None = None
        self._reason: Reason | None = None  # why the call gave up, if it did
        self._error: Any = None  # Exception | None; Any here, for drivers know when it is set
        self._next_wait: Any = None  # float | None, likewise
        self._result = NOTHING
        self._stage = NEW

    def _following(self, wait: float) -> Self:
        """Give the attempt that follows this one after *wait* seconds."""
        return type(self)(
            self._policy,
            self._label,
            self._start,
            self._args,
            self._kwargs,
            self._number + 1,
            wait,
            self._slept + wait,
            self._history[-3 * _HISTORY :],
        )

    def _history_lines(self) -> tuple[str, ...]:
        """Put the last failed attempts into words."""
        history = iter(self._history[-3 * _HISTORY :])
        failures = list(zip(history, history, history, strict=True))
        first = self._number - len(failures) + 1
        return tuple(in_words(number, *failure) for number, failure in enumerate(failures, first))

    def _elapsed(self, now: float) -> float:
        """Seconds since the start; a clock that stands still cannot hide the waits."""
        clocked = now - self._start
        return clocked if clocked > self._slept else self._slept

    @property
    def number(self) -> int:
        """Which attempt of its call this is, from 1; 0 for a call in a block that came too late."""
        return self._number

    @property
    def name(self) -> str:
        """What is called, as logs and notes name it."""
        if not isinstance(self._label, str):
            self._label = _place_name(*self._label)
        return self._label

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of a decorated call or one in a block; never logged."""
        return self._args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of a decorated call or one in a block; never logged."""
        return MappingProxyType(self._kwargs)

    @property
    def error(self) -> Exception | None:
        """
        The exception of this attempt, or None.

        Where a call gives up on results that ``until`` did not accept, this is the
        :class:`RetryError` that says so.  Once the final error has left a loop, it
        is None again, so that error and loop variable do not keep each other alive.
        """
        error: Exception | None = self._error
        return error

    @property
    def result(self) -> Any:
        """What the attempt returned, or what the body of a loop stored; None without one."""
        return None if self._result is NOTHING else self._result

    @property
    def succeeded(self) -> bool:
        """Whether this attempt ended the call with success."""
        return self._stage == SUCCEEDED

    @property
    def waited(self) -> float:
        """Seconds slept before this attempt; 0 for the first."""
        return self._waited

    @property
    def next_wait(self) -> float | None:
        """Seconds that will be slept after it; None until decided, or when no attempt follows."""
        wait: float | None = self._next_wait
        return wait

    @property
    def hint(self) -> float | None:
        """Seconds that the other side asked to wait at least, or None."""
        return self._hint

    @property
    def elapsed(self) -> float:
        """
        Seconds since the start of the call, loop or block, as of now.

        The larger of what the monotonic clock says and of the sum of the waits, so
        that a frozen clock cannot hide the time that a call has taken.
        """
        return self._elapsed(_clock.time.monotonic())

    @property
    def remaining(self) -> float | None:
        """Seconds until the policy's ``timeout``, as of now, at least 0; None without one."""
        timeout = self._policy.timeout
        return None if timeout is None else max(timeout - self.elapsed, 0.0)

    @property
    def timeout(self) -> float | None:
        """
        Seconds that this attempt may take: hand it to a socket or a client.

        The smaller of the policy's ``attempt_timeout`` and of what is left of its
        ``timeout``; None if neither is set.
        """
        limit, remaining = self._policy.attempt_timeout, self.remaining
        if limit is None or remaining is None:
            return remaining if limit is None else limit
        return min(limit, remaining)

    def __repr__(self) -> str:
        if self._stage == SUCCEEDED:
            state = "succeeded"
        elif self._error is not None:
            state = brief(self._error)
        elif self._next_wait is not None:
            state = "result not accepted"
        elif self._reason is not None:
            state = "gave up"
        else:
            state = "not ended"
        if self._next_wait is not None:
            state += f", next in {self._next_wait:.2f} s"
        return f"<attempt {self._number} of {self.name}: {state}>"


def _place_name(code: CodeType, offset: int) -> str:
    """The place of a loop as ``file.py:line``."""
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return f"{file}:{next(lines, code.co_firstlineno)}"
