"""What a client or its user seldom does, each against the real package."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import aiohttp
import httpx
import pytest
import requests
from client_server import reply

from retrying_elegant import Policy, clients, deadline, given_up, web
from retrying_elegant.clients import _aiohttp

QUICK = Policy(4, on=web.transient, wait=0)


class Stop(threading.Event):
    """Set as soon as a wait begins: the response that was set aside is what the caller gets."""

    def wait(self, timeout=None):
        self.set()
        return True


class AsyncStop(asyncio.Event):
    async def wait(self):
        self.set()
        return True


class Replaced(httpx.SyncByteStream, httpx.AsyncByteStream):
    """What a hook put in the place of a response's stream."""

    def __iter__(self):
        yield b"why"

    async def __aiter__(self):
        yield b"why"


class Broken(Replaced):
    """One that cannot be read to its end, nor closed."""

    def __iter__(self):
        yield b"w"
        raise OSError("cut off")

    async def __aiter__(self):
        yield b"w"
        raise OSError("cut off")

    def close(self):
        raise OSError("not open")

    async def aclose(self):
        raise OSError("not open")


def get(url, stream):
    """The response of a sync client whose hook replaces the stream, stopped in its first wait."""

    def replace(response):
        response.stream = stream

    policy = QUICK.replace(wait=60, stop=Stop())
    with clients.httpx(httpx.Client(event_hooks={"response": [replace]}), policy) as client:
        return client.get(url)


def get_async(url, stream):
    """Likewise, of an async one."""

    async def replace(response):
        response.stream = stream

    async def fetch():
        policy = QUICK.replace(wait=60, stop=AsyncStop())
        client = httpx.AsyncClient(event_hooks={"response": [replace]})
        async with clients.httpx(client, policy) as client:
            return await client.get(url)

    return asyncio.run(fetch())


class TestHttpx:
    """Hooks that change responses and requests."""

    def test_the_error_of_a_response(self, httpx_way, server):
        """It has the client's own words."""
        texts = []
        policy = QUICK.replace(on_retry=lambda attempt: texts.append(str(attempt.error)))
        with httpx_way.session(policy) as session:
            session.fetch("GET", server.play(reply(503), reply(200)))
        assert texts[0].startswith("Server error '503 Service Unavailable' for url 'http://127.")

    def test_how_long_a_response_took(self, httpx_way, server):
        """It still knows when it was set aside."""
        stop = AsyncStop() if httpx_way.is_async else Stop()
        with httpx_way.session(QUICK.replace(wait=60, stop=stop)) as session:
            answer = session.fetch("GET", server.play(reply(503)))
        assert answer.record.reason == "stopped"
        assert answer.response.elapsed.total_seconds() > 0

    @pytest.mark.parametrize("get", [get, get_async])
    def test_a_stream_that_is_not_the_clients(self, server, get):
        """It is read before the wait, and returned whole."""
        response = get(server.play(reply(503)), Replaced())
        assert (response.status_code, response.content) == (503, b"why")
        assert given_up(response).reason == "stopped"
        with pytest.raises(RuntimeError):  # as in the bare client
            response.elapsed  # noqa: B018

    @pytest.mark.parametrize("reason", ["attempts", "stopped"])
    def test_one_that_a_hook_has_read(self, httpx_way, server, reason):
        """There is nothing to set aside: it stays closed, and its content is what it was."""

        def read(response):
            response.read()

        async def aread(response):
            await response.aread()

        hooks = {"response": [aread if httpx_way.is_async else read]}
        policy = QUICK
        if reason == "stopped":
            policy = QUICK.replace(wait=60, stop=AsyncStop() if httpx_way.is_async else Stop())
        with httpx_way.session(policy, event_hooks=hooks) as session:
            answer = session.fetch("GET", server.play(reply(503, b"why")))
        assert answer.record.reason == reason
        assert (answer.body, answer.response.is_closed) == (b"why", True)

    @pytest.mark.parametrize("get", [get, get_async])
    def test_one_that_breaks(self, server, get):
        """Reading it says so, not that it could not be closed."""
        with pytest.raises(httpx.ReadError, match=r"closed before the wait\n") as caught:
            get(server.play(reply(503)), Broken())
        assert given_up(caught.value).reason == "stopped"

    def test_a_response_that_does_not_raise(self, server):
        """Its status is looked at all the same, and said to hooks."""

        def quiet(response):
            response.raise_for_status = lambda: response

        texts = []
        policy = QUICK.replace(on_retry=lambda attempt: texts.append(str(attempt.error)))
        with clients.httpx(httpx.Client(event_hooks={"response": [quiet]}), policy) as client:
            assert client.get(server.play(reply(503), reply(200))).status_code == 200
        assert texts == ["status 503"]

    def test_a_request_stream_is_closed(self, server):
        """It is the user's own that is."""
        closed = []

        class Own(httpx.SyncByteStream, httpx.AsyncByteStream):
            def __iter__(self):
                yield b"data"

            def close(self):
                closed.append("close")

            async def aclose(self):
                closed.append("aclose")

        def close(request):
            request.stream.close()
            asyncio.run(request.stream.aclose())

        hooks = {"request": [close]}
        with clients.httpx(httpx.Client(event_hooks=hooks), QUICK) as client:
            url = server.play(reply(200))
            headers = {"Content-Length": "4", "Host": "x"}
            request = httpx.Request("PUT", url, stream=Own(), headers=headers)
            assert client.send(request).status_code == 200
        assert closed == ["close", "aclose"]


class TestRequests:
    """Empty responses, odd statuses, wrong timeouts."""

    @staticmethod
    def session(policy):
        session = requests.Session()
        session.trust_env = False
        session.mount("http://", clients.requests(policy))
        return session

    def test_a_response_that_was_read(self, server):
        """By an adapter of the user's: nothing is set aside, and its connection is free."""
        adapter = clients.requests(QUICK.replace(wait=60, stop=Stop()))

        def build_response(request, raw):
            response = type(adapter).build_response(adapter, request, raw)
            assert response.content == b"why"
            return response

        adapter.build_response = build_response
        with requests.Session() as session:
            session.trust_env = False
            session.mount("http://", adapter)
            response = session.get(server.play(reply(503, b"why")))
        assert (response.status_code, response.content) == (503, b"why")
        assert given_up(response).reason == "stopped"

    def test_a_status_that_requests_does_not_know(self, server):
        """It is a failure if the policy says so."""
        policy = QUICK.replace(on=lambda error: error.response.status_code == 600)
        with self.session(policy) as session:
            assert session.get(server.play(reply(600), reply(200))).status_code == 200

    @pytest.mark.parametrize("timeout", [(1, 2, 3), "5", [3, 5]], ids=str)
    def test_a_timeout_that_is_none(self, server, timeout):
        """requests says what is wrong with it."""
        session, wrong = self.session(QUICK), pytest.raises(ValueError, match="imeout")
        with session, deadline(5), wrong:
            session.get(server.play(reply(200)), timeout=timeout)


class TestAiohttp:
    """Limits of client and policy together, empty responses, payloads that were used."""

    @staticmethod
    def fetch(url, policy):
        async def call():
            timeout = aiohttp.ClientTimeout(total=30)
            chain = [clients.aiohttp(policy())]
            async with (
                aiohttp.ClientSession(middlewares=chain, timeout=timeout) as session,
                session.get(url) as response,
            ):
                return response.status, await response.read(), given_up(response)

        return asyncio.run(call())

    def test_the_policys_timeout_is_the_shorter(self, server):
        """It is the one that counts."""
        url = server.play(reply(503))
        record = self.fetch(url, lambda: QUICK.replace(wait=10, timeout=5))[2]
        assert (record.reason, record.attempts) == ("timeout", 1)

    def test_a_response_without_a_body(self, server):
        """It is given back as it was."""
        url = server.play(reply(503, b""))
        status, body, record = self.fetch(url, lambda: QUICK.replace(wait=10, stop=AsyncStop()))
        assert (status, body, record.reason) == (503, b"", "stopped")

    def test_a_response_whose_body_never_came(self, server):
        """Reading it says so."""
        url = server.play(reply(503, b"x", half="close"))
        with pytest.raises(aiohttp.ClientPayloadError):
            self.fetch(url, lambda: QUICK.replace(wait=10, stop=AsyncStop()))

    def test_a_payload_that_was_consumed(self):
        """Cannot be sent again."""
        assert not _aiohttp._is_repeatable(SimpleNamespace(consumed=True))
