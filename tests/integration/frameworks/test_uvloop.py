"""uvloop: the async forms on its event loop."""

from __future__ import annotations

import asyncio

import pytest
import uvloop
from forms import ASYNC

from retrying_elegant import RetryBudget, given_up

pytestmark = pytest.mark.parametrize("form", ASYNC)


class Down:
    """An attempt that fails, and counts."""

    def __init__(self):
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        raise ConnectionError("down")


class TestUvloop:
    """What holds on asyncio's own event loop holds on uvloop's."""

    def test_waits_let_other_tasks_run(self, form):
        """Twenty calls that wait 0.1 s each are over in less than a second."""
        downs = [Down() for _ in range(20)]

        async def main():
            loop = asyncio.get_running_loop()
            assert type(loop).__module__ == "uvloop"
            start = loop.time()
            calls = [ASYNC[form](down, 2, wait=0.1) for down in downs]
            errors = await asyncio.gather(*calls, return_exceptions=True)
            return errors, loop.time() - start

        errors, seconds = uvloop.run(main())
        assert [given_up(error).attempts for error in errors] == [2] * 20
        assert 0.1 <= seconds < 1

    def test_an_attempt_that_takes_too_long(self, form):
        """Is cancelled, and counts as failed with TimeoutError."""
        calls = []

        async def hang():
            calls.append(True)
            await asyncio.sleep(60)

        with pytest.raises(TimeoutError) as caught:
            uvloop.run(ASYNC[form](hang, 2, wait=0, attempt_timeout=0.01))
        assert len(calls) == given_up(caught.value).attempts == 2

    @pytest.mark.parametrize("limit", ["timeout", "wait_for", "cancel"])
    def test_a_limit_around_a_call_ends_its_wait(self, form, limit):
        """No attempt follows, and the token is back."""
        down, budget = Down(), RetryBudget(10)

        async def main():
            call = ASYNC[form](down, wait=60, budget=budget)
            if limit == "timeout":
                async with asyncio.timeout(0.02):
                    await call
            elif limit == "wait_for":
                await asyncio.wait_for(call, 0.02)
            else:
                task = asyncio.create_task(call)
                await asyncio.sleep(0.02)
                task.cancel()
                await task

        with pytest.raises(asyncio.CancelledError if limit == "cancel" else TimeoutError) as caught:
            uvloop.run(main())
        assert given_up(caught.value) is None
        assert down.calls == 1
        assert budget.tokens == 10

    def test_real_connections(self, form):
        """A port where nobody listens: the loop's own error is retried."""

        async def connect():
            await asyncio.open_connection("127.0.0.1", port)

        async def main():
            nonlocal port
            server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            server.close()
            await server.wait_closed()
            await ASYNC[form](connect, 3, on=ConnectionRefusedError, wait=0.001)

        port = 0
        with pytest.raises(ConnectionRefusedError) as caught:
            uvloop.run(main())
        assert given_up(caught.value).attempts == 3
