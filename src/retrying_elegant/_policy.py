"""Policy: the frozen settings of retrying.

Owns the fields, their checks at definition and their value semantics.  Holds
no state of any call and reads no clock: what the fields mean for a call is
decided in ``decision``.
"""

from __future__ import annotations

from . import _checks, backoff
from ._budget import RetryBudget
from ._value import Value, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from typing import Any, Self, Unpack

    from typing_extensions import TypedDict  # PEP 728; type checkers bring it along

    from ._attempt import Attempt
    from ._errors import TryAgain
    from ._preview import Preview

    Seconds = float | timedelta
    ErrorFilter = (
        type[Exception] | tuple[type[Exception], ...] | Callable[[Any], bool | TryAgain | object]
    )
    Wait = Seconds | Sequence[Seconds] | Callable[[Attempt], Seconds]
    Hook = Callable[[Attempt], Awaitable[object] | object]
    Hooks = Hook | Iterable[Hook] | None

    class Fields(TypedDict, total=False):
        """The fields of a Policy but ``attempts``, as keywords of other callables."""

        on: ErrorFilter
        unless: ErrorFilter | None
        until: Callable[[Any], object] | None
        wait: Wait
        timeout: Seconds | None
        attempt_timeout: Seconds | None
        budget: RetryBudget | None
        before_attempt: Hooks
        on_retry: Hooks
        on_success: Hooks
        on_give_up: Hooks
        name: str | None

    class AllFields(Fields, total=False, closed=True):
        """The fields of a Policy, ``attempts`` included."""

        attempts: int | None


_HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")

_EXPONENTIAL = backoff.exponential()
_DEFAULTS: dict[str, Any] = {
    "attempts": 5,
    "on": Exception,
    "unless": None,
    "until": None,
    "wait": _EXPONENTIAL,
    "timeout": None,
    "attempt_timeout": None,
    "budget": None,
    "before_attempt": (),
    "on_retry": (),
    "on_success": (),
    "on_give_up": (),
    "name": None,
    # No field of users, but what follows from some: nobody looks at a first success.
    "_is_plain": True,
}

# What `retry()` and `retrying()` were given when nothing was: None means "no limit".
UNSET: Any = object()


class Policy(Value):
    """
    The settings of retrying: a value to name, share, compare, pickle and build on.

    A policy holds no state of any call, so any number of threads and tasks may use
    one at once.  Durations are seconds, as numbers or as ``timedelta``.

    Args:
        attempts: Most calls in total, the first included: at least 1; None: no limit.
        on: What to retry: an exception class, a tuple of classes, or a predicate on
            the error. A predicate may return ``TryAgain(after=seconds)`` for "retry,
            but not before". ``()`` is nothing. An exception group matches when it
            does itself or when every error in it does.
        unless: What never to retry, though *on* matches; the same forms. An
            exception group matches when it does itself or when any error in it does.
        until: Predicate on the result: truthy accepts it, falsy tries again.
        wait: Seconds between two attempts; a sequence of seconds, whose last
            repeats; or a callable that takes the failed :class:`Attempt`. It is
            asked only when another attempt is to follow.
        timeout: Seconds from the start within which the next attempt must start,
            waits included; None: no limit. A wait that would not end in time is not
            begun, and no running attempt is interrupted. The ``before_attempt`` hooks
            belong to the attempt.
        attempt_timeout: Async only: seconds after which an attempt is cancelled and
            counts as failed with TimeoutError, which is retried unless *unless* names
            it. In a sync loop it only shows as ``attempt.timeout``; sync functions and
            blocks refuse it.
        budget: The :class:`RetryBudget` of the target.
        before_attempt: Hooks that run before each attempt, given the :class:`Attempt`.
        on_retry: Hooks that run when a retry has been decided, before its wait.
        on_success: Hooks that run when the call has succeeded.
        on_give_up: Hooks that run when it has ended without success.
        name: Label for logs and notes; None: the function's ``__qualname__``, for a
            loop ``file.py:line``.

    Raises:
        TypeError: an argument is of the wrong kind.
        ValueError: a number is out of its range.

    >>> net = Policy(4, on=(ConnectionError, TimeoutError), timeout=20)
    >>> net.replace(attempts=2)
    Policy(2, on=(ConnectionError, TimeoutError), timeout=20.0)
    >>> net == Policy(4, on=(ConnectionError, TimeoutError), timeout=20)
    True
    """

    attempts: int | None
    on: ErrorFilter
    unless: ErrorFilter | None
    until: Callable[[Any], object] | None
    wait: float | tuple[float, ...] | Callable[[Attempt], Seconds]
    timeout: float | None
    attempt_timeout: float | None
    budget: RetryBudget | None
    before_attempt: tuple[Hook, ...]
    on_retry: tuple[Hook, ...]
    on_success: tuple[Hook, ...]
    on_give_up: tuple[Hook, ...]
    name: str | None
    _is_plain: bool

    def __init__(
        self,
        attempts: int | None = 5,
        *,
        on: ErrorFilter = Exception,
        unless: ErrorFilter | None = None,
        until: Callable[[Any], object] | None = None,
        wait: Wait = _EXPONENTIAL,
        timeout: Seconds | None = None,
        attempt_timeout: Seconds | None = None,
        budget: RetryBudget | None = None,
        before_attempt: Hooks = None,
        on_retry: Hooks = None,
        on_success: Hooks = None,
        on_give_up: Hooks = None,
        name: str | None = None,
    ) -> None:
        # All fields stand in __dict__, where they are read fastest; only those that were passed
        # are checked, for a policy may be built in place, at the head of a loop.
        fields = self.__dict__
        fields.update(_DEFAULTS)
        if type(attempts) is not int or attempts < 1:
            attempts = _checks.attempts(attempts)
        fields["attempts"] = attempts
        if on is not Exception:
            fields["on"] = _checks.error_filter("on", on)
        if unless is not None:
            fields["unless"] = _checks.error_filter("unless", unless)
        if until is not None:
            fields["until"] = _checks.plain_function("until", until, "a predicate on the result")
            fields["_is_plain"] = False
        if wait is not _EXPONENTIAL:
            fields["wait"] = _checks.wait(wait)
        if timeout is not None:
            fields["timeout"] = _checks.seconds("timeout", timeout, positive=True, optional=True)
        if attempt_timeout is not None:
            fields["attempt_timeout"] = _checks.seconds(
                "attempt_timeout", attempt_timeout, positive=True, optional=True
            )
            fields["_is_plain"] = False
        if budget is not None:
            if not isinstance(budget, RetryBudget):
                _checks.refuse(TypeError, "budget", budget, "a RetryBudget, or None")
            fields["budget"] = budget
        if before_attempt is not None:
            fields["before_attempt"] = _checks.hooks("before_attempt", before_attempt)
            fields["_is_plain"] = fields["_is_plain"] and not fields["before_attempt"]
        if on_retry is not None:
            fields["on_retry"] = _checks.hooks("on_retry", on_retry)
        if on_success is not None:
            fields["on_success"] = _checks.hooks("on_success", on_success)
            fields["_is_plain"] = fields["_is_plain"] and not fields["on_success"]
        if on_give_up is not None:
            fields["on_give_up"] = _checks.hooks("on_give_up", on_give_up)
        if name is not None:
            if not isinstance(name, str):
                _checks.refuse(TypeError, "name", name, "a str, or None")
            fields["name"] = " ".join(name.splitlines())  # log lines are lines

    def replace(self, **changes: Unpack[AllFields]) -> Self:
        """
        Give a new policy with *changes* made and checked; the others as they are.

        Raises:
            TypeError, ValueError: as for the class.

        >>> Policy(timeout=30).replace(timeout=None)
        Policy()
        """
        fields = self.__dict__.copy()
        del fields["_is_plain"]
        fields.update(changes)
        return type(self)(**fields)

    __replace__ = replace

    def preview(self, n: int | None = None) -> Preview:
        """
        Give a table of the first *n* attempts: what is waited before each, when it can start.

        Without *n* it shows all attempts of the policy, or 10 where they have no limit.

        Raises:
            TypeError, ValueError: *n* is no int of 1 or more, or None.

        >>> print(Policy(3, wait=backoff.exponential(1, jitter=0.5), timeout=2).preview())
        Policy(3, wait=exponential(initial=1.0, factor=2.0, cap=30.0, jitter=0.5), timeout=2.0)
        attempt       wait before it, s       starts after, s
                     low     mean     high      low     high
              1    0.000    0.000    0.000    0.000    0.000
              2    0.500    0.750    1.000    0.500    1.000
             3?    1.000    1.500    2.000    1.500    2.000
        ?: may not start, for the timeout of 2 s may have passed
        """
        from ._preview import preview

        return preview(self, n)

    def refuse_async(self, *, form: str, attempt_timeout: bool = True) -> None:
        """
        Refuse what the sync *form* could not carry out.

        Args:
            form: What is being made, for the message.
            attempt_timeout: Whether ``attempt_timeout`` is refused too.

        Raises:
            TypeError: a hook is a coroutine function, or ``attempt_timeout`` is set.
        """
        for field in _HOOKS:
            for hook in getattr(self, field):
                if _checks.is_coroutine_function(hook):
                    rule = f"a plain function for {form}, which cannot await it"
                    _checks.refuse(TypeError, field, hook, rule)
        if attempt_timeout and self.attempt_timeout is not None:
            rule = f"None for {form}, which cannot be interrupted"
            _checks.refuse(TypeError, "attempt_timeout", self.attempt_timeout, rule)

    def __repr__(self) -> str:
        parts = [
            show(value) if name == "attempts" else f"{name}={show(value)}"
            for name, value in self.__dict__.items()
            if value != _DEFAULTS[name] and name != "_is_plain"
        ]
        return f"Policy({', '.join(parts)})"


_DEFAULT = Policy()


def resolve(policy: Any, fields: Mapping[str, Any]) -> Policy:
    """Give the policy that ``retry(policy, **fields)`` or ``retrying(...)`` means."""
    if isinstance(policy, Policy):
        return policy.replace(**fields) if fields else policy
    if policy is not UNSET:
        return Policy(policy, **fields)
    return Policy(**fields) if fields else _DEFAULT
