"""Attempt: what users see of one attempt.

Owns the object that loops yield and that hooks, wait callables and fallbacks
receive.  Leaves filling it in to ``decision``, which owns its underscored
slots, and the loop's ``with`` to ``loop``.  Durations are float seconds.
"""

from __future__ import annotations

from types import MappingProxyType

from . import _clock
from ._errors import brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ._decision import Call

# A result may be None, so that "no result" needs a value of its own.
NOTHING: Any = object()

# How far an attempt has got; only the `with` of a loop's attempt makes all of these steps.
NEW, ENTERED, LEFT, SUCCEEDED = range(4)


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
        "_call",
        "_error",
        "_hint",
        "_next_wait",
        "_number",
        "_result",
        "_stage",
        "_waited",
    )

    def __init__(self, call: Call, number: int, waited: float) -> None:
        self._call = call
        self._number = number
        self._waited = waited
        self._error: Any = None  # Exception | None, likewise
        self._hint: float | None = None
        self._next_wait: Any = None  # float | None; Any here, for drivers know when it is set
        self._result = NOTHING
        self._stage = NEW

    @property
    def number(self) -> int:
        """Which attempt of its call this is, counted from 1."""
        return self._number

    @property
    def name(self) -> str:
        """What is called, as logs and notes name it."""
        return self._call.name

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of the call; empty in a loop. Never logged."""
        return self._call.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of the call; empty in a loop. Never logged."""
        return MappingProxyType(self._call.kwargs)

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
        return self._call.elapsed(_clock.time.monotonic())

    @property
    def remaining(self) -> float | None:
        """Seconds until the policy's ``timeout``, as of now, at least 0; None without one."""
        timeout = self._call.policy.timeout
        return None if timeout is None else max(timeout - self.elapsed, 0.0)

    @property
    def timeout(self) -> float | None:
        """
        Seconds that this attempt may take: hand it to a socket or a client.

        The smaller of the policy's ``attempt_timeout`` and of what is left of its
        ``timeout``; None if neither is set.
        """
        limit, remaining = self._call.policy.attempt_timeout, self.remaining
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
        elif self._call.reason is not None:
            state = "gave up"
        else:
            state = "not ended"
        if self._next_wait is not None:
            state += f", next in {self._next_wait:.2f} s"
        return f"<attempt {self._number} of {self.name}: {state}>"
