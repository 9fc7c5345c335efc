"""`deadline`: one moment for every retry made inside, in this thread or task."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from ways import GENERATORS, WAYS, Flaky, as_coroutine_function, run_async

from retrying_elegant import deadline, given_up, retry, retrying
from retrying_elegant.backoff import constant


class Lost(Exception):
    """Retried in these tests."""


def reason(error):
    record = given_up(error)
    return record.reason, record.attempts


class TestRetriesInside:
    """No policy beneath it makes a retry at or after that moment."""

    def test_waits_that_would_end_too_late(self, way, clock, waits):
        """As if the policy had that timeout: waits of 4 seconds fit into 10 twice."""
        with deadline(10), pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), None, wait=4)
        assert reason(caught.value) == ("timeout", 3)
        assert waits == [4, 4]

    @pytest.mark.parametrize(("seconds", "timeout"), [(10, 5), (5, 10)])
    def test_the_smaller_of_it_and_the_timeout_applies(self, way, clock, seconds, timeout):
        """Waits of 2 seconds fit into 5 twice."""
        with deadline(seconds), pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), None, wait=2, timeout=timeout)
        assert reason(caught.value) == ("timeout", 3)

    @pytest.mark.parametrize(("outer", "inner"), [(10, 5), (5, 10)])
    def test_the_earlier_of_two_applies(self, way, clock, outer, inner):
        """Whichever is inside."""
        with deadline(outer), deadline(inner), pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), None, wait=2)
        assert reason(caught.value) == ("timeout", 3)

    def test_a_retry_that_would_be_too_late_is_not_announced(self, way, clock, caplog):
        """Its wait is not evaluated where the moment has passed, and no line says "retrying"."""
        evaluated, announced = [], []
        hooks = {"wait": evaluated.append, "on_retry": announced.append}
        with deadline(5), pytest.raises(Lost):
            clock.tick(5)
            way.run(Flaky([Lost]), **hooks)
        with deadline(5), pytest.raises(Lost):
            way.run(Flaky([Lost]), wait=constant(5, jitter=0))
        assert evaluated == announced == []
        assert [record.name for record in caplog.records] == ["retrying_elegant.give_up"] * 2

    @pytest.mark.parametrize("held", [4, 5])
    def test_a_wait_that_ends_late(self, way, clock, own_waits, held):
        """No attempt follows at that moment; before it, one does."""
        own_waits.setattr("time.sleep", lambda seconds: clock.tick(held))

        async def sleep(seconds):
            clock.tick(held if seconds else 0)  # 0: of the attempt itself

        own_waits.setattr("asyncio.sleep", sleep)
        with deadline(5), pytest.raises(Lost) as caught:
            way.run(Flaky([Lost]), 2, wait=constant(1, jitter=0))
        assert reason(caught.value) == (("attempts", 2) if held < 5 else ("timeout", 1))

    def test_the_first_attempt_is_always_made(self, decorator_way, clock):
        """And may succeed, though the moment has passed."""
        with deadline(5):
            clock.tick(60)
            assert decorator_way.run(Flaky(["value"])) == "value"

    def test_clean_up_after_it_is_one_attempt(self, way, clock):
        """It is made, but its failure is not retried."""
        unlock = Flaky([Lost, "value"])
        with deadline(5), pytest.raises(Lost) as caught:
            clock.tick(60)
            way.run(unlock, wait=0)
        assert (reason(caught.value), unlock.calls) == (("timeout", 1), 1)

    def test_what_an_attempt_may_take(self, way, clock):
        """`remaining` and `timeout` show what is left of it."""
        seen = []
        note = lambda attempt: seen.append((attempt.remaining, attempt.timeout))  # noqa: E731
        with deadline(10):
            clock.tick(3)
            assert way.run(Flaky(["value"]), before_attempt=note) == "value"
        assert seen == [(7, 7)]

    def test_outside_it_there_is_none(self, way, clock, waits):
        """Once it has been left."""
        with deadline(1):
            pass
        assert way.run(Flaky([Lost, "value"]), wait=60) == "value"
        assert waits == [60]


class TestAttemptTimeout:
    """`attempt_timeout` is cut to what is left of it."""

    @pytest.mark.parametrize(
        "way", [way for way in (*WAYS, *GENERATORS) if way.colour == "async"], ids=repr
    )
    def test_it_is_cut(self, way, clock):
        """Here to 3 seconds of 60."""
        with deadline(10), pytest.raises(TimeoutError, match=r"the 3 s that deadline") as caught:
            clock.tick(7)
            way.run(lambda: asyncio.sleep(3600), 1, attempt_timeout=60)
        assert given_up(caught.value).reason == "attempts"

    def test_with_nothing_left(self, async_way, clock):
        """A first attempt is canceled at its first await, which here precedes the call."""
        flaky = Flaky(["value"])
        with deadline(5), pytest.raises(TimeoutError, match=r"the 0 s that deadline") as caught:
            clock.tick(60)
            async_way.run(flaky, attempt_timeout=60)
        assert (reason(caught.value), flaky.calls) == (("timeout", 1), 0)

    def test_an_attempt_that_awaits_nothing(self, clock):
        """It cannot be canceled, and may succeed."""

        async def call():
            return "value"

        with deadline(5):
            clock.tick(60)
            assert run_async(retry(attempt_timeout=60)(call)()) == "value"


class TestWhereItApplies:
    """In this thread or task, and in the tasks and `to_thread` calls started in it."""

    def failing(self):
        with pytest.raises(Lost) as caught:
            retry(3, wait=60)(Flaky([Lost]))()
        return reason(caught.value)

    def test_in_tasks_started_inside(self, clock):
        """And no longer in those that outlive it."""

        async def call():
            with pytest.raises(Lost) as caught:
                await retry(3, wait=60)(self.lost)()
            return reason(caught.value)

        async def later():
            await asyncio.sleep(1)
            return await call()

        async def main():
            with deadline(10):
                inside = await asyncio.create_task(call())
                outliving = asyncio.create_task(later())
            return inside, await outliving

        assert run_async(main()) == (("timeout", 1), ("attempts", 3))

    async def lost(self):
        raise Lost

    def test_in_to_thread(self, clock):
        """It copies the context."""

        async def main():
            with deadline(10):
                return await asyncio.to_thread(self.failing)

        assert run_async(main()) == ("timeout", 1)

    def in_a_thread(self, call):
        """What *call* returns there."""
        found = []
        thread = threading.Thread(target=lambda: found.append(call()))
        thread.start()
        thread.join()
        return found[0]

    def test_not_in_other_threads(self, clock):
        """They start with a context of their own."""
        with deadline(10):
            assert self.in_a_thread(self.failing) == ("attempts", 3)

    def test_not_in_the_threads_of_an_executor(self, clock):
        """They may have been started by anyone; a copy of the context hands it to them."""
        with deadline(10), ThreadPoolExecutor(1) as pool:
            assert pool.submit(self.failing).result() == ("attempts", 3)
            context = contextvars.copy_context()
            assert pool.submit(context.run, self.failing).result() == ("timeout", 1)

    def test_not_in_run_in_executor(self, clock):
        """Unlike `to_thread`."""

        async def main():
            loop = asyncio.get_running_loop()
            with deadline(10):
                return await loop.run_in_executor(None, self.failing)

        assert run_async(main()) == ("attempts", 3)

    def test_in_threads_that_run_in_its_context(self, clock):
        """Which they are handed."""
        with deadline(10):
            context = contextvars.copy_context()
            assert self.in_a_thread(lambda: context.run(self.failing)) == ("timeout", 1)


class TestLeftElsewhere:
    """On any exit, also from another context, it ends for everyone, and raises nothing."""

    def entering(self):
        """A generator that is inside a deadline while it is suspended."""
        with deadline(10):
            yield deadline.current()

    async def entering_async(self):
        with deadline(10):
            yield deadline.current()

    async def next_of(self, generator):
        return await anext(generator)

    async def close(self, generator):
        await generator.aclose()

    def test_a_generator_binds_its_consumer(self, way, clock, waits):
        """Until it is closed: they share a context."""
        generator = self.entering()
        assert next(generator) is deadline.current()
        with pytest.raises(Lost) as caught:
            way.run(Flaky([Lost, "value"]), wait=60)
        assert reason(caught.value) == ("timeout", 1)
        generator.close()
        assert deadline.current() is None
        assert way.run(Flaky([Lost, "value"]), wait=60) == "value"

    def test_a_generator_that_is_closed_in_another_context(self, way, clock):
        """It began in a thread's, and ends in ours."""
        generator = self.entering()
        began = contextvars.copy_context()
        inside = began.run(next, generator)
        generator.close()
        assert deadline.current() is began.run(deadline.current) is None
        assert inside.remaining == 10
        assert began.run(way.run, Flaky([Lost, "value"]), wait=60) == "value"

    def test_an_async_generator_that_is_closed_in_another_task(self, clock):
        """Its consumer, in whose context it has begun, is free again."""

        async def main():
            generator = self.entering_async()
            assert await anext(generator) is deadline.current()
            await asyncio.create_task(self.close(generator))
            assert deadline.current() is None
            return await retry(wait=60)(as_coroutine_function(Flaky([Lost, "value"])))()

        assert run_async(main()) == "value"

    def test_an_async_generator_that_began_in_another_task(self, clock):
        """It binds that task alone, and is left in this one."""

        async def main():
            generator = self.entering_async()
            inside = await asyncio.create_task(self.next_of(generator))
            assert inside is not None
            assert deadline.current() is None
            with deadline(20) as ours:
                await generator.aclose()
                assert deadline.current() is ours

        run_async(main())

    def kept_by(self, this):
        """The deadlines that *this* keeps alive."""
        inner = [kept for kept in gc.get_referents(this) if isinstance(kept, deadline)]
        return inner + [kept for each in inner for kept in self.kept_by(each)]

    def test_many_that_are_closed_in_another_task(self, clock):
        """The context keeps the last of them, and that one none before it."""

        async def main():
            for _ in range(3):
                generator = self.entering_async()
                await anext(generator)
                await asyncio.create_task(self.close(generator))
            return list(contextvars.copy_context().values())

        (last,) = (value for value in run_async(main()) if isinstance(value, deadline))
        assert self.kept_by(last) == []

    def test_tasks_that_each_start_the_next_one(self, clock):
        """For months, each in its own deadline: it keeps at most the one it has begun in."""
        tasks = []

        async def follow(left):
            with deadline(10):
                if left:
                    tasks.append(asyncio.create_task(follow(left - 1)))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return len(self.kept_by(deadline.current()))

        async def main():
            await follow(5)
            return [await task for task in tasks]

        assert run_async(main()) == [1] * 5

    def test_an_async_generator_that_is_forgotten(self, clock, no_collector):
        """The event loop closes it, in a task of its own."""

        async def main():
            generator = self.entering_async()
            await anext(generator)
            del generator
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return deadline.current()

        assert run_async(main()) is None


class TestBlocks:
    """A block with a `timeout` is a deadline for its calls and everything beneath them."""

    def test_policies_beneath_a_call(self, block_way, clock, waits):
        """They share what is left of it."""
        beneath = retry(9, wait=4)(Flaky([Lost]))

        def call():
            clock.tick(1)
            with pytest.raises(Lost) as caught:
                beneath()
            return reason(caught.value)

        assert block_way.run(call, timeout=10) == ("timeout", 3)
        assert waits == [4, 4]

    def test_it_is_the_deadline_of_the_block(self, clock):
        """From its beginning to its end."""
        with retrying(timeout=10) as call:
            clock.tick(4)
            assert call(deadline.current) is deadline.current()
            assert deadline.current().remaining == 6
        assert deadline.current() is None

    def test_of_an_async_block(self, clock):
        """Also for the tasks that are started in it."""

        async def remaining():
            return deadline.current().remaining

        async def main():
            async with retrying(timeout=10) as call:
                clock.tick(4)
                assert await call(remaining) == await asyncio.create_task(remaining()) == 6
            return deadline.current()

        assert run_async(main()) is None

    @pytest.mark.parametrize("raises", [True, False])
    def test_it_ends_with_a_block_that_gave_up(self, clock, raises):
        """Whether the error is raised or not."""
        with contextlib.suppress(Lost), retrying(1, timeout=10, raises=raises) as call:
            call(Flaky([Lost]))
        assert deadline.current() is None

    def test_left_in_another_context(self, clock):
        """A generator that is inside a block is closed elsewhere: its consumer is free again."""

        async def inside():
            async with retrying(timeout=10) as call:
                yield await call(as_coroutine_function(deadline.current))

        async def main():
            generator = inside()
            assert await anext(generator) is deadline.current()
            await asyncio.create_task(generator.aclose())
            return deadline.current()

        assert run_async(main()) is None

    @pytest.mark.parametrize(("outer", "inner"), [(5, 10), (10, 5)])
    def test_the_earlier_applies(self, clock, outer, inner):
        """Of it and the deadline around it."""
        with deadline(outer), retrying(timeout=inner) as call:
            assert call(deadline.current).remaining == 5

    def test_without_a_timeout(self, clock):
        """It is none, nor is a loop or a decorated call with one."""
        with retrying() as call:
            assert call(deadline.current) is None
        for attempt in retrying(timeout=10):
            with attempt:
                assert deadline.current() is None
        assert retry(timeout=10)(deadline.current)() is None


class TestTheObject:
    """It is entered once, and says what is left."""

    def test_remaining(self, clock):
        """At least 0; before it is entered, all of it."""
        this = deadline(10)
        assert this.remaining == 10
        with this:
            clock.tick(4)
            assert this.remaining == 6
            clock.tick(60)
            assert this.remaining == 0

    def test_remaining_inside_an_earlier_one(self, clock):
        """That of the earlier."""
        with deadline(5), deadline(10) as inner:
            assert inner.remaining == 5

    def test_it_is_entered_once(self):
        """Also not again when it has been left."""
        this = deadline(5)
        with this:
            pass
        text = "^this deadline has been entered before: make one for each `with`$"
        with pytest.raises(RuntimeError, match=text):
            this.__enter__()

    def test_current(self, clock):
        """The innermost that applies here, or None."""
        assert deadline.current() is None
        with deadline(5) as outer:
            with deadline(9) as inner:
                assert deadline.current() is inner
            assert deadline.current() is outer
        assert deadline.current() is None

    def test_current_by_an_object(self, clock):
        """Read from one that is entered, it is the same."""
        with deadline(10), deadline(5) as inner:
            assert inner.current() is inner

    def test_nothing_is_left_of_it(self, clock):
        """The context does not keep what has been left."""
        with deadline(10) as outer, deadline(5) as inner:
            pass
        values = list(contextvars.copy_context().values())
        assert outer not in values
        assert inner not in values

    @pytest.mark.parametrize("line", range(1, 7))
    def test_interrupted_while_it_is_entered(self, clock, line):
        """By a signal handler, before any line: it binds nothing, and can be read."""
        entered = deadline(5)
        lines = iter(range(1, line))

        def trace(frame, event, argument):
            if frame.f_code is not deadline.__enter__.__code__:
                return None
            if event == "line" and next(lines, None) is None:
                raise KeyboardInterrupt
            return trace

        def enter():
            before = sys.gettrace()
            sys.settrace(trace)
            try:
                entered.__enter__()
            finally:
                sys.settrace(before)

        def interrupted():
            with pytest.raises(KeyboardInterrupt):
                enter()
            return deadline.current(), entered.remaining

        assert contextvars.copy_context().run(interrupted) == (None, 5)

    def test_left_in_another_order(self, clock):
        """Each ends itself alone."""
        outer, inner = deadline(5), deadline(9)
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        assert deadline.current() is inner
        assert inner.remaining == 9
        inner.__exit__(None, None, None)
        assert deadline.current() is None

    def test_repr(self):
        """As it was written."""
        assert repr(deadline(5)) == "deadline(5.0)"

    @pytest.mark.parametrize(
        ("seconds", "error"),
        [
            (0, ValueError),
            (0.0, ValueError),
            (-1, ValueError),
            (float("inf"), ValueError),
            ("5", TypeError),
        ],
    )
    def test_bad_input(self, seconds, error):
        """A positive, finite number of seconds."""
        with pytest.raises(error, match=r"^seconds=.*: expected a positive number of seconds$"):
            deadline(seconds)
