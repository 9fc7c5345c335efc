"""Contract 4: hooks never change the outcome of a call, nor do observers or a budget."""

from __future__ import annotations

import functools
import inspect

import pytest
from ways import WAYS, mark, run_async

from retrying_elegant import RetryBudget, instrumentation, retry


class Lost(Exception):
    """Retried in these tests."""


class Answer:
    """An awaitable."""

    def __init__(self, value):
        self.value = value

    def __await__(self):
        return self.value
        yield


class Calls:
    """Counts, and fails as often as *failures* says."""

    def __init__(self, failures):
        self.failures = failures
        self.count = 0

    def __call__(self):
        self.count += 1
        if self.count <= self.failures:
            raise Lost(f"call {self.count}")
        return 5


def function(calls):
    return lambda: calls()


def partial(calls):
    return functools.partial(lambda n: calls(), 1)


def coroutine_function(calls):
    async def attempt():
        return calls()

    return attempt


def marked(calls):
    """Marked as a coroutine function, and returns what cannot be awaited."""
    return mark(lambda: calls())


def marked_and_awaitable(calls):
    """Marked as one, and returns an awaitable that is not a coroutine."""
    return mark(lambda: Answer(calls()))


def marked_and_coroutine(calls):
    """Marked as one, and returns a coroutine."""
    return mark(lambda: coroutine_function(calls)())


def returning_a_coroutine(calls):
    """A synchronous function that returns a coroutine."""
    return lambda: coroutine_function(calls)()


def generator(calls):
    def items():
        yield calls()

    return items


def async_generator(calls):
    async def items():
        yield calls()

    return items


KINDS = [
    function,
    partial,
    coroutine_function,
    marked,
    marked_and_awaitable,
    marked_and_coroutine,
    returning_a_coroutine,
    generator,
    async_generator,
]
HOOKS = ["before_attempt", "on_retry", "on_success", "on_give_up"]


def note(attempt):
    """A hook."""


async def note_async(attempt):
    """A hook that is awaited."""


async def come_to(outcome):
    """What *outcome* comes to, awaited or iterated as it asks for."""
    if hasattr(outcome, "__anext__"):
        return [item async for item in outcome]
    if hasattr(outcome, "__next__"):
        return list(outcome)
    return await outcome if inspect.isawaitable(outcome) else outcome


def outcome(kind, failures, **fields):
    """What comes of a call: value or error, its text, and how often the function was called."""
    calls = Calls(failures)

    async def main():
        return await come_to(retry(3, wait=0, **fields)(kind(calls))())

    try:
        result = run_async(main())
    except Exception as error:
        return type(error).__name__, str(error), calls.count
    return result, calls.count


@pytest.mark.parametrize("failures", [0, pytest.param(1, marks=pytest.mark.crossed), 9])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
class TestHooksAndOutcomes:
    """With and without, the same callable is treated the same."""

    def test_one_hook(self, kind, failures):
        """Of each kind."""
        without = outcome(kind, failures)
        for hook in HOOKS:
            assert (hook, outcome(kind, failures, **{hook: note})) == (hook, without)

    def test_one_awaited_hook(self, kind, failures):
        """Where it can be awaited."""
        without = outcome(kind, failures)
        for hook in HOOKS:
            if kind in (function, partial, returning_a_coroutine, generator):
                with pytest.raises(TypeError, match=hook):
                    retry(**{hook: note_async})(kind(Calls(0)))
            else:
                assert (hook, outcome(kind, failures, **{hook: note_async})) == (hook, without)

    def test_a_budget(self, kind, failures):
        """Of which there is enough."""
        assert outcome(kind, failures, budget=RetryBudget()) == outcome(kind, failures)

    def test_until(self, kind, failures):
        """That accepts everything."""
        if kind in (generator, async_generator):
            pytest.skip("generator functions take no until")
        assert outcome(kind, failures, until=lambda result: True) == outcome(kind, failures)

    def test_observers(self, kind, failures):
        """Of the whole process."""
        plain = outcome(kind, failures)
        with instrumentation.observe(on_retry=note, on_give_up=note, on_recovery=note):
            assert outcome(kind, failures) == plain


class TestEveryWay:
    """The same in loops and blocks."""

    @pytest.mark.parametrize("failures", [0, 1, 9])
    def test_one_hook(self, failures):
        """Of each kind, through each form."""
        for way in WAYS:
            found = []
            for fields in ({}, *({hook: note} for hook in HOOKS)):
                calls = Calls(failures)
                try:
                    found.append((way.run(calls, 3, wait=0, **fields), calls.count))
                except Lost as error:
                    found.append((str(error), calls.count))
            assert len(set(found)) == 1
