"""Contract 10: a retry that is decided and then not made returns its token, exactly once.

Many calls share one budget, in threads and in tasks of several event loops, and their waits are
canceled or stopped at random moments.  The budget is below full, so that a token that is returned
twice shows just as one that is lost.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from retrying_elegant import Policy, RetryBudget, retry, retrying

THREADS, ROUNDS, TASKS = 4, 6, 60
FULL, SPENT = 1_000_000, 1_000
LONGEST = 0.01  # seconds, of a wait


class Lost(Exception):
    """Retried in these tests."""


class Call:
    """What one call has made: it fails every time."""

    def __init__(self):
        self.attempts = 0

    def __call__(self):
        self.attempts += 1
        raise Lost

    async def later(self):
        self()

    @property
    def retries(self):
        return max(self.attempts - 1, 0)


def by_function(call, policy):
    retry(policy)(call)()


def by_loop(call, policy):
    for attempt in retrying(policy):
        with attempt:
            call()


def by_block(call, policy):
    with retrying(policy) as inside:
        inside(call)


async def by_async_function(call, policy):
    await retry(policy)(call.later)()


async def by_async_loop(call, policy):
    async for attempt in retrying(policy):
        async with attempt:
            await call.later()


async def by_async_block(call, policy):
    async with retrying(policy) as inside:
        await inside(call.later)


SYNC = [by_function, by_loop, by_block]
ASYNC = [by_async_function, by_async_loop, by_async_block]


def short(attempt):
    """A wait: some are over at once."""
    return random.choice([0, random.uniform(0, LONGEST)])


@pytest.fixture(autouse=True)
def quiet():
    """Nothing is logged: pytest would keep every line."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def budget():
    """A budget of which some tokens have been taken."""
    budget = RetryBudget(FULL, 0)
    with pytest.raises(Lost):
        retry(SPENT + 1, wait=0, budget=budget)(Call())()
    assert budget.tokens == FULL - SPENT
    return budget


def in_threads(work):
    """Run *work* in several threads at once; return all calls that were made."""
    with ThreadPoolExecutor(THREADS) as pool:
        made = pool.map(lambda _: [call for _ in range(ROUNDS) for call in work()], range(THREADS))
        return [call for calls in made for call in calls]


def check(budget, calls):
    """Each retry that was made has cost one token, and nothing else has."""
    retries = sum(call.retries for call in calls)
    assert retries  # some were made, however slow the machine is
    assert budget.tokens == FULL - SPENT - retries


class TestStopped:
    """An event ends the wait of many calls at once."""

    @pytest.mark.parametrize("form", SYNC)
    def test_threads(self, form, budget):
        """One of each round sets it, while the others wait, decide or attempt."""

        def work():
            stop, calls = threading.Event(), [Call() for _ in range(4)]
            policy = Policy(None, wait=short, stop=stop, budget=budget)

            def one(call):
                with pytest.raises(Lost):
                    form(call, policy)

            threads = [threading.Thread(target=one, args=(call,)) for call in calls]
            for thread in threads:
                thread.start()
            stop.wait(random.uniform(2 * LONGEST, 4 * LONGEST))
            stop.set()
            for thread in threads:
                thread.join()
            return calls

        check(budget, in_threads(work))

    @pytest.mark.parametrize("form", ASYNC)
    def test_tasks(self, form, budget):
        """Of several event loops, each with an event of its own."""

        async def main():
            stop, calls = asyncio.Event(), [Call() for _ in range(TASKS)]
            policy = Policy(None, wait=short, stop=stop, budget=budget)
            loop = asyncio.get_running_loop()
            loop.call_later(random.uniform(2 * LONGEST, 4 * LONGEST), stop.set)
            ends = await asyncio.gather(
                *(form(call, policy) for call in calls), return_exceptions=True
            )
            assert {type(end) for end in ends} == {Lost}
            return calls

        check(budget, in_threads(lambda: asyncio.run(main())))


class TestCanceled:
    """Tasks are canceled at random moments: most of them wait."""

    @pytest.mark.parametrize("form", ASYNC)
    @pytest.mark.parametrize("stops", [False, True], ids=["canceled", "canceled and stopped"])
    def test_tasks(self, form, stops, budget):
        """Of several event loops; where an event is set too, both may end the same wait."""

        async def main():
            calls, stop = [Call() for _ in range(TASKS)], asyncio.Event()
            policy = Policy(None, wait=short, stop=stop if stops else None, budget=budget)
            tasks = [asyncio.ensure_future(form(call, policy)) for call in calls]
            loop = asyncio.get_running_loop()
            for task in tasks:
                loop.call_later(random.uniform(LONGEST, 5 * LONGEST), task.cancel)
            if stops:
                loop.call_later(3 * LONGEST, stop.set)
            await asyncio.wait(tasks)
            assert any(task.cancelled() for task in tasks)
            return calls

        check(budget, in_threads(lambda: asyncio.run(main())))

    @pytest.mark.parametrize("form", ASYNC)
    def test_under_trio(self, form, budget):
        """By a scope around each call."""

        async def one(call, policy):
            with trio.move_on_after(random.uniform(LONGEST, 5 * LONGEST)):
                await form(call, policy)

        async def main():
            calls = [Call() for _ in range(TASKS)]
            policy = Policy(None, wait=short, budget=budget)
            async with trio.open_nursery() as nursery:
                for call in calls:
                    nursery.start_soon(one, call, policy)
            return calls

        check(budget, in_threads(lambda: trio.run(main)))
