"""Contract 2 and 15: one policy, function or loop, any number of threads and tasks."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from threading import Barrier

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import Policy, retry, retrying

THREADS = 8
TASKS = 100

numbers: ContextVar[list[int]] = ContextVar("numbers")  # of the attempts of this caller


class Lost(Exception):
    """Retried in these tests."""


SHARED = Policy(3, before_attempt=lambda attempt: numbers.get().append(attempt.number))


def in_threads(caller):
    """What *caller* sees in each of many threads, whose attempts all run side by side."""
    side_by_side = Barrier(THREADS, timeout=30)

    def thread(index):
        numbers.set(seen := [])
        flaky = Flaky([Lost, Lost, index])

        def risky():
            side_by_side.wait()
            return flaky()

        assert caller(risky) == index
        return seen

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(thread, range(THREADS)))


def in_tasks(caller):
    """What *caller* sees in each of many tasks, whose attempts take turns."""

    async def task(index):
        numbers.set(seen := [])
        assert await caller(Flaky([Lost, Lost, index])) == index
        return seen

    async def main():
        return await asyncio.gather(*map(task, range(TASKS)))

    return run_async(main())


class TestSharing:
    """One policy, one decorated function or one loop object may be used by any number at once."""

    def test_a_policy_by_threads(self, way):
        """Each sees its own attempts 1, 2, 3."""
        assert in_threads(lambda risky: way.run(risky, SHARED)) == [[1, 2, 3]] * THREADS

    def test_a_policy_by_tasks(self, async_way):
        """Each sees its own attempts 1, 2, 3."""
        assert in_tasks(lambda risky: async_way.start(risky, SHARED)) == [[1, 2, 3]] * TASKS

    def test_a_decorated_function_by_threads(self):
        """Each call is told apart."""
        assert in_threads(retry(SHARED)(lambda risky: risky())) == [[1, 2, 3]] * THREADS

    def test_a_decorated_function_by_tasks(self):
        """Each call is told apart."""

        @retry(SHARED)
        async def call(risky):
            return await as_coroutine_function(risky)()

        assert in_tasks(call) == [[1, 2, 3]] * TASKS

    def test_a_loop_object_by_threads(self):
        """Each iteration starts afresh."""
        loop = retrying(SHARED)

        def caller(risky):
            for attempt in loop:
                with attempt:
                    attempt.result = risky()
            return attempt.result

        assert in_threads(caller) == [[1, 2, 3]] * THREADS

    def test_a_loop_object_by_tasks(self):
        """Each iteration starts afresh."""
        loop = retrying(SHARED)

        async def caller(risky):
            async for attempt in loop:
                async with attempt:
                    attempt.result = await as_coroutine_function(risky)()
            return attempt.result

        assert in_tasks(caller) == [[1, 2, 3]] * TASKS

    def test_a_block_by_tasks(self):
        """The calls of one block may run side by side."""

        async def main():
            async with retrying(SHARED) as call:

                async def task(index):
                    numbers.set(seen := [])
                    risky = as_coroutine_function(Flaky([Lost, Lost, index]))
                    assert await call(risky) == index
                    return seen

                return await asyncio.gather(*map(task, range(TASKS)))

        assert run_async(main()) == [[1, 2, 3]] * TASKS

    def test_each_task_gets_its_own_error(self, async_way):
        """A shared retrier does not give one task another task's exception."""

        async def task(error):
            with pytest.raises(Lost) as caught:
                await async_way.start(Flaky([error]), SHARED.replace(before_attempt=None))
            return caught.value is error

        async def main():
            return await asyncio.gather(*(task(Lost()) for _ in range(TASKS)))

        assert all(run_async(main()))
