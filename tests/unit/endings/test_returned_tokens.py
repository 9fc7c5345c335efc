"""Contract 10: a retry that was decided and then not made returns its token."""

from __future__ import annotations

import asyncio
import threading

import pytest
from ways import GENERATORS, WAYS, Flaky, run_async

from retrying_elegant import RetryBudget, given_up


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture
def budget():
    return RetryBudget(5)


class TestReturnedTokens:
    """Only retries that are made cost one."""

    def test_made(self, way, budget):
        """Two of them, in the end without success."""
        with pytest.raises(Lost):
            way.run(Flaky([Lost]), 3, wait=1, budget=budget)
        assert budget.tokens == 3

    @pytest.mark.parametrize("way", [*WAYS, *GENERATORS], ids=repr)
    @pytest.mark.parametrize("options", [{}, {"on_retry": id}], ids=["unobserved", "observed"])
    def test_made_and_then_interrupted(self, way, budget, options):
        """By control flow in the attempt: it has begun."""

        class Stop(BaseException):
            pass

        with pytest.raises(Stop):
            way.run(Flaky([Lost, Stop]), 3, wait=1, budget=budget, **options)
        assert budget.tokens == 4

    def test_too_late_after_a_hook(self, way, budget, clock):
        """A hook that takes all the time there is."""
        with pytest.raises(Lost) as caught:
            way.run(
                Flaky([Lost]),
                3,
                wait=1,
                timeout=10,
                budget=budget,
                on_retry=lambda attempt: clock.tick(20),
            )
        assert given_up(caught.value).reason == "timeout"
        assert budget.tokens == 5

    def test_too_late_after_the_wait(self, way, budget, clock, own_waits):
        """One that took longer than it should have."""
        own_waits.setattr("time.sleep", lambda seconds: clock.tick(20))

        async def sleep(seconds):
            clock.tick(20)

        own_waits.setattr("asyncio.sleep", sleep)
        flaky = Flaky([Lost])
        with pytest.raises(Lost) as caught:
            way.run(flaky, 3, wait=1, timeout=10, budget=budget)
        assert given_up(caught.value).reason == "timeout"
        assert flaky.calls == 1
        assert budget.tokens == 5

    def test_stopped(self, way, budget):
        """While the retry was announced."""
        stop = asyncio.Event() if way.colour == "async" else threading.Event()
        with pytest.raises(Lost) as caught:
            way.run(
                Flaky([Lost]),
                3,
                wait=1,
                stop=stop,
                budget=budget,
                on_retry=lambda attempt: stop.set(),
            )
        assert given_up(caught.value).reason == "stopped"
        assert budget.tokens == 5

    @pytest.mark.parametrize("way", [*WAYS, *GENERATORS], ids=repr)
    def test_a_hook_that_is_interrupted(self, way, budget):
        """By control flow."""

        class Stop(BaseException):
            pass

        def interrupted(attempt):
            raise Stop

        with pytest.raises(Stop):
            way.run(Flaky([Lost]), 3, wait=1, budget=budget, on_retry=interrupted)
        assert budget.tokens == 5

    def test_canceled(self, async_way, budget, own_waits):
        """In the middle of the wait."""

        async def main():
            async with asyncio.timeout(5):
                await async_way.start(Flaky([Lost]), 3, wait=60, budget=budget)

        with pytest.raises(TimeoutError):
            run_async(main())
        assert budget.tokens == 5

    @pytest.mark.parametrize(
        "way", [way for way in (*WAYS, *GENERATORS) if way.colour == "async"], ids=repr
    )
    def test_canceled_by_a_hook(self, way, budget):
        """Which awaits nothing, so that the cancellation is raised only after it."""

        def cancel(attempt):
            asyncio.current_task().cancel()

        flaky = Flaky([Lost])
        with pytest.raises(asyncio.CancelledError):
            run_async(way.start(flaky, 3, wait=0, budget=budget, on_retry=cancel))
        assert (flaky.calls, budget.tokens) == (1, 5)

    def test_never_more_than_it_has(self, way, budget):
        """A full bucket stays full."""
        assert way.run(Flaky(["value"]), 3, budget=budget) == "value"
        assert budget.tokens == 5
