"""Decorator: ``retry``, for every kind of callable.

Owns distinguishing the kinds of callables, and preserving their names, signatures and types.
Leaves the calls to ``sync``, ``async`` and ``generators``.
"""

from __future__ import annotations

import sys
from functools import partial, update_wrapper
from types import FunctionType, MethodType

from . import _async, _checks, _generators, _sync, backoff
from ._policy import DEFAULT, Policy, resolve
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
        """A decorator that returns the type it was given."""

        def __call__(self, fn: C, /) -> C: ...

    class DidYouMeanOn:
        """The type of ``retry(OSError)``, which is not a decorator: write ``retry(on=OSError)``."""

    class Widening(Generic[R2_co]):
        """A decorator that adds the (awaited) result of the fallback to the return type."""

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
        """Replace typing.overload, without importing typing."""
        return fn


# For `functools.partial(retry, ...)`, mypy takes the first overload, so that is the decorator.
# An exception class is callable too, but it is not what to retry.
@overload
def retry(
    policy: int | Policy | None = ...,
    /,
    *,
    fallback: None = ...,
    **fields: Unpack[AllFields],
) -> Keeping: ...
@overload
def retry(
    policy: int | Policy | None = ...,
    /,
    *,
    fallback: Callable[[Attempt], R2],
    **fields: Unpack[AllFields],
) -> Widening[R2]: ...
@overload
def retry(  # pyright: ignore[reportOverlappingOverload]
    error: type[BaseException], /
) -> DidYouMeanOn: ...
@overload
def retry(fn: C, /) -> C: ...
def retry(
    policy: Any = DEFAULT,
    /,
    *,
    fallback: Callable[[Attempt], Any] | None = None,
    **fields: Any,
) -> Any:
    """
    Retry a function: return a decorator, or decorate at once as bare ``@retry``.

    The function is called until it returns, by default at most 5 times, with jittered exponential
    waits in between.  When the policy gives up, the function's last exception is raised, with a
    note on the attempts (see :func:`given_up`).  Name, docstring, signature and types are
    preserved, and ``.policy`` is added.  Functions, methods, partials and callable objects can be
    decorated, on either side of ``classmethod`` and ``staticmethod``.  Coroutine functions are
    awaited.  A generator is retried until it has yielded its first item; later errors propagate.

    Args:
        policy: A :class:`Policy`, or the maximum number of calls, including the first; by
            default 5.
        fallback: Called once with the last :class:`Attempt` if the policy gives up on something
            retryable; its result, awaited if necessary, is returned instead. Errors that are
            not retryable are raised unchanged.
        fields: Any field of :class:`Policy`, which replaces that of *policy*.

    Raises:
        TypeError, ValueError: as for :class:`Policy`.
        TypeError: the decorated object is not callable; a synchronous function is used with an
            async hook, *fallback* or event, or with ``attempt_timeout``; a generator function
            is used with ``until``, ``reset_after`` or *fallback*; ``retry`` is above
            ``contextlib.contextmanager``.

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
        return _decorate(policy, DEFAULT, None)
    if fallback is not None and not callable(fallback):
        _checks.reject(TypeError, "fallback", fallback, "a callable that takes the Attempt")
    return _Decorator(resolve("retry", policy, fields), fallback)


class _Decorator:
    """The result of ``retry(...)``: a decorator that rejects every other use."""

    __slots__ = ("_fallback", "_policy")

    def __init__(self, policy: Policy, fallback: Callable[[Attempt], Any] | None) -> None:
        self._policy = policy
        self._fallback = fallback

    def __call__(self, fn: Any, /) -> Any:
        if not _is_decorable(fn):
            _checks.reject(TypeError, "fn", fn, "a callable")
        return _decorate(fn, self._policy, self._fallback)

    def _reject_use(self, *_: object) -> NoReturn:
        raise TypeError(
            "retry(...) decorates functions: did you mean `retrying(...)`, "
            "as in `for attempt in retrying(...)` or `with retrying(...) as call`?"
        )

    __aiter__ = __enter__ = __exit__ = __aenter__ = __aexit__ = _reject_use

    def __repr__(self) -> str:
        return f"retry({self._policy!r})"


# There is no `__iter__` that raises, because a framework would take the decorator for a list of
# decorators.  Python puts the name of the class into "... object is not iterable".
_Decorator.__name__ = "retry(...), did you mean `retrying(...)`? This"


def _is_decorable(fn: Any) -> bool:
    """Return whether *fn* can be decorated; exception classes and settings cannot."""
    if isinstance(fn, type):
        return not issubclass(fn, BaseException)
    if isinstance(fn, Value) and not isinstance(fn, Policy):
        rule = "a function, an int or a Policy"
        word = "wait" if isinstance(fn, backoff.Backoff) else "on"
        raise TypeError(f"{show(fn)}: expected {rule}; did you mean {word}={show(fn)}?")
    if callable(fn) or isinstance(fn, classmethod):
        return True
    if hasattr(type(fn), "__get__"):
        rule = f"a callable; decorate the function inside the {type(fn).__name__} instead"
        _checks.reject(TypeError, "fn", fn, rule)
    return False


def _decorate(fn: Any, policy: Policy, fallback: Callable[[Attempt], Any] | None) -> Any:
    if isinstance(fn, (classmethod, staticmethod)):
        return type(fn)(_decorate(fn.__func__, policy, fallback))
    name = policy.name or _checks.name_of(fn)
    flags = _checks.flags_of(fn)
    is_coroutine = flags & (_checks.COROUTINE | _checks.ITERABLE_COROUTINE)
    is_generator = flags & _checks.GENERATOR and not is_coroutine
    is_async_generator = flags & _checks.ASYNC_GENERATOR
    _reject_context_manager(fn, name)
    if is_generator or is_async_generator:
        rule = f"None for the generator function {name}"
        for argument, value, why in (
            ("until", policy.until, "which has no result to evaluate"),
            ("fallback", fallback, "which has no result to replace"),
            ("reset_after", policy.reset_after, "which is retried only until its first item"),
        ):
            if value is not None:
                _checks.reject(TypeError, argument, value, f"{rule}, {why}")
    if is_coroutine or is_async_generator:
        policy._check_async(f"the async function {name}")
    else:
        form = f"the synchronous function {name}"
        policy._check_sync(form)
        if fallback is not None and _checks.is_coroutine_function(fallback):
            rule = f"a synchronous function for {form}, which cannot await it"
            _checks.reject(TypeError, "fallback", fallback, rule)
    if is_async_generator:
        wrapper = _generators.wrap_async(fn, policy, name)
    elif is_coroutine:
        wrapper = _async.wrap(fn, policy, name, fallback)
    elif is_generator:
        wrapper = _generators.wrap(fn, policy, name)
    else:
        wrapper = _sync.wrap(fn, policy, name, fallback)
    if type(fn) in (FunctionType, MethodType):
        update_wrapper(wrapper, fn)
        if sys.version_info >= (3, 14):  # pragma: no cover - coverage is measured on 3.11
            # This does not copy annotations that code has assigned.
            if getattr(fn, "__annotate__", None) is None:
                wrapper.__annotations__ = getattr(fn, "__annotations__", {})
    else:
        _look_like(wrapper, fn)
    wrapper.policy = policy  # type: ignore[attr-defined]  # functions take attributes
    return wrapper


def _reject_context_manager(fn: Any, name: str) -> None:
    """Reject a result of contextmanager: calling it runs none of the user's code."""
    fn = _checks.unwrap_partial(fn)
    if type(fn) is MethodType:
        fn = fn.__func__
    code = getattr(fn, "__code__", None)
    module = getattr(fn, "__globals__", {}) if type(fn) is FunctionType else {}
    if module.get("__name__") == "contextlib" and getattr(code, "co_name", "") == "helper":
        raise TypeError(
            f"retry above contextlib's decorator does not retry {name}: write it below, "
            "directly above the function, where entering the context is retried"
        )


def _look_like(wrapper: Any, fn: Any) -> None:
    """Copy name, docstring and annotations of *fn*, a callable that is not a function."""
    origin = _checks.unwrap_partial(fn)
    wrapper.__name__ = type(origin).__name__
    wrapper.__qualname__ = type(origin).__qualname__
    for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
        value = getattr(origin, attribute, None)
        if isinstance(value, str):
            setattr(wrapper, attribute, value)
    if sys.version_info >= (3, 14):  # pragma: no cover - coverage is measured on 3.11
        wrapper.__annotate__ = partial(_annotate, origin)
    else:
        wrapper.__annotations__ = _annotations_of(origin)
    wrapper.__wrapped__ = fn


def _annotations_of(origin: Any) -> dict[str, Any]:
    """Return the annotations of the code that a call of *origin* runs, or an empty dict."""
    origin = _described(origin)
    found = getattr(origin, "__annotations__", None)
    return _resolve(origin, found) if isinstance(found, dict) else {}


def _annotate(origin: Any, form: int, /) -> dict[str, Any]:  # pragma: no cover - as above
    """
    Return the same in a format of ``annotationlib``.

    Since Python 3.14, annotations are evaluated when they are read.  At decoration, they may
    still contain names that are not defined.
    """
    from annotationlib import Format, get_annotations  # type: ignore[import-not-found]

    origin = _described(origin)
    try:
        found = get_annotations(origin, format=form)
    except NameError:
        raise
    except Exception:  # noqa: BLE001 - a mock has every attribute
        return {}
    return found if form == Format.STRING else _resolve(origin, found, format=form)


def _described(origin: Any) -> Any:
    """Return what has the annotations of the code that a call of *origin* runs."""
    own = getattr(origin, "__dict__", {})
    is_described = isinstance(origin, type) or hasattr(origin, "__code__")
    if is_described or "__annotations__" in own or "__annotate__" in own:
        return origin
    return getattr(type(origin), "__call__", None)  # noqa: B004 - read, not tested


def _resolve(origin: Any, found: dict[str, Any], **form: int) -> dict[str, Any]:
    """Return the annotations *found* at *origin*, without strings if possible."""
    if any(isinstance(value, str) for value in found.values()):
        # Resolved here, because others would look them up in the module of the wrapped object,
        # which it does not have.
        try:
            from typing import get_type_hints

            return get_type_hints(origin, include_extras=True, **form)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001, S110 - left unresolved if a name is not defined yet
            pass
    return dict(found)
