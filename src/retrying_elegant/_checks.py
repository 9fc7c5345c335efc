"""Checks: bad input is rejected where it is written, naming argument, value and rule.

Owns normalizing what users pass: durations become float seconds, hooks become tuples, filters
are checked.  Every check takes the argument's name first and returns the normalized value.  Also
owns which kind a callable is (sync, async, generator).
"""

from __future__ import annotations

from functools import partial
from math import inf
from operator import index
from types import FunctionType, GeneratorType, MethodType

from ._text import one_line
from ._value import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, NoReturn

# The values of inspect.CO_*, without importing inspect, which is large.
GENERATOR, COROUTINE, ITERABLE_COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200

_SECONDS = "a number of seconds, 0 or more"
_LIMIT = "a positive number of seconds, or None"


def reject(kind: type[Exception], name: str, value: object, rule: str) -> NoReturn:
    """Raise *kind* with a message in the common form: ``name=value: expected rule``."""
    raise kind(f"{name}={show(value)[:200]}: expected {rule}")


def seconds(name: str, value: Any, *, positive: bool = False) -> float:
    """
    Return *value* (a number, or a ``timedelta``) as float seconds.

    Args:
        positive: Whether to reject 0 too.

    Raises:
        TypeError: it is neither; booleans are not numbers.
        ValueError: it is negative, not finite, or 0 although *positive* is set.
    """
    if type(value) is float and 0 < value < inf:
        return value
    rule = "a positive number of seconds" if positive else _SECONDS
    return _seconds(name, value, rule, positive=positive)


def limit(name: str, value: Any) -> float | None:
    """Return *value* as positive float seconds, or None for no limit."""
    return None if value is None else _seconds(name, value, _LIMIT, positive=True)


def _seconds(name: str, value: Any, rule: str, *, positive: bool) -> float:
    number = _as_float(value)
    if number is None:
        reject(TypeError, name, value, rule)
    # This form rejects NaN too, because any comparison with it is false.
    if not (0 < number < inf if positive else 0 <= number < inf):
        reject(ValueError, name, value, rule)
    return number


def _as_float(value: Any) -> float | None:
    """Return a number or a ``timedelta`` as a float; None for anything else."""
    if isinstance(value, (bool, str, bytes, bytearray, type)) or callable(value):
        return None
    total = getattr(value, "total_seconds", None)  # a timedelta, without importing datetime
    if total is not None:
        value = total()
    # numpy's booleans, dates and durations convert to float as well, but are not numbers.
    if getattr(getattr(value, "dtype", None), "kind", "f") not in ("i", "u", "f"):
        return None
    if not (hasattr(type(value), "__float__") or hasattr(type(value), "__index__")):
        return None
    try:
        return float(value)
    except OverflowError:
        return inf if value > 0 else -inf
    except (TypeError, ValueError):  # an array of several numbers
        return None


def is_infinite(value: Any) -> bool:
    """Return whether *value* is positive infinity, of any numeric type."""
    return not isinstance(value, int) and _as_float(value) == inf


def number(name: str, value: Any, low: float, high: float, rule: str) -> float:
    """Return *value* as a float from *low* to *high*, both included; *rule* describes the range."""
    found = None if hasattr(value, "total_seconds") else _as_float(value)
    if found is None:
        reject(TypeError, name, value, rule)
    if not low <= found <= high:
        reject(ValueError, name, value, rule)
    return found


def attempts(
    name: str, value: Any, rule: str = "an int of 1 or more, or None for no limit"
) -> int | None:
    """Return *value* if it is a limit of attempts: an integer of 1 or more, or None."""
    if value is None or (type(value) is int and value >= 1):
        return value
    one = value[0] if isinstance(value, tuple) and value else value
    if isinstance(one, type) and issubclass(one, BaseException):
        errors = show(value)
        raise TypeError(f"{name}={errors}: expected an int; did you mean on={errors}?")
    is_number = getattr(getattr(value, "dtype", None), "kind", "i") in ("i", "u")
    if callable(value) or isinstance(value, bool) or not is_number:
        if callable(value):
            rule += "; did you mean `@retry`?"
        reject(TypeError, name, value, rule)
    number: Any = value
    try:
        found = index(number)
    except Exception:  # noqa: BLE001 - whatever it raises, it is not an integer
        found = None
    if found is None:
        reject(TypeError, name, value, rule)
    if found < 1:
        reject(ValueError, name, value, rule)
    return found


def error_filter(name: str, value: Any) -> Any:
    """Return *value* if it classifies errors: a class, a predicate, or a tuple of these."""
    if isinstance(value, type) and issubclass(value, Exception):
        return value
    rule = "an exception class, a predicate on the error, or a tuple of these"
    if not isinstance(value, tuple):
        _check_filter(name, value, value, rule)
        return value
    for item in value:
        if isinstance(item, tuple):
            raise TypeError(
                f"{name}={show(value)}: expected no tuple inside the tuple; flatten it with a "
                f"star, as in `{name}=(OSError, *NETWORK)`"
            )
        _check_filter(name, item, value, rule)
    return value


def _check_filter(name: str, item: Any, whole: Any, rule: str) -> None:
    if isinstance(item, type):
        if not issubclass(item, Exception):
            rule = "exception classes derived from Exception (control flow is never retried)"
            reject(TypeError, name, whole, rule)
    elif not callable(item):
        reject(TypeError, name, whole, rule)
    else:
        predicate(name, item, rule)


def predicate(name: str, value: Any, rule: str = "a predicate on the result, or None") -> Any:
    """Return *value* if it is callable, and not a coroutine or generator function, or None."""
    if value is None:
        return None
    if not callable(value):
        reject(TypeError, name, value, rule)
    if is_coroutine_function(value):
        reject(TypeError, name, value, f"{rule}; it is a coroutine function")
    if is_generator_function(value):  # what it returns would always be true
        reject(TypeError, name, value, f"{rule}; it is a generator function")
    return value


def optional_filter(name: str, value: Any) -> Any:
    """Return *value* if it is None or classifies errors."""
    return None if value is None else error_filter(name, value)


def wait(name: str, value: Any) -> Any:
    """Return *value* if it says how long to wait: seconds, a tuple of them, or a callable."""
    rule = "seconds, a non-empty sequence of seconds, or a callable that takes the Attempt"
    if isinstance(value, type):
        reject(TypeError, name, value, f"{rule}; did you mean {value.__qualname__}()?")
    if callable(value):
        return predicate(name, value, rule)
    if _as_float(value) is not None:
        return seconds(name, value)
    is_sequence = hasattr(value, "__getitem__") and not isinstance(
        value, (str, bytes, bytearray, memoryview, dict)
    )
    try:
        length = len(value) if is_sequence else None
    except TypeError:  # an array without dimensions, of something that is not a number
        length = None
    if length is None:
        reject(TypeError, name, value, rule)
    if not length:
        reject(ValueError, name, value, rule)
    return tuple(seconds(f"{name}[{index}]", item) for index, item in enumerate(value))


def hooks(name: str, value: Any) -> tuple[Callable[..., Any], ...]:
    """Return *value*, a callable or an iterable of callables, as a tuple."""
    rule = "a callable that takes the Attempt, or an iterable of such callables"
    if value is None:
        return ()
    found: tuple[Any, ...]
    if callable(value):
        found = (value,)
    elif hasattr(value, "__iter__"):
        found = tuple(value)
    else:
        reject(TypeError, name, value, rule)
    for hook in found:
        if not callable(hook):
            reject(TypeError, name, hook, rule)
        if is_generator_function(hook):  # it would never run
            reject(TypeError, name, hook, f"{rule}; it is a generator function")
    return found


SYNC_EVENT = "an event of threading or multiprocessing"
ASYNC_EVENT = "an event of asyncio, trio or anyio"


def event(name: str, value: Any) -> Any:
    """Return *value* if it is an event, of threads or of an async library, or None."""
    rule = f"{SYNC_EVENT} in sync forms, {ASYNC_EVENT} in async forms, or None"
    if isinstance(value, type):
        reject(TypeError, name, value, f"{rule}; did you mean {value.__qualname__}()?")
    if value is not None and not all(
        callable(getattr(value, method, None)) for method in ("is_set", "wait")
    ):
        reject(TypeError, name, value, rule)
    return value


def log_level(name: str, value: Any) -> int | None:
    """Return *value* if it is a level of ``logging`` as an int, or None."""
    if value is None:
        return None
    rule = "a level as an int, such as logging.DEBUG, or None for no log lines"
    if isinstance(value, bool) or not isinstance(value, int):
        reject(TypeError, name, value, rule)
    if value < 0:
        reject(ValueError, name, value, rule)
    return value


def text(name: str, value: Any) -> str | None:
    """Return *value* on one line if it is a str, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        reject(TypeError, name, value, "a str, or None")
    return " ".join(value.splitlines())  # log lines are lines


# The names of the fields in other libraries.
_ELSEWHERE = {
    "attempts": "tries retries max_tries max_attempts max_retries attempt total stop_after_attempt",
    "wait": "delay backoff waits sleep interval wait_time backoff_factor max_delay jitter",
    "on": "exceptions exception retry_on retry_on_exception retry errors catch",
    "unless": "giveup give_up give_up_on dont_retry_on ignore",
    "until": "retry_on_result predicate retry_if_result",
    "timeout": "max_time stop_max_delay deadline stop_after_delay total_timeout wait_max",
    "attempt_timeout": "try_timeout call_timeout per_attempt_timeout",
    "before_attempt": "before on_attempt",
    "on_retry": "before_sleep on_backoff after on_failure",
    "on_give_up": "on_giveup on_error on_exhausted retry_error_callback",
    "stop": "stop_event sleep_using_event event cancel",
    "log_level": "logger logging level",
    "fallback": "default recover",
    "raises": "reraise raise_on_giveup raise_error",
}
_FIELD_OF = {word: field for field, words in _ELSEWHERE.items() for word in words.split()}


def reject_keyword(function: str, words: Collection[str], known: Collection[str]) -> NoReturn:
    """Raise TypeError for the first of *words* that is not *known*, naming the nearest one."""
    word = next(word for word in words if word not in known)
    field = _FIELD_OF.get(word.lower())
    if field not in known:
        from difflib import get_close_matches  # imported late: speed does not matter here

        field = next(iter(get_close_matches(word, list(known), 1)), None)
    hint = f"; did you mean {field}=...?" if field else ""
    raise TypeError(f"{function}() got an unexpected keyword argument {word!r}{hint}")


def answer(name: str, value: Any) -> Any:
    """Return what a predicate returned; reject an awaitable, which would always be true."""
    if value is not True and value is not False and is_awaitable(value):
        close = getattr(value, "close", None)
        if close is not None:  # no second warning about a coroutine that was never awaited
            close()
        reject(TypeError, f"{name}(...)", value, "a result, not an awaitable")
    return value


def unwrap_partial(fn: Any) -> Any:
    """Return the function that a ``functools.partial``, however deeply nested, calls."""
    while isinstance(fn, partial):
        fn = fn.func
    return fn


def flags_of(fn: Any) -> int:
    """
    Return the kind of function that *fn* is, as code flags; 0 if it is not Python code.

    An object marked as a coroutine function counts as one.
    """
    kind = type(fn)
    if kind is FunctionType:
        flags: int = fn.__code__.co_flags
    elif kind is MethodType and type(fn.__func__) is FunctionType:
        flags = fn.__func__.__code__.co_flags
    else:
        fn = unwrap_partial(fn)
        code = getattr(fn, "__code__", None)
        if code is None:
            code = getattr(getattr(type(fn), "__call__", None), "__code__", None)  # noqa: B004 - read
        flags = getattr(code, "co_flags", 0)
        if not isinstance(flags, int):
            flags = 0
    if not flags & COROUTINE and _is_marked(fn):
        flags |= COROUTINE
    return flags


def _is_marked(fn: Any) -> bool:
    # inspect.markcoroutinefunction and asyncio mark what only behaves like a coroutine function
    # with a bare object().  The type is checked, because a mock has every attribute.
    for mark in ("_is_coroutine_marker", "_is_coroutine"):
        if type(getattr(fn, mark, None)) is object:
            return True
    return False


def is_coroutine_function(fn: Any) -> bool:
    """Return whether *fn* returns a coroutine, also through partials, methods and objects."""
    return bool(flags_of(fn) & (COROUTINE | ITERABLE_COROUTINE))


def is_generator_function(fn: Any) -> bool:
    """Return whether *fn* is a generator function, async or not, and not an old coroutine."""
    flags = flags_of(fn)
    return bool(flags & (GENERATOR | ASYNC_GENERATOR)) and not flags & ITERABLE_COROUTINE


def is_awaitable(value: Any) -> bool:
    """Return whether *value* can be awaited; a coroutine may be an old kind of generator."""
    if hasattr(type(value), "__await__"):
        return True
    return type(value) is GeneratorType and bool(value.gi_code.co_flags & ITERABLE_COROUTINE)


def is_async_code(code: Any) -> bool:
    """Return whether *code* is the body of an ``async def``."""
    return bool(code.co_flags & (COROUTINE | ASYNC_GENERATOR))


def name_of(fn: Any) -> str:
    """Return the name of *fn* in logs and notes: its ``__qualname__``, or that of its class."""
    fn = unwrap_partial(fn)
    name = getattr(fn, "__qualname__", None)
    return one_line(name if isinstance(name, str) else type(fn).__qualname__)
