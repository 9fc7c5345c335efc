"""Contract 5: what a block says of itself, and how its calls end when it has ended."""

from __future__ import annotations

import asyncio
import threading
import traceback

import pytest
from ways import holders, run_async

from retrying_elegant import retrying


class Lost(Exception):
    """Retried in these tests."""


def fail():
    raise Lost


def items():
    yield 1


async def afail():
    raise Lost


class TestSucceeded:
    """``call.succeeded`` is true while no call gave up."""

    @pytest.mark.parametrize("fn", [5, items], ids=["no callable", "a generator function"])
    def test_a_refused_call(self, fn):
        """It was none: nothing was given up."""
        with retrying(wait=0) as call:
            call(int)
            with pytest.raises(TypeError):
                call(fn)
        assert call.succeeded

    @pytest.mark.parametrize("fn", [5, items], ids=["no callable", "a generator function"])
    def test_a_refused_async_call(self, fn):
        """The same."""

        async def main():
            async with retrying(wait=0) as call:
                await call(asyncio.sleep, 0)
                with pytest.raises(TypeError):
                    await call(fn)
            return call.succeeded

        assert run_async(main())

    def test_a_call_after_the_end(self):
        """It does not change how the block has ended."""
        with retrying(wait=0) as call:
            call(int)
        with pytest.raises(RuntimeError):
            call(int)
        assert call.succeeded

    def test_an_async_call_after_the_end(self):
        """The same."""

        async def main():
            async with retrying(wait=0) as call:
                await call(asyncio.sleep, 0)
            with pytest.raises(RuntimeError):
                await call(asyncio.sleep, 0)
            return call.succeeded

        assert run_async(main())

    def test_the_end_of_an_outer_block(self):
        """It passes through the inner one, where no call gave up."""
        with retrying(1, raises=False) as outer, retrying(2, wait=0) as inner:
            inner(lambda: outer(fail))
        assert (outer.succeeded, inner.succeeded) == (False, True)

    def test_the_end_of_an_outer_async_block(self):
        """The same."""

        async def main():
            async with retrying(1, raises=False) as outer, retrying(2, wait=0) as inner:
                await inner(lambda: outer(afail))
            return outer.succeeded, inner.succeeded

        assert run_async(main()) == (False, True)


def frames(error):
    return [
        frame.name
        for frame in traceback.extract_tb(error.__traceback__)
        if "retrying_elegant" in frame.filename
    ]


class TestOutlived:
    """A call that is still going on when its block ends, without ``raises``, fails on its own."""

    def test_the_traceback(self):
        """It is that of the real failure, with two frames of the library at the most."""
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await ended.wait()
            raise Lost

        async def main():
            async with retrying(1, raises=False) as call:
                task = asyncio.create_task(call(slow))
                await begun.wait()
            ended.set()
            (error,) = await asyncio.gather(task, return_exceptions=True)
            return error

        error = run_async(main())
        assert type(error) is Lost
        assert len(frames(error)) <= 2
        assert holders(error) == []

    def test_in_a_thread(self):
        """The same."""
        begun, ended, errors = threading.Event(), threading.Event(), []

        def slow():
            begun.set()
            ended.wait()
            raise Lost

        def work(call):
            try:
                call(slow)
            except Lost as error:
                errors.append(error)

        with retrying(1, raises=False) as call:
            thread = threading.Thread(target=work, args=(call,))
            thread.start()
            begun.wait()
        ended.set()
        thread.join()
        assert [len(frames(error)) <= 2 for error in errors] == [True]
        assert holders(errors[0]) == []

    def test_the_context(self):
        """An error that gave up with none on its way is not chained to what the caller handles."""
        begun, ended = asyncio.Event(), asyncio.Event()

        async def slow():
            begun.set()
            await ended.wait()

        async def work(call):
            try:
                raise KeyError
            except KeyError:
                await call(slow)

        async def main():
            async with retrying(1, until=bool, raises=False) as call:
                task = asyncio.create_task(work(call))
                await begun.wait()
            ended.set()
            (error,) = await asyncio.gather(task, return_exceptions=True)
            return error

        assert run_async(main()).__context__ is None


def is_lost(value):
    return isinstance(value, Lost)


class TestQuietEnd:
    """What ends a quiet block holds on to nothing."""

    def test_the_end_knows_no_error(self):
        """So that the error, and its frames, live no longer for it in a task that has ended."""
        ends = []
        with retrying(1, raises=False) as call:
            try:
                call(fail)
            except BaseException as end:
                ends.append(end.__context__)
                places = traceback.walk_tb(end.__traceback__)
                ends += [e for frame, _ in places for e in frame.f_locals.values() if is_lost(e)]
                raise
        assert ends == [None]

    def test_the_end_says_what_it_is(self):
        """To an `except BaseException` that logs it."""
        with retrying(1, raises=False) as call:
            try:
                call(fail)
            except BaseException as end:
                text = str(end)
                raise
        assert text == "a call of this block gave up"
