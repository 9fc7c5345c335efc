"""Contract 2, 10 and 15: many callers on one shared everything, and very many calls."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from threading import Barrier

import pytest
from ways import Flaky, run_async

from retrying_elegant import Policy, RetryBudget, given_up, retry, retrying

THREADS, CALLS_OF_EACH = 8, 250
TASKS = 1_000
ATTEMPTS = 4

numbers: ContextVar[list[int]] = ContextVar("numbers")  # of the attempts of one call


class Lost(Exception):
    """Retried in these tests."""


class Shared:
    """One policy with its budget, and of each form one object that all callers use."""

    def __init__(self, **fields):
        self.budget = RetryBudget(1e9, 0)
        self.policy = Policy(ATTEMPTS, budget=self.budget, wait=0, name="shared", **fields)
        self.loop = retrying(self.policy)
        self.function = retry(self.policy)(lambda risky: risky())
        self.generator_function = retry(self.policy)(self._items)

        @retry(self.policy)
        async def async_function(risky):
            await asyncio.sleep(0)
            return risky()

        @retry(self.policy)
        async def async_generator_function(risky):
            await asyncio.sleep(0)
            yield risky()

        self.async_function = async_function
        self.async_generator_function = async_generator_function

    @staticmethod
    def _items(risky):
        yield risky()

    def by_function(self, risky):
        return self.function(risky)

    def by_loop(self, risky):
        for attempt in self.loop:
            with attempt:
                return risky()
        raise AssertionError

    def by_block(self, risky):
        with retrying(self.policy) as call:
            return call(risky)

    def by_generator(self, risky):
        (value,) = self.generator_function(risky)
        return value

    async def by_async_function(self, risky):
        return await self.async_function(risky)

    async def by_async_loop(self, risky):
        async for attempt in self.loop:
            async with attempt:
                await asyncio.sleep(0)
                return risky()
        raise AssertionError

    async def by_async_block(self, risky):
        async def later():
            await asyncio.sleep(0)
            return risky()

        async with retrying(self.policy) as call:
            return await call(later)

    async def by_async_generator(self, risky):
        (value,) = [item async for item in self.async_generator_function(risky)]
        return value


SYNC = ["by_function", "by_loop", "by_block", "by_generator"]
ASYNC = ["by_async_function", "by_async_loop", "by_async_block", "by_async_generator"]


class OneCall:
    """What one caller's *index*-th call must come to: so many failures, each its own."""

    def __init__(self, caller, index):
        self.value = (caller, index)
        self.failures = (caller + index) % (ATTEMPTS + 1)
        self.errors = [Lost(f"{caller}, {index}, {number}") for number in range(self.failures)]
        self.risky = Flaky([*self.errors, self.value])
        numbers.set([])

    @property
    def retries(self):
        return min(self.failures, ATTEMPTS - 1)

    def check(self, value, error):
        """Whether the call had its own attempts, its own errors and its own end."""
        assert numbers.get() == list(range(1, self.retries + 2))
        if self.failures < ATTEMPTS:
            assert (value, error) == (self.value, None)
            return
        assert error is self.errors[-1]
        record = given_up(error)
        assert (record.attempts, record.reason) == (ATTEMPTS, "attempts")
        assert [line.partition(": ")[2] for line in record.history] == [
            f"Lost: {error}" for error in self.errors
        ]


def noting():
    return {"before_attempt": lambda attempt: numbers.get().append(attempt.number)}


@pytest.fixture
def often():
    """Threads that take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def quiet():
    """Nothing is logged: pytest would keep every line."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class TestManyCallers:
    """One policy, one function or one loop object may be used by any number of callers at once."""

    @pytest.mark.parametrize("form", SYNC)
    def test_threads(self, form, often, quiet):
        """Each call has its own attempts and its own error, and the budget counts every retry."""
        shared = Shared(**noting())
        call = getattr(shared, form)
        all_at_once = Barrier(THREADS, timeout=30)

        def thread(caller):
            all_at_once.wait()
            retries = 0
            for index in range(CALLS_OF_EACH):
                expected = OneCall(caller, index)
                value = error = None
                try:
                    value = call(expected.risky)
                except Lost as left:
                    error = left
                expected.check(value, error)
                retries += expected.retries
            return retries

        with ThreadPoolExecutor(THREADS) as pool:
            retries = sum(pool.map(thread, range(THREADS)))
        assert shared.budget.tokens == 1e9 - retries

    @pytest.mark.parametrize("form", ASYNC)
    def test_tasks(self, form, quiet):
        """A thousand, of which each waits for all others again and again."""
        shared = Shared(**noting())
        call = getattr(shared, form)

        async def task(caller):
            expected = OneCall(caller, 0)
            value = error = None
            try:
                value = await call(expected.risky)
            except Lost as left:
                error = left
            expected.check(value, error)
            return expected.retries

        async def main():
            return sum(await asyncio.gather(*map(task, range(TASKS))))

        retries = run_async(main())
        assert shared.budget.tokens == 1e9 - retries

    def test_tasks_of_one_block(self, quiet):
        """All calls of one `async with` side by side."""
        shared = Shared(**noting())

        async def main():
            async with retrying(shared.policy) as call:

                async def task(caller):
                    expected = OneCall(caller, 0)

                    async def later():
                        await asyncio.sleep(0)
                        return expected.risky()

                    value = error = None
                    try:
                        value = await call(later)
                    except Lost as left:
                        error = left
                    expected.check(value, error)

                await asyncio.gather(*map(task, range(TASKS)))
                assert not call.succeeded

        run_async(main())


CALLS = 100_000


def outcomes():
    """A success, a success after a retry, a give-up, and over again."""
    script = [True, False, True, *[False] * ATTEMPTS]
    while True:
        yield from script


@pytest.mark.slow
class TestVeryManyCalls:
    """Memory: nothing is left of a call when it is over, also without the cyclic collector."""

    def left_by(self, form):
        """The blocks of memory that are in use after so many calls and were not before."""
        call = getattr(Shared(), form)
        script = outcomes()

        def risky():
            if not next(script):
                raise Lost

        async def some(calls):
            for _ in range(calls):
                try:
                    if form in SYNC:
                        call(risky)
                    else:
                        await call(risky)
                except Lost:
                    pass

        async def main():
            gc.collect()
            gc.disable()
            try:
                await some(CALLS // 10)  # these make what is made once, and fill free lists
                before = sys.getallocatedblocks()
                await some(CALLS)
                return sys.getallocatedblocks() - before
            finally:
                gc.enable()

        return run_async(main())

    @pytest.mark.parametrize("form", [*SYNC, *ASYNC])
    def test_nothing_grows(self, form, own_waits, quiet):
        """Not by one block in a thousand calls."""
        assert self.left_by(form) < CALLS / 1000
