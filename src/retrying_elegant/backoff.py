"""Backoff: how many seconds to wait before retry *n*.

Owns the arithmetic from a retry number to seconds.  Leaves whether to retry at
all to ``decision``, and sleeping to the drivers.  Retry numbers start at
1; all durations are float seconds.

Each rule is a frozen value: equal by value, readable, picklable, without state.
It is called with the failed :class:`Attempt` and returns seconds.  All of them share one
jitter rule: the wait is ``min(cap, rule(n)) * (1 - jitter * U)``
with *U* uniform in [0, 1) from the ``random`` module, so that no wait exceeds
*cap* and waits at the cap stay spread.
"""

from __future__ import annotations

import random
from math import inf
from sys import float_info

from . import _checks
from ._value import Value, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any

    from ._attempt import Attempt

    Seconds = float | timedelta

_TINY = 5e-324  # the smallest float above 0

__all__ = ["constant", "decorrelated", "exponential", "fibonacci", "linear", "sequence"]


@frozen
class Backoff(Value):
    """What all backoffs share: the cap and the one jitter rule."""

    cap: float = inf
    jitter: float = 0.0

    def rule(self, n: int) -> float:
        """Return the wait before retry *n*, before cap and jitter."""
        raise NotImplementedError  # pragma: no cover - each backoff has its own

    def bounds(self, n: int) -> tuple[float, float]:
        """
        Return the shortest and the longest wait before retry *n*, in seconds.

        >>> linear(1, 2, jitter=0.5).bounds(2)
        (1.5, 3.0)
        """
        high = self._capped(n)
        return high * (1 - self.jitter), high

    def __call__(self, attempt: Attempt) -> float:
        """Draw the wait after the failed *attempt*, in seconds."""
        return self._draw(attempt.number, attempt.waited)

    def _draw(self, number: int, waited: float) -> float:
        """Draw the wait after attempt *number*, before which *waited* seconds were slept."""
        try:
            high = self.rule(number)
            if high > self.cap:
                high = self.cap
        except OverflowError:
            high = self.cap
        jitter = self.jitter
        return high * (1 - jitter * random.random()) if jitter else high  # noqa: S311

    def _capped(self, n: int) -> float:
        rule = "the number of a retry, 1 or more"
        if isinstance(n, bool) or not hasattr(type(n), "__index__"):
            _checks.reject(TypeError, "n", n, rule)
        if n < 1:
            _checks.reject(ValueError, "n", n, rule)
        try:
            wait = self.rule(n)
        except OverflowError:
            # 2.0 ** 1024 overflows a float; long before that, any sensible cap is exceeded.
            return self.cap
        return wait if wait < self.cap else self.cap

    def _set(self, *, jitter: float, **fields: object) -> None:
        if "cap" in fields:
            fields["cap"] = _checks.seconds("cap", fields["cap"])
        fields["jitter"] = _checks.number("jitter", jitter, 0, 1, "a share between 0 and 1")
        self.__dict__.update(fields)


@frozen
class constant(Backoff):  # noqa: N801 - called like a function, as all of these are
    """
    The same wait each time.

    Args:
        seconds: The wait, at least 0.
        jitter: The share of it that is random, 0 to 1.

    Raises:
        ValueError: *seconds* is negative or not finite, or *jitter* is outside [0, 1].

    >>> constant(2).bounds(7)
    (2.0, 2.0)
    """

    seconds: float

    def __init__(self, seconds: Seconds, *, jitter: float = 0.0) -> None:
        self._set(seconds=_checks.seconds("seconds", seconds), jitter=jitter)

    def rule(self, n: int) -> float:
        """Return *seconds* whatever *n*."""
        return self.seconds


@frozen
class linear(Backoff):  # noqa: N801
    """
    Waits that grow by the same amount: ``initial + (n - 1) * step``, up to *cap*.

    Args:
        initial: Wait before the first retry, in seconds, before jitter. At least 0.
        step: How much longer each further wait is, in seconds. At least 0.
        cap: No wait is longer than this.
        jitter: The share of each wait that is random, 0 to 1.

    Raises:
        ValueError: a duration is negative or not finite, or *jitter* is outside [0, 1].

    >>> [linear(1, 2, jitter=0).bounds(n)[1] for n in (1, 2, 3)]
    [1.0, 3.0, 5.0]
    """

    initial: float
    step: float

    def __init__(
        self,
        initial: Seconds = 0.5,
        step: Seconds = 0.5,
        *,
        cap: Seconds = 30.0,
        jitter: float = 1.0,
    ) -> None:
        initial = _checks.seconds("initial", initial)
        self._set(initial=initial, step=_checks.seconds("step", step), cap=cap, jitter=jitter)

    def rule(self, n: int) -> float:
        """Return ``initial + (n - 1) * step``."""
        return self.initial + (n - 1) * self.step


@frozen
class exponential(Backoff):  # noqa: N801
    """
    Waits that grow by *factor*, up to *cap*, spread by *jitter*.

    The wait before retry *n* is ``min(cap, initial * factor**(n - 1))`` times a
    random share between ``1 - jitter`` and 1.

    Args:
        initial: Wait before the first retry, in seconds, before jitter. At least 0.
        factor: The factor from each wait to the next. More than 0.
        cap: No wait is longer than this, in seconds.
        jitter: The share of each wait that is random, 0 to 1.

    Raises:
        ValueError: a duration is negative or not finite, *factor* is not positive and
            finite, or *jitter* is outside [0, 1].

    Source:
        Full jitter (``jitter=1``) and equal jitter (``jitter=0.5``) as compared in
        "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    >>> exponential(0.1, cap=5, jitter=0).bounds(3)
    (0.4, 0.4)
    """

    initial: float
    factor: float

    def __init__(
        self,
        initial: Seconds = 0.5,
        factor: float = 2,
        *,
        cap: Seconds = 30.0,
        jitter: float = 1.0,
    ) -> None:
        self._set(
            initial=_checks.seconds("initial", initial),
            factor=_checks.number(
                "factor", factor, _TINY, float_info.max, "a finite number above 0"
            ),
            cap=cap,
            jitter=jitter,
        )

    def rule(self, n: int) -> float:
        """Return ``initial * factor**(n - 1)``."""
        # 0 stays 0, even if the power overflows.
        return self.initial and self.initial * self.factor ** (n - 1)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._draw = Backoff._draw  # type: ignore[method-assign]  # it may have a rule of its own

    def _draw(self, number: int, waited: float) -> float:
        # The same as in the base class, with one call less, because nearly every policy uses it.
        try:
            high = self.initial * self.factor ** (number - 1)
        except OverflowError:
            high = self.cap if self.initial else 0.0
        if high > self.cap:
            high = self.cap
        jitter = self.jitter
        return high * (1 - jitter * random.random()) if jitter else high  # noqa: S311


@frozen
class fibonacci(Backoff):  # noqa: N801
    """
    Waits that grow like the Fibonacci numbers: *initial* times 1, 1, 2, 3, 5, 8...

    Args:
        initial: Wait before the first and the second retry, in seconds, before
            jitter. At least 0.
        cap: No wait is longer than this, in seconds.
        jitter: The share of each wait that is random, 0 to 1.

    Raises:
        ValueError: a duration is negative or not finite, or *jitter* is outside [0, 1].

    >>> [fibonacci(2, jitter=0).bounds(n)[1] for n in (1, 2, 3, 4, 5)]
    [2.0, 2.0, 4.0, 6.0, 10.0]
    """

    initial: float

    def __init__(self, initial: Seconds = 0.5, *, cap: Seconds = 30.0, jitter: float = 1.0) -> None:
        self._set(initial=_checks.seconds("initial", initial), cap=cap, jitter=jitter)

    def rule(self, n: int) -> float:
        """Return *initial* times the *n*-th Fibonacci number, or the first product past the cap."""
        this, following = 0, 1
        for _ in range(n):
            this, following = following, this + following
            # Past the cap, every further one is too; and 0 stays 0.
            if not 0 < self.initial * this < self.cap:
                break
        return self.initial * this


@frozen
class sequence(Backoff):  # noqa: N801
    """
    Waits written out one by one; the last one repeats.

    Args:
        seconds: The waits, at least one, each at least 0.
        jitter: The share of each wait that is random, 0 to 1.

    Raises:
        ValueError: no wait is given, one is negative or not finite, or *jitter* is
            outside [0, 1].

    >>> [sequence(1, 5, 30).bounds(n)[1] for n in (1, 2, 3, 4)]
    [1.0, 5.0, 30.0, 30.0]
    """

    seconds: tuple[float, ...]

    def __init__(self, *seconds: Seconds, jitter: float = 0.0) -> None:
        if not seconds:
            _checks.reject(ValueError, "seconds", seconds, "at least one number of seconds")
        waits = tuple(_checks.seconds(f"seconds[{i}]", item) for i, item in enumerate(seconds))
        self._set(seconds=waits, jitter=jitter)

    def rule(self, n: int) -> float:
        """Return the *n*-th of *seconds*, or the last."""
        return self.seconds[min(n, len(self.seconds)) - 1]

    def __repr__(self) -> str:
        waits = ", ".join(map(repr, self.seconds))
        return f"sequence({waits}, jitter={self.jitter!r})"


@frozen
class decorrelated(Backoff):  # noqa: N801
    """
    Waits drawn from a range that follows the previous wait.

    The wait is ``min(cap, U)``, *U* uniform between *initial* and three times the
    previous wait (*initial* at first).  This is AWS's formula as published.  Its waits bunch at
    the cap, so prefer :class:`exponential`.

    Args:
        initial: The shortest wait, in seconds. At least 0.
        cap: No wait is longer than this, in seconds.

    Raises:
        ValueError: a duration is negative or not finite.

    Source:
        "Decorrelated jitter" in "Exponential Backoff And Jitter", AWS Architecture
        Blog, 2015.  The previous wait is :attr:`Attempt.waited`, hints included; ``bounds``
        are those without a hint.

    >>> decorrelated(1, cap=20).bounds(2)
    (1.0, 9.0)
    """

    initial: float

    def __init__(self, initial: Seconds = 0.5, cap: Seconds = 30.0) -> None:
        fields = {"initial": _checks.seconds("initial", initial)}
        self.__dict__.update(fields, cap=_checks.seconds("cap", cap))

    def rule(self, n: int) -> float:
        """Return the longest possible wait before retry *n*, before the cap."""
        return self.initial and self.initial * 3.0**n

    def bounds(self, n: int) -> tuple[float, float]:
        """Return the shortest and the longest wait before retry *n*, in seconds."""
        return min(self.initial, self.cap), self._capped(n)

    def _draw(self, number: int, waited: float) -> float:
        previous = waited if number > 1 else self.initial
        return min(self.cap, random.uniform(self.initial, previous * 3))  # noqa: S311


# Their waits are computed from numbers alone; a subclass is called with the attempt, and checked.
READY = (constant, linear, exponential, fibonacci, sequence, decorrelated)
