"""Decorator: ``retry``, for whatever can be called.

Owns telling the kinds of callables apart and keeping their looks.  Leaves the
calls to the drivers.
"""

from __future__ import annotations

from functools import update_wrapper
from types import FunctionType, MethodType

from . import _async_driver, _checks, _generators, _sync_driver, backoff
from ._policy import UNSET, Policy, resolve
from ._value import Value, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import Any, Generic, NoReturn, ParamSpec, Protocol, TypeVar, Unpack, overload

    from ._attempt import Attempt
    from ._policy import AllFields

    P = ParamSpec("P")
    R = TypeVar("R")
    R2 = TypeVar("R2")
    R2_co = TypeVar("R2_co", covariant=True)
    C = TypeVar("C", bound=Callable[..., Any])

    class Keeping(Protocol):
        """A decorator that gives back the type it was given."""

        def __call__(self, fn: C, /) -> C: ...

    class DidYouMeanOn:
        """What ``retry(OSError)`` gives: nothing that decorates; it is ``retry(on=OSError)``."""

    class Widening(Generic[R2_co]):
        """A decorator that adds what the fallback returns (awaited) to the return type."""

        @overload
        def __call__(
            self: Widening[Awaitable[R2]], fn: Callable[P, Coroutine[Any, Any, R]], /
        ) -> Callable[P, Coroutine[Any, Any, R | R2]]: ...
        @overload
        def __call__(
            self, fn: Callable[P, Coroutine[Any, Any, R]], /
        ) -> Callable[P, Coroutine[Any, Any, R | R2_co]]: ...
        @overload
        def __call__(self, fn: Callable[P, R], /) -> Callable[P, R | R2_co]: ...
        def __call__(self, fn: Any, /) -> Any: ...

else:

    def overload(fn: Any) -> Any:
        """Stand in for typing.overload, without importing typing."""
        return fn


# An exception class is a callable too, but not one to retry.
@overload
def retry(  # pyright: ignore[reportOverlappingOverload]
    error: type[BaseException], /
) -> DidYouMeanOn: ...
@overload
def retry(fn: C, /) -> C: ...
@overload
def retry(
    policy: int | Policy | None = ...,
    /,
    *,
    fallback: Callable[[Attempt], R2],
    **fields: Unpack[AllFields],
) -> Widening[R2]: ...
@overload
def retry(
    policy: int | Policy | None = ...,
    /,
    *,
    fallback: None = ...,
    **fields: Unpack[AllFields],
) -> Keeping: ...
def retry(
    policy: Any = UNSET,
    /,
    *,
    fallback: Callable[[Attempt], Any] | None = None,
    **fields: Any,
) -> Any:
    """
    Retry a function: give a decorator, or decorate at once as bare ``@retry``.

    The function is called until it returns, at most 5 times by default, with jittered
    exponential waits between.  When the policy gives up, the function's own last
    exception leaves, with a note on what was tried (see :func:`given_up`).  Name,
    docstring, signature and types stay; ``.policy`` is added.  Functions, methods,
    either side of ``classmethod`` and ``staticmethod``, partials and callable objects
    are all taken; what is async is awaited; a generator is started again until its
    first item has come out, and errors after that pass through.

    Args:
        policy: A :class:`Policy`, or the most calls in total, the first included; by
            default 5.
        fallback: Called once with the last :class:`Attempt` when the policy gives up on
            something retryable; what it returns (awaited, if it must be) is returned
            instead. Errors that are not retryable leave as they are.
        fields: Any field of :class:`Policy`, in place of that one.

    Raises:
        TypeError, ValueError: as :class:`Policy`.
        TypeError: what is decorated cannot be called; a plain function is given a hook or
            *fallback* that is a coroutine function, or an ``attempt_timeout``; a generator
            function is given ``until`` or *fallback*.

    >>> calls = iter([OSError("flaky"), "page"])
    >>> @retry(3, on=OSError, wait=0.01)
    ... def fetch():
    ...     outcome = next(calls)
    ...     if isinstance(outcome, Exception):
    ...         raise outcome
    ...     return outcome
    >>> fetch()
    'page'
    >>> fetch.policy
    Policy(3, on=OSError, wait=0.01)
    """
    if _is_decorable(policy):
        if fields or fallback is not None:
            name = _checks.name_of(policy)
            raise TypeError(f"write `retry(...)({name})`, with the options in the first call")
        return _decorate(policy, resolve(UNSET, {}), None)
    if fallback is not None and not callable(fallback):
        _checks.refuse(TypeError, "fallback", fallback, "a callable that takes the Attempt")
    return _Decorator(resolve(policy, fields), fallback)


class _Decorator:
    """What ``retry(...)`` gives: to be put on a function, and nothing else."""

    __slots__ = ("_fallback", "_policy")

    def __init__(self, policy: Policy, fallback: Callable[[Attempt], Any] | None) -> None:
        self._policy = policy
        self._fallback = fallback

    def __call__(self, fn: Any, /) -> Any:
        if not _is_decorable(fn):
            _checks.refuse(TypeError, "fn", fn, "something that can be called")
        return _decorate(fn, self._policy, self._fallback)

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(
            "retry(...) decorates functions: did you mean `retrying(...)`, "
            "as in `for attempt in retrying(...)` or `with retrying(...) as call`?"
        )

    __iter__ = __aiter__ = __enter__ = __exit__ = __aenter__ = __aexit__ = _refuse


def _is_decorable(fn: Any) -> bool:
    """Tell whether *fn* is a function in the widest sense; exceptions and settings are not."""
    if isinstance(fn, type):
        return not issubclass(fn, BaseException)
    if isinstance(fn, Value) and not isinstance(fn, Policy):
        rule = "a function, an int or a Policy"
        word = "wait" if isinstance(fn, backoff.Backoff) else "on"
        raise TypeError(f"{show(fn)}: expected {rule}; did you mean {word}={show(fn)}?")
    return callable(fn) or isinstance(fn, classmethod)


def _decorate(fn: Any, policy: Policy, fallback: Callable[[Attempt], Any] | None) -> Any:
    if isinstance(fn, (classmethod, staticmethod)):
        return type(fn)(_decorate(fn.__func__, policy, fallback))
    name = policy.name or _checks.name_of(fn)
    is_generator = _checks.is_generator_function(fn)
    is_async_generator = _checks.is_async_generator_function(fn)
    if is_generator or is_async_generator:
        for argument, value in (("until", policy.until), ("fallback", fallback)):
            if value is not None:
                rule = f"None for the generator function {name}, which has no result to replace"
                _checks.refuse(TypeError, argument, value, rule)
    if is_async_generator:
        wrapper = _generators.wrap_async(fn, policy, name)
    elif _checks.is_coroutine_function(fn):
        wrapper = _async_driver.wrap(fn, policy, name, fallback)
    else:
        form = f"the plain function {name}"
        policy.refuse_async(form=form)
        if fallback is not None and _checks.is_coroutine_function(fallback):
            rule = f"a plain function for {form}, which cannot await it"
            _checks.refuse(TypeError, "fallback", fallback, rule)
        wrapper = (
            _generators.wrap(fn, policy, name)
            if is_generator
            else _sync_driver.wrap(fn, policy, name, fallback)
        )
    if isinstance(fn, (FunctionType, MethodType)):
        update_wrapper(wrapper, fn)
    else:
        _look_like(wrapper, fn)
    wrapper.policy = policy  # type: ignore[attr-defined]  # functions take attributes
    return wrapper


def _look_like(wrapper: Any, fn: Any) -> None:
    """Give *wrapper* the looks of *fn*, a callable that is no function and may lack some."""
    origin = _checks.unwrap_partial(fn)
    wrapper.__name__ = type(origin).__name__
    wrapper.__qualname__ = type(origin).__qualname__
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        value = getattr(origin, attribute, None)
        if isinstance(value, str):
            setattr(wrapper, attribute, value)
    wrapper.__wrapped__ = fn
