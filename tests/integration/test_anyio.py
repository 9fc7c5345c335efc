"""Contract 15, through anyio: the async forms on both of its backends."""

from __future__ import annotations

import time

import pytest
from forms import ASYNC, Script, recorder

from retrying_elegant import RetryBudget, deadline, given_up, retry, retrying

anyio = pytest.importorskip("anyio", reason="the package anyio is not installed")
pytest.importorskip("trio", reason="the package trio is not installed")

SOON = 0.02  # seconds until something is cancelled that would take for ever


class Lost(Exception):
    """Retried in these tests."""


@pytest.fixture(params=["asyncio", "trio"])
def run(request):
    """Run a coroutine function on each backend."""
    return lambda main, *args: anyio.run(main, *args, backend=request.param)


@pytest.fixture(params=ASYNC)
def form(request):
    """Each async form: a coroutine function that takes an attempt and the options."""
    return ASYNC[request.param]


class TestRetrying:
    """The async forms work on every backend alike."""

    def test_waits_are_slept(self, run, form):
        """No attempt starts before its wait is over; others run meanwhile."""
        ticks = []

        async def tick():
            while True:
                ticks.append(time.monotonic())
                await anyio.sleep(0.001)

        async def main():
            async with anyio.create_task_group() as group:
                group.start_soon(tick)
                await anyio.sleep(0)
                began = time.monotonic()
                assert await form(Script(Lost, Lost, "value"), wait=(0.01, 0.02)) == "value"
                group.cancel_scope.cancel()
                return time.monotonic() - began

        assert run(main) >= 0.03
        assert len(ticks) >= 2

    def test_giving_up(self, run, form):
        """With the record."""
        with pytest.raises(Lost) as caught:
            run(lambda: form(Script(Lost), 2, wait=0))
        assert given_up(caught.value).attempts == 2

    def test_a_stuck_attempt_is_cancelled_and_retried(self, run, form):
        """By `attempt_timeout`."""
        script = Script(anyio.sleep_forever, "value")
        assert run(lambda: form(script, wait=0, attempt_timeout=SOON, on=Lost)) == "value"
        assert script.calls == 2

    def test_a_timeout_of_anyio_inside(self, run, form):
        """`fail_after` in an attempt raises TimeoutError, which `on` judges."""

        async def slow():
            with anyio.fail_after(SOON):
                await anyio.sleep_forever()

        script = Script(slow, "value")
        assert run(lambda: form(script, wait=0, attempt_timeout=30, on=TimeoutError)) == "value"
        with pytest.raises(TimeoutError):
            run(lambda: form(Script(slow), wait=0, attempt_timeout=30, on=Lost))

    def test_work_in_a_thread(self, run, form):
        """`to_thread.run_sync` is an attempt like any other."""
        script = Script(Lost, lambda: anyio.to_thread.run_sync(lambda: "value"))
        assert run(lambda: form(script, wait=0)) == "value"

    def test_async_hooks(self, run, form):
        """They are awaited."""
        events = []

        async def hook(attempt):
            await anyio.sleep(0)
            events.append(attempt.number)

        hooks = {"before_attempt": hook, "on_retry": hook, "on_success": hook}
        assert run(lambda: form(Script(Lost, "value"), wait=0, **hooks)) == "value"
        assert events == [1, 1, 2, 2]

    def test_async_generators(self, run):
        """Retried until the first item."""
        errors = [Lost(), Lost()]

        @retry(wait=0, attempt_timeout=30)
        async def stream():
            await anyio.sleep(0)
            if errors:
                raise errors.pop()
            yield "a"
            yield "b"

        async def main():
            return [item async for item in stream()]

        assert run(main) == ["a", "b"]


async def long_hook(attempt):
    await anyio.sleep(60)


# What a call is doing when it is cancelled: the script of its attempts, its options, the events.
MOMENTS = {
    "attempt": ([anyio.sleep_forever], {}, [("before_attempt", 1)]),
    "timed attempt": ([anyio.sleep_forever], {"attempt_timeout": 60}, [("before_attempt", 1)]),
    "wait": ([Lost, "value"], {"wait": 60}, [("before_attempt", 1), ("on_retry", 1)]),
    "before_attempt": (["value"], {"before_attempt": long_hook}, []),
    "on_retry": ([Lost, "value"], {"on_retry": long_hook}, [("before_attempt", 1)]),
}


class TestCancellation:
    """Cancellation is never swallowed, and no attempt starts after it."""

    @pytest.mark.parametrize("moment", MOMENTS)
    def test_it_ends_the_call_at_any_moment(self, run, form, moment):
        """By a deadline around the call, with other scopes between; the token is put back."""
        outcomes, options, expected = MOMENTS[moment]
        script, events, budget = Script(*outcomes), [], RetryBudget(10)

        async def main():
            with (
                anyio.move_on_after(SOON) as scope,
                anyio.CancelScope(),
                anyio.move_on_after(60),
            ):
                await form(script, budget=budget, **{**recorder(events), **options})
                pytest.fail("the cancellation was swallowed")
            await anyio.sleep(0)  # and the task is as good as new
            return scope.cancelled_caught

        assert run(main)
        assert script.calls == (moment != "before_attempt")
        assert events == expected
        assert budget.tokens == 10

    def test_a_deadline_that_passes_during_timeouts(self, run, form):
        """Attempts time out again and again; the deadline outside ends them all the same."""
        script = Script(anyio.sleep_forever)

        async def main():
            with anyio.move_on_after(5 * SOON) as scope:
                await form(script, None, wait=0, attempt_timeout=SOON)
            await anyio.sleep(0)
            return scope.cancelled_caught

        assert run(main)
        assert 1 <= script.calls <= 5

    def test_an_attempt_that_outlives_it_is_the_last(self, run, form):
        """The attempt shields itself, then fails: its error is not retried any more."""

        async def shielded():
            with anyio.CancelScope(shield=True):
                await anyio.sleep(2 * SOON)
            raise Lost

        script = Script(shielded, "value")

        async def main():
            with anyio.move_on_after(SOON) as scope:
                await form(script, wait=0)
            return scope.cancelled_caught

        assert run(main)
        assert script.calls == 1

    def test_a_hook_may_cancel(self, run, form):
        """No attempt starts after it, even where nothing is to be waited for."""
        script = Script(Lost, "value")

        async def main():
            with anyio.CancelScope() as scope:
                await form(script, wait=0, on_retry=lambda attempt: scope.cancel())
            return scope.cancelled_caught

        assert run(main)
        assert script.calls == 1


class TestTaskGroups:
    """Any number of calls at once, in task groups around and inside."""

    def test_calls_side_by_side(self, run):
        """Each has its own attempts."""
        calls = dict.fromkeys(range(20), 0)

        @retry(wait=0.001, on=Lost)
        async def fetch(n):
            calls[n] += 1
            await anyio.sleep(0)
            if calls[n] <= n % 4:
                raise Lost

        async def main():
            async with anyio.create_task_group() as group:
                for n in calls:
                    group.start_soon(fetch, n)

        run(main)
        assert calls == {n: n % 4 + 1 for n in range(20)}

    def test_a_group_in_an_attempt_times_out_with_it(self, run, form):
        """Its tasks are cancelled, and started anew by the next attempt."""
        running = []

        async def worker():
            running.append(True)
            try:
                await anyio.sleep_forever()
            finally:
                running.pop()

        async def attempt():
            async with anyio.create_task_group() as group:
                group.start_soon(worker)
                group.start_soon(worker)

        script = Script(attempt, "value")
        assert run(lambda: form(script, wait=0, attempt_timeout=SOON)) == "value"
        assert running == []

    def test_a_group_in_an_attempt_fails_and_is_retried(self, run, form):
        """Its exception group matches `on` where every error in it does."""

        async def fail():
            raise Lost

        async def attempt():
            async with anyio.create_task_group() as group:
                group.start_soon(fail)
                group.start_soon(anyio.sleep_forever)

        assert run(lambda: form(Script(attempt, "value"), wait=0, on=Lost)) == "value"

    def test_a_block_that_ends_silently_cancels_the_rest(self, run):
        """With raises=False the first call that gives up ends the block, task group and all."""

        async def main():
            async with (
                retrying(2, wait=0, raises=False) as call,
                anyio.create_task_group() as group,
            ):
                group.start_soon(call, Script(anyio.sleep_forever))
                group.start_soon(call, Script(Lost))
            return call

        call = run(main)
        assert not call.succeeded
        assert type(call.error) is Lost


class TestStop:
    """`stop` takes an `anyio.Event`, on every backend."""

    @pytest.mark.parametrize("made", ["before the loop runs", "inside"])
    def test_it_ends_the_wait(self, run, form, made):
        """Wherever it was made; the token is back."""
        budget = RetryBudget()
        before = anyio.Event()

        async def main():
            stop = anyio.Event() if made == "inside" else before

            async def set_later():
                await anyio.sleep(SOON)
                stop.set()

            async with anyio.create_task_group() as group:
                group.start_soon(set_later)
                with pytest.raises(Lost) as caught:
                    await form(Script(Lost), wait=60, stop=stop, budget=budget)
            return given_up(caught.value).reason

        assert run(main) == "stopped"
        assert budget.tokens == budget.capacity


class TestDeadline:
    """`deadline` binds the tasks and threads that are started inside."""

    def test_in_a_task_group(self, run, form):
        """And nothing that outlives it."""
        reasons = []

        async def call():
            with pytest.raises(Lost) as caught:
                await form(Script(Lost), 2, wait=0 if deadline.current() is None else 60)
            reasons.append(given_up(caught.value).reason)

        async def later(over):
            await over.wait()
            await call()

        async def main():
            over = anyio.Event()
            async with anyio.create_task_group() as outside:
                with deadline(10):
                    outside.start_soon(later, over)
                    async with anyio.create_task_group() as inside:
                        inside.start_soon(call)
                    assert await anyio.to_thread.run_sync(deadline.current) is deadline.current()
                over.set()

        run(main)
        assert reasons == ["timeout", "attempts"]
