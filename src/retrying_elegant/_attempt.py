"""Attempt: what users see of one attempt, and the state of its call.

Owns the object that loops yield and that hooks, wait callables and fallbacks receive.  Each
attempt takes over the state of the one before: the start of the call, the time slept, and the
failures.  Durations are float seconds.

The slots, and which modules besides this one write them (a test reads this list):

    _stage              ``decision``; ``loop``; RUNNING also ``sync``, ``async``, ``generators``
    _outcome, _history  ``decision``
    _hint               ``decision``
    _error              ``decision``; ``loop`` releases it when the final error propagates
    _result             ``decision``; ``loop`` what the body stores; ``clients`` the response
    _number, _start     ``decision`` when a new series begins
    _earlier, _waited   ``decision`` when a new series begins
    _slept              ``decision`` when a new series begins; ``block``, which shares the waits
    _began              ``decision`` if the attempt hung; if reset_after is set ``sync``,
                        ``async``, ``block``

This module writes all of them when an attempt is created or follows another.  ``_policy``,
``_label``, ``_args`` and ``_kwargs`` are written only then, or when a label is first shown.
"""

from __future__ import annotations

from types import MappingProxyType

from . import _clock, _deadline
from ._giveup import NOT_ACCEPTED, describe, entry, text_of
from ._text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType
    from typing import Any, Self, TypeVar

    from ._giveup import Reason
    from ._policy import Policy

    # Where a loop is: its code and the offset of the instruction that started it.
    Place = tuple[CodeType, int]

    A = TypeVar("A", bound="Attempt")


class _Nothing:
    """The class of ``NOTHING``, of which a copy or a pickle is the object itself."""

    def __reduce__(self) -> str:
        return "NOTHING"


# A result may be None, so "no result" needs a value of its own.
NOTHING: Any = _Nothing()

# The stages of an attempt; `decision` has a diagram.
NEW, RUNNING, SETTLING, WAITING = "new", "running", "settling", "waiting"
SUCCEEDED, GAVE_UP, BROKEN = "succeeded", "gave up", "broken"

# Stages are compared by identity, which a pickle does not preserve.
_STAGES = {stage: stage for stage in (NEW, RUNNING, SETTLING, WAITING, SUCCEEDED, GAVE_UP, BROKEN)}

_SHOWN = {NEW: "not ended", RUNNING: "not ended", SETTLING: "ended", WAITING: NOT_ACCEPTED}

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
        "_began",
        "_earlier",
        "_error",
        "_hint",
        "_history",
        "_kwargs",
        "_label",
        "_number",
        "_outcome",
        "_policy",
        "_result",
        "_slept",
        "_stage",
        "_start",
        "_waited",
    )

    # A subclass that keeps something until the wait, as clients keep a failed response, releases it
    # here, just before the sleep; in async forms, this is a coroutine function.
    _before_wait: Callable[[], Any] | None = None

    def __init__(
        self,
        policy: Policy,
        label: str | Place,
        start: float,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] = {},  # noqa: B006 - never modified
    ) -> None:
        self._policy = policy
        self._label = label  # for a loop, its place, which is formatted only when it is read
        self._start = start  # when the time of the policy's timeout began
        self._began = start  # when this attempt began; only updated if reset_after is set
        self._args = args
        self._kwargs = kwargs
        self._number = 1
        self._earlier = 0  # attempts before the series that number counts: see reset_after
        self._waited = 0.0
        self._slept = 0.0
        # For each failed attempt: seconds since the start, and class and text of the error, or
        # None and "". One flat tuple takes the least memory while many tasks wait. The errors
        # themselves are not kept, because they may hold sockets and bodies.
        self._history: tuple[Any, ...] = ()
        self._hint: float | None = None
        self._error: Any = None  # Exception | None, but Any, because the forms know when it is set
        self._result = NOTHING
        self._stage = NEW
        self._outcome: Any = None  # WAITING: the seconds; GAVE_UP: the reason

    def _following(self, wait: float) -> Self:
        """Return the attempt that follows this one after *wait* seconds."""
        kind = type(self)
        return self._hand_over(kind.__new__(kind), wait)

    def _hand_over(self, following: A, wait: float) -> A:
        """Hand the state of the call over to *following*, which follows after *wait* seconds."""
        following._policy = self._policy
        following._label = self._label
        following._start = self._start
        following._args = self._args
        following._kwargs = self._kwargs
        following._earlier = self._earlier
        following._history = self._history
        following._slept = self._slept
        following._number = self._number
        following._next(wait)
        return following

    def _next(self, wait: float) -> None:
        """Become the attempt that follows after *wait* seconds, if no code has seen this one."""
        self._number = number = self._number + 1
        self._waited = wait
        self._slept += wait
        if number > _HISTORY:
            self._history = self._history[-3 * _HISTORY :]
        self._hint = None
        self._error = None
        self._result = NOTHING
        self._stage = NEW

    def _history_lines(self) -> tuple[str, ...]:
        """Describe the last failed attempts."""
        history = iter(self._history[-3 * _HISTORY :])
        failures = list(zip(history, history, history, strict=True))
        first = self._number - len(failures) + 1
        return tuple(entry(number, *failure) for number, failure in enumerate(failures, first))

    # How the text of an error is read for history, log and note.
    _text_of = staticmethod(text_of)

    def _describe(self, error: BaseException | None) -> str:
        """Describe *error*, or a rejected result, in one line."""
        return NOT_ACCEPTED if error is None else describe(type(error), self._text_of(error))

    def _is_remarkable(self) -> bool:
        """Return whether a non-retryable error of the first attempt is recorded and logged."""
        return False

    def _elapsed(self, now: float) -> float:
        """Return the seconds since the start; even with a frozen clock, waits count."""
        clocked = now - self._start
        return clocked if clocked > self._slept else self._slept

    def _own_limit(self) -> float | None:
        """Return the seconds from the start after which its timeout lets no attempt start."""
        return self._policy.timeout

    def _limit(self) -> float | None:
        """Return the seconds from the start after which no attempt starts: timeout or deadline."""
        timeout, moment = self._own_limit(), _deadline.moment()
        if moment is None:
            return timeout
        beneath = moment - self._start
        return beneath if timeout is None or beneath < timeout else timeout

    @property
    def number(self) -> int:
        """The number of this attempt, from 1; 0 for a call in a block that came too late."""
        return self._number

    @property
    def name(self) -> str:
        """The name of the call, as in logs and notes."""
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

        If a call gives up because ``until`` accepted no result, this is the :class:`RetryError`.
        After the final error has propagated out of a loop, it is None again, so that error and
        loop variable do not keep each other alive.
        """
        error: Exception | None = self._error
        return error

    @property
    def result(self) -> Any:
        """The result of the attempt, or what the body of a loop stored; None without one."""
        return None if self._result is NOTHING else self._result

    @property
    def succeeded(self) -> bool:
        """Whether this attempt ended the call with success."""
        return self._stage is SUCCEEDED

    @property
    def reason(self) -> Reason | None:
        """Why the call gave up, as in :attr:`GiveUp.reason`; None if it did not."""
        reason: Reason | None = self._outcome if self._stage is GAVE_UP else None
        return reason

    @property
    def waited(self) -> float:
        """Seconds slept before this attempt; 0 for the first."""
        return self._waited

    @property
    def next_wait(self) -> float | None:
        """Seconds that will be slept after it; None until decided, or if no attempt follows."""
        wait: float | None = self._outcome if self._stage is WAITING else None
        return wait

    @property
    def hint(self) -> float | None:
        """Seconds that the service asked to wait, or None."""
        return self._hint

    @property
    def elapsed(self) -> float:
        """
        Seconds since the start of the call, loop or block, as of now.

        This is the larger of the time on the monotonic clock and the sum of the waits, so a
        frozen clock cannot hide the time that a call has taken.
        """
        return self._elapsed(_clock.time.monotonic())

    @property
    def remaining(self) -> float | None:
        """
        Seconds until ``timeout`` or the :class:`deadline` around the call, as of now; at least 0.

        None if there is neither.
        """
        limit = self._limit()
        return None if limit is None else max(limit - self.elapsed, 0.0)

    @property
    def timeout(self) -> float | None:
        """
        Seconds that this attempt may take: pass it to a socket or a client.

        This is the smaller of the policy's ``attempt_timeout`` and :attr:`remaining`; None if
        there is neither.
        """
        limit, remaining = self._policy.attempt_timeout, self.remaining
        if limit is None or remaining is None:
            return remaining if limit is None else limit
        return min(limit, remaining)

    # A copy or a pickle reads the same; it has no part in the call.
    def __getstate__(self) -> Any:
        self._label = self.name  # the code of a loop does not pickle
        return super().__getstate__()

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        for slot, value in state[1].items():
            setattr(self, slot, value)
        self._stage = _STAGES[self._stage]

    def __repr__(self) -> str:
        stage, error = self._stage, self._error
        state = _SHOWN.get(stage, stage) if error is None else self._describe(error)
        if self.next_wait is not None:
            state += f", next in {self.next_wait:.2f} s"
        return f"<attempt {self._number} of {self.name}: {state}>"


def _place_name(code: CodeType, offset: int) -> str:
    """Return the place of a loop as ``file.py:line``."""
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return one_line(f"{file}:{next(lines, code.co_firstlineno)}")
