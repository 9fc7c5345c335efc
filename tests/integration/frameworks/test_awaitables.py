"""Real functions that return an awaitable which is not a coroutine: aiohttp, gRPC."""

from __future__ import annotations

import asyncio

import aiohttp
import grpc
import grpc.aio
import pytest
from aiohttp import web as aiohttp_web

from retrying_elegant import RetryBudget, retry, retrying


class Watched:
    """The keywords of a call, and whether anybody took it for a success."""

    def __init__(self):
        self.successes = []
        self.budget = RetryBudget(10, refill=5)
        self.budget._take() if hasattr(self.budget, "_take") else self.budget.take()
        self.options = {"on_success": self.successes.append, "budget": self.budget}

    def saw_nothing(self):
        return not self.successes and self.budget.tokens == 9


@pytest.fixture
def watched():
    return Watched()


async def decorated(fn, *args, **options):
    return retry(3, **options)(fn)(*args)


async def block(fn, *args, **options):
    with retrying(3, **options) as call:
        return call(fn, *args)


form = pytest.mark.parametrize("form", [decorated, block])


class TestRejected:
    """A synchronous function that returns what has to be awaited: TypeError, and no success."""

    @form
    def test_aiohttp(self, watched, form):
        """`session.get`, whose calls are `collections.abc.Coroutine` without being coroutines."""

        async def main():
            async with aiohttp.ClientSession() as session:
                await form(session.get, "http://127.0.0.1:9/", **watched.options)

        with pytest.raises(TypeError, match="async"):
            asyncio.run(main())
        assert watched.saw_nothing()

    @form
    def test_grpc(self, watched, form):
        """A stub of `grpc.aio`."""

        async def main():
            async with grpc.aio.insecure_channel("127.0.0.1:9") as channel:
                stub = channel.unary_unary("/service/Method")
                await form(stub, b"request", **watched.options)

        with pytest.raises(TypeError, match="async"):
            asyncio.run(main())
        assert watched.saw_nothing()

    @form
    def test_a_task(self, watched, form):
        """`asyncio.create_task`; the task is left running."""

        async def work():
            await asyncio.sleep(0)
            return "done"

        async def main():
            tasks = []

            def start():
                tasks.append(asyncio.create_task(work()))
                return tasks[-1]

            with pytest.raises(TypeError, match="async"):
                await form(start, **watched.options)
            [task] = tasks
            return await task

        assert asyncio.run(main()) == "done"
        assert watched.saw_nothing()


class TestAwaited:
    """What to write instead."""

    def test_aiohttp(self):
        """An `async def` around the request."""
        asked = []

        async def answer(request):
            asked.append(True)
            return aiohttp_web.Response(text="well", status=200 if len(asked) == 3 else 503)

        @retry(3, on=aiohttp.ClientResponseError, wait=0)
        async def fetch(session, url):
            async with session.get(url, raise_for_status=True) as response:
                return await response.text()

        async def main():
            app = aiohttp_web.Application()
            app.router.add_get("/", answer)
            runner = aiohttp_web.AppRunner(app)
            await runner.setup()
            try:
                site = aiohttp_web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                host, port = runner.addresses[0]
                async with aiohttp.ClientSession() as session:
                    return await fetch(session, f"http://{host}:{port}/")
            finally:
                await runner.cleanup()

        assert asyncio.run(main()) == "well"
        assert len(asked) == 3

    def test_grpc(self):
        """An `async def` around the stub."""
        asked = []

        async def method(request, context):
            asked.append(True)
            if len(asked) < 3:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "warming up")
            return request

        def unavailable(error):
            return isinstance(error, grpc.RpcError) and error.code() is grpc.StatusCode.UNAVAILABLE

        async def main():
            server = grpc.aio.server()
            handler = grpc.unary_unary_rpc_method_handler(method)
            handlers = grpc.method_handlers_generic_handler("service", {"Method": handler})
            server.add_generic_rpc_handlers((handlers,))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    stub = channel.unary_unary("/service/Method")

                    @retry(3, on=unavailable, wait=0)
                    async def call(request):
                        return await stub(request)

                    return await call(b"well")
            finally:
                await server.stop(None)

        assert asyncio.run(main()) == b"well"
        assert len(asked) == 3
