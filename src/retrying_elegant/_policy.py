"""Policy: the frozen settings for retries.

Owns the fields, their checks at definition and their value semantics.  Holds no state of any
call and reads no clock: what the fields mean for a call is decided in ``decision``.

A field is defined in the signature of ``Policy.__init__``, with its default, and in ``_CHECKS``.
What several fields together imply is computed once, in ``_derive``.
"""

from __future__ import annotations

from . import _checks, backoff
from ._budget import RetryBudget
from ._value import Value, frozen, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from typing import Any, NoReturn, Protocol, Self, Unpack

    from typing_extensions import TypedDict  # PEP 728; type checkers bring it along

    from ._attempt import Attempt
    from ._errors import TryAgain
    from ._preview import Preview

    class Event(Protocol):
        """The type of ``stop``: an event of threads or of an async library."""

        def is_set(self) -> bool: ...
        @property
        def wait(self) -> Callable[..., Any]: ...

    Seconds = float | timedelta
    Predicate = Callable[[Any], bool | TryAgain | object]
    ErrorFilter = type[Exception] | Predicate | tuple[type[Exception] | Predicate, ...]
    Wait = Seconds | Sequence[Seconds] | Callable[[Attempt], Seconds]
    Hook = Callable[[Attempt], Awaitable[object] | object]
    Hooks = Hook | Iterable[Hook] | None

    class Fields(TypedDict, total=False):
        """The fields of a Policy except ``attempts``, as keywords of other callables."""

        on: ErrorFilter
        unless: ErrorFilter | None
        until: Callable[[Any], object] | None
        wait: Wait
        timeout: Seconds | None
        attempt_timeout: Seconds | None
        reset_after: Seconds | None
        stop: Event | None
        budget: RetryBudget | None
        before_attempt: Hooks
        on_retry: Hooks
        on_success: Hooks
        on_give_up: Hooks
        name: str | None
        log_level: int | None

    class AllFields(Fields, total=False, closed=True):
        """The fields of a Policy, including ``attempts``."""

        attempts: int | None

    class NoFields(TypedDict, closed=True):
        """No other keywords; `Never` would reject every open TypedDict of a user's own."""


def _budget(name: str, value: Any) -> RetryBudget | None:
    if value is not None and not isinstance(value, RetryBudget):
        _checks.reject(TypeError, name, value, "a RetryBudget, or None")
    return value


_WARNING = 30  # logging.WARNING, without importing logging

_HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")

_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "attempts": _checks.attempts,
    "on": _checks.error_filter,
    "unless": _checks.optional_filter,
    "until": _checks.predicate,
    "wait": _checks.wait,
    "timeout": _checks.limit,
    "attempt_timeout": _checks.limit,
    "reset_after": _checks.limit,
    "stop": _checks.event,
    "budget": _budget,
    **dict.fromkeys(_HOOKS, _checks.hooks),
    "name": _checks.text,
    "log_level": _checks.log_level,
}
# The fields from which nothing is derived.
_INDEPENDENT = frozenset({"attempts", "on", "unless", "name", "log_level"})


@frozen
class Policy(Value):
    """
    Settings for retries: a value to name, share, compare, pickle and build on.

    A policy holds no state of any call, so any number of threads and tasks may use
    one at once.  Durations are seconds, as numbers or as ``timedelta``.

    Args:
        attempts: The maximum number of calls, including the first: at least 1; None: no limit.
        on: What to retry: an exception class, a predicate on the error, or a tuple of
            these, evaluated in order until one matches. A predicate may return
            ``TryAgain(after=seconds)`` for "retry, but not before". ``()`` matches nothing.
            An exception group matches classes if it does itself, or if every error in it
            does.
        unless: What never to retry, even if *on* matches; the same forms. An exception group
            matches if it does itself, or if any error in it does.
        until: Predicate on the result: a true value accepts it, a false one retries, and so
            does ``TryAgain(after=seconds)``, with that hint.
        wait: Seconds between two attempts; a sequence of seconds, the last of which
            repeats; or a callable that takes the failed :class:`Attempt` and returns
            seconds, or ``math.inf`` for no further attempt. It is only called if another
            attempt is to follow.
        timeout: Seconds from the start within which the next attempt must start, including
            waits; None: no limit. A wait that would not end in time is not begun, and a
            running attempt is not interrupted. The ``before_attempt`` hooks are part of the
            attempt.
        attempt_timeout: Async only: seconds after which an attempt is canceled and
            counts as failed with TimeoutError, which is retried unless *unless* names
            it. In a sync loop it is only visible as ``attempt.timeout``; sync functions
            and blocks reject it.
        reset_after: Seconds after which an attempt counts as healthy: its failure is the first
            of a new series, in which number, waits, history and *timeout* start over, and the
            *budget* is credited. Use it in loops that reconnect. Set it above every connect
            timeout, or an attempt that hangs counts as healthy.
        stop: An event, of ``threading`` or ``multiprocessing`` in sync forms, of asyncio,
            trio or anyio in async forms. Once it is set, no retry follows, and a wait in
            progress ends immediately.
        budget: The :class:`RetryBudget` of the service that is called.
        before_attempt: Hooks that run before each attempt, given the :class:`Attempt`.
        on_retry: Hooks that run when a retry has been decided, before its wait.
        on_success: Hooks that run when the call has succeeded.
        on_give_up: Hooks that run when the call has ended without success.
        name: Label for logs and notes; None: the function's ``__qualname__``, or
            ``file.py:line`` for a loop.
        log_level: Level of the log lines, such as ``logging.DEBUG``; None: no log lines.
            Failing hooks are always logged.

    Raises:
        TypeError: an argument has the wrong type, or an unknown name.
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
    reset_after: float | None
    stop: Event | None
    budget: RetryBudget | None
    before_attempt: tuple[Hook, ...]
    on_retry: tuple[Hook, ...]
    on_success: tuple[Hook, ...]
    on_give_up: tuple[Hook, ...]
    name: str | None
    log_level: int | None

    # Derived from the fields, to save time in each call:
    _is_plain: bool  # no code of the user's observes a first success
    _is_unseen: bool  # nor the attempts of a call between its failures
    _is_bounded: bool  # something other than attempts may end a call in its wait
    _is_quiet: bool  # its waits are unseen, unbounded and without a budget
    _is_bare: bool  # only attempts, a ready backoff and the filters decide
    _needs_check: bool  # a field may not suit a sync loop
    _ready: backoff.Backoff | None  # `wait`, if it is one of the ready backoffs

    def __init__(
        self,
        attempts: int | None = 5,
        *,
        on: ErrorFilter = Exception,
        unless: ErrorFilter | None = None,
        until: Callable[[Any], object] | None = None,
        wait: Wait = backoff.exponential(),  # noqa: B008 - a frozen value
        timeout: Seconds | None = None,
        attempt_timeout: Seconds | None = None,
        reset_after: Seconds | None = None,
        stop: Event | None = None,
        budget: RetryBudget | None = None,
        before_attempt: Hooks = None,
        on_retry: Hooks = None,
        on_success: Hooks = None,
        on_give_up: Hooks = None,
        name: str | None = None,
        log_level: int | None = _WARNING,
        **unknown: Unpack[NoFields],
    ) -> None:
        given = locals()
        if unknown:
            _checks.reject_keyword("Policy", unknown, _CHECKS)
        given = {name: given[name] for name in _CHECKS if given[name] is not _SIGNATURE[name]}
        _fill(self.__dict__, "Policy", given)

    def replace(self, **changes: Unpack[AllFields]) -> Self:
        """
        Return a new policy with *changes*, which are checked, and all other fields unchanged.

        Raises:
            TypeError, ValueError: as for the class.

        >>> Policy(timeout=30).replace(timeout=None)
        Policy()
        """
        fields = self._fields()
        if not changes.keys() <= fields.keys():
            _checks.reject_keyword("replace", changes, fields)
        fields.update(changes)
        return type(self)(**fields)

    __replace__ = replace

    def preview(self, n: int | None = None) -> Preview:
        """
        Return a table of the first *n* attempts: the wait before each, and when it can start.

        Without *n*, it shows all attempts of the policy, or 10 if there is no limit.

        Raises:
            TypeError, ValueError: *n* is not an int of 1 or more, or None.

        >>> print(Policy(3, wait=backoff.exponential(1, jitter=0.5), timeout=2).preview())
        Policy(3, wait=exponential(initial=1.0, factor=2.0, cap=30.0, jitter=0.5), timeout=2.0)
        attempt       wait before it, s       starts after, s
                     low     mean     high      low     high
              1    0.000    0.000    0.000    0.000    0.000
              2    0.500    0.750    1.000    0.500    1.000
             3?    1.000    1.500    2.000    1.500    2.000
        ?: may not start, as the timeout of 2 s may have passed
        """
        from ._preview import preview

        return preview(self, n)

    def _check_sync(self, form: str, *, attempt_timeout: bool = True) -> None:
        """
        Reject fields that the sync *form* cannot support.

        Args:
            form: What is being created, for the message.
            attempt_timeout: Whether to reject ``attempt_timeout`` too.

        Raises:
            TypeError: a hook is a coroutine function, ``stop`` is an event of an async library,
                or ``attempt_timeout`` is set.
        """
        for field in _HOOKS:
            for hook in getattr(self, field):
                if _checks.is_coroutine_function(hook):
                    rule = f"a synchronous function for {form}, which cannot await it"
                    _checks.reject(TypeError, field, hook, rule)
        if self.stop is not None and _checks.is_coroutine_function(self.stop.wait):
            rule = f"{_checks.SYNC_EVENT} for {form}, such as threading.Event()"
            _checks.reject(TypeError, "stop", self.stop, rule)
        if attempt_timeout and self.attempt_timeout is not None:
            rule = f"None for {form}, which cannot be interrupted"
            _checks.reject(TypeError, "attempt_timeout", self.attempt_timeout, rule)

    def _check_async(self, form: str) -> None:
        """
        Reject fields that the async *form* cannot support.

        Raises:
            TypeError: ``stop`` is an event of threads, which would block the event loop.
        """
        if self.stop is not None and not _checks.is_coroutine_function(self.stop.wait):
            rule = f"{_checks.ASYNC_EVENT} for {form}, such as asyncio.Event()"
            _checks.reject(TypeError, "stop", self.stop, rule)

    def _fields(self) -> dict[str, Any]:
        """Return the fields, including those of a subclass, without what is derived from them."""
        return {name: value for name, value in self.__dict__.items() if name not in _DERIVED}

    def __getstate__(self) -> dict[str, Any]:
        if self.stop is not None:
            raise TypeError("a policy with stop does not pickle: an event belongs to its process")
        return self._fields()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**_DEFAULTS, **state})  # an older version's pickle has fewer fields
        _derive(self.__dict__)

    def __copy__(self) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __repr__(self) -> str:
        parts = [
            show(value) if name == "attempts" else f"{name}={show(value)}"
            for name, value in self._fields().items()
            if name not in _DEFAULTS or value != _DEFAULTS[name]
        ]
        return f"{type(self).__name__}({', '.join(parts)})"


_new = object.__new__


def _fill(state: dict[str, Any], function: str, given: Mapping[str, Any]) -> None:
    """
    Fill *state*, the ``__dict__`` of a policy, with all fields and what is derived from them.

    Only those *given* to *function* are checked, because a policy may be created in place, at the
    head of a loop.
    """
    state.update(_DEFAULTS)
    is_independent = True
    for name, value in given.items():
        check = _CHECKS.get(name)
        if check is None:
            _reject_keyword(function, given)
        state[name] = check(name, value)
        if name not in _INDEPENDENT:
            is_independent = False
    if not is_independent:
        _derive(state)


def _reject_keyword(function: str, given: Mapping[str, Any]) -> NoReturn:
    if "policy" in given:
        raise TypeError(
            f"{function}() takes the policy first, without a keyword: {function}(policy)"
        )
    own = "fallback" if function == "retry" else "raises"
    _checks.reject_keyword(function, given, (*_CHECKS, own))


def _derive(state: dict[str, Any]) -> None:
    """Compute what several fields together imply."""
    wait, stop, reset_after = state["wait"], state["stop"], state["reset_after"]
    before, has_timeout = state["before_attempt"], state["attempt_timeout"] is not None
    has_budget = state["budget"] is not None
    ready = state["_ready"] = wait if type(wait) in backoff.READY else None
    state["_is_plain"] = not (
        before or state["on_success"] or has_timeout or state["until"] is not None
    )
    is_unseen = not before and not state["on_retry"] and (ready is not None or not callable(wait))
    is_unseen = state["_is_unseen"] = is_unseen and reset_after is None
    is_bounded = state["_is_bounded"] = state["timeout"] is not None or stop is not None
    state["_is_quiet"] = is_unseen and not is_bounded and not has_budget
    state["_is_bare"] = not (ready is None or is_bounded or reset_after is not None or has_budget)
    state["_needs_check"] = stop is not None or any(state[name] for name in _HOOKS)


_init: Any = Policy.__init__  # Any, because type checkers do not know its defaults
_SIGNATURE: dict[str, Any] = {"attempts": _init.__defaults__[0], **_init.__kwdefaults__}
_DEFAULTS = {**_SIGNATURE, **dict.fromkeys(_HOOKS, ())}
_FIELDS = tuple(_DEFAULTS)
_derive(_DEFAULTS)
_DERIVED = _DEFAULTS.keys() - set(_FIELDS)

# Also the first argument of `retry()` and `retrying()` if there is none: None means "no limit".
DEFAULT = Policy()


def resolve(function: str, policy: object, fields: dict[str, Any]) -> Policy:
    """
    Return the policy for ``retry(policy, **fields)`` or ``retrying(policy, **fields)``.

    Args:
        fields: The keywords of this one call; the dict may be modified.
    """
    if policy is DEFAULT:
        if not fields:
            return DEFAULT
    elif type(policy) is not int and isinstance(policy, Policy):
        if not fields:
            return policy
        if not fields.keys() <= _CHECKS.keys():
            _reject_keyword(function, fields)
        return policy.replace(**fields)
    elif "attempts" in fields:
        raise TypeError(f"{function}() got attempts twice: {show(policy)} and attempts=...")
    else:
        fields["attempts"] = policy
    made = _new(Policy)
    _fill(made.__dict__, function, fields)
    return made
