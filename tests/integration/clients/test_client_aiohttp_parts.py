"""The parts of the middleware for aiohttp, asked directly, with payloads and errors of aiohttp."""

from __future__ import annotations

import asyncio
import gc
import io
import os
import select
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from weakref import ref

import aiohttp
import pytest
from aiohttp.client_middlewares import build_client_middlewares
from client_server import HANG, RESET, reply, trickle

from retrying_elegant import Policy, clients, given_up, web
from retrying_elegant.clients import _aiohttp
from retrying_elegant.clients._shared import Rules

QUICK = Policy(2, on=web.transient, wait=0)


def fetch(url, *middlewares, method="GET", total=None, **options):
    """The response of a session with these middlewares, and its body."""

    async def call():
        timeout = aiohttp.ClientTimeout(total=total)
        async with (
            aiohttp.ClientSession(middlewares=middlewares, timeout=timeout) as session,
            session.request(method, url, **options) as response,
        ):
            return response, await response.read()

    return asyncio.run(call())


def handler_of(total, middlewares=0):
    """A handler as aiohttp builds it: *middlewares* around one that knows the *total*."""
    real_timeout = aiohttp.ClientTimeout(total=total)

    async def send(request):
        return real_timeout

    async def other(request, handler):
        return await handler(request)

    if middlewares == 0:
        return send
    return build_client_middlewares(send, (other,) * middlewares)


class TestTotal:
    """What remains of aiohttp's `total`."""

    @pytest.mark.parametrize(
        ("total", "found"), [(7, 7.0), (0.5, 0.5), (None, None), (0, None)], ids=str
    )
    @pytest.mark.parametrize("middlewares", [0, 1, 2, 15])
    def test_found(self, total, found, middlewares):
        """However many middlewares there are; 0 is aiohttp's other word for none."""
        assert _aiohttp._total_of(handler_of(total, middlewares)) == found

    def test_not_found(self):
        """Behind too many, or in something that only looks like a function."""
        assert _aiohttp._total_of(handler_of(7, 16)) is None
        odd = SimpleNamespace(__code__=SimpleNamespace(co_freevars=("handler",)), __closure__=())
        assert _aiohttp._total_of(odd) is None

    def test_whether_it_has_passed(self):
        """As aiohttp's timer says."""

        def passed():
            raise TimeoutError

        for assert_timeout, expired in ((passed, True), (lambda: None, False)):
            timer = SimpleNamespace(assert_timeout=assert_timeout)
            assert _aiohttp._has_expired(request_of(timer)) is expired

    def test_unknown(self, server, monkeypatch):
        """It is not part of the policy, but no attempt follows one that failed by it."""
        monkeypatch.setattr(_aiohttp, "_total_of", lambda handler: None)
        with pytest.raises(TimeoutError) as caught:
            fetch(server.play(HANG), clients.aiohttp(QUICK), total=0.3)
        assert given_up(caught.value) is None

    def test_it_passes_while_a_failed_response_is_read(self, server):
        """The call ends there, and not at the next await of the user's code."""

        class Stop(asyncio.Event):
            async def wait(self):
                self.set()  # without a moment in which a cancellation could arrive

        policy = QUICK.replace(wait=0.05, stop=Stop())
        with pytest.raises(TimeoutError):
            fetch(server.play(trickle(503)), clients.aiohttp(policy), total=0.5)

    @pytest.mark.parametrize(
        ("timeout", "most"), [(None, 5.995), (10, 5.995), (6, 5.995), (5.9, None)], ids=str
    )
    def test_what_remains(self, monkeypatch, timeout, most):
        """The total without the time since the call began, where the policy allows more."""
        exchange = self.exchange(monkeypatch, QUICK.replace(timeout=timeout), age=4)
        assert exchange.most_seconds == (None if most is None else pytest.approx(most))

    def test_nothing(self, monkeypatch):
        """Hardly anything: never 0, nor less."""
        assert self.exchange(monkeypatch, QUICK, age=10).most_seconds == 0.001
        assert self.exchange(monkeypatch, QUICK, age=99).most_seconds == 0.001

    def exchange(self, monkeypatch, policy, age):
        clock = SimpleNamespace(time=SimpleNamespace(monotonic=lambda: 1000.0))
        monkeypatch.setattr(_aiohttp, "_clock", clock)
        rules = Rules("clients.aiohttp", policy, None, is_async=True)
        request = SimpleNamespace(body=b"", method="GET", headers={})
        call = SimpleNamespace(began=1000.0 - age)
        return _aiohttp._Exchange(rules, policy, request, handler_of(10), call)


class TestBodies:
    """Which payloads can be sent again."""

    @pytest.fixture
    def pipe(self):
        out, into = os.pipe()
        with open(out, "rb") as file:
            os.write(into, b"data")
            os.close(into)
            yield file

    def test_repeatable(self):
        """Bytes, seekable files, and multipart bodies of them."""
        for payload in (
            b"data",
            aiohttp.BytesPayload(b"data"),
            aiohttp.BytesIOPayload(io.BytesIO(b"data")),
            self.multipart(b"data", io.BytesIO(b"data")),
        ):
            assert _aiohttp._is_repeatable(payload)
            assert _aiohttp._PayloadBody(payload).rewind()

    def test_not_repeatable(self, pipe):
        """A pipe; what has been consumed; and payloads whose ways nobody knows."""

        class Consumed(aiohttp.BytesIOPayload):
            consumed = True

        class Other(aiohttp.payload.Payload):
            def __init__(self, value):
                super().__init__(value)

            def decode(self, *args):
                raise NotImplementedError

            async def write(self, writer):
                raise NotImplementedError

        with self.multipart(b"data", pipe) as multipart:
            for payload in (
                aiohttp.BufferedReaderPayload(pipe),
                Consumed(io.BytesIO(b"data")),
                Other(io.BytesIO(b"data")),
                multipart,
                None,
                object(),
            ):
                assert not _aiohttp._is_repeatable(payload)
                assert not _aiohttp._PayloadBody(payload).rewind()

    def test_no_longer(self):
        """A file that has been closed in the meantime."""
        file = io.BytesIO(b"data")
        body = _aiohttp._PayloadBody(aiohttp.BytesIOPayload(file))
        assert body.rewind()
        file.close()
        assert not body.rewind()

    def test_one_thread_at_a_time_reads_a_file(self):
        """Also one of a multipart body; serialized once, however often it is asked for."""
        files = [io.BytesIO(b"data"), io.BytesIO(b"data")]
        multipart = self.multipart(*files)
        single = aiohttp.BytesIOPayload(io.BytesIO(b"data"))
        for payload, wanted in ((multipart, files), (single, [single._value])):
            for _ in range(2):
                _aiohttp._serialize(payload)
            parts = [part for part, *_ in payload] if payload is multipart else [payload]
            assert [type(part._value) for part in parts] == [_aiohttp._Serialized] * len(parts)
            assert [part._value._file for part in parts] == wanted

    def test_what_is_sent_once_is_left_alone(self, server, pipe):
        """By a request, too."""
        seen = []

        async def look(request, handler):
            seen.append(_aiohttp._file_of(request.body))
            return await handler(request)

        url = server.play(reply(200))
        fetch(url, clients.aiohttp(QUICK), look, method="PUT", data=pipe)
        assert seen == [pipe]
        assert server.bodies == [b"data"]

    def multipart(self, *parts):
        writer = aiohttp.MultipartWriter()
        for part in parts:
            writer.append(part)
        return writer


def request_of(key):
    return SimpleNamespace(_timer=key)


class TestCalls:
    """Which call of the session a request belongs to."""

    @pytest.fixture(autouse=True)
    def alone(self):
        token = _aiohttp._calls.set(None)
        yield
        _aiohttp._calls.reset(token)

    def test_one(self):
        """Known by an object, not by what that is equal to; and over until its attempts begin."""
        call = _aiohttp._Call.of(request_of([]))
        assert call.is_over
        assert call.final is call.task is None
        assert _aiohttp._Call.of(request_of(call._key)) is call
        assert _aiohttp._Call.of(request_of([])) is not call

    def test_unknown(self):
        """Of a request that has none, nothing is kept."""
        assert _aiohttp._Call.of(SimpleNamespace()) is not _aiohttp._Call.of(SimpleNamespace())
        assert _aiohttp._calls.get() is None

    def test_one_after_another(self):
        """Of those that are over, nothing is kept."""
        for _ in range(3):
            call = _aiohttp._Call.of(request_of([]))
            assert call._before is None

    def test_within_others(self):
        """The last sixteen that are not over are found again, and those between are let go."""
        calls = []
        for _ in range(17):
            call = _aiohttp._Call.of(request_of([]))
            call.is_over = False
            calls.append(call)
            _aiohttp._Call.of(request_of([]))
        found = [_aiohttp._Call.of(request_of(call._key)) for call in reversed(calls[1:])]
        assert found == calls[:0:-1]
        _aiohttp._Call.of(request_of([]))
        assert _aiohttp._Call.of(request_of(calls[0]._key)) is not calls[0]

    @pytest.mark.parametrize("status", [200, 300, 301, 302, 303, 304, 305, 306, 307, 308, 404])
    def test_redirects(self, server, status):
        """A call is over when no other request follows in it."""
        states = []

        async def look(request, handler):
            states.append(_aiohttp._calls.get().is_over)
            return await handler(request)

        async def around(request, handler):
            response = await handler(request)
            states.append(_aiohttp._calls.get().is_over)
            return response

        end = server.play(reply(200), path="/end")
        url = server.play(reply(status, headers={"Location": end}))
        fetch(url, around, clients.aiohttp(QUICK), look)
        follows = status in (301, 302, 303, 307, 308)
        assert states == [False, False, False, True] if follows else [False, True]

    @pytest.mark.parametrize("error", [KeyError, asyncio.CancelledError])
    def test_failed(self, error):
        """It is over, too."""

        async def fail(request, handler):
            raise error

        async def around(request, handler):
            with pytest.raises(error):
                await handler(request)
            assert _aiohttp._calls.get().is_over
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fetch("http://host/", around, clients.aiohttp(QUICK), fail)


def connector_error(kind):
    key = SimpleNamespace(host="host", port=80, ssl=True)
    return kind(key, OSError(111, "refused"))


class TestWhatAiohttpRepeats:
    """Its repetition is recognized, and nothing else is taken for it."""

    def attempts(self, error, method, tries):
        """How many attempts ours makes if a middleware around it tries so often."""
        count = 0

        async def fail(request, handler):
            nonlocal count
            count += 1
            raise error

        async def around(request, handler):
            for _ in range(tries - 1):
                with pytest.raises(type(error)):
                    await handler(request)
            return await handler(request)

        with pytest.raises(type(error)) as caught:
            chain = around, clients.aiohttp(QUICK, idempotent=True), fail
            fetch("http://host/", *chain, method=method)
        assert caught.value is error
        return count

    @pytest.mark.parametrize(
        ("kind", "method"),
        [
            (aiohttp.ServerDisconnectedError, "POST"),
            (partial(aiohttp.ClientOSError, 104, "reset"), "PATCH"),
            (partial(connector_error, aiohttp.ClientConnectorError), "GET"),
            (aiohttp.ConnectionTimeoutError, "GET"),
            (aiohttp.ClientPayloadError, "GET"),
        ],
        ids=["POST", "PATCH", "connector", "connection timeout", "payload"],
    )
    def test_not_repeated(self, kind, method):
        """Each try makes its attempts."""
        for tries in (1, 2):
            assert self.attempts(kind(), method, tries) == 2 * tries

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
    def test_repeated(self, method):
        """aiohttp makes the whole call twice; then the first try has failed already."""
        for error in (aiohttp.ServerDisconnectedError(), aiohttp.ClientOSError(104, "reset")):
            assert self.attempts(error, method, 1) == 2
        assert self.attempts(aiohttp.ServerDisconnectedError(), method, 3) == 6 + 4

    @pytest.mark.parametrize(
        ("error", "method", "repeats", "expected"),
        [
            (aiohttp.ServerDisconnectedError(), "GET", True, True),
            (aiohttp.ServerDisconnectedError(), "GET", False, False),
            (aiohttp.ServerDisconnectedError(), "POST", True, False),
            (aiohttp.ClientOSError(104, "reset"), "PUT", True, True),
            (connector_error(aiohttp.ClientConnectorError), "GET", True, False),
            (aiohttp.ConnectionTimeoutError(), "GET", True, False),
            (aiohttp.ServerTimeoutError(), "GET", True, False),
            (aiohttp.ClientPayloadError(), "GET", True, False),
        ],
    )
    def test_which(self, error, method, repeats, expected):
        """Connections that break, of what may be sent twice, if the session does that at all."""
        session = SimpleNamespace(_retry_connection=repeats)
        request = SimpleNamespace(method=method, session=session)
        assert _aiohttp._repeats(request, error) is expected

    def test_nothing_is_kept_of_what_was_repeated(self):
        """A second repetition does not come."""
        call = _aiohttp._Call([], None)
        session = SimpleNamespace(_retry_connection=True)
        requests = [SimpleNamespace(method="GET", session=session) for _ in range(2)]
        error = aiohttp.ServerDisconnectedError()
        call.note_final(requests[0], error)
        assert call.final is not None
        gc.collect()
        gc.disable()
        try:
            with suppress(aiohttp.ServerDisconnectedError):
                call.raise_again(requests[1])
            again, error = ref(error), None
            assert again() is None
        finally:
            gc.enable()
        assert call.final is None
        error = aiohttp.ServerDisconnectedError()
        call.note_final(requests[1], error)
        assert call.final is None
        unknown = _aiohttp._Call(None, None)
        unknown.note_final(requests[0], error)
        assert unknown.final is None

    def test_inside_an_attempt(self, server):
        """A call that an attempt makes, as for a token, does not hide the one around it."""
        token = server.play(reply(200), path="/token")

        async def authenticate(request, handler):
            if request.url.path != "/token":
                async with request.session.get(token):
                    pass
            return await handler(request)

        url = server.play(RESET)
        with pytest.raises(aiohttp.ClientOSError) as caught:
            fetch(url, clients.aiohttp(QUICK), authenticate)
        assert given_up(caught.value).attempts == 2
        sent = [request.target for request in server.requests]
        assert len(sent) - sent.count("/token") == 2


class TestBetweenAttempts:
    """What a request needs before it is sent again."""

    def test_it_is_settled(self, server, monkeypatch):
        """Before each attempt but the first."""
        settled, settle = [], _aiohttp._settle

        async def look(request):
            settled.append(len(server.requests))
            await settle(request)

        monkeypatch.setattr(_aiohttp, "_settle", look)
        fetch(server.play(reply(503), reply(200)), clients.aiohttp(QUICK))
        assert settled == [1]

    def test_what_that_is(self):
        """The last attempt has stopped writing."""
        done = []

        async def close():
            done.append("close")

        asyncio.run(_aiohttp._settle(SimpleNamespace(close=close)))
        assert done == ["close"]

    def test_expect(self, server):
        """Each attempt waits for the server's word before it sends the body."""
        early = []

        def patient(connection, request):
            early.append(
                bool(connection.rest or select.select([connection.socket], [], [], 0.3)[0])
            )
            connection.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
            return reply(200)(connection, request)

        patient.is_early = True
        url = server.play(reply(503), patient)
        fetch(url, clients.aiohttp(QUICK), method="PUT", data=b"data", expect100=True)
        assert early == [False]
        assert server.bodies == [b"data"] * 2

    def test_an_open_session(self):
        """One that has been closed in the wait says what a new request would."""

        async def fail(request, handler):
            await request.session.close()
            raise aiohttp.ServerDisconnectedError

        async def again():
            async with aiohttp.ClientSession() as session:
                pass
            await session.get("http://host/")

        with pytest.raises(RuntimeError) as wanted:
            asyncio.run(again())
        with pytest.raises(RuntimeError) as caught:
            fetch("http://host/", clients.aiohttp(QUICK), fail)
        assert caught.value.args == wanted.value.args

    def test_one_of_ours(self):
        """Two would multiply the attempts."""
        with pytest.raises(ValueError, match=r"expected one .*, or attempts would multiply$"):
            fetch("http://host/", clients.aiohttp(QUICK), clients.aiohttp(QUICK))

    def test_the_class_of_a_response(self, server):
        """It looks as before, and what it raises for its status has the record."""

        class Own(aiohttp.ClientResponse):
            """A class of the user's."""

        async def call():
            async with (
                aiohttp.ClientSession(
                    middlewares=[clients.aiohttp(QUICK)], response_class=Own
                ) as session,
                session.get(server.play(reply(503))) as response,
            ):
                return response

        response = asyncio.run(call())
        kind = type(response)
        names = ("__name__", "__qualname__", "__module__", "__doc__")
        assert [getattr(kind, name) for name in names] == [getattr(Own, name) for name in names]
        assert isinstance(response, Own)
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            response.raise_for_status()
        assert given_up(caught.value).attempts == given_up(response).attempts == 2

    def test_what_a_middleware_made_of_a_response(self, server):
        """It stays of its own class."""

        class Made:
            def __init__(self, response):
                self._response = response

            def __getattr__(self, name):
                return getattr(self._response, name)

        async def make(request, handler):
            return Made(await handler(request))

        async def call():
            middlewares = [clients.aiohttp(QUICK), make]
            async with aiohttp.ClientSession(middlewares=middlewares) as session:
                made = await session.get(server.play(reply(503)))
                assert type(made) is Made
                with pytest.raises(aiohttp.ClientResponseError):
                    made.raise_for_status()
                made.close()

        asyncio.run(call())

    @pytest.mark.parametrize("reason", ["Service Unavailable", ""])
    def test_the_error_of_a_status(self, server, reason):
        """It is the one that aiohttp itself would raise."""

        def refuse(connection, request):
            head = f"HTTP/1.1 503 {reason}\r\nX-Why: full\r\nContent-Length: 0\r\n\r\n"
            connection.socket.sendall(head.encode())
            return True

        errors = []
        policy = QUICK.replace(on_give_up=lambda attempt: errors.append(attempt.error))
        response, _ = fetch(server.play(refuse), clients.aiohttp(policy))
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            response.raise_for_status()
        assert errors[0].args == caught.value.args
        assert str(errors[0]) == str(caught.value)
        assert errors[0].message == reason
        assert errors[0].headers["X-Why"] == "full"
