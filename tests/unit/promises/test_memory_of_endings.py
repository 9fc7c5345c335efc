"""Memory: the ends of a call that ``test_memory`` does not come to."""

from __future__ import annotations

import gc
from contextlib import suppress
from weakref import WeakSet

import pytest
from ways import WAYS, run_async

from retrying_elegant import RetryBudget, RetryError

CALLS = 100


class Lost(Exception):
    """Retried in these tests."""


class Thing:
    """What an attempt holds, or returns."""


def left_by_many(way, risky, *args, **options):
    """What the same call over and over leaves for the collector."""

    async def main():
        for _ in range(CALLS):
            with suppress(Lost, RetryError):
                value = way.start(risky, *args, **options)
                value = await value if way.colour == "async" else value
                del value
        return gc.collect()

    return run_async(main())


class Failing:
    """Attempts that fail with something in their hands."""

    def __init__(self):
        self.alive = WeakSet()

    def __call__(self):
        thing = Thing()
        self.alive.add(thing)
        raise Lost


class TestOtherEnds:
    """No reference cycles after a give-up, whatever becomes of it."""

    def test_a_fallback(self, decorator_way, no_collector):
        """It stands in for the error, which is gone."""
        failing = Failing()
        garbage = left_by_many(decorator_way, failing, 2, wait=0, fallback=lambda attempt: 1)
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_a_result_that_is_never_accepted(self, way, no_collector):
        """RetryError, and the result in it."""
        alive = WeakSet()

        def risky():
            thing = Thing()
            alive.add(thing)
            return thing

        garbage = left_by_many(way, risky, 2, wait=0, until=lambda result: False)
        assert len(alive) == 0
        assert garbage < CALLS

    def test_a_wait_that_does_not_fit(self, way, no_collector):
        """The timeout ends it."""
        failing = Failing()
        garbage = left_by_many(way, failing, wait=10, timeout=5)
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_an_empty_budget(self, way, no_collector):
        """Or the budget does."""
        failing = Failing()
        garbage = left_by_many(way, failing, wait=0, budget=RetryBudget(1))
        assert len(failing.alive) == 0
        assert garbage < CALLS

    @pytest.mark.parametrize("way", [way for way in WAYS if way.form != "decorator"], ids=repr)
    def test_a_swallowed_error(self, way, no_collector):
        """`raises=False` keeps it, in a cycle with its frames; the collector finds it all."""
        failing = Failing()
        left_by_many(way, failing, 2, wait=0, raises=False)
        assert len(failing.alive) == 0
