"""Bad input is refused with one line: the argument, its value, and the rule with its unit."""

import functools
import math
import types
from datetime import timedelta

import pytest

from retrying_elegant import Policy, RetryBudget, TryAgain, backoff, retry, retrying

SECONDS = "expected a number of seconds, 0 or more"
SHARE = "expected a share between 0 and 1"


async def coroutine_function(*args):
    """What nobody could await where an answer is wanted at once."""


def generator_function(*args):
    """What nobody would iterate over."""
    yield


async def async_generator_function(*args):
    """The same."""
    yield


GENERATOR_FUNCTIONS = [
    generator_function,
    async_generator_function,
    functools.partial(generator_function, 1),
]


def refused(make, *args, **options):
    """What *make* says when it refuses."""
    with pytest.raises((TypeError, ValueError)) as refusal:
        make(*args, **options)
    return f"{refusal.type.__name__}: {refusal.value}"


class TestBackoffs:
    """What no wait can be made of."""

    @pytest.mark.parametrize(
        "rule", [backoff.linear, backoff.exponential, backoff.fibonacci, backoff.decorrelated]
    )
    @pytest.mark.parametrize("name", ["initial", "cap"])
    def test_the_durations_that_most_have(self, rule, name):
        """Below 0, not finite, or no number: a rule without a cap has a very great one."""
        for value in (-0.5, math.nan, math.inf, -math.inf, timedelta(seconds=-1)):
            assert refused(rule, **{name: value}) == f"ValueError: {name}={value!r}: {SECONDS}"
        for value in ("1", None, True):
            assert refused(rule, **{name: value}) == f"TypeError: {name}={value!r}: {SECONDS}"
        assert refused(rule, **{name: timedelta}) == f"TypeError: {name}=timedelta: {SECONDS}"

    def test_the_step(self):
        """It is a duration too."""
        for value in (-1, math.nan):
            assert refused(backoff.linear, step=value) == f"ValueError: step={value}: {SECONDS}"

    def test_plain_seconds(self):
        """In a sequence, those that are wrong are named by where they stand."""
        for value in (-1, math.nan, math.inf):
            assert refused(backoff.constant, value) == f"ValueError: seconds={value}: {SECONDS}"
            assert refused(backoff.sequence, value) == f"ValueError: seconds[0]={value}: {SECONDS}"
        assert refused(backoff.constant, None) == f"TypeError: seconds=None: {SECONDS}"
        assert refused(backoff.sequence, 1, "2") == f"TypeError: seconds[1]='2': {SECONDS}"

    def test_an_empty_sequence(self):
        """The last one repeats, so there must be one."""
        rule = "expected at least one number of seconds"
        assert refused(backoff.sequence) == f"ValueError: seconds=(): {rule}"

    @pytest.mark.parametrize(
        "make",
        [
            lambda jitter: backoff.constant(1, jitter=jitter),
            lambda jitter: backoff.linear(jitter=jitter),
            lambda jitter: backoff.exponential(jitter=jitter),
            lambda jitter: backoff.fibonacci(jitter=jitter),
            lambda jitter: backoff.sequence(1, jitter=jitter),
        ],
        ids=["constant", "linear", "exponential", "fibonacci", "sequence"],
    )
    def test_the_jitter(self, make):
        """It is a share, and no switch."""
        for value in (-0.1, 1.1, math.nan, math.inf):
            assert refused(make, value) == f"ValueError: jitter={value}: {SHARE}"
        assert refused(make, True) == f"TypeError: jitter=True: {SHARE}"
        assert refused(make, None) == f"TypeError: jitter=None: {SHARE}"
        half = timedelta(seconds=0.5)  # a number of seconds is not a share
        assert refused(make, half) == f"TypeError: jitter={half!r}: {SHARE}"

    def test_the_factor(self):
        """Nothing, and less than nothing, multiplies to no wait."""
        rule = "expected a finite number above 0"
        for value in (0, -1, math.inf, math.nan):
            assert (
                refused(backoff.exponential, factor=value) == f"ValueError: factor={value}: {rule}"
            )
        assert refused(backoff.exponential, factor="2") == f"TypeError: factor='2': {rule}"

    @pytest.mark.parametrize(
        "rule",
        [backoff.constant(1), backoff.linear(), backoff.fibonacci(), backoff.decorrelated()],
        ids=repr,
    )
    @pytest.mark.parametrize(
        ("n", "kind"),
        [(0, ValueError), (-1, ValueError), ("1", TypeError), (1.0, TypeError), (True, TypeError)],
        ids=repr,
    )
    def test_the_number_of_a_retry(self, rule, n, kind):
        """They are counted from 1."""
        said = f"{kind.__name__}: n={n!r}: expected the number of a retry, 1 or more"
        assert refused(rule.bounds, n) == said


class TestBudgets:
    """What is no number of tokens."""

    @pytest.mark.parametrize("value", [0.5, 0, -1, math.inf, math.nan, 1_000_000_000_001])
    def test_the_capacity(self, value):
        """One retry at least, and a number that thousandths can be counted of."""
        said = f"ValueError: capacity={value}: expected a finite number of 1 or more"
        assert refused(RetryBudget, value) == said

    def test_a_capacity_of_the_wrong_kind(self):
        """A number, and no bool."""
        rule = "expected a finite number of 1 or more"
        for value in ("9", None, True):
            assert refused(RetryBudget, value) == f"TypeError: capacity={value!r}: {rule}"

    @pytest.mark.parametrize("value", [-1, -0.001, 0.0009, 10.001, math.inf, math.nan])
    def test_the_refill(self, value):
        """What would be rounded to nothing is refused, and what is more than it can hold."""
        said = f"ValueError: refill={value}: expected 0, or a number from 0.001 to capacity"
        assert refused(RetryBudget, 10, value) == said

    def test_a_refill_of_the_wrong_kind(self):
        """Nor is what is false as good as 0."""
        rule = "expected 0, or a number from 0.001 to capacity"
        for value in ("", None, False, []):
            assert refused(RetryBudget, 10, value) == f"TypeError: refill={value!r}: {rule}"


POSITIVE = "expected a positive number of seconds, or None"
ATTEMPTS = "expected an int of 1 or more, or None for no limit"
CLASSES = "expected exception classes derived from Exception (control flow is never retried)"
ERRORS = "expected an exception class, a predicate on the error, or a tuple of these"
WAITS = "expected seconds, a non-empty sequence of seconds, or a callable that takes the Attempt"
HOOKS = "expected a callable that takes the Attempt, or an iterable of such callables"
EVENTS = (
    "expected an event of threading or multiprocessing in sync forms, "
    "an event of asyncio, trio or anyio in async forms, or None"
)
LEVELS = "expected a level as an int, such as logging.DEBUG, or None for no log lines"
HOOK_FIELDS = ["before_attempt", "on_retry", "on_success", "on_give_up"]


def says(name, value, message):
    """A line of the table below."""
    return pytest.param(name, value, message, id=message)


class TestPolicies:
    """What a policy cannot be made of."""

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            says("attempts", 0, f"ValueError: attempts=0: {ATTEMPTS}"),
            says("attempts", 2.0, f"TypeError: attempts=2.0: {ATTEMPTS}"),
            says("attempts", True, f"TypeError: attempts=True: {ATTEMPTS}"),
            says("attempts", (), f"TypeError: attempts=(): {ATTEMPTS}"),
            says("attempts", (3,), f"TypeError: attempts=(3,): {ATTEMPTS}"),
            says("attempts", len, f"TypeError: attempts=len: {ATTEMPTS}; did you mean `@retry`?"),
            says("attempts", int, f"TypeError: attempts=int: {ATTEMPTS}; did you mean `@retry`?"),
            says(
                "attempts",
                OSError,
                "TypeError: attempts=OSError: expected an int; did you mean on=OSError?",
            ),
            says(
                "attempts",
                (OSError, KeyError),
                "TypeError: attempts=(OSError, KeyError): expected an int; "
                "did you mean on=(OSError, KeyError)?",
            ),
            says(
                "attempts",
                (OSError, len),
                "TypeError: attempts=(OSError, len): expected an int; "
                "did you mean on=(OSError, len)?",
            ),
            says("on", KeyboardInterrupt, f"TypeError: on=KeyboardInterrupt: {CLASSES}"),
            says("on", (OSError, 3), f"TypeError: on=(OSError, 3): {ERRORS}"),
            says("on", 3, f"TypeError: on=3: {ERRORS}"),
            says("unless", (int,), f"TypeError: unless=(int,): {CLASSES}"),
            says("unless", "OSError", f"TypeError: unless='OSError': {ERRORS}"),
            says(
                "on",
                coroutine_function,
                f"TypeError: on=coroutine_function: {ERRORS}; it is a coroutine function",
            ),
            says("on", OSError | KeyError, f"TypeError: on={OSError | KeyError!r}: {ERRORS}"),
            says("until", 3, "TypeError: until=3: expected a predicate on the result, or None"),
            says(
                "until",
                coroutine_function,
                "TypeError: until=coroutine_function: expected a predicate on the result, or None; "
                "it is a coroutine function",
            ),
            says("wait", -1, f"ValueError: wait=-1: {SECONDS}"),
            says("wait", timedelta(-1), f"ValueError: wait={timedelta(-1)!r}: {SECONDS}"),
            says("wait", [1, -1], f"ValueError: wait[1]=-1: {SECONDS}"),
            says("wait", [1, "1"], f"TypeError: wait[1]='1': {SECONDS}"),
            says("wait", [], f"ValueError: wait=[]: {WAITS}"),
            says("wait", "12", f"TypeError: wait='12': {WAITS}"),
            says("wait", b"12", f"TypeError: wait=b'12': {WAITS}"),
            says("wait", {1: 2}, f"TypeError: wait={{1: 2}}: {WAITS}"),
            says("wait", {1, 2}, f"TypeError: wait={{1, 2}}: {WAITS}"),
            says("wait", None, f"TypeError: wait=None: {WAITS}"),
            says(
                "wait",
                backoff.constant,
                f"TypeError: wait=constant: {WAITS}; did you mean constant()?",
            ),
            says(
                "wait",
                coroutine_function,
                f"TypeError: wait=coroutine_function: {WAITS}; it is a coroutine function",
            ),
            says("timeout", 0, f"ValueError: timeout=0: {POSITIVE}"),
            says("timeout", "9", f"TypeError: timeout='9': {POSITIVE}"),
            says("attempt_timeout", -1.5, f"ValueError: attempt_timeout=-1.5: {POSITIVE}"),
            says("attempt_timeout", True, f"TypeError: attempt_timeout=True: {POSITIVE}"),
            says("timeout", 10**400, f"ValueError: timeout={str(10**400)[:200]}: {POSITIVE}"),
            says("budget", 100, "TypeError: budget=100: expected a RetryBudget, or None"),
            says("stop", 3, f"TypeError: stop=3: {EVENTS}"),
            says("name", 3, "TypeError: name=3: expected a str, or None"),
            says("log_level", "DEBUG", f"TypeError: log_level='DEBUG': {LEVELS}"),
            says("log_level", -1, f"ValueError: log_level=-1: {LEVELS}"),
        ],
    )
    def test_fields(self, name, value, message):
        """Each by its own name and rule."""
        assert refused(Policy, **{name: value}) == message

    @pytest.mark.parametrize("name", HOOK_FIELDS)
    def test_hooks(self, name):
        """One of several is named alone."""
        assert refused(Policy, **{name: 3}) == f"TypeError: {name}=3: {HOOKS}"
        assert refused(Policy, **{name: [print, "log"]}) == f"TypeError: {name}='log': {HOOKS}"


class TestHints:
    """What no hint can be: a request says it when it is made."""

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (-1, f"ValueError: after=-1: {SECONDS}"),
            ("2", f"TypeError: after='2': {SECONDS}"),
        ],
    )
    def test_of_a_request(self, value, message):
        """`TryAgain(after=...)`."""
        assert refused(TryAgain, after=value) == message

    def test_of_one_that_is_changed_later(self):
        """When it is raised."""

        def risky():
            request = TryAgain(after=1)
            request.after = -1
            raise request

        assert refused(retry(2)(risky)) == f"ValueError: after=-1: {SECONDS}"


def enter(options):
    """Begin a sync block."""
    with retrying(**options):
        pass


SYNC_FORMS = {
    "the synchronous function len": lambda options: retry(**options)(len),
    "a sync loop": lambda options: next(iter(retrying(**options))),
    "a sync block": enter,
}


class TestGeneratorFunctions:
    """Calling one runs nothing of it, and returns what is always true."""

    @pytest.mark.parametrize("fn", GENERATOR_FUNCTIONS)
    @pytest.mark.parametrize("name", ["on", "unless", "until", "wait"])
    def test_as_what_answers(self, name, fn):
        """As one function, and among classes."""
        assert refused(Policy, **{name: fn}).endswith("; it is a generator function")
        if name in ("on", "unless"):
            assert refused(Policy, **{name: (OSError, fn)}).endswith("; it is a generator function")

    @pytest.mark.parametrize("fn", GENERATOR_FUNCTIONS)
    @pytest.mark.parametrize("name", HOOK_FIELDS)
    def test_as_a_hook(self, name, fn):
        """Alone, and beside one that would run."""
        shown = getattr(fn, "__name__", None) or repr(fn)
        rule = "a callable that takes the Attempt, or an iterable of such callables"
        said = f"TypeError: {name}={shown}: expected {rule}; it is a generator function"
        assert refused(Policy, **{name: fn}) == said
        assert refused(Policy, **{name: [print, fn]}) == said

    def test_a_coroutine_of_the_old_kind(self):
        """It is a generator function that is awaited."""
        hook = types.coroutine(generator_function)
        assert Policy(on_retry=hook).on_retry == (hook,)


class TestSyncForms:
    """What a form that awaits nothing cannot carry out."""

    @pytest.mark.parametrize("form", SYNC_FORMS)
    @pytest.mark.parametrize("name", HOOK_FIELDS)
    @pytest.mark.parametrize("hook", [coroutine_function, functools.partial(coroutine_function, 1)])
    def test_hooks_that_are_awaited(self, form, name, hook):
        """Beside one that is not, and inside a partial too."""
        shown = getattr(hook, "__name__", None) or repr(hook)
        said = f"TypeError: {name}={shown}: expected a synchronous function for {form}, "
        assert refused(SYNC_FORMS[form], {name: [print, hook]}) == f"{said}which cannot await it"

    @pytest.mark.parametrize("form", ["the synchronous function len", "a sync block"])
    def test_attempts_that_are_interrupted(self, form):
        """A loop shows the time that is left; nothing else could see it."""
        said = f"TypeError: attempt_timeout=2.0: expected None for {form}, "
        answer = refused(SYNC_FORMS[form], {"attempt_timeout": 2})
        assert answer == f"{said}which cannot be interrupted"
        assert SYNC_FORMS["a sync loop"]({"attempt_timeout": 2}).timeout == 2
