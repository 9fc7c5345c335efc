"""Contract 15: no attempt starts after a cancellation, including one that the attempt swallowed."""

from __future__ import annotations

import asyncio
import sys

import pytest
from ways import GENERATORS, WAYS, Flaky, run_async

from retrying_elegant import RetryBudget, RetryError, given_up, instrumentation, retry, retrying

TELLS_GROUPS = sys.version_info >= (3, 13)


class Lost(Exception):
    """Retried in these tests."""


ASYNC = [way for way in (*WAYS, *GENERATORS) if way.colour == "async"]


@pytest.fixture(params=ASYNC, ids=repr)
def way(request):
    return request.param


class Deaf:
    """Attempts that swallow a cancellation, and then raise *error*, or return it.

    The first *failures* ones fail at once instead.
    """

    def __init__(self, outcome, failures=0, *, uncancel=False):
        self.outcome = outcome
        self.failures = failures
        self.uncancel = uncancel
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise Lost("at once")
        if self.calls <= self.failures + 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if self.uncancel:
                    asyncio.current_task().uncancel()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


async def canceled(coroutine):
    """What comes of *coroutine* in a task that is cancelled after five seconds."""
    task = asyncio.create_task(coroutine)
    await asyncio.sleep(5)
    task.cancel()
    return await task


async def timed_out(coroutine):
    async with asyncio.timeout(5):
        return await coroutine


async def waited_for(coroutine):
    return await asyncio.wait_for(coroutine, 5)


async def in_a_group(coroutine):
    """In a task group of which another task fails."""

    async def fail():
        await asyncio.sleep(5)
        raise KeyError("elsewhere")

    async with asyncio.TaskGroup() as group:
        group.create_task(fail())
        group.create_task(coroutine)


@pytest.fixture
def events():
    """What hooks and observers are notified of."""
    return []


def watching(events):
    """A hook of each ending kind, and of the retry."""
    return {
        hook: lambda attempt, hook=hook: events.append((hook, attempt.number))
        for hook in ("on_retry", "on_success", "on_give_up")
    }


class TestAnErrorAfterIt:
    """The attempt's error propagates as from bare code: no attempt follows."""

    @pytest.mark.parametrize("failures", [0, 2])
    def test_cancel(self, way, waits, failures):
        """`task.cancel()`: the error is the task's, in the first attempt or a later one."""
        error = Lost("after it")
        deaf = Deaf(error, failures)
        with pytest.raises(Lost) as caught:
            run_async(canceled(way.start(deaf, wait=1)))
        assert caught.value is error
        assert deaf.calls == failures + 1
        assert waits == [1] * failures

    @pytest.mark.parametrize("limit", [timed_out, waited_for, in_a_group])
    def test_limits(self, way, limit):
        """A limit around the call ends it at this attempt."""
        deaf = Deaf(Lost("after it"))
        with pytest.raises((Lost, ExceptionGroup)):
            run_async(limit(way.start(deaf, None, wait=1)))
        assert deaf.calls == 1

    def test_it_is_unannounced(self, way, events, caplog):
        """No hook, observer, log line, note or record."""
        error = Lost("after it")
        with (
            instrumentation.observe(on_retry=events.append, on_give_up=events.append),
            pytest.raises(Lost),
        ):
            run_async(canceled(way.start(Deaf(error), **watching(events))))
        assert events == []
        assert caplog.records == []
        assert given_up(error) is None
        assert not hasattr(error, "__notes__")
        assert error.__context__ is error.__cause__ is None

    def test_the_token_is_returned(self, way):
        """Only retries that were made have used one."""
        budget = RetryBudget(5)
        with pytest.raises(Lost):
            run_async(canceled(way.start(Deaf(Lost(), 2), wait=0, budget=budget)))
        assert budget.tokens == 3

    def test_nothing_replaces_it(self):
        """Neither `fallback` nor `raises=False`."""
        error = Lost()
        with pytest.raises(Lost):
            run_async(canceled(retry(fallback=lambda attempt: "instead")(Deaf(error))()))
        for way in ASYNC:
            if way.form in ("loop", "block"):
                with pytest.raises(Lost):
                    run_async(canceled(way.start(Deaf(error), raises=False)))

    def test_an_error_that_is_not_retryable(self, way):
        """Propagates, as ever."""
        deaf = Deaf(Lost())
        with pytest.raises(Lost):
            run_async(canceled(way.start(deaf, on=OSError)))
        assert deaf.calls == 1

    def test_a_success(self, way, events):
        """A result that nothing rejects is a result."""
        deaf = Deaf("value")
        assert run_async(canceled(way.start(deaf, **watching(events)))) == "value"
        assert events == [("on_success", 1)]

    def test_under_an_attempt_timeout(self, way):
        """The policy's own limit does not hide it."""
        deaf = Deaf(Lost())
        with pytest.raises(Lost):
            run_async(canceled(way.start(deaf, None, wait=0, attempt_timeout=30)))
        assert deaf.calls == 1


@pytest.mark.skipif(not TELLS_GROUPS, reason="Python up to 3.12 cannot tell; see the contract")
class TestARejectedResultAfterIt:
    """RetryError, unannounced."""

    def test_until(self, events):
        """In every form that has results."""
        for way in ASYNC:
            if way.form == "generator":
                continue
            deaf = Deaf("not yet")
            with pytest.raises(RetryError) as caught:
                run_async(canceled(way.start(deaf, until=lambda r: False, **watching(events))))
            assert caught.value.result == "not yet"
            assert given_up(caught.value) is None
            assert deaf.calls == 1
        assert events == []

    def test_fallback(self, events):
        """It is for calls that give up."""
        called = []
        call = retry(until=lambda r: False, fallback=called.append, **watching(events))
        with pytest.raises(RetryError):
            run_async(canceled(call(Deaf("not yet").__call__)()))
        assert called == []


class TestStillRetryable:
    """A cancellation that is not this call's, or that has been dealt with, ends nothing."""

    def test_one_that_was_undone(self, way):
        """The attempt calls `task.uncancel()`, as structured code does."""
        deaf = Deaf(Lost(), uncancel=True)
        with pytest.raises(Lost) as caught:
            run_async(canceled(way.start(deaf, 3, wait=0)))
        assert deaf.calls == given_up(caught.value).attempts == 3

    @pytest.mark.parametrize("limit", [timed_out, waited_for])
    def test_a_limit_inside_the_attempt(self, way, limit):
        """Its TimeoutError is an error like others."""
        calls = []

        async def attempt():
            calls.append(True)
            await limit(asyncio.sleep(60))

        with pytest.raises(TimeoutError) as caught:
            run_async(way.start(attempt, 3, wait=0))
        assert len(calls) == given_up(caught.value).attempts == 3

    def test_a_limit_whose_task_swallowed_it(self, way):
        """Inside the attempt: what its own limit cancelled is not this call."""
        calls = []

        async def deaf():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass
            raise Lost

        async def attempt():
            calls.append(True)
            async with asyncio.timeout(5):
                await deaf()

        with pytest.raises((Lost, TimeoutError)) as caught:
            run_async(way.start(attempt, 3, wait=0))
        assert len(calls) == given_up(caught.value).attempts == 3

    def test_a_task_group_inside_the_attempt(self, way):
        """One that fails, on every version of Python."""
        calls = []

        async def fail():
            raise Lost

        async def attempt():
            calls.append(True)
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(asyncio.sleep(60))

        with pytest.raises(ExceptionGroup) as caught:
            run_async(way.start(attempt, 3, wait=0))
        assert len(calls) == given_up(caught.value).attempts == 3

    @pytest.mark.parametrize("options", [{}, {"timeout": 60}], ids=str)
    def test_an_attempt_after_one_with_such_a_group(self, way, options):
        """The cancellations that the group has left behind are not those of the next attempt."""
        calls = []

        async def fail():
            raise Lost

        async def attempt():
            calls.append(True)
            if len(calls) == 1:
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail())
            raise Lost

        with pytest.raises(Lost) as caught:
            run_async(way.start(attempt, 3, wait=0, **options))
        assert len(calls) == given_up(caught.value).attempts == 3

    def test_an_error_made_of_its_group(self, way):
        """Whose chain holds the group, as `raise ... from group` does."""
        calls = []

        async def fail():
            raise Lost

        async def attempt():
            calls.append(True)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(fail())
            except ExceptionGroup as group:
                raise ConnectionError("a part failed") from group

        with pytest.raises(ConnectionError) as caught:
            run_async(way.start(attempt, 3, wait=0))
        assert len(calls) == given_up(caught.value).attempts == 3

    def test_a_call_made_while_a_cancellation_is_handled(self, way):
        """The caller's own: flushing on shutdown is retried."""
        calls = []

        async def flush():
            calls.append(True)
            if len(calls) < 3:
                raise Lost
            return "flushed"

        async def caller():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return await way.start(flush, 5, wait=0)

        assert run_async(canceled(caller())) == "flushed"
        assert len(calls) == 3

    def test_a_second_cancellation_of_that_call(self, way):
        """Ends it, swallowed or not."""
        deaf = Deaf(Lost())

        async def caller():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return await way.start(deaf, None, wait=1)

        async def main():
            task = asyncio.create_task(caller())
            for _ in range(2):
                await asyncio.sleep(5)
                task.cancel()
            await task

        with pytest.raises(Lost):
            run_async(main())
        assert deaf.calls == 1

    def test_between_two_calls_of_a_block(self):
        """A cancellation swallowed outside of any attempt is the block's, not the next call's."""
        calls = []

        async def attempt():
            calls.append(True)
            if len(calls) < 3:
                raise Lost
            return "value"

        async def main():
            async with retrying(5, wait=0) as call:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass
                return await call(attempt)

        assert run_async(canceled(main())) == "value"


@pytest.mark.skipif(not TELLS_GROUPS, reason="Python up to 3.12 cannot tell; see the contract")
class TestSwallowedByAHook:
    """The retry that a hook announces is not made, and its token returns."""

    def ended(self, way, outcome, **fields):
        budget, endings, flaky = RetryBudget(10), [], Flaky([outcome, "value"])

        async def deaf(attempt):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

        fields |= {"budget": budget, "on_retry": deaf, "on_give_up": endings.append, "wait": 0}
        with pytest.raises((Lost, RetryError)) as caught:
            run_async(canceled(way.start(flaky, **fields)))
        assert (flaky.calls, budget.tokens, endings) == (1, 10, [])
        assert given_up(caught.value) is None
        return caught.value

    def test_after_an_error(self, way):
        """It propagates, unannounced."""
        error = Lost()
        assert self.ended(way, error) is error

    @pytest.mark.parametrize("way", [way for way in ASYNC if way not in GENERATORS], ids=repr)
    def test_after_a_rejected_result(self, way):
        """RetryError, likewise."""
        assert self.ended(way, 0, until=bool).result == 0
