"""What only httpx has: authentication, trio, proxies of the environment, event hooks."""

from __future__ import annotations

import asyncio
import copy
import gc
import io
import sys
import warnings
import zlib

import httpx
import pytest
import trio
from client_server import HANG, RESET, flood, reply

from retrying_elegant import Policy, RetryBudget, clients, deadline, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)
OWN = {"connect": 40.0, "read": 30.0, "write": 20.0, "pool": 10.0}  # seconds


class TestTrio:
    """An AsyncClient works under trio as under asyncio."""

    def fetch(self, url, policy=QUICK, **options):
        async def call():
            async with clients.httpx(httpx.AsyncClient(timeout=2), policy) as client:
                return await client.request("PUT", url, **options)

        return trio.run(call)

    def test_retried(self, server):
        """Failed responses, and broken connections."""
        response = self.fetch(server.play(reply(503), RESET, reply(200, b"done")), content=b"data")
        assert response.content == b"done"
        assert server.bodies == [b"data"] * 3

    def test_given_up(self, server):
        """The last response, with its record."""
        response = self.fetch(server.play(reply(503, b"why")), content=b"data")
        assert (response.content, given_up(response).attempts) == (b"why", 4)

    def test_bounds(self, server):
        """The body of a failed response is read within them."""
        slow = reply(503, b"x" * 1000, half="stall")
        assert self.fetch(server.play(slow, reply(200))).status_code == 200

    def test_what_was_not_read_whole(self, server):
        """What reads it is closed, as trio wants it; httpx itself leaves what is beneath open."""
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            assert self.fetch(server.play(flood(503), reply(200))).status_code == 200
            gc.collect()
        left = [str(warning.message) for warning in found]
        assert not [message for message in left if "aiter_raw" in message]

    def test_stop(self, server):
        """An event of trio, set by another task: the wait ends, and the response is whole."""

        async def call():
            stop, budget = trio.Event(), RetryBudget(10)
            policy = QUICK.replace(wait=30, stop=stop, budget=budget)
            limits = httpx.Limits(max_connections=1)
            with trio.fail_after(10):
                async with (
                    clients.httpx(httpx.AsyncClient(timeout=2, limits=limits), policy) as client,
                    trio.open_nursery() as nursery,
                ):

                    async def set_later():
                        await trio.sleep(0.2)
                        stop.set()

                    nursery.start_soon(set_later)
                    response = await client.get(server.play(reply(503, b"x" * 100_000)))
                    assert budget.tokens == 10
                    assert (await client.get(server.play(reply(200)))).status_code == 200
            return response

        response = trio.run(call)
        assert response.content == b"x" * 100_000
        assert given_up(response).reason == "stopped"

    @pytest.mark.parametrize("half", ["", "stall"], ids=["headers", "body"])
    def test_attempt_timeout(self, server, half):
        """An attempt that hangs is canceled, and another follows on the one connection."""
        hanging = reply(200, b"x" * 1000, half=half) if half else HANG
        policy = QUICK.replace(attempt_timeout=0.3)
        assert self.fetch(server.play(hanging, reply(200, b"done")), policy).content == b"done"

    def test_deadline(self, server):
        """No retry past it."""
        url = server.play(reply(503))
        with deadline(5):
            record = given_up(self.fetch(url, QUICK.replace(wait=10)))
        assert (record.reason, len(server.requests)) == ("timeout", 1)

    def test_budget(self, server):
        """Two retries, for all requests."""
        policy = QUICK.replace(budget=RetryBudget(2, refill=0))
        reasons = [given_up(self.fetch(server.play(reply(503)), policy)).reason for _ in range(2)]
        assert (reasons, len(server.requests)) == (["budget"] * 2, 1)

    def test_canceled(self, server):
        """In the wait: no attempt follows, and the connection is free."""

        async def call():
            wrapped = clients.httpx(
                httpx.AsyncClient(timeout=1, limits=httpx.Limits(max_connections=1)),
                lambda request: QUICK.replace(wait=5) if request.method == "GET" else None,
            )
            async with wrapped as client:
                with trio.move_on_after(0.2) as scope:
                    await client.get(server.play(reply(503, b"x" * 100_000)))
                assert scope.cancelled_caught
                assert len(server.requests) == 1
                return (await client.put(server.play(reply(200)))).status_code

        assert trio.run(call) == 200


class TestAuthentication:
    """Requests that authentication adds are part of the call."""

    def test_digest(self, httpx_way, server):
        """Challenged once, retried where it fails."""
        challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}
        url = server.play(
            reply(401, headers=challenge), reply(503), reply(401, headers=challenge), reply(200)
        )
        auth = httpx_way.kind.library.DigestAuth("user", "secret")
        with httpx_way.session(QUICK, auth=auth) as session:
            answer = session.fetch("PUT", url, b"data")
        assert answer.status == 200
        assert set(server.bodies) == {b"data"}

    def test_a_post_after_a_challenge(self, httpx_way, server):
        """A challenge is no redirect: what was not processed is sent again."""
        challenge = {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'}
        url = server.play(reply(401, headers=challenge), reply(429), reply(200))
        auth = httpx_way.kind.library.DigestAuth("user", "secret")
        with httpx_way.session(QUICK, auth=auth) as session:
            assert session.fetch("POST", url, b"data").status == 200
        assert len(server.requests) == 3


class TestTimeouts:
    """Those of an attempt, as a transport of any kind reads them."""

    def send(self, way, answer, policy=QUICK, own=OWN):
        """
        Send a request with *own* timeouts to *answer*.

        It returns a status, or where to redirect to.
        """
        library = way.kind.library

        def respond(request):
            found = answer(request)
            if isinstance(found, str):
                return library.Response(302, headers={"Location": found})
            return library.Response(found)

        async def call():
            async with clients.httpx(library.AsyncClient(**options), policy) as client:
                request = client.build_request("GET", "http://host/", extensions={"timeout": own})
                await client.send(request, follow_redirects=True)

        options = {"transport": library.MockTransport(respond), "timeout": 1}
        if way.is_async:
            return asyncio.run(call())
        with clients.httpx(library.Client(**options), policy) as client:
            request = client.build_request("GET", "http://host/", extensions={"timeout": own})
            return client.send(request, follow_redirects=True)

    @pytest.mark.parametrize("read", [dict, copy.copy])
    def test_each_is_cut(self, httpx_way, read):
        """Also for one that copies them; those of the request, not of the client."""
        seen = []

        def answer(request):
            seen.append(read(request.extensions["timeout"]))
            return 200

        with deadline(5):
            self.send(httpx_way, answer)
        self.send(httpx_way, answer)
        with deadline(25):
            self.send(httpx_way, answer)
        assert seen[0].keys() == OWN.keys()
        assert all(0 < value <= 5 for value in seen[0].values())
        assert seen[1] == OWN
        assert 20 < seen[2]["read"] <= 25
        assert (seen[2]["write"], seen[2]["pool"]) == (20, 10)

    def test_some_or_none(self, httpx_way):
        """Where the request has none, there is one; but not without a limit."""
        seen = []

        def answer(request):
            seen.append(dict(request.extensions["timeout"]))
            return 200

        for own in ({"read": 30}, dict.fromkeys(OWN), {}):
            self.send(httpx_way, answer, own=own)
            assert seen.pop() == own
            with deadline(5):
                self.send(httpx_way, answer, own=own)
            assert seen[-1].keys() == OWN.keys()
            assert all(0 < value <= 5 for value in seen.pop().values())

    @pytest.mark.parametrize("own", [OWN, {"read": 30}], ids=["all", "one"])
    def test_those_of_a_redirected_request_that_was_kept(self, httpx_way, own):
        """Whoever sends it again has its own timeouts, whichever attempt it was of."""
        kept = []

        def answer(request):
            if request.url.path == "/":
                return "http://host/next"
            kept.append(request)
            assert request.extensions["timeout"].get("read") <= 5
            return 503

        self.send(httpx_way, answer, QUICK.replace(attempts=2, attempt_timeout=5), own)
        assert [request.extensions["timeout"] for request in kept] == [own] * 2
        assert [request.extensions["timeout"].get("read") for request in kept] == [30] * 2

    def test_reading_a_failed_response(self, httpx_way):
        """Takes no longer than the client's own timeout, or the bound for it."""
        library, seen = httpx_way.kind.library, []

        class Body(library.SyncByteStream, library.AsyncByteStream):
            def __init__(self, request):
                self.timeouts = request.extensions["timeout"]

            def __iter__(self):
                seen.append(self.timeouts.get("read"))
                yield b"why"

            async def __aiter__(self):
                for chunk in self:
                    yield chunk

        def respond(request):
            return library.Response(503, stream=Body(request))

        for timeout in (0.5, 30, None):
            options = {"transport": library.MockTransport(respond), "timeout": timeout}
            policy = QUICK.replace(attempts=2)
            if httpx_way.is_async:

                async def call(options=options, policy=policy):
                    async with clients.httpx(library.AsyncClient(**options), policy) as client:
                        await client.get("http://host/")

                asyncio.run(call())
            else:
                with clients.httpx(library.Client(**options), policy) as client:
                    client.get("http://host/")
        # Before the wait, and at the end by the bare client's rules.  An async one is canceled.
        before = [0.5, 30, None] if httpx_way.is_async else [0.5, 2, 2]
        assert seen[::2] == before
        assert seen[1::2] == [0.5, 30, None]


class TestTheClientItself:
    """It stays what it was."""

    def test_proxies_of_the_environment(self, server, monkeypatch):
        """They apply, as they do without us."""
        monkeypatch.setenv("HTTP_PROXY", server.base)
        monkeypatch.delenv("NO_PROXY", raising=False)
        server.play(reply(503), reply(200, b"by proxy"), path="http://shop.invalid/")
        with clients.httpx(httpx.Client(), QUICK) as client:
            assert client.get("http://shop.invalid/").content == b"by proxy"

    def test_a_mounted_transport(self):
        """Also one that does no input or output."""
        answers = iter([httpx.Response(503), httpx.Response(200, text="done")])
        transport = httpx.MockTransport(lambda request: next(answers))
        with clients.httpx(httpx.Client(transport=transport), QUICK) as client:
            assert client.get("http://host/").text == "done"

    def test_its_own_way_of_sending(self, server):
        """A subclass that overrides `send` is called for each attempt."""

        class Counting(httpx.Client):
            calls = 0

            def send(self, *args, **kwargs):
                self.calls += 1
                return super().send(*args, **kwargs)

        with clients.httpx(Counting(), QUICK) as client:
            client.get(server.play(reply(503), reply(200)))
            assert client.calls == 2

    @pytest.mark.skipif(sys.version_info < (3, 14), reason="evaluated later since Python 3.14")
    def test_annotations_for_type_checkers_only(self):
        """A name that is not defined at run time is not missed."""
        program = """
class Logging(httpx.Client):
    def send(self, request: Request, *, limit: int = 0, **options: object) -> Response:
        return super().send(request, **options)
"""
        defined = {"httpx": httpx}
        exec(compile(program, "program", "exec", dont_inherit=True), defined)
        transport = httpx.MockTransport(lambda request: httpx.Response(200, text="done"))
        with clients.httpx(defined["Logging"](transport=transport), QUICK) as client:
            assert client.get("http://host/").text == "done"

    def test_no_cycle_with_its_wrapper(self):
        """A client that is not needed any more is gone at once."""
        import gc
        import weakref

        gc.collect()
        gc.disable()
        try:
            client = clients.httpx(httpx.Client(transport=httpx.MockTransport(lambda r: None)))
            alive = weakref.ref(client)
            del client
            assert alive() is None
        finally:
            gc.enable()

    def test_only_its_method_is_kept(self, server):
        """Which does not keep it: an error that says so."""
        send = clients.httpx(httpx.Client(transport=httpx.MockTransport(lambda r: None))).send
        with pytest.raises(ReferenceError, match=r"the client is gone: .* `send`$"):
            send(httpx.Request("GET", "http://host/"))

    def test_the_request_is_left_as_it_was(self, server):
        """Its stream and its extensions."""
        with clients.httpx(httpx.Client(timeout=3), QUICK) as client:
            file = io.BytesIO(b"data")
            request = client.build_request("PUT", server.play(RESET, reply(200)), content=file)
            stream = request.stream
            with deadline(1):
                client.send(request)
            assert request.stream is stream
            assert set(request.extensions["timeout"].values()) == {3}
            request = client.build_request("POST", server.play(RESET), content=b"data")
            with deadline(1), pytest.raises(httpx.ReadError):
                client.send(request)
            assert set(request.extensions["timeout"].values()) == {3}

    def test_a_request_that_is_sent_inside_another(self, server):
        """By an event hook, with the same client, and the same policy."""
        inner = server.play(reply(503), reply(200), path="/inner")
        outer = server.play(reply(503), reply(200), path="/outer")
        seen = []

        def hook(request):
            if request.url.path == "/outer":
                seen.append(client.get(inner).status_code)

        with clients.httpx(httpx.Client(event_hooks={"request": [hook]}), QUICK) as client:
            assert client.get(outer).status_code == 200
        assert seen == [200, 200]

    def test_stream(self, server):
        """`client.stream(...)`, as ever."""
        url = server.play(reply(503), reply(200, b"x" * 100_000))
        with (
            clients.httpx(httpx.Client(), QUICK) as client,
            client.stream("GET", url) as response,
        ):
            assert not response.is_closed
            assert sum(map(len, response.iter_bytes())) == 100_000

    def test_stream_async(self, server):
        """Likewise."""

        async def call():
            url = server.play(reply(503), reply(200, b"x" * 100_000))
            async with (
                clients.httpx(httpx.AsyncClient(), QUICK) as client,
                client.stream("GET", url) as response,
            ):
                return sum([len(chunk) async for chunk in response.aiter_bytes()])

        assert asyncio.run(call()) == 100_000

    def test_an_error_that_does_not_say_its_request(self):
        """Of a hook: after it, a POST is not sent again where redirects are followed."""
        for follows, own, count in (
            (True, None, 1),
            (False, None, 4),
            (False, True, 1),
            (True, False, 4),
        ):
            calls = []
            options = {} if own is None else {"follow_redirects": own}

            def hook(request, calls=calls):
                calls.append(request)
                raise ConnectionRefusedError

            hooks = {"request": [hook]}
            client = httpx.Client(event_hooks=hooks, follow_redirects=follows)
            with clients.httpx(client, QUICK) as client, pytest.raises(ConnectionRefusedError):
                client.post("http://host/", content=b"data", **options)
            assert len(calls) == count

    def test_bytes_are_sent_as_they_are(self):
        """A transport of any kind sees httpx's own stream."""
        seen = []

        def answer(request):
            seen.append(type(request.stream))
            return httpx.Response(200)

        with clients.httpx(httpx.Client(transport=httpx.MockTransport(answer)), QUICK) as client:
            client.put("http://host/", content=b"data")
        assert seen == [httpx.ByteStream]

    def test_a_stream_that_a_hook_has_replaced(self):
        """It stays in the place of the request's own."""
        other = httpx.ByteStream(b"other")

        def replace(request):
            request.stream = other

        transport = httpx.MockTransport(lambda request: httpx.Response(200))
        client = httpx.Client(event_hooks={"request": [replace]}, transport=transport)
        with clients.httpx(client, QUICK) as client:
            request = client.build_request("PUT", "http://host/", content=io.BytesIO(b"data"))
            client.send(request)
        assert request.stream is other

    def test_a_stream_of_the_users_own(self, server):
        """Nothing is known of it: it is sent once."""

        class Own(httpx.SyncByteStream):
            def __iter__(self):
                yield b"data"

        with clients.httpx(httpx.Client(), QUICK) as client:
            headers = {"Content-Length": "4"}
            url = server.play(reply(503), reply(200))
            request = httpx.Request("PUT", url, stream=Own(), headers={**headers, "Host": "x"})
            assert client.send(request).status_code == 503
        assert server.bodies == [b"data"]

    def test_an_async_body_of_the_users_own(self, server):
        """It is not sent empty by a redirect."""

        class Body:
            pieces = (b"da", b"ta")

            async def __aiter__(self):
                pieces, self.pieces = self.pieces, ()
                for piece in pieces:
                    yield piece

        async def call():
            end = server.play(reply(200), path="/end")
            url = server.play(reply(307, headers={"Location": end}))
            async with clients.httpx(httpx.AsyncClient(follow_redirects=True), QUICK) as client:
                await client.put(url, content=Body())

        with pytest.raises(httpx.StreamConsumed):
            asyncio.run(call())
        assert server.bodies[0] == b"data"
        assert [request.is_whole for request in server.requests][1:] in ([], [False])

    @pytest.mark.parametrize("name", ["_stream", "fields", "file"])
    @pytest.mark.parametrize("module", ["app.streams", "streams"])
    def test_a_stream_of_the_users_own_around_a_file(self, httpx_way, server, name, module):
        """However it names that: it may compress or encrypt it, which only works once."""
        library = httpx_way.kind.library

        class Compressed(library.SyncByteStream, library.AsyncByteStream):
            __module__ = module

            def __init__(self, file):
                setattr(self, name, [file] if name == "fields" else file)
                self.read = file.read
                self.compressor = zlib.compressobj()

            def __iter__(self):
                yield self.compressor.compress(self.read())
                yield self.compressor.flush()

            async def __aiter__(self):
                for chunk in self:
                    yield chunk

        data = zlib.compress(b"data")
        url = server.play(reply(503), reply(200))
        request = library.Request("PUT", url, headers={"Host": "x", "Content-Length": "12"})
        request.stream = Compressed(io.BytesIO(b"data"))
        with httpx_way.session(QUICK) as session:
            response = session.client.send(request)
            if httpx_way.is_async:
                response = session.runner.run(response)
        assert (response.status_code, server.bodies) == (503, [data])

    def test_a_client_around_another(self, server):
        """Of the user's own making: bodies stay whole, attempts multiply."""
        inner = clients.httpx(httpx.Client(), QUICK.replace(attempts=2))

        class Outer(httpx.Client):
            def send(self, request, **kwargs):
                return inner.send(request, **kwargs)

        with inner, clients.httpx(Outer(), QUICK.replace(attempts=2)) as outer:
            url = server.play(reply(503), RESET, reply(503), reply(200))
            request = outer.build_request("PUT", url, content=io.BytesIO(b"data"))
            stream = request.stream
            assert outer.send(request).status_code == 200
        assert server.bodies == [b"data"] * 4
        assert request.stream is stream
