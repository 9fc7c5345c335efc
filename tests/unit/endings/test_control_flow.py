"""Contract 2, 7 and 15: KeyboardInterrupt, cancellation and their kind pass through untouched."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from ways import Flaky, run_async

from retrying_elegant import given_up, retrying

HOOKS = ("before_attempt", "on_retry", "on_success", "on_give_up")


class Halt(BaseException):
    """A BaseException of the user's own."""


class Lost(Exception):
    """Retried in these tests."""


def recorded(events):
    """A hook of each kind that writes down its kind and the attempt's number."""
    return {
        hook: lambda attempt, hook=hook: events.append((hook, attempt.number)) for hook in HOOKS
    }


@pytest.mark.parametrize(
    "kind", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, Halt]
)
class TestControlFlow:
    """Only `Exception`s are ever retried: every other BaseException passes through, untouched."""

    def test_it_leaves_at_once(self, way, waits, kind):
        """The same object, after one call, without a wait."""
        error = kind()
        flaky = Flaky([error, "value"])
        with pytest.raises(kind) as caught:
            way.run(flaky)
        assert caught.value is error
        assert flaky.calls == 1
        assert waits == []

    def test_it_leaves_a_later_attempt_too(self, way, kind):
        """After a retry it is no more retryable than before one."""
        flaky = Flaky([Lost, kind, "value"])
        with pytest.raises(kind):
            way.run(flaky)
        assert flaky.calls == 2

    @pytest.mark.parametrize("field", ["on", "unless", "wait"])
    def test_nobody_is_asked_about_it(self, way, kind, field):
        """No predicate, no wait callable."""
        asked = []
        with pytest.raises(kind):
            way.run(Flaky([kind, "value"]), **{field: lambda about: asked.append(about) or 1})
        assert asked == []

    def test_it_is_not_marked(self, way, kind):
        """No note, no record."""
        with pytest.raises(kind) as caught:
            way.run(Flaky([Lost, kind]))
        assert not hasattr(caught.value, "__notes__")
        assert given_up(caught.value) is None

    def test_no_ending_hook_runs(self, way, kind):
        """Neither on_success nor on_give_up."""
        events = []
        with pytest.raises(kind):
            way.run(Flaky([Lost, kind]), **recorded(events))
        assert events == [("before_attempt", 1), ("on_retry", 1), ("before_attempt", 2)]


class TestRaisesFalseAndControlFlow:
    """`raises=False` swallows the final retryable failure, and nothing else."""

    def test_a_loop_lets_it_leave(self, loop_way):
        """Ctrl-C ends the program, not the loop."""
        with pytest.raises(KeyboardInterrupt):
            loop_way.run(Flaky([KeyboardInterrupt]), raises=False)

    def test_a_block_lets_it_leave(self, block_way):
        """Ctrl-C ends the program, not the block."""
        with pytest.raises(KeyboardInterrupt):
            block_way.run(Flaky([KeyboardInterrupt]), raises=False)


class TestCaughtInTheLoop:
    """Control flow that is caught around the `with` has ended the call: no attempt follows."""

    def test_in_a_sync_loop(self):
        """The loop ends, without success and without a reason."""
        for attempt in retrying(3, name="fetch"):
            with suppress(Halt), attempt:
                raise Halt
        assert (attempt.number, attempt.succeeded, attempt.reason) == (1, False, None)
        assert repr(attempt) == "<attempt 1 of fetch: ended>"

    def test_in_an_async_loop(self):
        """Likewise."""

        async def main():
            async for attempt in retrying(3, name="fetch"):
                with suppress(Halt):
                    async with attempt:
                        raise Halt
            return attempt

        attempt = run_async(main())
        assert (attempt.number, attempt.succeeded, attempt.reason) == (1, False, None)
        assert repr(attempt) == "<attempt 1 of fetch: ended>"


class TestCancellationDuringAWait:
    """Cancellation: never swallowed, also during a wait, and no attempt starts after it."""

    def test_a_cancelled_task_ends_in_its_wait(self, async_way, own_waits):
        """Half-way through a wait of ten seconds."""
        flaky = Flaky([Lost, "value"])
        events = []

        async def main():
            task = asyncio.create_task(async_way.start(flaky, wait=10, **recorded(events)))
            await asyncio.sleep(5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert task.cancelled()

        run_async(main())
        assert flaky.calls == 1
        assert events == [("before_attempt", 1), ("on_retry", 1)]

    def test_a_task_cancelled_just_before_its_wait(self, async_way):
        """Even a wait that returns at once gives way to the cancellation."""
        flaky = Flaky([Lost, "value"])
        cancel = {"on_retry": lambda attempt: asyncio.current_task().cancel()}
        with pytest.raises(asyncio.CancelledError):
            async_way.run(flaky, **cancel)
        assert flaky.calls == 1

    def test_ctrl_c_ends_a_wait(self, sync_way, own_waits):
        """Interruptible: no attempt starts after it, no ending hook runs."""

        def interrupted(seconds):
            raise KeyboardInterrupt

        own_waits.setattr("time.sleep", interrupted)
        flaky = Flaky([Lost, "value"])
        events = []
        with pytest.raises(KeyboardInterrupt):
            sync_way.run(flaky, wait=10, **recorded(events))
        assert flaky.calls == 1
        assert events == [("before_attempt", 1), ("on_retry", 1)]
