"""Real functions that return an awaitable which is not a coroutine: aiohttp, gRPC."""

from __future__ import annotations

import asyncio

import aiohttp
import grpc
import grpc.aio
from aiohttp import web as aiohttp_web

from retrying_elegant import retry


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
