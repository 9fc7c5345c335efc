"""Contract 15: the async forms work under trio as under asyncio.

Time is trio's own virtual clock, which jumps to the next deadline: nothing here waits.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
import traceback
import weakref

import pytest
from forms import ASYNC, Script, recorder

from retrying_elegant import (
    RetryBudget,
    RetryError,
    TryAgain,
    deadline,
    given_up,
    retry,
    retrying,
    testing,
)

trio = pytest.importorskip("trio", reason="the package trio is not installed")
trio_testing = pytest.importorskip("trio.testing", reason="the package trio is not installed")

FOREVER = 1e6  # seconds of virtual time; no test gets there


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Raised next to the calls under test."""


def run(main, *args):
    """Run *main* under trio, with a clock that jumps."""
    return trio.run(main, *args, clock=trio_testing.MockClock(autojump_threshold=0))


@pytest.fixture(params=ASYNC)
def form(request):
    """Each async form: a coroutine function that takes an attempt and the options."""
    return ASYNC[request.param]


class Timed(Script):
    """A script that also writes down when, on trio's clock, each attempt began."""

    def __init__(self, *outcomes):
        super().__init__(*outcomes)
        self.starts = []

    async def __call__(self):
        self.starts.append(trio.current_time())
        return await super().__call__()


class TestWaits:
    """A wait is slept on trio's clock, and other tasks run meanwhile."""

    def test_attempts_start_when_the_waits_are_over(self, form):
        """Three failures, three waits."""
        script = Timed(Lost, Lost, Lost, "value")

        async def main():
            start = trio.current_time()
            assert await form(script, wait=(1, 2, 3), on=Lost) == "value"
            return [moment - start for moment in script.starts]

        assert run(main) == pytest.approx([0, 1, 3, 6])

    def test_a_hint_is_waited_for(self, form):
        """`TryAgain(after=7)`."""
        script = Timed(TryAgain(after=7), "value")

        async def main():
            start = trio.current_time()
            assert await form(script, wait=0) == "value"
            return script.starts[1] - start

        assert run(main) == pytest.approx(7)

    def test_a_wait_of_nothing_lets_others_run(self, form):
        """It is a checkpoint all the same: two calls take turns."""
        turns = []

        async def take_turns(who):
            async def attempt():
                turns.append(who)
                raise Lost

            with pytest.raises(Lost):
                await form(attempt, 3, wait=0)

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(take_turns, "a")
                nursery.start_soon(take_turns, "b")

        run(main)
        assert sorted(turns[:2]) == sorted(turns[2:4]) == sorted(turns[4:]) == ["a", "b"]

    def test_testing_instant_skips_them(self, form):
        """`testing.instant()` takes no time of trio's either."""

        async def main():
            with testing.instant() as instant:
                assert await form(Script(Lost, Lost, "value"), wait=60) == "value"
            return trio.current_time() - start[0], instant.waits

        start = [0.0]

        async def timed():
            start[0] = trio.current_time()
            return await main()

        elapsed, waits = run(timed)
        assert elapsed == pytest.approx(0)
        assert waits == [60.0, 60.0]


class TestEndings:
    """Success, giving up, `until`, `fallback` and `raises=False` are what they are elsewhere."""

    def test_the_final_error_leaves_with_its_record(self, form):
        """The original object, note and record on it."""
        error = Lost("away")
        with pytest.raises(Lost) as caught:
            run(lambda: form(Script(error), 3, wait=1, name="job"))
        assert caught.value is error
        assert given_up(error).attempts == 3
        assert error.__notes__[0].startswith("retrying_elegant: gave up on job after 3 attempts")

    def test_the_timeout_counts_waits_of_virtual_time(self, form):
        """The sum of the waits is elapsed time, whatever the real clock says."""
        script = Script(Lost)
        with pytest.raises(Lost) as caught:
            run(lambda: form(script, None, wait=10, timeout=35))
        assert script.calls == 4
        assert given_up(caught.value).reason == "timeout"

    def test_until_polls(self, form):
        """Until the result is accepted; never: RetryError."""
        assert run(lambda: form(Script(1, 2, 3), wait=1, until=lambda n: n == 3)) == 3
        with pytest.raises(RetryError) as caught:
            run(lambda: form(Script(1), 2, wait=1, until=lambda n: n == 3))
        assert caught.value.result == 1

    def test_a_fallback_is_awaited(self):
        """It may checkpoint."""

        async def fallback(attempt):
            await trio.sleep(1)
            return f"instead of attempt {attempt.number}"

        fetch = retry(2, wait=1, fallback=fallback)(Script(Lost))
        assert run(fetch) == "instead of attempt 2"

    def test_raises_false_ends_a_loop(self):
        """No exception leaves."""

        async def main():
            async for attempt in retrying(2, wait=1, raises=False):
                async with attempt:
                    raise Lost
            return attempt

        attempt = run(main)
        assert (attempt.succeeded, attempt.number, type(attempt.error)) == (False, 2, Lost)

    def test_raises_false_ends_a_block(self):
        """At the first call that gives up."""

        async def main():
            async with retrying(2, wait=1, raises=False) as call:
                await call(Script(Lost))
                pytest.fail("the block has ended")
            return call

        call = run(main)
        assert not call.succeeded
        assert type(call.error) is Lost


class TestAttemptTimeout:
    """An attempt is cancelled in time, and counts as failed with TimeoutError."""

    def test_a_stuck_attempt_is_cancelled_and_retried(self, form):
        """Each time after `attempt_timeout` seconds."""
        script = Timed(trio.sleep_forever, trio.sleep_forever, "value")

        async def main():
            start = trio.current_time()
            assert await form(script, attempt_timeout=5, wait=1, on=Lost) == "value"
            return [moment - start for moment in script.starts]

        assert run(main) == pytest.approx([0, 6, 12])

    def test_what_is_left_of_the_timeout_is_the_limit(self, form):
        """`min(attempt_timeout, what is left of timeout)`."""

        async def main():
            start = trio.current_time()
            with pytest.raises(TimeoutError):
                await form(Script(trio.sleep_forever), 1, attempt_timeout=900, timeout=60)
            return trio.current_time() - start

        assert run(main) == pytest.approx(60, abs=10)

    def test_the_last_one_leaves(self, form):
        """As TimeoutError, with its record, two frames of the library at the most, and the place
        where the attempt was stuck as its cause."""

        async def stuck():
            await trio.sleep_forever()

        with pytest.raises(TimeoutError) as caught:
            run(lambda: form(stuck, 2, attempt_timeout=5, wait=0))
        error = caught.value
        assert given_up(error).reason == "attempts"
        frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
        assert len([name for name in frames if "retrying_elegant" in name]) <= 2
        places = [frame.name for frame in traceback.extract_tb(error.__cause__.__traceback__)]
        assert "stuck" in places

    def test_unless_can_name_it(self, form):
        """Then it leaves at once."""
        script = Script(trio.sleep_forever)
        with pytest.raises(TimeoutError):
            run(lambda: form(script, attempt_timeout=5, unless=TimeoutError))
        assert script.calls == 1

    def test_a_timeout_of_the_users_own_is_judged_by_on(self, form):
        """It is not the policy's."""
        script = Script(TimeoutError("mine"), "value")
        with pytest.raises(TimeoutError, match="mine"):
            run(lambda: form(script, attempt_timeout=5, on=Lost))
        assert script.calls == 1

    def test_an_error_of_its_clean_up(self, form):
        """The attempt was not healthy, though it ran for longer than `reset_after`."""
        calls = 0

        async def hang():
            nonlocal calls
            calls += 1
            try:
                await trio.sleep_forever()
            finally:
                raise Lost

        with testing.limit(9), pytest.raises(Lost) as caught:
            run(lambda: form(hang, 3, wait=0, attempt_timeout=5, reset_after=1e-9))
        assert (calls, given_up(caught.value).attempts) == (3, 3)

    def test_a_deadline_inside_the_attempt_is_its_own_affair(self, form):
        """`trio.move_on_after` in an attempt ends nothing but itself."""

        async def attempt():
            with trio.move_on_after(1):
                await trio.sleep_forever()
            return "value"

        assert run(lambda: form(attempt, attempt_timeout=5)) == "value"

    def test_an_attempt_that_cleans_up_is_waited_for(self, form):
        """Its shielded clean-up runs to the end before the next attempt starts."""
        events = []

        async def stuck():
            events.append("start")
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(3)
                events.append("clean")

        with pytest.raises(TimeoutError):
            run(lambda: form(stuck, 2, attempt_timeout=5, wait=0))
        assert events == ["start", "clean", "start", "clean"]

    def test_a_nursery_in_the_attempt_is_cancelled_with_it(self, form):
        """All its tasks end; nothing of it runs on."""
        running = set()

        async def worker(name):
            running.add(name)
            try:
                await trio.sleep_forever()
            finally:
                running.remove(name)

        async def attempt():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker, "a")
                nursery.start_soon(worker, "b")

        with pytest.raises(TimeoutError):
            run(lambda: form(attempt, 2, attempt_timeout=5, wait=1))
        assert running == set()

    def test_an_error_in_a_nursery_counts_more_than_the_timeout(self, form):
        """What a task raised on being cancelled leaves in its group, and `on` judges it."""

        async def worker():
            try:
                await trio.sleep_forever()
            finally:
                raise Wrong

        async def attempt():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker)
                nursery.start_soon(trio.sleep_forever)

        script = Script(attempt)
        with pytest.raises(ExceptionGroup) as caught:
            run(lambda: form(script, attempt_timeout=5, on=Lost))
        assert [type(error) for error in caught.value.exceptions] == [Wrong]
        assert script.calls == 1


# Ways to be cancelled after five seconds: a coroutine function that runs another in a scope, and
# gives back whether that scope caught the cancellation.


async def by_deadline(main):
    with trio.move_on_after(5) as scope:
        await main()
    return scope.cancelled_caught


async def by_outer_deadline(main):
    with trio.move_on_after(5) as scope, trio.move_on_after(FOREVER), trio.CancelScope():
        await main()
    return scope.cancelled_caught


async def by_fail_after(main):
    try:
        with trio.fail_after(5):
            await main()
    except trio.TooSlowError:
        return True
    return False


async def by_another_task(main):
    async def cancel(scope):
        await trio.sleep(5)
        scope.cancel()

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(cancel, scope)
            await main()
    return scope.cancelled_caught


async def by_a_failing_sibling(main):
    async def fail():
        await trio.sleep(5)
        raise Wrong

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(main)
            nursery.start_soon(fail)
    except ExceptionGroup as group:
        return [type(error) for error in group.exceptions] == [Wrong]
    return False


CANCELLED = [by_deadline, by_outer_deadline, by_fail_after, by_another_task, by_a_failing_sibling]


async def long_hook(attempt):
    await trio.sleep(10)


# What a call is doing when it is cancelled, after five seconds: the script of its attempts, its
# options, and the events up to then.
MOMENTS = {
    "attempt": ([trio.sleep_forever], {}, [("before_attempt", 1)]),
    "timed attempt": ([trio.sleep_forever], {"attempt_timeout": 10}, [("before_attempt", 1)]),
    "wait": ([Lost, "value"], {"wait": 10}, [("before_attempt", 1), ("on_retry", 1)]),
    "before_attempt": (["value"], {"before_attempt": long_hook}, []),
    "on_retry": ([Lost, "value"], {"on_retry": long_hook}, [("before_attempt", 1)]),
    "on_success": (["value"], {"on_success": long_hook}, [("before_attempt", 1)]),
    "on_give_up": ([Lost], {"attempts": 1, "on_give_up": long_hook}, [("before_attempt", 1)]),
}


class TestCancellation:
    """Cancellation is never swallowed, and no attempt starts after it."""

    @pytest.mark.parametrize("cancelled", CANCELLED)
    @pytest.mark.parametrize("moment", MOMENTS)
    def test_it_ends_the_call_at_any_moment(self, form, moment, cancelled):
        """In an attempt, in a wait, in a hook: after five seconds, by whoever owns the scope."""
        outcomes, options, expected = MOMENTS[moment]
        script, events = Script(*outcomes), []
        ended = []

        async def call():
            try:
                await form(script, **{**recorder(events), **options})
            except trio.Cancelled:
                ended.append(trio.current_time())
                raise
            pytest.fail("the cancellation was swallowed")

        async def main():
            start = trio.current_time()
            assert await cancelled(call)
            assert ended == [pytest.approx(start + 5)]
            assert trio.current_time() == pytest.approx(start + 5)

        run(main)
        assert script.calls == (moment != "before_attempt")
        assert events == expected

    @pytest.mark.parametrize("cancelled", [by_deadline, by_outer_deadline, by_fail_after])
    def test_a_deadline_outside_wins_over_an_equal_one_inside(self, form, cancelled):
        """The same moment for both: it is a cancellation, not a failed attempt."""
        script, events = Script(trio.sleep_forever), []

        async def main():
            return await cancelled(lambda: form(script, attempt_timeout=5, **recorder(events)))

        assert run(main)
        assert events == [("before_attempt", 1)]

    def test_neither_raises_false_nor_a_fallback_catches_it(self, form):
        """They are for errors."""

        async def main():
            with trio.move_on_after(5) as scope:
                await retry(fallback=lambda attempt: "instead")(trio.sleep_forever)()
            assert scope.cancelled_caught
            if form is not ASYNC["decorator"]:
                with trio.move_on_after(5) as scope:
                    await form(trio.sleep_forever, raises=False)
                assert scope.cancelled_caught

        run(main)

    @pytest.mark.parametrize("wait", [0, 10])
    @pytest.mark.parametrize("options", [{}, {"attempt_timeout": 3}])
    def test_an_attempt_that_outlives_it_is_the_last(self, form, wait, options):
        """The attempt shields itself, then fails: its error is not retried any more."""

        async def shielded():
            with trio.CancelScope(shield=True):
                await trio.sleep(7)
            raise Lost

        script = Script(shielded, "value")

        async def main():
            with trio.move_on_after(5) as scope:
                await form(script, wait=wait, **options)
            return scope.cancelled_caught

        assert run(main)
        assert script.calls == 1

    @pytest.mark.parametrize("hook", ["on_retry", "before_attempt"])
    def test_a_hook_may_cancel(self, form, hook):
        """The scope around the call, from within."""
        script = Script(Lost, trio.sleep_forever)

        async def main():
            with trio.CancelScope() as scope:

                def cancel(attempt):
                    if attempt.number == 1 + (hook == "before_attempt"):
                        scope.cancel()

                await form(script, wait=0, **{hook: cancel})
            return scope.cancelled_caught

        assert run(main)
        assert script.calls == 1 + (hook == "before_attempt")

    def test_a_retry_that_is_not_made_costs_nothing(self, form):
        """Its token is put back; one that was made stays paid."""
        budget = RetryBudget(10)

        async def main():
            with trio.move_on_after(15) as scope:
                await form(Script(Lost), wait=10, budget=budget)
            return scope.cancelled_caught

        assert run(main)
        assert budget.tokens == 9

    def test_a_call_in_a_shield_goes_on(self, form):
        """The user's own shield is respected: retries run to their end inside it."""

        async def main():
            with trio.move_on_after(5) as outer:
                with trio.CancelScope(shield=True):
                    value = await form(Script(Lost, Lost, "value"), wait=10)
                assert value == "value"
                await trio.lowlevel.checkpoint()
            return outer.cancelled_caught

        assert run(main)


class TestStop:
    """`stop`: an event of trio ends the call; one of another library raises RuntimeError."""

    def test_it_ends_the_wait(self, form):
        """At once, with the reason "stopped"; the token is back."""
        budget = RetryBudget()

        async def main():
            stop = trio.Event()
            async with trio.open_nursery() as nursery:

                async def set_later():
                    await trio.sleep(3)
                    stop.set()

                nursery.start_soon(set_later)
                with pytest.raises(Lost) as caught:
                    await form(Script(Lost), wait=60, stop=stop, budget=budget)
            return given_up(caught.value).reason, trio.current_time() - start[0]

        start = [0.0]

        async def timed():
            start[0] = trio.current_time()
            return await main()

        assert run(timed) == ("stopped", pytest.approx(3))
        assert budget.tokens == budget.capacity

    def test_of_asyncio(self, form):
        """Says that it is of another library; the attempt's error is its context."""
        error = Lost("away")
        with pytest.raises(RuntimeError, match="belongs to another event loop or lib") as caught:
            run(lambda: form(Script(error), wait=60, stop=asyncio.Event()))
        assert caught.value.__context__ is error

    def test_of_trio_under_asyncio(self, form):
        """Likewise."""
        error = Lost("away")
        with pytest.raises(RuntimeError, match="belongs to another event loop or lib") as caught:
            asyncio.run(form(Script(error), wait=60, stop=trio.Event()))
        assert caught.value.__context__ is error


class TestDeadline:
    """It binds what `start_soon` and `trio.to_thread` start inside, and nothing once it is left."""

    @staticmethod
    async def reason(form, **options):
        with pytest.raises(Lost) as caught:
            await form(Script(Lost), 3, wait=60, **options)
        return given_up(caught.value).reason

    def test_in_a_nursery(self, form):
        """Tasks that were started inside, in a nursery of inside or outside."""
        reasons = []

        async def call():
            reasons.append(await self.reason(form))

        async def main():
            async with trio.open_nursery() as outside:
                with deadline(10):
                    async with trio.open_nursery() as inside:
                        inside.start_soon(call)
                        outside.start_soon(call)
                        await call()
                        await trio.testing.wait_all_tasks_blocked()

        run(main)
        assert reasons == ["timeout"] * 3

    def test_tasks_that_outlive_it(self, form):
        """They are free again."""
        reasons = []

        async def later():
            await trio.sleep(1)
            reasons.append(await self.reason(form))

        async def main():
            async with trio.open_nursery() as outside:
                with deadline(10):
                    outside.start_soon(later)
                    await trio.testing.wait_all_tasks_blocked()

        run(main)
        assert reasons == ["attempts"]

    def test_tasks_started_outside(self, form):
        """They run at the same time, and are not bound."""
        reasons = []

        async def call():
            await trio.testing.wait_all_tasks_blocked()
            assert deadline.current() is None
            reasons.append(await self.reason(form))

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call)
                with deadline(10):
                    await trio.sleep(500)

        run(main)
        assert reasons == ["attempts"]

    def test_in_a_thread(self):
        """trio copies the context too."""

        async def main():
            with deadline(10):
                return await trio.to_thread.run_sync(deadline.current), deadline.current()

        there, here = run(main)
        assert there is here is not None


class TestConcurrency:
    """One policy, function or object may be used by any number of tasks at once."""

    def test_calls_in_one_nursery(self):
        """Each has its own attempts and waits; the longest takes as long as it alone would."""
        calls = {}

        @retry(wait=1, on=Lost)
        async def fetch(n):
            calls[n] = calls.get(n, 0) + 1
            await trio.sleep(0.1)
            if calls[n] <= n % 4:
                raise Lost
            return n

        results = []

        async def one(n):
            results.append(await fetch(n))

        async def main():
            start = trio.current_time()
            async with trio.open_nursery() as nursery:
                for n in range(100):
                    nursery.start_soon(one, n)
            return trio.current_time() - start

        assert run(main) == pytest.approx(3 + 4 * 0.1)
        assert sorted(results) == list(range(100))
        assert calls == {n: n % 4 + 1 for n in range(100)}

    def test_passes_of_one_loop_object(self):
        """Each iteration starts afresh."""
        shared = retrying(wait=1, on=Lost)
        numbers = []

        async def one(n):
            async for attempt in shared:
                async with attempt:
                    await trio.lowlevel.checkpoint()
                    if attempt.number <= n:
                        raise Lost
            numbers.append(attempt.number)

        async def main():
            async with trio.open_nursery() as nursery:
                for n in range(5):
                    nursery.start_soon(one, n)

        run(main)
        assert sorted(numbers) == [1, 2, 3, 4, 5]

    def test_calls_of_one_block(self):
        """They share its deadline: none starts after it."""
        scripts = [Script(Lost, "value"), Script(Lost)]
        outcomes = []

        async def one(call, script):
            try:
                outcomes.append(await call(script))
            except Lost as error:
                outcomes.append(given_up(error).reason)

        async def main():
            async with retrying(None, wait=10, timeout=35) as call, trio.open_nursery() as nursery:
                for script in scripts:
                    nursery.start_soon(one, call, script)

        run(main)
        assert outcomes == ["value", "timeout"]
        assert [script.calls for script in scripts] == [2, 4]

    def test_a_block_that_ends_silently_cancels_the_rest(self):
        """With raises=False the first call that gives up ends the block, nursery and all."""
        cancelled = []

        async def linger():
            try:
                await trio.sleep_forever()
            finally:
                cancelled.append(True)

        async def main():
            async with (
                retrying(2, wait=1, raises=False) as call,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(call, Script(linger))
                nursery.start_soon(call, Script(Lost))
            return call

        call = run(main)
        assert not call.succeeded
        assert type(call.error) is Lost
        assert cancelled == [True]

    def test_a_call_that_outlives_its_silent_block(self):
        """There is no block to end any more: its own error leaves, in the nursery's group."""

        async def fail_later():
            await trio.sleep(2)
            raise Lost

        async def main():
            async with (
                trio.open_nursery() as nursery,
                retrying(1, raises=False) as call,
            ):
                nursery.start_soon(call, fail_later)
                await trio.sleep(1)

        with pytest.raises(ExceptionGroup) as caught:
            run(main)
        assert [type(error) for error in caught.value.exceptions] == [Lost]

    def test_a_call_that_gives_up_in_a_nursery(self, form):
        """Its error cancels the siblings and leaves in the nursery's group, record and all."""
        sibling = Script(trio.sleep_forever)

        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(form, sibling)
                nursery.start_soon(lambda: form(Script(Lost), 2, wait=1))

        with pytest.raises(ExceptionGroup) as caught:
            run(main)
        [error] = caught.value.exceptions
        assert given_up(error).attempts == 2
        assert sibling.calls == 1

    def test_a_nursery_in_an_attempt_fails_and_is_retried(self, form):
        """Its group matches `on` where every error in it does."""

        async def fail():
            raise Lost

        async def attempt():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(fail)
                nursery.start_soon(trio.sleep_forever)

        assert run(lambda: form(Script(attempt, "value"), wait=1, on=Lost)) == "value"


class TestHooks:
    """A hook may be a coroutine function, and is awaited."""

    def test_they_are_awaited_in_order(self, form):
        """Each takes its second before the call goes on."""
        moments = []

        async def hook(attempt):
            await trio.sleep(1)
            moments.append(trio.current_time())

        async def main():
            start = trio.current_time()
            script = Timed(Lost, "value")
            await form(script, wait=10, before_attempt=hook, on_retry=hook, on_success=hook)
            return [moment - start for moment in (*moments, *script.starts)]

        assert run(main) == pytest.approx([1, 2, 13, 14, 1, 13])

    def test_one_that_raises_changes_nothing(self, form, caplog):
        """It is logged with its traceback, and the next hook runs."""
        events = []

        async def broken(attempt):
            await trio.lowlevel.checkpoint()
            raise Wrong("in a hook")

        hooks = [broken, lambda attempt: events.append(attempt.number)]
        assert run(lambda: form(Script(Lost, "value"), wait=1, on_retry=hooks)) == "value"
        assert events == [1]
        assert "Wrong: in a hook" in caplog.text

    def test_one_that_is_too_slow_for_itself(self, form):
        """A deadline inside a hook raises TooSlowError there: an error like any other."""

        async def slow(attempt):
            with trio.fail_after(1):
                await trio.sleep_forever()

        assert run(lambda: form(Script(Lost, "value"), wait=1, on_retry=slow)) == "value"


class TestAsyncGenerators:
    """Retried until the first item has come out; after that errors pass through."""

    def test_until_the_first_item(self):
        """And never after it."""
        starts = []

        @retry(wait=1, on=Lost)
        async def stream():
            starts.append(trio.current_time())
            await trio.sleep(0.5)
            if len(starts) < 3:
                raise Lost
            yield "a"
            yield "b"
            raise Lost("in the middle")

        async def main():
            items = []
            with pytest.raises(Lost, match="in the middle") as caught:
                async for item in stream():
                    items.append(item)  # noqa: PERF401 - what came before the error counts
            assert given_up(caught.value) is None
            return items, [moment - starts[0] for moment in starts]

        items, moments = run(main)
        assert items == ["a", "b"]
        assert moments == pytest.approx([0, 1.5, 3])

    def test_a_stuck_start_is_cancelled(self):
        """`attempt_timeout` is for the first item, not for those that follow."""
        starts = []

        @retry(wait=1, attempt_timeout=5)
        async def stream():
            starts.append(True)
            if len(starts) == 1:
                await trio.sleep_forever()
            yield "a"
            await trio.sleep(60)
            yield "b"

        async def main():
            return [item async for item in stream()]

        assert run(main) == ["a", "b"]

    def test_it_can_be_sent_to_thrown_into_and_closed(self):
        """As the bare generator."""
        events = []

        @retry(wait=1, on=Lost)
        async def echo():
            try:
                sent = yield "ready"
                while True:
                    try:
                        sent = yield sent
                    except Wrong as error:
                        sent = error
            finally:
                with trio.CancelScope(shield=True):
                    await trio.sleep(1)
                events.append("closed")

        async def main():
            stream, error = echo(), Wrong()
            assert await anext(stream) == "ready"
            assert await stream.asend("hello") == "hello"
            assert await stream.athrow(error) is error
            await stream.aclose()

        run(main)
        assert events == ["closed"]

    @pytest.mark.parametrize("moment", ["start", "wait", "later"])
    def test_cancellation_passes(self, moment):
        """While it starts, while it waits, and between its items."""
        starts = []

        @retry(wait=10, on=Lost, attempt_timeout=60)
        async def stream():
            starts.append(True)
            if moment == "wait":
                raise Lost
            if moment == "start":
                await trio.sleep_forever()
            yield "a"
            await trio.sleep_forever()

        async def main():
            with trio.move_on_after(5) as scope:
                async for _ in stream():
                    pass
            return scope.cancelled_caught

        assert run(main)
        assert starts == [True]


@pytest.mark.usefixtures("ctrl_c")
class TestKeyboardInterrupt:
    """Ctrl-C passes through at once, untouched, and ends a wait."""

    def test_in_an_attempt(self, form):
        """No attempt after it, no ending hook."""
        script, events = Script(lambda: signal.raise_signal(signal.SIGINT), "value"), []
        with pytest.raises(KeyboardInterrupt) as caught:
            run(lambda: form(script, **recorder(events)))
        assert script.calls == 1
        assert events == [("before_attempt", 1)]
        assert not hasattr(caught.value, "__notes__")

    def test_in_a_wait(self, form):
        """The signal comes from outside; the token is put back."""
        script, budget = Script(Lost, "value"), RetryBudget(10)
        timers = []

        def interrupt_soon(attempt):
            timers.append(threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT)))
            timers[0].start()

        with pytest.raises(KeyboardInterrupt):  # on the real clock, or there would be no wait
            trio.run(lambda: form(script, wait=30, on_retry=interrupt_soon, budget=budget))
        timers[0].join()
        assert script.calls == 1
        assert budget.tokens == 10


class TestMemory:
    """No reference cycles in decorated calls; a failed attempt's frames die before the wait."""

    def test_no_cycle_after_timeouts(self):
        """With every attempt cancelled, nothing is left for the cyclic collector."""

        class Local:
            """A local of the attempt."""

        locals_of_attempts, living = [], []

        async def stuck():
            local = Local()
            locals_of_attempts.append(weakref.ref(local))
            await trio.sleep_forever()

        def count(attempt=None):
            living.append(sum(ref() is not None for ref in locals_of_attempts))

        async def main():
            try:
                await retry(3, wait=1, attempt_timeout=5, before_attempt=count)(stuck)()
            except TimeoutError:
                pass
            await trio.lowlevel.checkpoint()  # until then trio keeps the task's last Cancelled
            count()

        gc.collect()
        gc.disable()
        try:
            run(main)
        finally:
            gc.enable()
        assert living == [0, 0, 0, 0]
