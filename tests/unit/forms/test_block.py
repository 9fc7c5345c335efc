"""Contract 5: `with retrying(...) as call`, several calls under one deadline; its async twin."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import deadline, given_up, retry, retrying


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


class Block:
    """A block in one colour that makes its calls in turn and keeps what comes of them."""

    def __init__(self, colour):
        self.colour = colour
        self.values = []
        self.call = None

    def run(self, *calls, **options):
        if self.colour == "async":
            return run_async(self.run_async(calls, options))
        with retrying(**options) as self.call:
            for risky in calls:
                self.values.append(self.call(risky, len(self.values), key="word"))
        return self.values

    async def run_async(self, calls, options):
        async with retrying(**options) as self.call:
            for risky in calls:
                risky = as_coroutine_function(risky)
                self.values.append(await self.call(risky, len(self.values), key="word"))
        return self.values


@pytest.fixture(params=["sync", "async"])
def block(request):
    return Block(request.param)


class TestCalls:
    """`call(fn, *args, **kwargs)` runs `fn` under the policy."""

    def test_each_call_is_retried(self, block):
        """And gives its value."""
        assert block.run(Flaky([Lost, "one"]), Flaky([Lost, Lost, "two"])) == ["one", "two"]
        assert block.call.succeeded
        assert block.call.error is None

    def test_arguments_arrive(self, block):
        """Positional and by keyword."""
        seen = lambda *args, **kwargs: (args, kwargs)  # noqa: E731
        assert block.run(seen, seen) == [((0,), {"key": "word"}), ((1,), {"key": "word"})]

    def test_attempts_are_per_call(self, block):
        """Each call has all of them."""
        one, two, three = Flaky([Lost, "one"]), Flaky([Lost, "two"]), Flaky([Lost])
        with pytest.raises(Lost):
            block.run(one, two, three, attempts=2)
        assert [one.calls, two.calls, three.calls] == [2, 2, 2]

    def test_the_error_of_a_call_leaves_the_block(self, block):
        """The calls after it are not made."""
        error = Lost()
        never = Flaky(["never"])
        with pytest.raises(Lost) as caught:
            block.run(Flaky([error]), never, attempts=2)
        assert caught.value is error
        assert never.calls == 0
        assert not block.call.succeeded

    def test_succeeded_is_true_while_no_call_gave_up(self):
        """Though the block itself caught the error."""
        with retrying(2) as call:
            assert call.succeeded
            call(Flaky([Lost, "value"]))
            assert call.succeeded
            with pytest.raises(Lost):
                call(Flaky([Lost]))
            assert not call.succeeded
            call(Flaky(["value"]))
            assert not call.succeeded

    def test_succeeded_in_an_async_block(self):
        """Likewise."""

        async def main():
            async with retrying(2) as call:
                with pytest.raises(Lost):
                    await call(as_coroutine_function(Flaky([Lost])))
                await call(as_coroutine_function(Flaky(["value"])))
            return call.succeeded

        assert run_async(main()) is False

    def test_an_error_of_the_block_itself_is_none_of_its_business(self, block):
        """It leaves as it came, and nothing is called again."""

        class Values(list):
            def append(self, value):
                raise Lost("in the block")

        block.values = Values()
        flaky = Flaky(["value"])
        with pytest.raises(Lost, match="in the block") as caught:
            block.run(flaky, raises=False)
        assert flaky.calls == 1
        assert not hasattr(caught.value, "__notes__")


class TestDeadline:
    """`timeout` is one deadline for the whole block."""

    def test_the_calls_share_it(self, block, clock, waits):
        """Two waits of two seconds are past; a third would end at six."""
        with pytest.raises(Lost) as caught:
            block.run(Flaky([Lost, "one"]), Flaky([Lost, "two"]), Flaky([Lost]), wait=2, timeout=6)
        assert waits == [2, 2]
        assert block.values == ["one", "two"]
        assert given_up(caught.value).reason == "timeout"

    def test_it_starts_with_the_block(self, clock, waits):
        """Not with the first call."""
        with pytest.raises(Lost), retrying(wait=2, timeout=6) as call:
            clock.tick(3)
            call(Flaky([Lost]))
        assert waits == [2]

    @pytest.mark.parametrize("late", [6, 60])
    def test_a_call_that_begins_after_it_is_not_run(self, block, clock, late):
        """It raises TimeoutError."""
        flaky = Flaky(["value"])
        with pytest.raises(TimeoutError):
            block.run(lambda *_, **__: clock.tick(late), flaky, timeout=6)
        assert flaky.calls == 0

    def test_it_never_interrupts_a_running_call(self, block, clock):
        """A late success is a success."""
        block.run(lambda *_, **__: clock.tick(60), timeout=6)
        assert block.call.succeeded

    def test_each_block_has_its_own(self, clock):
        """One object, two blocks, two deadlines."""
        again = retrying(wait=2, timeout=6)
        for _ in range(2):
            with again as call:
                call(Flaky([Lost, Lost, "value"]))
            clock.tick(60)


class TestBeneathABlock:
    """The `timeout` of a block is a deadline for everything that its calls call."""

    def test_a_policy_beneath_it(self, block, clock):
        """Waits of 4 seconds fit into 10 twice; outside the block, they all fit."""
        flaky = Flaky([Lost])
        beneath = retry(5, wait=4)(flaky)
        with pytest.raises(Lost):
            block.run(lambda *args, **kwargs: beneath(), attempts=1, timeout=10)
        assert flaky.calls == 3
        with pytest.raises(Lost):
            beneath()
        assert flaky.calls == 3 + 5

    @pytest.mark.parametrize("seconds", [6, 20])
    def test_under_another_deadline(self, clock, seconds):
        """A call from another context obeys the one of that context, and the block's own."""
        flaky = Flaky([Lost])
        with pytest.raises(Lost), retrying(5, wait=4, timeout=10) as call:

            def elsewhere():
                with deadline(seconds):
                    call(flaky)

            contextvars.Context().run(elsewhere)
        assert flaky.calls == (2 if seconds == 6 else 3)


class TestACallThatBeginsLate:
    """A call of a block that begins when its time is over is not run, and says so."""

    def give_up_late(self, block_way, clock, passed):
        """Begin a call *passed* seconds after its block, whose timeout is 6."""
        ended = []
        flaky = Flaky(["value"])

        async def late():
            async with retrying(timeout=6, name="fetch", on_give_up=ended.append) as call:
                clock.tick(passed)
                return await call(as_coroutine_function(flaky))

        def late_sync():
            with retrying(timeout=6, name="fetch", on_give_up=ended.append) as call:
                clock.tick(passed)
                return call(flaky)

        with pytest.raises(TimeoutError) as caught:
            run_async(late()) if block_way.colour == "async" else late_sync()
        assert flaky.calls == 0
        return caught.value, ended

    @pytest.mark.parametrize("passed", [6, 60])
    def test_its_record(self, block_way, clock, passed):
        """No attempt was made."""
        error, _ = self.give_up_late(block_way, clock, passed)
        assert str(error) == "fetch was not run: 6 s had passed"
        record = given_up(error)
        assert (record.name, record.attempts, record.reason) == ("fetch", 0, "timeout")
        assert (record.elapsed, record.history) == (passed, ())

    def test_its_ending(self, block_way, clock):
        """One hook is told, of an attempt that is none."""
        error, (attempt,) = self.give_up_late(block_way, clock, 6)
        assert (attempt.number, attempt.error, attempt.next_wait) == (0, error, None)


class TestRaisesFalse:
    """With `raises=False` the first call that gives up ends the block silently."""

    def test_the_block_ends_and_the_program_goes_on(self, block):
        """`call.error` holds its error; the calls after it are not made."""
        error = Lost()
        never = Flaky(["never"])
        values = block.run(Flaky(["one"]), Flaky([error]), never, attempts=2, raises=False)
        assert values == ["one"]
        assert never.calls == 0
        assert not block.call.succeeded
        assert block.call.error is error

    def test_a_timeout_ends_it_too(self, block, clock, waits):
        """Silently."""
        block.run(Flaky([Lost]), wait=9, timeout=3, raises=False)
        assert not block.call.succeeded
        assert waits == []

    def test_errors_that_are_not_retryable_still_leave(self, block):
        """On the first attempt or a later one."""
        # reading: "raises=False" means in a block what it means in a loop.
        for script in ([Wrong], [Lost, Wrong]):
            with pytest.raises(Wrong):
                block.run(Flaky(script), on=Lost, raises=False)

    def test_a_block_in_which_all_went_well(self, block):
        """No error, every value."""
        assert block.run(Flaky([Lost, "one"]), Flaky(["two"]), raises=False) == ["one", "two"]
        assert block.call.succeeded
        assert block.call.error is None


class TestTaskGroups:
    """The first call that gives up ends the block, also from a task; other errors still leave."""

    @staticmethod
    def failing(error):
        return as_coroutine_function(Flaky([error]))

    def test_what_is_not_retryable_leaves(self):
        """Alone in its group: the end of the block is no error."""
        lost, wrong = Lost(), Wrong()

        async def clumsy():
            try:
                await asyncio.sleep(60)
            finally:
                raise wrong

        async def main():
            with pytest.raises(ExceptionGroup) as caught:
                async with (
                    retrying(2, on=Lost, raises=False) as call,
                    asyncio.TaskGroup() as group,
                ):
                    group.create_task(call(self.failing(lost)))
                    group.create_task(call(clumsy))
            assert caught.value.exceptions == (wrong,)
            return call

        call = run_async(main())
        assert call.error is lost
        assert not call.succeeded

    def test_two_blocks(self):
        """Calls of both give up in one group: both blocks end, in silence."""
        first, second = Lost(), Lost()
        after = []

        async def main():
            async with retrying(1, raises=False) as outer:
                async with retrying(1, raises=False) as inner, asyncio.TaskGroup() as group:
                    group.create_task(outer(self.failing(first)))
                    group.create_task(inner(self.failing(second)))
                after.append("the inner block")
            after.append("the outer block")
            return outer.error, inner.error

        assert run_async(main()) == (first, second)
        assert after == ["the outer block"]

    def test_two_blocks_and_what_is_not_retryable(self):
        """Only the latter leaves."""
        wrong = Wrong()

        async def main():
            async with (
                retrying(1, on=Lost, raises=False) as outer,
                retrying(1, on=Lost, raises=False) as inner,
                asyncio.TaskGroup() as group,
            ):
                for call, error in [(outer, Lost), (inner, Lost), (inner, wrong)]:
                    group.create_task(call(self.failing(error)))

        with pytest.raises(ExceptionGroup) as caught:
            run_async(main())
        assert caught.value.exceptions == (wrong,)

    def test_the_first_error_is_kept(self):
        """Of several calls that gave up."""
        first, second = Lost("first"), Lost("second")

        async def main():
            async with retrying(1, raises=False) as call:
                calls = [call(self.failing(error)) for error in (first, second)]
                ends = await asyncio.gather(*calls, return_exceptions=True)
                assert not any(isinstance(end, Exception) for end in ends)
            return call.error

        assert run_async(main()) is first


class TestEntering:
    """Entering one `with` twice at the same time raises `RuntimeError`; after another it may be."""

    def test_one_inside_the_other(self):
        """The outer block goes on."""
        again = retrying(2)
        with again as call:
            with pytest.raises(RuntimeError), again:
                pytest.fail("entered twice")
            assert call(Flaky([Lost, "value"])) == "value"

    def test_one_inside_the_other_async(self):
        """Likewise."""

        async def main():
            again = retrying(2)
            async with again as call:
                with pytest.raises(RuntimeError):
                    async with again:
                        pytest.fail("entered twice")
                return await call(as_coroutine_function(Flaky([Lost, "value"])))

        assert run_async(main()) == "value"

    def test_one_after_the_other(self):
        """Each starts afresh, also after an error."""
        again = retrying(2)
        for _ in range(2):
            with pytest.raises(Lost), again as call:
                call(Flaky([Lost]))
        with again as call:
            call(Flaky(["value"]))
        assert call.succeeded
