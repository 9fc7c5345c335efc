"""Cancellation: what asyncio puts around a call ends it, whatever it retries."""

from __future__ import annotations

import asyncio

import pytest
from ways import run_async

from retrying_elegant import given_up, retry

# What takes everything for a failure that can be retried.
CATCH_ALL = {
    "class": {"on": Exception},
    "predicate": {"on": lambda error: True},
    "not a class": {"on": lambda error: not isinstance(error, KeyError)},
    "unless": {"unless": KeyError},
}
LIMITS = {
    "timeout": lambda coroutine: _timeout(coroutine),
    "wait_for": lambda coroutine: asyncio.wait_for(coroutine, 25),
}


async def _timeout(coroutine):
    async with asyncio.timeout(25):
        return await coroutine


class Lost(Exception):
    """Retried in these tests."""


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("filters", CATCH_ALL.values(), ids=CATCH_ALL)
class TestLimits:
    """An `asyncio.timeout` or `wait_for` around a call is a hard limit on attempts and waits."""

    @pytest.mark.parametrize(
        ("wait", "takes", "calls"), [(10, 0, 3), (0, 10, 3)], ids=["in a wait", "in an attempt"]
    )
    def test_it_ends_the_call(self, async_way, own_waits, filters, limit, wait, takes, calls):
        """After 25 of its seconds, with TimeoutError and without a note; nothing goes on after."""
        starts = []

        async def risky():
            starts.append(asyncio.get_running_loop().time())
            await asyncio.sleep(takes)
            raise Lost

        async def main():
            start = asyncio.get_running_loop().time()
            with pytest.raises(TimeoutError) as caught:
                await limit(async_way.start(risky, 50, wait=wait, **filters))
            ended = asyncio.get_running_loop().time()
            await asyncio.sleep(100)
            return caught.value, ended - start

        error, elapsed = run_async(main())
        assert elapsed == pytest.approx(25, abs=1)
        assert len(starts) == calls
        assert given_up(error) is None
        assert not hasattr(error, "__notes__")


class TestTaskGroups:
    """A task group whose other task fails cancels a call that retries, like any other."""

    def test_a_sibling_fails(self, async_way, own_waits):
        """In the middle of a wait."""
        calls = []

        def risky():
            calls.append(None)
            raise Lost

        async def sibling():
            await asyncio.sleep(15)
            raise KeyError

        async def main():
            async with asyncio.TaskGroup() as group:
                group.create_task(async_way.start(risky, 50, wait=10))
                group.create_task(sibling())

        with pytest.raises(ExceptionGroup) as caught:
            run_async(main())
        assert [type(error) for error in caught.value.exceptions] == [KeyError]
        assert len(calls) == 2


class TestAttemptTimeouts:
    """Nothing of an attempt's timeout is made at decoration or left for the next attempt."""

    def test_one_function_by_many_tasks(self, own_waits):
        """Each call has three attempts of five seconds, whenever it begins."""
        ended = {}

        @retry(3, wait=0, attempt_timeout=5)
        async def stuck():
            await asyncio.sleep(60)

        async def task(start):
            loop = asyncio.get_running_loop()
            await asyncio.sleep(start)
            began = loop.time()
            with pytest.raises(TimeoutError) as caught:
                await stuck()
            assert given_up(caught.value).attempts == 3
            ended[start] = loop.time() - began

        async def main():
            await asyncio.gather(*map(task, range(20)))
            await task(99)

        run_async(main())
        assert len(ended) == 21
        assert list(ended.values()) == pytest.approx([15] * 21, abs=1)
