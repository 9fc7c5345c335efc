"""Contract 5: the calls of one `async with` that run side by side, and how they end the block."""

from __future__ import annotations

import asyncio

import pytest
from ways import Flaky, as_coroutine_function, run_async

from retrying_elegant import retrying


class Lost(Exception):
    """Retried in these tests."""


class Wrong(Exception):
    """Not retried in these tests."""


async def outcome(awaitable):
    """The value, or the error."""
    try:
        return await awaitable
    except Exception as error:
        return error


def failing(error=Lost):
    return as_coroutine_function(Flaky([error]))


class TestWithoutRaising:
    """`raises=False`: the first call that gives up ends the block; `call.error` holds its error."""

    def test_in_a_task_group(self):
        """The group of their ends goes no further; the other tasks are cancelled."""
        first, second = Lost(), Lost()
        never = asyncio.Event()

        async def main():
            async with retrying(2, wait=0, raises=False) as call, asyncio.TaskGroup() as group:
                group.create_task(call(failing(first)))
                group.create_task(call(failing(second)))
                group.create_task(call(never.wait))
            return call

        call = run_async(main())
        assert call.error is first
        assert not call.succeeded

    def test_what_else_fails_in_the_task_group(self):
        """Leaves, in a group without the end of the block."""

        async def fail_too():
            try:
                await asyncio.Event().wait()
            finally:
                raise Wrong

        async def main():
            async with retrying(2, wait=0, raises=False) as call, asyncio.TaskGroup() as group:
                group.create_task(call(failing()))
                group.create_task(fail_too())

        with pytest.raises(ExceptionGroup) as caught:
            run_async(main())
        assert [type(error) for error in caught.value.exceptions] == [Wrong]

    def test_errors_of_other_groups_are_left_alone(self):
        """A group with no end of this block in it is the very same group."""
        error = ExceptionGroup("mine", [Wrong(), Lost()])

        async def main():
            async with retrying(raises=False) as call:
                await call(as_coroutine_function(Flaky(["value"])))
                raise error

        assert run_async(outcome(main())) is error

    def test_the_block_of_another_is_not_ended(self):
        """An inner call that gives up for the outer block ends the outer one."""
        reached = []

        async def main():
            async with retrying(1, raises=False) as outer:
                async with retrying(1, raises=False) as inner:
                    await inner(as_coroutine_function(Flaky(["value"])))
                    await outer(failing())
                reached.append("after the inner one")
            reached.append("after the outer one")
            return outer.succeeded, inner.succeeded

        assert run_async(main()) == (False, True)
        assert reached == ["after the outer one"]

    def test_a_call_that_outlives_the_block(self):
        """There is nothing to end any more: it fails by its own error."""
        error = Lost()

        async def main():
            async with retrying(2, wait=0, raises=False) as call:
                task = asyncio.create_task(call(failing(error)))
                await asyncio.sleep(0)
            return await outcome(task)

        assert run_async(main()) is error
