"""Checks: bad input is refused where it is written, by name, with the value and the rule.

Owns turning what a user wrote into what the package computes with: durations
into float seconds, hooks into tuples, filters into what they must be.  Every
check takes the argument's name first and returns the normalised value; what a
callable is (sync, async, generator) is read off it here as well.
"""

from __future__ import annotations

from functools import partial
from math import inf
from types import GeneratorType

from ._value import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

# The values of inspect.CO_*, without the import of inspect, which is a large one.
_GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200


def refuse(kind: type[Exception], name: str, value: object, rule: str) -> NoReturn:
    """Raise *kind* with the one form that all messages have: ``name=value: expected rule``."""
    raise kind(f"{name}={show(value)[:200]}: expected {rule}")


def seconds(name: str, value: Any, *, positive: bool = False, optional: bool = False) -> float:
    """
    Give *value* (a number, or a ``timedelta``) as float seconds.

    Args:
        positive: 0 is refused.
        optional: Only for the message: None would have been allowed.

    Raises:
        TypeError: it is neither; a ``bool`` is not taken for a number.
        ValueError: it is negative, 0 where *positive* is asked for, or not finite.
    """
    rule = "a positive number of seconds" if positive else "a number of seconds, 0 or more"
    if optional:
        rule += ", or None"
    # A timedelta, without importing datetime; the class itself is none.
    total = None if isinstance(value, type) else getattr(value, "total_seconds", None)
    number = value if total is None else total()
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        refuse(TypeError, name, value, rule)
    try:
        number = float(number)
    except OverflowError:
        number = inf
    # Written so that NaN, which compares false with everything, is refused too.
    if not (0 < number < inf if positive else 0 <= number < inf):
        refuse(ValueError, name, value, rule)
    return number


def number(name: str, value: Any, low: float, high: float, rule: str) -> float:
    """Give *value* as a float between *low* and *high*, both allowed; *rule* words that."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse(TypeError, name, value, rule)
    if not low <= value <= high:
        refuse(ValueError, name, value, rule)
    return float(value)


def attempts(value: Any, name: str = "attempts") -> int | None:
    """Give *value* if it can limit the attempts: an int of 1 or more, or None."""
    if value is None:
        return None
    one = value[0] if isinstance(value, tuple) and value else value
    if isinstance(one, type) and issubclass(one, BaseException):
        errors = show(value)
        raise TypeError(f"{name}={errors}: expected an int; did you mean on={errors}?")
    rule = "an int of 1 or more, or None for no limit"
    if isinstance(value, bool) or not isinstance(value, int):
        if callable(value):
            rule += "; did you mean `@retry`?"
        refuse(TypeError, name, value, rule)
    if value < 1:
        refuse(ValueError, name, value, rule)
    return value


def error_filter(name: str, value: Any) -> Any:
    """Give *value* if it can say which errors: a class, a tuple of classes, or a predicate."""
    if isinstance(value, type) and issubclass(value, Exception):
        return value
    if isinstance(value, (type, tuple)):
        for item in value if isinstance(value, tuple) else (value,):
            if not (isinstance(item, type) and issubclass(item, Exception)):
                rule = "exception classes derived from Exception (control flow is never retried)"
                refuse(TypeError, name, value, rule)
        return value
    rule = "an exception class, a tuple of exception classes, or a predicate on the error"
    return plain_function(name, value, rule)


def plain_function(name: str, value: Any, rule: str) -> Any:
    """Give *value* if it can be called and answers without being awaited."""
    if not callable(value):
        refuse(TypeError, name, value, rule)
    if is_coroutine_function(value):
        refuse(TypeError, name, value, f"{rule}; it is a coroutine function")
    return value


def wait(value: Any) -> Any:
    """Give *value* if it can say how long to wait: as seconds, a tuple of them, or a callable."""
    rule = "seconds, a non-empty sequence of seconds, or a callable that takes the Attempt"
    if isinstance(value, type):
        refuse(TypeError, "wait", value, f"{rule}; did you mean {value.__qualname__}()?")
    if callable(value):
        return plain_function("wait", value, rule)
    if isinstance(value, (int, float)) or hasattr(value, "total_seconds"):
        return seconds("wait", value)
    is_sequence = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    if not is_sequence or isinstance(value, (str, bytes, bytearray, dict)):
        refuse(TypeError, "wait", value, rule)
    if not len(value):
        refuse(ValueError, "wait", value, rule)
    return tuple(seconds(f"wait[{index}]", item) for index, item in enumerate(value))


def hooks(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    """Give *value*, a callable or an iterable of callables, as a tuple."""
    rule = "a callable that takes the Attempt, or an iterable of such callables"
    if callable(value):
        return (value,)
    if not hasattr(value, "__iter__"):
        refuse(TypeError, name, value, rule)
    found = tuple(value)
    for hook in found:
        if not callable(hook):
            refuse(TypeError, name, hook, rule)
    return found


def answer(name: str, value: Any) -> Any:
    """Give what a predicate returned, unless it is something to be awaited (always truthy)."""
    if value is not True and value is not False and is_awaitable(value):
        close = getattr(value, "close", None)
        if close is not None:  # a coroutine nobody will await: no second warning about it
            close()
        refuse(TypeError, f"{name}(...)", value, "an answer at once, not an awaitable")
    return value


def unwrap_partial(fn: Any) -> Any:
    """Give what a ``functools.partial``, or several, calls in the end."""
    while isinstance(fn, partial):
        fn = fn.func
    return fn


def _flags(fn: Any) -> int:
    """The code flags of what runs when *fn* is called; 0 where that is not Python code."""
    fn = unwrap_partial(fn)
    code = getattr(fn, "__code__", None)
    if code is None:
        code = getattr(getattr(type(fn), "__call__", None), "__code__", None)  # noqa: B004 - read
    flags = getattr(code, "co_flags", 0)
    return flags if isinstance(flags, int) else 0


def is_coroutine_function(fn: Any) -> bool:
    """Tell whether calling *fn* gives a coroutine: through partials, methods and objects too."""
    if _flags(fn) & (_COROUTINE | _ITERABLE_COROUTINE):
        return True
    # How inspect.markcoroutinefunction and asyncio mark what only behaves like one: with a
    # bare object().  Its type is asked, for a mock has an attribute of any name.
    fn = unwrap_partial(fn)
    marks = ("_is_coroutine_marker", "_is_coroutine")
    return any(type(getattr(fn, mark, None)) is object for mark in marks)


def is_awaitable(value: Any) -> bool:
    """Tell whether *value* is to be awaited; a coroutine may be an old kind of generator."""
    if hasattr(value, "__await__"):
        return True
    return isinstance(value, GeneratorType) and bool(value.gi_code.co_flags & _ITERABLE_COROUTINE)


def is_generator_function(fn: Any) -> bool:
    """Tell whether calling *fn* gives a generator."""
    return _flags(fn) & (_GENERATOR | _ITERABLE_COROUTINE) == _GENERATOR


def is_async_generator_function(fn: Any) -> bool:
    """Tell whether calling *fn* gives an async generator."""
    return bool(_flags(fn) & _ASYNC_GENERATOR)


def is_async_code(code: Any) -> bool:
    """Tell whether *code* is the body of an ``async def``."""
    return bool(code.co_flags & (_COROUTINE | _ASYNC_GENERATOR))


def name_of(fn: Any) -> str:
    """What to call *fn* in logs and notes: its ``__qualname__``, or that of its class."""
    fn = unwrap_partial(fn)
    name = getattr(fn, "__qualname__", None)
    return name if isinstance(name, str) else type(fn).__qualname__
