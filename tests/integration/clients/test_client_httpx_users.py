"""What users add to a client of httpx: event hooks, a `send` of their own, filters that read."""

from __future__ import annotations

import asyncio
import gc
import itertools
import time
import weakref
from unittest import mock

import httpx
import pytest
import trio
from client_server import RESET, reply, trickle

from retrying_elegant import Policy, TryAgain, clients, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)


def hooks(way, hook):
    """The event hooks of a client that call *hook* with each request."""

    async def hook_async(request):
        hook(request)

    return {"request": [hook_async if way.is_async else hook]}


def fetch(way, client, method, url, **options):
    """The response of a client of the user's own making."""
    if not way.is_async:
        with client:
            return client.request(method, url, **options)

    async def call():
        async with client:
            return await client.request(method, url, **options)

    return asyncio.run(call())


class TestEventHooks:
    """They run in each attempt, as if it were the only one."""

    def test_what_they_note_in_the_extensions(self, httpx_way, server):
        """It is there afterwards, and the timeouts are the client's."""
        numbers = itertools.count(1)

        def note(request):
            request.extensions["number"] = next(numbers)

        with httpx_way.session(QUICK, event_hooks=hooks(httpx_way, note), timeout=3) as session:
            url = server.play(reply(503), reply(200))
            extensions = session.fetch("GET", url).response.request.extensions
        assert extensions["number"] == 2
        assert type(extensions["timeout"]) is dict
        assert set(extensions["timeout"].values()) == {3}

    def test_the_timeouts_that_they_set(self, httpx_way, server):
        """Are left to them."""
        mine = dict.fromkeys(("connect", "read", "write", "pool"), 2.5)

        def limit(request):
            request.extensions["timeout"] = mine

        with httpx_way.session(QUICK, event_hooks=hooks(httpx_way, limit)) as session:
            answer = session.fetch("GET", server.play(RESET, reply(200)))
        assert answer.response.request.extensions["timeout"] is mine

    @pytest.mark.parametrize("fault", [reply(503), RESET])
    def test_a_url_that_they_sign(self, httpx_way, server, fault):
        """It is signed once."""

        def sign(request):
            request.url = request.url.copy_add_param("sign", "1")

        with httpx_way.session(QUICK, event_hooks=hooks(httpx_way, sign)) as session:
            session.fetch("GET", server.play(fault, fault, reply(200), path="/path"))
        assert [request.target for request in server.requests] == ["/path?sign=1"] * 3

    @pytest.mark.parametrize("moment", ["on_retry", "before_attempt"])
    def test_a_url_that_a_hook_of_the_policy_changes(self, httpx_way, server, moment):
        """It is the one that the next attempt uses."""

        def move(attempt):
            if moment == "on_retry" or attempt.number > 1:
                request = attempt.args[0]
                request.url = request.url.copy_with(path="/other")

        policy = QUICK.replace(**{moment: move})
        server.play(reply(200, b"done"), path="/other")
        with httpx_way.session(policy) as session:
            assert session.fetch("GET", server.play(reply(503))).body == b"done"

    @pytest.mark.parametrize("given", [{}, {"Idempotency-Key": "mine"}], ids=["none", "given"])
    def test_a_key_that_they_set(self, httpx_way, server, given):
        """It may be another one each time, so a POST is not sent again."""
        keys = map(str, itertools.count())

        def set_key(request):
            request.headers["Idempotency-Key"] = next(keys)

        error = httpx_way.kind.library.ReadError
        with httpx_way.session(QUICK, event_hooks=hooks(httpx_way, set_key)) as session:
            url = server.play(RESET, reply(200))
            with pytest.raises(error):
                session.fetch("POST", url, b"pay", headers=given)
        assert [request.headers["idempotency-key"] for request in server.requests] == ["0"]

    def test_a_key_that_they_keep(self, httpx_way, server):
        """The one that the request had is the same each time."""

        def keep(request):
            request.headers.setdefault("Idempotency-Key", "other")

        with httpx_way.session(QUICK, event_hooks=hooks(httpx_way, keep)) as session:
            url = server.play(RESET, reply(200))
            session.fetch("POST", url, b"pay", headers={"Idempotency-Key": "mine"})
        keys = [request.headers["idempotency-key"] for request in server.requests]
        assert keys == ["mine"] * 2


class TestItsOwnWayOfSending:
    """A subclass that overrides `send` is called as it is without us."""

    def subclass(self, way):
        base = way.kind.library.AsyncClient if way.is_async else way.kind.library.Client

        class Sync(base):
            def send(self, request, *, auth=None, follow_redirects=False):
                response = super().send(request, auth=auth, follow_redirects=follow_redirects)
                self.texts = [*getattr(self, "texts", []), response.text]
                return response

        class Async(base):
            async def send(self, request, *, auth=None, follow_redirects=False):
                response = await super().send(request, auth=auth, follow_redirects=follow_redirects)
                self.texts = [*getattr(self, "texts", []), response.text]
                return response

        return Async if way.is_async else Sync

    def test_one_that_reads_the_response(self, httpx_way, server):
        """And takes no `stream`: it reads what it returns, also in the end."""
        client = clients.httpx(self.subclass(httpx_way)(), QUICK)
        url = server.play(reply(503, b"one"), RESET, reply(503, b"two"))
        response = fetch(httpx_way, client, "GET", url)
        assert client.texts == ["one", "two", "two"]
        assert (response.text, given_up(response).attempts) == ("two", 4)

    def test_a_request_that_is_not_retried(self, httpx_way, server):
        """Likewise."""
        client = clients.httpx(self.subclass(httpx_way)(), lambda request: None)
        assert fetch(httpx_way, client, "GET", server.play(reply(503, b"one"))).text == "one"

    @pytest.mark.parametrize("status", [200, 503])
    def test_a_stream_is_one_for_it(self, server, status):
        """So that it is not read before its time."""

        class Client(httpx.Client):
            def send(self, request, **options):
                response = super().send(request, **options)
                self.was_read = response.is_closed
                return response

        url = server.play(reply(status, b"x" * 100_000))
        with clients.httpx(Client(), QUICK) as client, client.stream("GET", url) as response:
            assert not client.was_read
            assert len(response.read()) == 100_000

    @pytest.mark.parametrize("is_whole", [False, True], ids=["the class", "the client"])
    def test_a_mock(self, httpx_way, is_whole):
        """In the place of `send`."""
        library = httpx_way.kind.library
        base = library.AsyncClient if httpx_way.is_async else library.Client
        client = base()
        request = library.Request("GET", "http://host/")
        answers = [library.Response(status, text="done", request=request) for status in (503, 200)]
        with mock.patch.object(client if is_whole else base, "send", side_effect=answers) as send:
            wrapped = clients.httpx(client, QUICK)
            assert fetch(httpx_way, wrapped, "GET", "http://host/").text == "done"
        assert send.call_count == 2


class TestFiltersThatReadTheBody:
    """They find it, as they do in the error of a response that the client alone has read."""

    @pytest.mark.parametrize("name", ["on", "unless"])
    def test_retried(self, httpx_way, server, name):
        """A response of which only the body says that it is transient, or that it is not."""

        def busy(error):
            return "busy" in error.response.text

        def broken(error):
            return not busy(error)

        policy = QUICK.replace(**{"on": busy} if name == "on" else {"unless": broken})
        url = server.play(reply(429, b"busy"), reply(429, b"broken"))
        with httpx_way.session(policy) as session:
            answer = session.fetch("GET", url)
        assert (answer.body, len(server.requests)) == (b"broken", 2)

    def test_a_wait_that_is_in_the_body(self, httpx_way, server):
        """As some services have it."""

        def transient(error):
            return TryAgain(after=error.response.json()["retry_after"])

        waits = []
        policy = QUICK.replace(on=transient, on_retry=lambda attempt: waits.append(attempt.hint))
        with httpx_way.session(policy) as session:
            session.fetch("POST", server.play(reply(429, b'{"retry_after": 0.01}'), reply(200)))
        assert waits == [0.01]

    def test_a_body_that_is_cut_off(self, httpx_way, server):
        """A failed attempt like any other."""

        def transient(error):
            return web.transient(error) or error.response.text

        url = server.play(reply(400, b"x" * 1000, half="close"), reply(200, b"done"))
        with httpx_way.session(QUICK.replace(on=transient)) as session:
            assert session.fetch("GET", url).body == b"done"

    def test_a_stream(self, httpx_way, server):
        """It is the user who reads: the error of the filter, and the connection is free."""
        policy = QUICK.replace(on=lambda error: error.response.text)
        with httpx_way.session(policy, pool=1) as session:
            with pytest.raises(httpx_way.kind.library.ResponseNotRead):
                session.fetch("GET", server.play(reply(503)), stream=True)
            assert session.fetch("GET", server.play(reply(200))).status == 200


class TestTheWrongKindOfBody:
    """A sync body for an async client, or an async one for a sync client."""

    def test_rejected(self, httpx_way, server):
        """By the client, in its own words, before anything is sent."""

        def body():
            yield b"data"

        async def body_async():
            yield b"data"

        wrong = body() if httpx_way.is_async else body_async()
        url = server.play(reply(200))
        words = r"^Attempted to send an? a?sync request"
        with httpx_way.session(QUICK) as session, pytest.raises(RuntimeError, match=words):
            session.fetch("PUT", url, wrong)
        assert server.requests == []


class TestTimeOfTheLastResponse:
    """`attempt_timeout` also limits reading the last failed response, in async clients."""

    def ends(self, run, url):
        async def call():
            policy = QUICK.replace(attempt_timeout=0.5)
            async with clients.httpx(httpx.AsyncClient(timeout=5), policy) as client:
                await client.post(url)

        began = time.monotonic()
        words = r"^POST 127.0.0.1 took longer than the 0.5 s that attempt_timeout allowed$"
        with pytest.raises(TimeoutError, match=words):
            run(call)
        return time.monotonic() - began

    @pytest.mark.parametrize("run", [trio.run, lambda call: asyncio.run(call())], ids=["trio", ""])
    def test_one_that_does_not_end(self, server, run):
        """A byte now and then keeps the client's own timeouts from ending it."""
        assert self.ends(run, server.play(trickle(503))) < 4

    def test_one_that_is_whole(self, httpx_way, server):
        """It is what the user gets."""
        policy = QUICK.replace(attempt_timeout=5)
        url = server.play(reply(503, b"x" * 200_000))
        with httpx_way.session(policy) as session:
            answer = session.fetch("POST", url)
        assert (answer.status, len(answer.body)) == (503, 200_000)

    def test_the_task_is_not_kept(self, server):
        """It keeps the error that ends it, and nothing in that leads back."""

        async def call():
            policy = QUICK.replace(attempt_timeout=0.3, attempts=1)
            async with clients.httpx(httpx.AsyncClient(timeout=5), policy) as client:
                task = asyncio.create_task(client.get(server.play(trickle(503))))
                await asyncio.wait([task])
                assert isinstance(task.exception(), TimeoutError)
                gone = weakref.ref(task)
                gc.disable()
                try:
                    del task
                    await asyncio.sleep(0)
                    return gone() is None
                finally:
                    gc.enable()

        assert asyncio.run(call())

    def test_the_error_has_the_record(self, server):
        """Of the response that was given up on."""

        async def call():
            policy = QUICK.replace(attempt_timeout=0.3, attempts=1)
            async with clients.httpx(httpx.AsyncClient(timeout=5), policy) as client:
                await client.get(server.play(trickle(503)))

        with pytest.raises(TimeoutError) as caught:
            asyncio.run(call())
        assert given_up(caught.value).reason == "attempts"
