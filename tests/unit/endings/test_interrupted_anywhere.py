"""Contract 10: a retry that was decided and then not made returns its token, whatever the reason.

Here the reason is an exception that a signal handler raises, such as Ctrl-C, at each place in turn
where CPython may run the handler: not only in the wait, where it nearly always comes.
"""

from __future__ import annotations

import sys
import types
from contextlib import aclosing, closing

import pytest
from interruption_parts import raised_at
from ways import THOROUGH

import retrying_elegant
from retrying_elegant import RetryBudget, _generators, _reporting, deadline, retry, retrying
from retrying_elegant._atomic import Cell

MODULES = [
    "_async",
    "_async_backend",
    "_atomic",
    "_attempt",
    "_block",
    "_budget",
    "_clock",
    "_deadline",
    "_decision",
    "_generators",
    "_loop",
    "_reporting",
    "_retrying",
    "_sync",
    "_tracebacks",
]
CAPACITY, FAILURES = 9, 2 if THOROUGH else 1


def codes_in(thing):
    """The code of a function, with that of the functions in it, or of the methods of a class."""
    if isinstance(thing, types.CodeType):
        yield thing
        for constant in thing.co_consts:
            if isinstance(constant, types.CodeType):
                yield from codes_in(constant)
    elif isinstance(thing, types.FunctionType):
        yield from codes_in(thing.__code__)
    elif isinstance(thing, (classmethod, staticmethod)):
        yield from codes_in(thing.__func__)
    elif isinstance(thing, property):
        yield from codes_in(thing.fget)
    elif isinstance(thing, type):
        for member in vars(thing).values():
            if not isinstance(member, type):
                yield from codes_in(member)


def library_codes():
    """The code of everything in the library that a synchronous call runs."""
    codes = set()
    for name in MODULES:
        for thing in vars(getattr(retrying_elegant, name)).values():
            if str(getattr(thing, "__module__", "")).startswith("retrying_elegant"):
                codes |= set(codes_in(thing))
    return codes - {RetryBudget.__init__.__code__, Cell.__init__.__code__}


class Call:
    """One call that fails at first, its budget, and how often it was made."""

    def __init__(self):
        self.budget = RetryBudget(CAPACITY, 0)
        self.calls = 0

    def __call__(self):
        self.calls += 1
        if self.calls <= FAILURES:
            raise OSError
        return "value"

    @property
    def taken(self):
        return CAPACITY - self.budget.tokens

    @property
    def retries(self):
        return max(self.calls - 1, 0)


def by_decorator(call, options):
    return retry(wait=0, budget=call.budget, **options)(call)()


def by_loop(call, options):
    for attempt in retrying(wait=0, budget=call.budget, **options):
        with attempt:
            value = call()
    return value


def by_decorator_in_time(call, options):
    with deadline(60):
        return by_decorator(call, options)


def by_block(call, options):
    with retrying(wait=0, budget=call.budget, **options) as run:
        return run(call)


def by_generator(call, options):
    @retry(wait=0, budget=call.budget, **options)
    def items():
        yield call()

    with closing(items()) as generator:
        return next(generator)


def driven(awaitable):
    """What comes of *awaitable*, without an event loop: its waits are of 0 seconds."""
    steps = awaitable.__await__()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def by_async_decorator(call, options):
    @retry(wait=0, budget=call.budget, **options)
    async def attempt():
        return call()

    return driven(attempt())


def by_async_loop(call, options):
    async def loop():
        async for attempt in retrying(wait=0, budget=call.budget, **options):
            async with attempt:
                value = call()
        return value

    return driven(loop())


def by_async_block(call, options):
    async def attempt():
        return call()

    async def block():
        async with retrying(wait=0, budget=call.budget, **options) as run:
            return await run(attempt)

    return driven(block())


def by_async_generator(call, options):
    @retry(wait=0, budget=call.budget, **options)
    async def items():
        yield call()

    async def first_item():
        async with aclosing(items()) as generator:
            return await anext(generator)

    return driven(first_item())


FORMS = [
    *(by_decorator, by_decorator_in_time, by_loop, by_block, by_generator),
    *(by_async_decorator, by_async_loop, by_async_block, by_async_generator),
]
# The retry has begun as well where a coroutine or a generator has been made, but not started.
BEGINNINGS = ["fn(*args", "is_awaitable(value)", "before_attempt", "_first:"]
OPTIONS = {
    "simple": {},
    "timeout": {"timeout": 60},
    "hooks": {"on_retry": id, "on_success": id},
    "reset": {"reset_after": 60},
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
class TestInterruptedAnywhere:
    """The token is back, unless the retry has begun."""

    @pytest.mark.parametrize(
        ("form", "options"),
        [
            pytest.param(form, options, marks=[] if name == "simple" else pytest.mark.slow)
            for form in FORMS
            for name, options in OPTIONS.items()
            if name != "reset" or "generator" not in form.__name__  # it is rejected there
        ],
        ids=lambda value: getattr(value, "__name__", None) or "-".join(value) or "simple",
    )
    def test_at_every_place(self, form, options, no_collector):
        """What has been taken is what has been called again."""
        # A coroutine that an interruption leaves behind is not collected in the middle of anything:
        # where `builtins` has no `__import__`, as in the methods of a named tuple, CPython prints
        # a KeyError in place of the warning that is ignored here.
        calls = []

        def run():
            calls.append(Call())
            return form(calls[-1], options)

        wrong, places = [], 0
        for outcome, place in raised_at(library_codes(), run, KeyboardInterrupt):
            places += 1
            call = calls[-1]
            assert isinstance(outcome, KeyboardInterrupt), place
            if form is by_async_loop:  # it returns the token when no code refers to it any more
                outcome.__traceback__ = None
            # For the fastest of the wrappers, the jump back to the call is the beginning of it.
            begun = "plain" in place and "JUMP_BACKWARD" in place
            begun = begun or any(text in place for text in BEGINNINGS)
            # Nor is anything muted, or limited, for good.
            assert deadline.current() is None, place
            assert not _reporting._logging, place
            assert not _reporting._observing, place
            if call.taken - call.retries not in ([0, 1] if begun else [0]):
                wrong.append((place, call.taken, call.retries))
        assert wrong == []
        assert places > 40

    def test_the_hooks_of_an_event_loop(self, no_collector):
        """They are set aside while a generator starts, and are there again in any case."""

        async def items():
            yield 1

        before = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(id, id)
        run = lambda: driven(_generators._first(items()))  # noqa: E731
        try:
            for _, place in raised_at({_generators._first.__code__}, run, KeyboardInterrupt):
                assert sys.get_asyncgen_hooks() == (id, id), place
        finally:
            sys.set_asyncgen_hooks(*before)

    def test_an_uninterrupted_call(self):
        """It is as it should be."""
        call = Call()
        assert by_decorator(call, {}) == "value"
        assert call.taken == call.retries == FAILURES
