"""What is private to aiohttp, against the real package; and requests without it."""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import weakref

import aiohttp
import pytest
from client_server import CLOSE, RESET, reply

from retrying_elegant import Policy, clients, given_up, web
from retrying_elegant.clients import _aiohttp

QUICK = Policy(4, on=web.transient, wait=0)


def fetch(url, *middlewares, policy=QUICK, method="GET", session_options=None, **options):
    """The status, body and record of what a session gets."""

    async def call():
        chain = [*middlewares, clients.aiohttp(policy)]
        async with (
            aiohttp.ClientSession(middlewares=chain, **(session_options or {})) as session,
            session.request(method, url, **options) as response,
        ):
            return response.status, await response.read(), given_up(response)

    return asyncio.run(call())


class TestItIsThere:
    """If one of these fails, aiohttp has changed: see what is private in the module."""

    def test_all_of_it(self, server):
        """A request under the middleware has what is looked for."""
        seen = []

        async def look(request, handler):
            payload = request.body
            seen.append(
                {
                    "key": _aiohttp._key_of(request) is not None,
                    "timer": hasattr(request._timer, "assert_timeout"),
                    "tasks": bool(request._timer._tasks),
                    "total": _aiohttp._total_of(handler),
                    "repeats": _aiohttp._repeats(request, aiohttp.ServerDisconnectedError()),
                    "file": isinstance(_aiohttp._file_of(payload), _aiohttp._Serialized),
                    "close": hasattr(request, "close"),
                    "expect": hasattr(request, "update_expect_continue"),
                }
            )
            return await handler(request)

        async def call():
            timeout = aiohttp.ClientTimeout(total=7)
            chain = [clients.aiohttp(QUICK), look]
            async with (
                aiohttp.ClientSession(middlewares=chain, timeout=timeout) as session,
                session.put(server.play(reply()), data=io.BytesIO(b"x")),
            ):
                pass

        asyncio.run(call())
        assert seen == [dict.fromkeys(seen[0], True) | {"total": 7.0}]


class TestWithoutIt:
    """Where it is gone, requests are sent and retried all the same."""

    @pytest.fixture(
        params=[
            "_key_of",
            "_total_of",
            "_repeats",
            "_has_ended",
            "_has_expired",
            "_file_of",
            "_settle",
        ]
    )
    def gone(self, request, monkeypatch):
        """One of the functions as it is where aiohttp has changed."""

        async def settle(request):
            pass

        replaced = {
            "_key_of": lambda request: None,
            "_total_of": lambda handler: None,
            "_repeats": lambda request, error: False,
            "_has_ended": lambda key: False,
            "_has_expired": lambda request: False,
            "_file_of": lambda payload: iter(()),
            "_settle": settle,
        }
        monkeypatch.setattr(_aiohttp, request.param, replaced[request.param])

    @pytest.mark.usefixtures("gone")
    def test_retried(self, server):
        """A failed response, and a broken connection."""
        assert fetch(server.play(reply(503), reply(200, b"done")))[:2] == (200, b"done")
        assert fetch(server.play(CLOSE, reply(200, b"done")))[:2] == (200, b"done")
        assert fetch(server.play(reply(503)))[0] == 503
        with pytest.raises(aiohttp.ClientError):
            fetch(server.play(RESET))

    @pytest.mark.usefixtures("gone")
    def test_bodies(self, server):
        """Whole, or not again."""
        for data in (b"data", io.BytesIO(b"data")):
            fetch(server.play(reply(503), reply(200)), method="PUT", data=data)
            assert set(server.bodies) == {b"data"}

    def test_attributes_that_are_missing(self):
        """No error."""

        class Bare:
            method = "GET"
            session = object()

        bare = Bare()
        assert _aiohttp._key_of(bare) is None
        assert _aiohttp._has_ended(bare) is False
        assert _aiohttp._has_expired(bare) is False
        assert _aiohttp._repeats(bare, aiohttp.ServerDisconnectedError()) is False
        assert not _aiohttp.Body(_aiohttp._file_of(bare)).is_repeatable
        asyncio.run(_aiohttp._settle(bare))
        for handler in (None, bare, lambda request: None, len):
            assert _aiohttp._total_of(handler) is None

    def test_a_chain_without_end(self):
        """Of handlers that hold each other."""

        def make():
            async def handler(request):
                return handler

            return handler

        assert _aiohttp._total_of(make()) is None


class TestItsOwnRepetition:
    """aiohttp repeats an idempotent request once, and its middlewares with it."""

    def test_one_call_after_the_other(self, server):
        """Each is made as often as its policy says, in one task."""

        async def calls():
            middlewares = [clients.aiohttp(QUICK.replace(attempts=2))]
            counts = []
            async with aiohttp.ClientSession(middlewares=middlewares) as session:
                for _ in range(3):
                    url = server.play(RESET)
                    with pytest.raises(aiohttp.ClientOSError) as caught:
                        await session.get(url)
                    counts.append((len(server.requests), given_up(caught.value).attempts))
            return counts

        assert asyncio.run(calls()) == [(2, 2)] * 3

    def test_calls_within_calls(self, server):
        """As of a middleware that fetches a token, with a request that fails and is repeated."""
        token = server.play(RESET, path="/token")
        depth = []

        async def authenticate(request, handler):
            if request.url.path != "/token":
                for _ in range(5):
                    with pytest.raises(aiohttp.ClientOSError):
                        await request.session.get(token)
                    depth.append(1)
            return await handler(request)

        policy = QUICK.replace(attempts=2)
        url = server.play(RESET)
        with pytest.raises(aiohttp.ClientOSError):
            fetch(url, authenticate, policy=policy)
        sent = [request.target for request in server.requests]
        assert sent.count("/token") == 2 * len(depth)
        assert len(sent) - sent.count("/token") == 2

    def test_a_redirect_and_then_a_failure(self, server):
        """The repetition is of the hop that failed."""
        end = server.play(RESET, path="/end")
        url = server.play(reply(302, headers={"Location": end}))
        with pytest.raises(aiohttp.ClientOSError):
            fetch(url, policy=QUICK.replace(attempts=3))
        assert [request.target for request in server.requests].count("/end") == 3

    def test_with_a_body(self, server):
        """Which it would send again, too."""
        for data in (b"data", io.BytesIO(b"data")):
            url = server.play(RESET)
            with pytest.raises(aiohttp.ClientOSError):
                fetch(url, policy=QUICK.replace(attempts=3), method="PUT", data=data)
            assert server.bodies == [b"data"] * 3

    def test_a_middleware_that_sends_it_again(self, server):
        """Around this one: that is no repetition, and each time is a call of its own."""
        there = server.play(reply(200, b"there"), path="/there")

        async def go_elsewhere(request, handler):
            try:
                return await handler(request)
            except aiohttp.ClientOSError:
                request.url = type(request.url)(there)
                return await handler(request)

        async def call():
            chain = [go_elsewhere, clients.aiohttp(QUICK.replace(attempts=2))]
            async with (
                aiohttp.ClientSession(middlewares=chain) as session,
                session.get(server.play(RESET, path="/here")) as response,
            ):
                return await response.read()

        assert asyncio.run(call()) == b"there"
        assert [request.target for request in server.requests] == ["/here", "/here", "/there"]

    def test_one_that_does_not_come(self, server):
        """Because the body cannot be read again: the next call releases the error."""
        url = server.play(RESET)

        async def body():
            yield b"body"

        async def call():
            async with aiohttp.ClientSession(middlewares=[clients.aiohttp(QUICK)]) as session:
                try:
                    await session.put(url, data=body())
                except aiohttp.ClientOSError as error:
                    failed = weakref.ref(error)
                async with session.get(server.play(reply(200))):
                    return failed()

        gc.collect()
        gc.disable()
        try:
            assert asyncio.run(call()) is None
        finally:
            gc.enable()

    def test_the_error_is_the_one_that_was_given_up_on(self, server):
        """With its record, and the traceback of the real failure."""
        with pytest.raises(aiohttp.ClientOSError) as caught:
            fetch(server.play(RESET))
        assert given_up(caught.value).attempts == 4
        assert caught.traceback[-1].name == "read"


class TestTwoOfThem:
    """ValueError, as for a client of httpx that is wrapped twice: attempts would multiply."""

    @pytest.mark.parametrize("policy", [QUICK, lambda request: QUICK], ids=["policy", "function"])
    def test_around_each_other(self, server, policy):
        """Nothing is sent, whatever is between them."""

        async def between(request, handler):
            return await handler(request)

        url = server.play(reply(503), reply(200))
        with pytest.raises(ValueError, match="expected one middleware"):
            fetch(url, clients.aiohttp(policy), between)
        assert not server.requests

    def test_for_different_requests(self, server):
        """One of them says None."""
        url = server.play(reply(503), reply(200, b"done"))
        assert fetch(url, clients.aiohttp(lambda request: None))[1] == b"done"
        url = server.play(reply(503), reply(200, b"done"))
        outer = clients.aiohttp(QUICK)
        assert fetch(url, outer, policy=lambda request: None)[1] == b"done"

    def test_one_call_inside_another(self, server):
        """As of a middleware that fetches a token: a call of its own; each hop is one too."""
        token = server.play(reply(503), reply(200), path="/token")
        end = server.play(reply(503), reply(200, b"here"), path="/end")
        url = server.play(reply(503), reply(302, headers={"Location": end}))

        async def authenticate(request, handler):
            if request.url.path != "/token":
                async with request.session.get(token) as response:
                    assert response.status == 200
            return await handler(request)

        async def call():
            chain = [clients.aiohttp(QUICK), authenticate]
            async with (
                aiohttp.ClientSession(middlewares=chain) as session,
                session.get(url) as response,
            ):
                return await response.read()

        assert asyncio.run(call()) == b"here"


class TestOfAiohttpOnly:
    """What only aiohttp has."""

    def test_a_session_that_raises_for_status(self, server):
        """Its error has record and note."""
        url = server.play(reply(503))
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            fetch(url, session_options={"raise_for_status": True})
        assert given_up(caught.value).attempts == 4
        assert "gave up on GET" in caught.value.__notes__[0]

    def test_a_status_that_is_raised_at_once(self, server):
        """Of a response that nothing else refers to: the error has the record, too."""
        url = server.play(reply(503, b"x" * 100_000))

        async def call():
            connector = aiohttp.TCPConnector(limit=1)
            middlewares = [clients.aiohttp(QUICK)]
            async with aiohttp.ClientSession(
                connector=connector, middlewares=middlewares
            ) as session:
                with pytest.raises(aiohttp.ClientResponseError) as caught:
                    (await session.get(url)).raise_for_status()
                response = await session.get(url)  # the connection is free
                for name in ("__name__", "__module__", "__qualname__", "__doc__"):
                    assert getattr(type(response), name) == getattr(aiohttp.ClientResponse, name)
                response = None  # and again, without a cycle
                await session.get(url)
            return given_up(caught.value)

        gc.disable()
        try:
            assert asyncio.run(call()).attempts == 4
        finally:
            gc.enable()

    def test_a_response_that_a_middleware_made(self):
        """Of a class of its own: it is returned as it is, with the record."""

        class Made:
            status, reason, headers, request_info, closed = 503, "", {}, None, True

        made, returned = Made(), []

        async def make(request, handler):
            return made

        async def look(request, handler):
            returned.append(await handler(request))
            raise ZeroDivisionError

        async def call():
            chain = [look, clients.aiohttp(QUICK), make]
            async with aiohttp.ClientSession(middlewares=chain) as session:
                await session.get("http://host/")

        with pytest.raises(ZeroDivisionError):
            asyncio.run(call())
        assert returned == [made]
        assert type(made) is Made
        assert given_up(made).attempts == 4

    @pytest.mark.parametrize("status", [404, 503])
    def test_the_history_of_a_failed_response(self, server, status):
        """The redirects, although aiohttp notes them after the middlewares."""
        end = server.play(reply(status), path="/end")
        url = server.play(reply(302, headers={"Location": end}))

        async def call():
            async with (
                aiohttp.ClientSession(middlewares=[clients.aiohttp(QUICK)]) as session,
                session.get(url) as response,
            ):
                with pytest.raises(aiohttp.ClientResponseError) as caught:
                    response.raise_for_status()
                return response.history, caught.value.history

        for history in asyncio.run(call()):
            assert [response.status for response in history] == [302]

    def test_expect_100_continue(self, server):
        """Asked for each time."""
        url = server.play(reply(503), reply(200))
        assert fetch(url, method="PUT", data=b"data", expect100=True)[0] == 200
        assert server.bodies == [b"data"] * 2

    def test_a_websocket_that_is_not_accepted(self, server):
        """Its handshake is a GET."""
        url = server.play(reply(503))

        async def connect():
            middlewares = [clients.aiohttp(QUICK)]
            async with aiohttp.ClientSession(middlewares=middlewares) as session:
                await session.ws_connect(url)

        with pytest.raises(aiohttp.WSServerHandshakeError):
            asyncio.run(connect())
        assert len(server.requests) == 4

    def test_a_key_that_another_middleware_sets(self, server):
        """It may be another one each time, so a POST is not sent again."""
        keys = map(str, itertools.count())

        async def set_key(request, handler):
            request.headers["Idempotency-Key"] = next(keys)
            return await handler(request)

        async def call():
            middlewares = [clients.aiohttp(QUICK), set_key]
            async with aiohttp.ClientSession(middlewares=middlewares) as session:
                await session.post(server.play(RESET, reply(200)), data=b"pay")

        with pytest.raises(aiohttp.ClientOSError):
            asyncio.run(call())
        assert [request.headers["idempotency-key"] for request in server.requests] == ["0"]

    def test_an_error_of_another_middleware(self, server):
        """Inside ours it is an attempt's; it is judged like any other."""
        calls = []

        async def broken(request, handler):
            calls.append(request)
            if len(calls) < 3:
                raise aiohttp.ClientConnectionError("http://host/secret")
            return await handler(request)

        async def call():
            chain = [clients.aiohttp(QUICK), broken]
            async with (
                aiohttp.ClientSession(middlewares=chain) as session,
                session.get(server.play(reply(200))) as response,
            ):
                return response.status

        assert asyncio.run(call()) == 200
        assert len(calls) == 3


class TestAuthentication:
    """A middleware around this one sends the same request again: its body whole, or not at all."""

    @staticmethod
    def put(server, body):
        def step(connection, received):
            if "authorization" in received.headers:
                return reply(200)(connection, received)
            headers = {"WWW-Authenticate": 'Digest realm="x", nonce="1"'}
            return reply(401, b"", headers)(connection, received)

        login = aiohttp.DigestAuthMiddleware("me", "secret")
        return fetch(server.play(step), login, method="PUT", data=body)[0]

    def test_a_file(self, server):
        """Whole."""
        assert self.put(server, io.BytesIO(b"body")) == 200
        assert server.bodies == [b"body", b"body"]

    def test_what_can_be_read_only_once(self, server):
        """An error, instead of an empty body and a status of 200."""

        async def body():
            yield b"once"

        words = "the request was not sent again: its body cannot be read again$"
        with pytest.raises(ValueError, match=words):
            self.put(server, body())
        assert server.bodies == [b"once"]
