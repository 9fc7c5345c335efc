"""Contract 4, generators: what only async ones do."""

from __future__ import annotations

import asyncio
import gc
import sys

import pytest
from generator_parts import Lost, Wrong, playing_async
from ways import run_async

from retrying_elegant import RetryBudget, given_up, retry


class Slow:
    """An async generator function whose items take so many seconds each, attempt by attempt."""

    def __init__(self, *attempts):
        self.attempts = attempts
        self.calls = 0
        self.cancelled = 0
        self.closed = 0

    async def __call__(self):
        self.calls += 1
        try:
            for seconds in self.attempts[self.calls - 1]:
                await asyncio.sleep(seconds)
                yield seconds
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            await asyncio.sleep(0)  # a close that takes more than one step of the loop
            self.closed += 1


async def collected(generator):
    return [item async for item in generator]


def complaints(main):
    """What the event loop itself had to complain about while it ran *main* and closed."""
    found = []

    async def listening():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: found.append(context["message"]))
        await main()

    run_async(listening())
    return found


class TestAttemptTimeout:
    """`attempt_timeout`: an attempt, here the way to the first item, is cancelled in time."""

    def test_a_first_item_that_is_late(self):
        """Cancelled, and retried whatever `on` says."""
        slow = Slow([60], [1, 1])
        assert run_async(collected(retry(on=(), attempt_timeout=5)(slow)())) == [1, 1]
        assert (slow.calls, slow.cancelled, slow.closed) == (2, 1, 2)

    def test_the_last_one_leaves_as_timeout_error(self):
        """With the record of giving up."""
        slow = Slow([60], [60])
        with pytest.raises(TimeoutError) as caught:
            run_async(collected(retry(2, attempt_timeout=5)(slow)()))
        assert given_up(caught.value).reason == "attempts"
        assert slow.calls == 2

    def test_a_later_item_may_take_its_time(self):
        """What follows the first item is no attempt any more."""
        slow = Slow([1, 60])
        assert run_async(collected(retry(attempt_timeout=5)(slow)())) == [1, 60]

    def test_a_timeout_error_of_the_users_own_is_like_any_other(self):
        """It is retried if `on` says so."""
        source = playing_async([TimeoutError], [1])
        with pytest.raises(TimeoutError):
            run_async(collected(retry(on=Lost, attempt_timeout=5)(source)()))
        assert len(source.calls) == 1

    def test_an_end_without_an_item_in_time(self):
        """Is a success."""
        assert run_async(collected(retry(attempt_timeout=5)(playing_async([Lost], []))())) == []


class TestHooks:
    """In async forms a hook may be a coroutine function and is awaited."""

    @pytest.mark.parametrize("hook", ["before_attempt", "on_retry", "on_success", "on_give_up"])
    def test_each_is_awaited(self, hook):
        """Once for each event."""
        awaited = []

        async def write_down(attempt):
            await asyncio.sleep(0)
            awaited.append(attempt.number)

        attempts = [[Lost]] if hook == "on_give_up" else [[Lost], [1]]
        try:
            run_async(collected(retry(2, **{hook: write_down})(playing_async(*attempts))()))
        except Lost:
            assert hook == "on_give_up"
        assert awaited == {"before_attempt": [1, 2], "on_retry": [1]}.get(hook, [2])


class TestCancellation:
    """Cancellation is never swallowed, also during a wait, and no attempt starts after it."""

    def test_during_a_wait(self, own_waits):
        """The retry is not made, and its token put back."""
        budget = RetryBudget(3)
        source = playing_async([Lost], [1])

        async def main():
            task = asyncio.create_task(collected(retry(wait=10, budget=budget)(source)()))
            await asyncio.sleep(5)
            assert budget.tokens == 2
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        run_async(main())
        assert len(source.calls) == 1
        assert budget.tokens == 3

    @pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
    def test_by_a_hook_that_was_told_of_the_success(self, kind):
        """The generator that was started is closed, for nobody will ever see it."""
        slow = Slow([1, 1])

        def interrupt(attempt):
            raise kind

        async def main():
            with pytest.raises(kind):
                await anext(retry(on_success=interrupt)(slow)())
            assert slow.closed == 1

        assert complaints(main) == []

    @pytest.mark.parametrize("seconds", [[60], [1, 60]], ids=["first item", "second item"])
    @pytest.mark.parametrize("options", [{}, {"attempt_timeout": 90}], ids=str)
    def test_during_an_item(self, seconds, options):
        """It reaches the generator, whichever item that is at."""
        slow = Slow(seconds)

        async def main():
            task = asyncio.create_task(collected(retry(**options)(slow)()))
            await asyncio.sleep(5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (slow.calls, slow.cancelled, slow.closed) == (1, 1, 1)

        run_async(main())


class TestEnds:
    """An async generator that is left early is closed as the bare one is."""

    def test_by_aclose(self):
        """At once."""
        slow = Slow([1, 1, 1])

        async def main():
            generator = retry(slow)()
            async for _ in generator:
                break
            await generator.aclose()
            assert slow.closed == 1
            with pytest.raises(StopAsyncIteration):
                await anext(generator)

        assert complaints(main) == []

    def test_by_break_and_garbage_collection(self):
        """By the event loop, which the generator is registered with."""
        slow = Slow([1, 1, 1])

        async def main():
            async for _ in retry(slow)():
                break
            gc.collect()
            await asyncio.sleep(1)
            assert slow.closed == 1

        assert complaints(main) == []

    def test_by_the_end_of_the_event_loop(self):
        """Which closes what is still open, and finds nothing to complain about."""
        slow = Slow([1, 1, 1])
        kept = []

        async def main():
            kept.append(retry(slow)())
            await anext(kept[0])

        assert complaints(main) == []
        assert slow.closed == 1


class TestHooksOfTheEventLoop:
    """The event loop closes async generators that are left open, with or without retries."""

    def test_a_bare_one_begun_later(self):
        """It is closed at the end of the event loop."""
        bare = Slow([1, 1])
        kept = []

        async def main():
            assert await anext(retry(playing_async([Lost], [1, 1]))()) == 1
            kept.append(bare())
            await anext(kept[0])

        assert complaints(main) == []
        assert bare.closed == 1


class TestTasks:
    """Any number of tasks do not disturb each other, and one generator serves one at a time."""

    def test_one_function_by_many(self):
        """Each with retries of its own."""

        failed = set()

        @retry(2)
        async def numbers(index):
            await asyncio.sleep(0)
            if index not in failed:
                failed.add(index)
                raise Lost
            for number in range(3):
                await asyncio.sleep(0)
                yield index, number

        async def main():
            return await asyncio.gather(*(collected(numbers(index)) for index in range(50)))

        assert run_async(main()) == [
            [(index, number) for number in range(3)] for index in range(50)
        ]

    def test_a_generator_that_is_running(self):
        """RuntimeError, as with the bare one; who came first is not disturbed."""

        async def main():
            generator = retry(Slow([1, 1]))()
            first = asyncio.ensure_future(anext(generator))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="already running"):
                await anext(generator)
            return await first

        assert run_async(main()) == 1


class TestErrorsThrownIn:
    """`athrow` behaves as on the bare generator."""

    async def thrown_into(self, function, error):
        """What comes of *error*, thrown in at the first item."""
        generator = function()
        await anext(generator)
        return await generator.athrow(error)

    def test_what_the_generator_answers_is_what_comes(self):
        """The same object arrives in it, at the yield."""
        error = Wrong()

        @retry
        async def answering():
            try:
                yield 1
            except Wrong as caught:
                yield caught is error

        assert run_async(self.thrown_into(answering, error)) is True

    def test_an_error_that_it_has_handled_is_over(self):
        """A later error does not have it as its context."""

        @retry
        async def recovering():
            try:
                yield 1
            except Wrong:
                pass
            assert sys.exception() is None
            raise Lost

        with pytest.raises(Lost) as caught:
            run_async(self.thrown_into(recovering, Wrong()))
        assert caught.value.__context__ is None
