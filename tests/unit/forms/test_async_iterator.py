"""Contract 5: the iterator of an ``async for`` loop is one that any code can drive."""

from __future__ import annotations

from ways import run_async

from retrying_elegant import retrying


class TestEnd:
    """Its end comes when it is awaited, as that of any other asynchronous iterator."""

    def test_with_a_default(self):
        """``anext(passes, default)`` gives the default after a success."""

        async def main():
            passes = aiter(retrying(2, wait=0))
            async with await anext(passes):
                pass
            # Made first by itself: where this raises, the next line crashes the interpreter.
            end = passes.__anext__()
            try:
                await end
            except StopAsyncIteration:
                return await anext(passes, "default")

        assert run_async(main()) == "default"
