"""Contract 3 and 15: nothing is kept alive that nobody needs."""

from __future__ import annotations

import asyncio
import gc
import sys
import traceback
import warnings
from contextlib import suppress
from weakref import WeakSet

import pytest
from ways import GENERATORS, WAYS, run_async

from retrying_elegant import RetryBudget, RetryError, retrying

CALLS = 50
CHAINS = [None, "__cause__", "__context__"]
ASYNC = [way for way in (*WAYS, *GENERATORS) if way.colour == "async"]


class Lost(Exception):
    """Retried in these tests."""


class Local:
    """Something that a failed attempt has in its hands."""


class Leaky:
    """Attempts that hold a local while they fail, and know which of those are still alive."""

    def __init__(self, failures, chain=None):
        self.failures = failures
        self.chain = chain
        self.calls = 0
        self.alive = WeakSet()

    def __call__(self):
        self.calls += 1
        if self.calls % (self.failures + 1) == 0:
            return "value"
        _local = self.tracked(Local())
        if self.chain == "__cause__":
            raise self.tracked(Lost()) from self.caught()
        if self.chain == "__context__":
            try:
                self.deeper()
            except Lost:
                raise self.tracked(Lost())  # noqa: B904 - a context is the point
        raise self.tracked(Lost())

    def tracked(self, thing):
        self.alive.add(thing)
        return thing

    def caught(self):
        """An error that has been raised and caught."""
        try:
            self.deeper()
        except Lost as error:
            return error

    def deeper(self):
        """One frame further down, with a local of its own."""
        _local = self.tracked(Local())
        raise self.tracked(Lost())

    def locals_alive(self):
        return sum(isinstance(thing, Local) for thing in self.alive)


def left_by_many(way, leaky, *args, **options):
    """What the same call over and over leaves: objects alive, and garbage for the collector."""

    async def main():
        for _ in range(CALLS):
            with suppress(Lost):
                await way.start(leaky, *args, **options)
        return len(leaky.alive), gc.collect()

    if way.colour == "async":
        return run_async(main())
    for _ in range(CALLS):
        with suppress(Lost):
            way.start(leaky, *args, **options)
    return len(leaky.alive), gc.collect()


@pytest.mark.parametrize("chain", CHAINS)
class TestAfterTheCall:
    """No reference cycles after success or give-up in decorated calls, nor in loops."""

    def test_a_success_after_a_retry_leaves_nothing(self, way, no_collector, chain):
        """No frame, no local, no error, and nothing for the collector."""
        leaky = Leaky(1, chain)
        alive, garbage = left_by_many(way, leaky, 2, wait=0)
        assert leaky.calls == 2 * CALLS
        assert alive == 0
        assert garbage < CALLS

    def test_giving_up_leaves_nothing(self, way, no_collector, chain):
        """Once the caller has let go of the error."""
        leaky = Leaky(3 * CALLS, chain)
        alive, garbage = left_by_many(way, leaky, 2, wait=0)
        assert leaky.calls == 2 * CALLS
        assert alive == 0
        assert garbage < CALLS

    def test_what_is_not_retryable_leaves_nothing(self, way, no_collector, chain):
        """After the only attempt."""
        leaky = Leaky(3 * CALLS, chain)
        alive, garbage = left_by_many(way, leaky, on=())
        assert leaky.calls == CALLS
        assert alive == 0
        assert garbage < CALLS


class TestErrorsOfEarlierAttempts:
    """Nobody needs them any more: they may hold sockets and bodies."""

    @pytest.mark.parametrize("options", [{}, {"before_attempt": repr}], ids=["bare", "watched"])
    def test_only_the_last_one_is_alive(self, way, no_collector, options):
        """However many attempts there were; the history is made of words."""
        leaky = Leaky(100)
        alive = []

        def look(attempt):
            alive.append(sum(isinstance(thing, Lost) for thing in leaky.alive))

        with suppress(Lost):
            way.run(leaky, 12, on_retry=look, on_give_up=look, **options)
        assert alive == [1] * 12

    def test_none_is_alive_at_the_next_attempt(self, way, no_collector):
        """The last one neither."""
        leaky = Leaky(4)
        alive = []
        assert way.run(leaky, before_attempt=lambda _: alive.append(len(leaky.alive))) == "value"
        assert alive == [0] * 5


class Stuck:
    """Attempts that end by a timeout or a cancellation alone, and hold a local meanwhile."""

    def __init__(self, error=None):
        self.error = error
        self.calls = 0
        self.alive = WeakSet()

    async def __call__(self):
        self.calls += 1
        local = Local()
        self.alive.add(local)
        try:
            await asyncio.sleep(60)
        finally:
            if self.error is not None:
                raise self.error


class TestInterruptedAttempts:
    """No reference cycles either where an attempt was cancelled."""

    @pytest.mark.parametrize("attempts", [1, 2])
    def test_by_its_timeout(self, async_way, no_collector, attempts):
        """At the only attempt or at each of two."""
        stuck = Stuck()

        async def main():
            for _ in range(CALLS):
                with suppress(TimeoutError):
                    await async_way.start(stuck, attempts, attempt_timeout=5, wait=0)
            await asyncio.sleep(0)  # the event loop lets go of the last task
            return len(stuck.alive), gc.collect()

        alive, garbage = run_async(main())
        assert stuck.calls == attempts * CALLS
        assert alive == 0
        assert garbage < CALLS

    @pytest.mark.parametrize("error", [None, Lost], ids=["no error", "an error"])
    def test_by_a_cancellation(self, async_way, no_collector, error):
        """Whether or not clean-up puts an error in its place."""
        stuck = Stuck(error)

        async def cancelled():
            task = asyncio.create_task(async_way.start(stuck, wait=0))
            await asyncio.sleep(5)
            task.cancel()
            try:
                await task
            finally:
                del task

        async def main():
            for _ in range(CALLS):
                with suppress(asyncio.CancelledError, Lost):
                    await cancelled()
            await asyncio.sleep(0)  # the event loop lets go of the last task
            return len(stuck.alive), gc.collect()

        alive, garbage = run_async(main())
        assert stuck.calls == CALLS
        assert alive == 0
        assert garbage < CALLS


class Hasty(Stuck):
    """Attempts that fail at once."""

    async def __call__(self):
        self.calls += 1
        local = Local()
        self.alive.add(local)
        raise Lost


class TestErrorsThatEndATask:
    """A task keeps the error that ended it, so the error must not keep the task."""

    @pytest.mark.parametrize("attempts", [1, 2])
    @pytest.mark.parametrize(
        "stuck", [Stuck, lambda: Stuck(Lost), Hasty], ids=["timeout", "clean-up", "in time"]
    )
    @pytest.mark.parametrize("way", ASYNC, ids=repr)
    def test_under_an_attempt_timeout(self, way, no_collector, stuck, attempts):
        """Whose object, which belongs to the task, is not kept after the attempt."""
        stuck = stuck()

        async def main():
            for _ in range(CALLS):
                with suppress(TimeoutError, Lost):
                    await asyncio.create_task(way.start(stuck, attempts, attempt_timeout=5, wait=0))
            await asyncio.sleep(0)  # the event loop lets go of the last task
            return len(stuck.alive), gc.collect()

        alive, garbage = run_async(main())
        assert stuck.calls == attempts * CALLS
        assert alive == 0
        assert garbage < CALLS

    def test_results_that_are_never_accepted(self, async_way, no_collector):
        """Under an attempt timeout, too."""
        made = WeakSet()

        async def attempt():
            thing = Local()
            made.add(thing)
            return thing

        async def main():
            options = {"until": lambda _: False, "attempt_timeout": 5, "wait": 0}
            for _ in range(CALLS):
                with suppress(RetryError):
                    await asyncio.create_task(async_way.start(attempt, 2, **options))
            await asyncio.sleep(0)
            return len(made), gc.collect()

        alive, garbage = run_async(main())
        assert alive == 0
        assert garbage < CALLS

    def test_in_a_wait_for_stop(self, async_way, own_waits, no_collector):
        """A canceled task that is not awaited keeps its CancelledError."""
        tasks = WeakSet()

        async def main():
            for _ in range(CALLS):
                start = async_way.start(Hasty(), stop=asyncio.Event(), wait=60)
                task = asyncio.create_task(start)
                tasks.add(task)
                await asyncio.sleep(5)
                task.cancel()
                await asyncio.wait([task])
                del task, start
            await asyncio.sleep(0)
            return len(tasks), gc.collect()

        alive, garbage = run_async(main())
        assert alive == 0
        assert garbage < CALLS


@pytest.mark.parametrize("chain", CHAINS)
class TestBeforeTheWait:
    """A failed attempt's frames die before the wait, in every form."""

    def test_they_are_dead_in_a_sync_wait(self, sync_way, own_waits, no_collector, chain):
        """Also those of errors behind the error."""
        leaky = Leaky(1, chain)
        alive = []
        own_waits.setattr("time.sleep", lambda seconds: alive.append(leaky.locals_alive()))
        assert sync_way.run(leaky, wait=10) == "value"
        assert alive == [0]

    def test_they_are_dead_in_an_async_wait(self, async_way, own_waits, no_collector, chain):
        """Looked at from another task, half-way through."""
        leaky = Leaky(1, chain)

        async def main():
            task = asyncio.create_task(async_way.start(leaky, wait=10))
            await asyncio.sleep(5)
            assert leaky.calls == 1
            assert leaky.locals_alive() == 0
            return await task

        assert run_async(main()) == "value"

    def test_they_are_dead_at_the_next_attempt(self, way, no_collector, chain):
        """After every retry."""
        leaky = Leaky(4, chain)
        alive = []
        before = {"before_attempt": lambda attempt: alive.append(leaky.locals_alive())}
        assert way.run(leaky, **before) == "value"
        assert alive == [0] * 5


class TestTheCallersOwnErrors:
    """What the caller was already handling before the call keeps its traceback."""

    def test_it_stays_intact(self, way):
        """Though the errors of the attempts have it as their context."""

        def outer():
            raise KeyError("outer")

        try:
            outer()
        except KeyError as handled:
            before = traceback.format_tb(handled.__traceback__)
            assert way.run(Leaky(2), wait=0) == "value"
            assert traceback.format_tb(handled.__traceback__) == before
            assert "outer" in before[-1]

    def test_so_do_the_errors_behind_it(self, way):
        """Its cause and its context."""

        def outer():
            try:
                raise KeyError("first")
            except KeyError as first:
                raise ZeroDivisionError("second") from first

        try:
            outer()
        except ZeroDivisionError as handled:
            before = traceback.format_exception(handled)
            assert way.run(Leaky(2, "__context__"), wait=0) == "value"
            assert traceback.format_exception(handled) == before

    def test_so_it_does_in_the_coroutine_that_handles_it(self, async_way):
        """Inside the event loop."""

        async def main():
            try:
                raise KeyError("outer")
            except KeyError as handled:
                before = traceback.format_tb(handled.__traceback__)
                await async_way.start(Leaky(2), wait=0)
                assert traceback.format_tb(handled.__traceback__) == before != []

        run_async(main())

    def test_so_it_does_where_an_attempt_raises_it_again(self, way):
        """The very error that the caller is handling."""
        calls = []

        def outer():
            raise Lost("outer")

        def risky():
            calls.append(None)
            if len(calls) < 3:
                raise handled
            return "value"

        async def main():
            value = way.start(risky, wait=0)
            return await value if way.colour == "async" else value

        try:
            outer()
        except Lost as error:
            handled = error
            before = traceback.format_tb(error.__traceback__)
            assert run_async(main()) == "value"
            assert traceback.format_tb(error.__traceback__)[-len(before) :] == before
        assert len(calls) == 3


class TestLongChains:
    """Errors that each have the one before behind them are let go of once, not each time."""

    def work(self, way, failures, chain):
        """The calls of functions, Python's own included, that *failures* failures take."""
        errors = []

        def risky():
            if len(errors) == failures:
                return "value"
            errors.append(Lost())
            if chain == "__cause__" or len(errors) == 1:
                raise errors[-1] from (errors[-2] if len(errors) > 1 else None)
            try:
                raise errors[-2]
            except Lost:
                raise errors[-1]  # noqa: B904 - a context is the point

        calls = 0

        def count(frame, event, argument):
            nonlocal calls
            calls += event in ("call", "c_call")

        previous = sys.getprofile()
        sys.setprofile(count)
        try:
            assert way.run(risky, None, wait=0) == "value"
        finally:
            sys.setprofile(previous)
        assert len(errors) == failures
        return calls

    @pytest.mark.parametrize("chain", ["__cause__", "__context__"])
    def test_twice_the_failures_are_twice_the_work(self, way, caplog, chain):
        """Not four times."""
        caplog.set_level("CRITICAL", "retrying_elegant")
        self.work(way, 1, chain)  # what is done once only
        assert self.work(way, 200, chain) < 2.2 * self.work(way, 100, chain)


class Thing:
    """What an attempt holds, or returns."""


def left_for_the_collector(way, risky, *args, **options):
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
        garbage = left_for_the_collector(
            decorator_way, failing, 2, wait=0, fallback=lambda attempt: 1
        )
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_a_result_that_is_never_accepted(self, way, no_collector):
        """RetryError, and the result in it."""
        alive = WeakSet()

        def risky():
            thing = Thing()
            alive.add(thing)
            return thing

        garbage = left_for_the_collector(way, risky, 2, wait=0, until=lambda result: False)
        assert len(alive) == 0
        assert garbage < CALLS

    def test_a_wait_that_does_not_fit(self, way, no_collector):
        """The timeout ends it."""
        failing = Failing()
        garbage = left_for_the_collector(way, failing, wait=10, timeout=5)
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_a_budget_with_tokens_left(self, way, no_collector):
        """It is not what ended it."""
        failing = Failing()
        garbage = left_for_the_collector(way, failing, 2, wait=0, budget=RetryBudget(2 * CALLS))
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_an_empty_budget(self, way, no_collector):
        """Or the budget does."""
        failing = Failing()
        garbage = left_for_the_collector(way, failing, wait=0, budget=RetryBudget(1))
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_a_predicate_that_raises(self, way, no_collector):
        """Its error ends the call, with that of the attempt as its context."""
        failing = Failing()

        def broken(error):
            raise Lost

        garbage = left_for_the_collector(way, failing, on=broken)
        assert len(failing.alive) == 0
        assert garbage < CALLS

    def test_a_warning_that_is_an_error(self, no_collector):
        """That of a regular loop in an `async def`, before its first wait."""
        failing = Failing()

        async def blocking():
            for attempt in retrying():
                with attempt:
                    failing()

        async def main():
            for _ in range(CALLS):
                with suppress(RuntimeWarning):
                    await blocking()
            return len(failing.alive), gc.collect()

        with warnings.catch_warnings():
            warnings.simplefilter("error")
            alive, garbage = run_async(main())
        assert alive == 0
        assert garbage < CALLS

    @pytest.mark.parametrize("way", [way for way in WAYS if way.form != "decorator"], ids=repr)
    def test_a_swallowed_error(self, way, no_collector):
        """`raises=False` keeps it, in a cycle with its frames; the collector finds it all."""
        failing = Failing()
        left_for_the_collector(way, failing, 2, wait=0, raises=False)
        assert len(failing.alive) == 0


class Answer:
    """A result that is not accepted."""


class TestRejectedResults:
    """A rejected result is released before the next attempt runs, in every form."""

    @pytest.mark.parametrize("options", [{}, {"on_retry": repr}], ids=["unobserved", "observed"])
    def test_it_does_not_live_on(self, way, no_collector, options):
        """Nor through the wait."""
        alive = WeakSet()
        seen = []

        def answering():
            seen.append(len(alive))
            answer = Answer()
            alive.add(answer)
            return answer

        way.run(answering, 5, until=lambda answer: len(seen) == 3, wait=0, **options)
        assert seen == [0, 0, 0]

    def test_nor_into_the_hooks_of_the_next_attempt(self, way, no_collector):
        """They find none."""
        alive = WeakSet()
        seen = []

        def answering():
            answer = Answer()
            alive.add(answer)
            return answer

        def look(attempt):
            seen.append(len(alive))

        way.run(answering, until=lambda answer: len(seen) == 3, wait=0, before_attempt=look)
        assert seen == [0, 0, 0]

    def test_the_last_one_is_kept(self, way):
        """By the RetryError."""
        with pytest.raises(RetryError) as caught:
            way.run(Answer, 2, wait=0, until=lambda answer: False)
        assert type(caught.value.result) is Answer
