"""Section 14 of the contract: bad input is refused where it is written, by name, value and rule."""

import asyncio
import functools
import math
from datetime import timedelta

import pytest
from policy_parts import BAD

from retrying_elegant import Policy, retry, retrying, testing

NAN, INF = math.nan, math.inf


async def coroutine_function(*args):
    """What may stand for a hook in async forms, and for nothing else."""


class AsyncCallable:
    """An object whose call is a coroutine function."""

    async def __call__(self, *args):
        """Never run."""

    def __repr__(self):
        return "<AsyncCallable>"


class NotAnError:
    """A class, and callable, but no exception."""


def ok(*args):
    return "ok"


def row(name, value, error, shown=None):
    """One line of the table: *shown* is what the message repeats, by default the value."""
    shown = repr(value) if shown is None else shown
    return pytest.param(name, value, error, shown, id=f"{name}={shown}")


NUMBERS = [
    *(row("attempts", value, ValueError) for value in (0, -1)),
    row("log_level", -1, ValueError),
    *(row(name, value, ValueError) for name in ("timeout", "attempt_timeout") for value in (0, -3)),
    row("timeout", timedelta(seconds=-3), ValueError, "-"),
    row("attempt_timeout", timedelta(0), ValueError, "0"),
    # reading: a NaN is no positive number of seconds.
    *(row(name, NAN, ValueError) for name in ("timeout", "attempt_timeout")),
    *(row("wait", value, ValueError) for value in (-1, -0.5, NAN, INF, -INF)),
    row("wait", timedelta(seconds=-3), ValueError, "-"),
    *(row("wait", value, ValueError) for value in ([], ())),
    row("wait", [1, -2], ValueError, "-2"),
    row("wait", (1, NAN), ValueError, "nan"),
    row("wait", [INF], ValueError, "inf"),
]
KINDS = [
    *(row("attempts", value, TypeError) for value in (True, False, 2.0, "3", [3])),
    row("attempts", object, TypeError, "object"),
    # reading: durations are int, float or timedelta; a string or None in a list is none of them.
    *(row(name, "3", TypeError) for name in ("timeout", "attempt_timeout")),
    *(row("wait", value, TypeError) for value in ("1", None)),
    row("wait", bytearray(b"12"), TypeError, "bytearray(b'12')"),
    row("wait", timedelta, TypeError, "timedelta"),
    *(row(name, timedelta, TypeError, "timedelta") for name in ("timeout", "attempt_timeout")),
    row("wait", [1, "2"], TypeError, "'2'"),
    row("wait", [None], TypeError, "None"),
    *(row(name, value, TypeError) for name in ("on", "unless") for value in (3, "OSError")),
    *(row(name, (OSError, 3), TypeError, "3") for name in ("on", "unless")),
    row("on", None, TypeError),
    *(
        row(name, value, TypeError, value.__name__)
        for name in ("on", "unless")
        for value in (
            BaseException,
            KeyboardInterrupt,
            SystemExit,
            GeneratorExit,
            asyncio.CancelledError,
            BaseExceptionGroup,
            NotAnError,
            int,
        )
    ),
    *(
        row(name, (OSError, KeyboardInterrupt), TypeError, "KeyboardInterrupt")
        for name in ("on", "unless")
    ),
    *(row("until", value, TypeError) for value in (3, "ready")),
    row("until", (ok,), TypeError, "ok"),
    *(
        row(hook, value, TypeError, "3")
        for hook in ("before_attempt", "on_retry", "on_success", "on_give_up")
        for value in (3, [3], (ok, 3))
    ),
    *(
        row(name, value, TypeError, shown)
        for name in ("on", "unless", "until", "wait")
        for value, shown in (
            (coroutine_function, "coroutine_function"),
            # reading: what is async inside is a coroutine function too.
            (functools.partial(coroutine_function, 1), "coroutine_function"),
            (AsyncCallable(), "<AsyncCallable>"),
        )
    ),
    # reading: the field says "a RetryBudget"; its size alone is a likely slip.
    row("budget", 100, TypeError),
]


def assert_says(refusal, name, shown):
    """The message repeats the argument and its value, and states the rule."""
    message = str(refusal.value)
    assert name in message
    assert shown in message.replace(name, "", 1)
    assert "expected" in message
    assert "\n" not in message


FORMS = [Policy, retry, retrying]


@pytest.mark.parametrize(("name", "value", "error", "shown"), NUMBERS + KINDS)
class TestEveryField:
    """Rejected where it is written, by name, with the value and the rule."""

    def test_when_the_policy_is_made(self, name, value, error, shown):
        """Before anything is decorated, iterated, entered or called."""
        with pytest.raises(error) as refusal:
            Policy(**{name: value})
        assert_says(refusal, name, shown)


@pytest.mark.parametrize(
    "form",
    [
        *FORMS,
        functools.partial(retry, Policy(3)),
        functools.partial(retrying, Policy(3)),
        Policy(3).replace,
    ],
    ids=["Policy", "retry", "retrying", "retry beside", "retrying beside", "replace"],
)
class TestEveryFormChecks:
    """What the table above says of a policy, each form says of its own fields."""

    def test_each_field(self, form):
        """One value that it cannot take, for each."""
        for name, (value, error) in BAD.items():
            with pytest.raises(error) as refusal:
                form(**{name: value})
            assert_says(refusal, name, getattr(value, "__name__", repr(value)))


@pytest.mark.parametrize("form", FORMS)
class TestThePositionalArgument:
    """An exception class where attempts belongs: "did you mean on=OSError?"."""

    @pytest.mark.parametrize("error", [OSError, ValueError, Exception])
    def test_an_exception_class(self, form, error):
        """`@retry(OSError)` is a filter that was meant, and is told so."""
        with pytest.raises(TypeError, match=f"did you mean on={error.__name__}"):
            form(error)

    @pytest.mark.parametrize("value", [0, -1])
    def test_too_few_attempts(self, form, value):
        """The same rule by position as by name."""
        with pytest.raises(ValueError, match=f"attempts={value}"):
            form(value)

    @pytest.mark.parametrize("value", [True, 2.5, "3"])
    def test_no_whole_number_of_attempts(self, form, value):
        """A bool, a float and a string count nothing."""
        with pytest.raises(TypeError, match=f"attempts={value!r}"):
            form(value)


class TestUnknownKeywords:
    """An unknown keyword is a TypeError, at definition."""

    @pytest.mark.parametrize("name", ["atempts", "timout", "max_tries"])
    @pytest.mark.parametrize("form", FORMS)
    def test_a_misspelt_keyword(self, form, name):
        """It is named, and nothing waits for the first failure."""
        with pytest.raises(TypeError, match=name):
            form(**{name: 3})

    @pytest.mark.parametrize(
        ("form", "options"),
        [
            (Policy, {"fallback": ok}),
            (Policy, {"raises": False}),
            (retry, {"raises": False}),
            (retrying, {"fallback": ok}),
        ],
        ids=["Policy-fallback", "Policy-raises", "retry-raises", "retrying-fallback"],
    )
    def test_a_keyword_of_another_form(self, form, options):
        """`retry` also takes `fallback`, `retrying` `raises`, and neither the other's."""
        with pytest.raises(TypeError, match=next(iter(options))):
            form(**options)


class TestTestingLimit:
    """`testing.limit(n)` is bad input like any other when n is no number of attempts."""

    @pytest.mark.parametrize(
        ("n", "error"), [(0, ValueError), (-1, ValueError), (True, TypeError), ("3", TypeError)]
    )
    def test_it_is_refused_by_its_own_name(self, n, error):
        """The argument one wrote is `n`."""
        with pytest.raises(error, match=f"^n={n!r}: expected"):
            testing.limit(n)


class TestAgainstTheFunction:
    """Refused at decoration: what does not fit the function, and what is no function."""

    @pytest.mark.parametrize("thing", [3.5, "fetch", [ok]], ids=["a number", "a string", "a list"])
    def test_a_non_callable(self, thing):
        """`retry(3)(thing)` needs something to call."""
        with pytest.raises(TypeError) as refusal:
            retry(3)(thing)
        assert str(refusal.value) == f"fn={thing!r}: expected a callable"

    def test_attempt_timeout_on_a_sync_function(self):
        """It could not be seen there."""
        with pytest.raises(TypeError, match=r"attempt_timeout.*2"):
            retry(attempt_timeout=2)(ok)

    @pytest.mark.parametrize("hook", ["before_attempt", "on_retry", "on_success", "on_give_up"])
    def test_a_coroutine_function_as_hook_of_a_sync_function(self, hook):
        """Nobody could await it there."""
        with pytest.raises(TypeError, match=hook):
            retry(**{hook: coroutine_function})(ok)

    # reading: `fallback=callable`, so anything else is refused as a hook would be.
    def test_a_fallback_that_is_not_callable(self):
        """The value itself instead of a function that gives it."""
        with pytest.raises(TypeError, match="fallback=3"):
            retry(fallback=3)
