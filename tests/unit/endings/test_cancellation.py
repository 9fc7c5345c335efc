"""Contract 15, cancellation: what clean-up makes of it, and what may be retried all the same."""

from __future__ import annotations

import asyncio
import sys

import pytest
from ways import GENERATORS, WAYS, Flaky, run_async

from retrying_elegant import RetryBudget, given_up, retry

HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")


class Lost(Exception):
    """Retried in these tests."""


ASYNC = [way for way in (*WAYS, *GENERATORS) if way.colour == "async"]


@pytest.fixture(params=ASYNC, ids=repr)
def way(request):
    return request.param


def recorded(events):
    """A hook of each kind that writes down its kind and the attempt's number."""
    return {
        hook: lambda attempt, hook=hook: events.append((hook, attempt.number)) for hook in HOOKS
    }


class Stuck:
    """Attempts that fail at once *failures* times, and then wait until they are cancelled.

    *clean_up* is what they do in that case; it may raise.
    """

    def __init__(self, clean_up, failures=0):
        self.clean_up = clean_up
        self.failures = failures
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise Lost
        try:
            await asyncio.sleep(60)
        finally:
            self.clean_up()
        return "value"


def raising(error):
    def clean_up():
        raise error

    return clean_up


async def cancelled(coroutine, after=5):
    """What comes of *coroutine* in a task that is cancelled *after* seconds."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(after)
    task.cancel()
    return await task


def left_by(coroutine):
    """The error that leaves a task with *coroutine* when it is cancelled."""
    with pytest.raises(Lost) as caught:
        run_async(cancelled(coroutine))
    return caught.value


class TestCleanUpThatFails:
    """No attempt starts after a cancellation, though clean-up has put an error in its place."""

    @pytest.mark.parametrize("failures", [0, 2])
    @pytest.mark.parametrize("options", [{}, {"attempt_timeout": 90}], ids=str)
    def test_its_error_leaves(self, way, waits, failures, options):
        """At the first attempt or a later one."""
        error = Lost()
        stuck = Stuck(raising(error), failures)
        assert left_by(way.start(stuck, wait=1, **options)) is error
        assert stuck.calls == failures + 1
        assert waits == [1] * failures

    def test_no_hook_ends_the_call(self, way):
        """Nor is a retry announced: it is control flow."""
        events = []
        error = left_by(way.start(Stuck(raising(Lost()), 1), **recorded(events)))
        assert events == [("before_attempt", 1), ("on_retry", 1), ("before_attempt", 2)]
        assert given_up(error) is None
        assert not hasattr(error, "__notes__")

    def test_the_token_is_put_back(self, way):
        """That of the retry that is not made."""
        budget = RetryBudget(5)
        left_by(way.start(Stuck(raising(Lost()), 1), budget=budget))
        assert budget.tokens == 4

    def test_its_context_is_the_cancellation(self, way):
        """As clean-up left it."""
        error = left_by(way.start(Stuck(raising(Lost()))))
        assert isinstance(error.__context__, asyncio.CancelledError)
        assert error.__cause__ is None

    def test_where_the_caller_handles_another_error(self, way):
        """That one is no cancellation, and not put in the place of the one there is."""
        calls, contexts = [], []

        async def stuck():
            calls.append(None)
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0)  # from here on, what the caller handles can be seen
                raise Lost

        async def looking():  # further out, Python itself chains the error anew
            try:
                await way.start(stuck)
            except Lost as error:
                contexts.append(type(error.__context__))
                raise

        async def handling():
            try:
                raise KeyError
            except KeyError:
                await looking()

        left_by(handling())
        assert len(calls) == 1
        assert contexts == [asyncio.CancelledError]

    def test_where_the_attempt_handles_another_error(self, way):
        """Python then drops the cancellation from the chain; the task still counts it."""
        stuck = Stuck(raising(Lost()))

        async def handling():
            try:
                raise KeyError
            except KeyError:
                await stuck()

        left_by(way.start(handling))
        assert stuck.calls == 1

    def test_behind_other_errors(self, way):
        """Clean-up that fails twice, and names a cause of its own."""
        inner, cause = KeyError("inner"), ZeroDivisionError("cause")

        def clean_up():
            try:
                raise inner
            except KeyError:
                raise Lost from cause

        stuck = Stuck(clean_up)
        error = left_by(way.start(stuck))
        assert stuck.calls == 1
        assert error.__context__ is inner
        assert error.__cause__ is cause

    def test_its_traceback_is_whole(self, way):
        """Nothing was let go of, for no wait follows."""
        with pytest.raises(Lost) as caught:
            run_async(cancelled(way.start(Stuck(raising(Lost())))))
        assert caught.traceback[-1].name == "clean_up"

    @pytest.mark.parametrize("form", ["loop", "block"])
    def test_raises_false_does_not_keep_it_in(self, form):
        """Only giving up does."""
        (way,) = (way for way in ASYNC if way.form == form)
        error = Lost()
        stuck = Stuck(raising(error))
        assert left_by(way.start(stuck, raises=False)) is error
        assert stuck.calls == 1

    def test_no_fallback_is_called(self):
        """Nothing was given up on."""
        error = Lost()
        decorated = retry(fallback=lambda attempt: "instead")(Stuck(raising(error)))
        assert left_by(decorated()) is error

    def test_an_error_that_ends_an_async_for(self):
        """It propagates from the `async with`, where it ends no loop."""
        (way,) = (way for way in ASYNC if way.form == "loop")
        stop = StopAsyncIteration("of something else")
        with pytest.raises(StopAsyncIteration) as caught:
            run_async(cancelled(way.start(Stuck(raising(stop)), wait=0)))
        assert caught.value is stop

    @pytest.mark.skipif(sys.version_info < (3, 13), reason="cannot be told before Python 3.13")
    def test_in_a_task_group_of_the_attempt(self, way):
        """Which puts a group in the place of the cancellation."""
        error = Lost()
        stuck = Stuck(raising(error))

        async def grouped():
            async with asyncio.TaskGroup() as group:
                group.create_task(stuck())

        with pytest.raises(ExceptionGroup) as caught:
            run_async(cancelled(way.start(grouped)))
        assert caught.value.exceptions == (error,)
        assert stuck.calls == 1


class TestRetryingWhileCancelled:
    """A cancellation that the caller is handling meanwhile is the caller's own."""

    @staticmethod
    async def flushing(way, flush, **options):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return await way.start(flush, **options)

    def test_a_flush_is_retried(self, way):
        """Inside `except CancelledError`."""
        flush = Flaky([Lost, Lost, "flushed"])
        assert run_async(cancelled(self.flushing(way, flush))) == "flushed"
        assert flush.calls == 3

    def test_with_a_timeout_of_its_own(self, way):
        """An `asyncio.timeout` that expires has used up the cancellation that it made."""
        seconds = iter([60, 60, 1])

        async def flush():
            async with asyncio.timeout(5):
                await asyncio.sleep(next(seconds))
            return "flushed"

        assert run_async(cancelled(self.flushing(way, flush))) == "flushed"

    def test_with_an_error_in_the_place_of_its_timeout(self, way):
        """Raised `from` it, or while it was handled."""
        seconds = iter([60, 60, 1])

        async def flush():
            try:
                async with asyncio.timeout(5):
                    await asyncio.sleep(next(seconds))
            except TimeoutError:
                raise Lost  # noqa: B904 - a context is the point
            return "flushed"

        assert run_async(cancelled(self.flushing(way, flush))) == "flushed"

    def test_with_an_attempt_timeout(self, way):
        """That of the policy is no cancellation either."""
        seconds = iter([60, 60, 1])

        async def flush():
            await asyncio.sleep(next(seconds))
            return "flushed"

        assert run_async(cancelled(self.flushing(way, flush, attempt_timeout=5))) == "flushed"

    def test_a_second_cancellation(self, way):
        """That one is meant for the flush."""
        error = Lost()
        stuck = Stuck(raising(error), 1)

        async def twice():
            task = asyncio.create_task(self.flushing(way, stuck))
            for _ in range(2):
                await asyncio.sleep(5)
                task.cancel()
            await task

        with pytest.raises(Lost) as caught:
            run_async(twice())
        assert caught.value is error
        assert stuck.calls == 2


class TestTimeoutsAreNoCancellation:
    """What cancels a part of an attempt only, or the attempt alone, does not end the call."""

    @pytest.mark.parametrize("form", ["timeout", "wait_for"])
    def test_of_the_users_own(self, way, form):
        """Their TimeoutError is retried as any other error."""
        seconds = iter([60, 60, 1])

        async def risky():
            if form == "wait_for":
                await asyncio.wait_for(asyncio.sleep(next(seconds)), 5)
            else:
                async with asyncio.timeout(5):
                    await asyncio.sleep(next(seconds))
            return "value"

        assert run_async(way.start(risky, on=TimeoutError)) == "value"

    @pytest.mark.parametrize("error", [Lost, TimeoutError])
    def test_of_an_attempt_whose_clean_up_fails(self, way, error):
        """Its error is retried as any other."""
        calls = []

        async def risky():
            calls.append(None)
            if len(calls) < 3:
                try:
                    await asyncio.sleep(60)
                finally:
                    raise error
            return "value"

        assert run_async(way.start(risky, on=error, attempt_timeout=5)) == "value"

    def test_of_the_users_own_whose_clean_up_fails(self, way):
        """Likewise."""
        calls = []

        async def risky():
            calls.append(None)
            if len(calls) < 3:
                async with asyncio.timeout(5):
                    try:
                        await asyncio.sleep(60)
                    finally:
                        raise Lost
            return "value"

        assert run_async(way.start(risky, on=Lost)) == "value"


class TestAsyncGenerators:
    """A consumer that is cancelled leaves no source open behind."""

    @pytest.mark.parametrize("items", [["item"], []])
    def test_in_a_hook_after_the_first_item(self, items):
        """The source is closed before the cancellation leaves."""
        events = []

        async def long_hook(attempt):
            await asyncio.sleep(60)

        @retry(on_success=long_hook)
        async def source():
            try:
                for item in items:
                    yield item
            finally:
                await asyncio.sleep(0)
                events.append("closed")

        async def consume():
            generator = source()
            try:
                await anext(generator)
            finally:
                events.append("left")

        with pytest.raises(asyncio.CancelledError):
            run_async(cancelled(consume()))
        assert events == ["closed", "left"]
