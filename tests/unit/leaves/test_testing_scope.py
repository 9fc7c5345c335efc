"""Section 11 of the contract: how far testing.instant, off and limit reach."""

import asyncio
import threading

import pytest
from testing_parts import calls_of, every_exit, run_inside
from ways import Flaky, run_async

from retrying_elegant import testing


class TestNesting:
    """All three nest, are restored on any exit."""

    # reading: inside two of them both hold, so the stricter one decides.
    @pytest.mark.parametrize(
        ("outer", "inner", "calls"),
        [
            (lambda: testing.limit(4), lambda: testing.limit(2), (2, 4)),
            (lambda: testing.limit(2), lambda: testing.limit(4), (2, 2)),
            (lambda: testing.limit(4), testing.off, (1, 4)),
            (testing.off, lambda: testing.limit(4), (1, 1)),
            (testing.off, testing.off, (1, 1)),
            (testing.instant, lambda: testing.limit(2), (2, 5)),
            (lambda: testing.limit(2), testing.instant, (2, 2)),
            (testing.instant, testing.off, (1, 5)),
        ],
        ids=[
            "limit 2 in limit 4",
            "limit 4 in limit 2",
            "off in limit",
            "limit in off",
            "off in off",
            "limit in instant",
            "instant in limit",
            "off in instant",
        ],
    )
    @every_exit
    def test_each_ends_where_its_block_ends(self, way, outer, inner, calls, leave):
        """Inside both, then inside the outer alone, then outside."""
        counted = []
        with outer():
            run_inside(inner(), leave, lambda: counted.append(calls_of(way)))
            counted.append(calls_of(way))
        assert tuple(counted) == calls
        assert calls_of(way) == 5


class TestTheWholeProcess:
    """All three hold for the whole process (threads and tasks)."""

    @pytest.mark.parametrize(
        ("manager", "calls"),
        [(testing.off, 1), (lambda: testing.limit(2), 2)],
        ids=["off", "limit"],
    )
    def test_a_thread_that_runs_already(self, sync_way, manager, calls):
        """Started before, it works under what the main thread has entered, and no longer."""
        entered, counted_inside, left = (threading.Event() for _ in range(3))
        counted = []

        def work():
            entered.wait(timeout=60)
            counted.append(calls_of(sync_way))
            counted_inside.set()
            left.wait(timeout=60)
            counted.append(calls_of(sync_way))

        thread = threading.Thread(target=work)
        thread.start()
        with manager():
            entered.set()
            counted_inside.wait(timeout=60)
        left.set()
        thread.join(timeout=60)
        assert counted == [calls, 5]

    @pytest.mark.parametrize(
        ("manager", "calls"),
        [(testing.off, 1), (lambda: testing.limit(2), 2)],
        ids=["off", "limit"],
    )
    def test_a_task_that_runs_already(self, async_way, manager, calls):
        """Created before, it works under what another task has entered."""

        async def main():
            entered, script = asyncio.Event(), Flaky([OSError("down")])

            async def work():
                await entered.wait()
                with pytest.raises(OSError, match="down"):
                    await async_way.start(script, wait=1)

            task = asyncio.create_task(work())
            await asyncio.sleep(0)
            with manager():
                entered.set()
                await task
            return script.calls

        assert run_async(main()) == calls

    def test_the_waits_of_threads_are_listed(self, sync_way):
        """One list for all of them."""

        def work(seconds):
            sync_way.run(Flaky([OSError, "value"]), wait=seconds)

        with testing.instant() as instant:
            threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 9)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        assert sorted(instant.waits) == list(range(1, 9))

    def test_the_waits_of_tasks_are_listed(self, async_way):
        """One list for all of them."""

        async def main():
            calls = (async_way.start(Flaky([OSError, "value"]), wait=n) for n in range(1, 9))
            await asyncio.gather(*calls)

        with testing.instant() as instant:
            run_async(main())
        assert sorted(instant.waits) == list(range(1, 9))
