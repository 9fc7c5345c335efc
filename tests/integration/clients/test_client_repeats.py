"""Section 16 of the contract over the wire: what is sent twice, and that it is whole."""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import threading
import time
import urllib.error
import urllib.request
from contextlib import nullcontext

import aiohttp
import pytest
from client_server import CLOSE, RESET, refused, reply
from client_ways import WAYS

from retrying_elegant import Policy, TryAgain, clients, web

QUICK = Policy(4, on=web.transient, wait=0)
EVERYTHING = QUICK.replace(on=lambda error: True)
SAFE = ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE")
UNSAFE = ("POST", "PATCH")
BROKEN = {"reset": RESET, "close": CLOSE, "503": reply(503), "408": reply(408)}


def sent(way, server, *steps, method="POST", headers=None, policy=QUICK, body=b"data", **options):
    """How often a request is sent, to a server that plays *steps*."""
    url = server.play(*steps)
    with way.session(policy, **options) as session:
        try:
            session.discard(session.fetch(method, url, body, headers=headers))
        except Exception:
            pass
    assert all(request.method == method for request in server.requests)
    return len(server.requests)


class TestSentTwice:
    """Only if that is safe."""

    @pytest.mark.crossed
    @pytest.mark.parametrize("fault", BROKEN)
    @pytest.mark.parametrize("method", SAFE)
    def test_idempotent_methods(self, way, server, method, fault):
        """Those of RFC 9110, 9.2.2."""
        body = b"data" if method == "PUT" else None
        assert sent(way, server, BROKEN[fault], reply(), method=method, body=body) == 2

    @pytest.mark.parametrize("fault", BROKEN)
    @pytest.mark.parametrize("method", UNSAFE)
    def test_others(self, way, server, method, fault):
        """Once: the server may have carried it out."""
        assert sent(way, server, BROKEN[fault], reply(), method=method) == 1

    def test_whatever_the_filter_says(self, way, server):
        """A predicate that retries everything does not make it safe."""
        assert sent(way, server, RESET, reply(), policy=EVERYTHING) == 1
        assert sent(way, server, reply(503), reply(), policy=EVERYTHING) == 1

    def test_an_attempt_timeout_is_no_excuse(self, way, server):
        """It is decided before `on`, and after this."""
        slow = reply(delay=0.5)
        policy = QUICK.replace(attempt_timeout=0.15)
        assert sent(way, server, slow, policy=policy) == 1
        assert sent(way, server, slow, policy=policy.replace(attempts=2), method="PUT") == 2

    @pytest.mark.parametrize("fault", BROKEN)
    def test_an_idempotency_key(self, way, server, fault):
        """Any request that has one, in any case."""
        headers = {"idempotency-KEY": "1"}
        assert sent(way, server, BROKEN[fault], reply(), headers=headers) == 2
        assert {request.headers["idempotency-key"] for request in server.requests} == {"1"}

    @pytest.mark.parametrize("status", [425, 429])
    def test_what_the_server_has_not_processed(self, way, server, status):
        """Too early, too many."""
        assert sent(way, server, reply(status), reply(status), reply()) == 3
        assert server.bodies == [b"data"] * 3

    def test_what_was_never_sent(self, way):
        """As `web.unsent` says of the error."""
        attempts = []
        policy = QUICK.replace(before_attempt=attempts.append)
        with way.session(policy) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("POST", refused(), b"data")
        assert web.unsent(caught.value)
        assert len(attempts) == 4

    def test_first_refused_then_broken(self, way, server):
        """What was never sent allows another attempt; what may have arrived does not."""
        url = server.play(RESET)
        moved = refused()
        seen = []

        def choose_again(attempt):
            seen.append(attempt.number)

        with way.session(QUICK.replace(on_retry=choose_again)) as session:
            for target in (moved, url):
                with pytest.raises(Exception):  # noqa: B017, PT011
                    session.fetch("POST", target, b"data")
        assert seen == [1, 2, 3]
        assert len(server.requests) == 1

    def test_methods_of_the_filter_apply_as_well(self, way, server):
        """Both must agree."""
        only_get = QUICK.replace(on=web.Transient(methods=("GET",)))
        for fault in (reply(503), RESET):
            assert sent(way, server, fault, reply(), method="PUT", policy=only_get) == 1
            assert sent(way, server, fault, reply(), method="GET", policy=only_get, body=None) == 2
        both = QUICK.replace(on=(web.Transient(methods=("POST",)),))
        assert sent(way, server, RESET, reply(), policy=both) == 1

    @pytest.mark.parametrize("status", [425, 429, 503])
    def test_what_the_client_itself_raises(self, server, status):
        """A middleware of aiohttp, or a handler of urllib, that raises for the status."""
        count = 1 if status == 503 else 4

        async def raise_for_status(request, handler):
            response = await handler(request)
            response.raise_for_status()
            return response

        async def post(url):
            chain = [clients.aiohttp(QUICK), raise_for_status]
            async with aiohttp.ClientSession(middlewares=chain) as session:
                await session.post(url, data=b"data")

        with pytest.raises(aiohttp.ClientResponseError):
            asyncio.run(post(server.play(reply(status))))
        assert server.bodies == [b"data"] * count

        responses = []

        class Stop(threading.Event):
            def wait(self, timeout=None):
                assert responses[-1].closed
                return False

        class RaiseForStatus(urllib.request.HTTPHandler):
            def http_open(self, request):
                response = super().http_open(request)
                responses.append(response)
                raise urllib.error.HTTPError(
                    request.full_url, response.status, "", response.headers, response
                )

        policy = QUICK.replace(wait=0.001, stop=Stop())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), RaiseForStatus(), clients.urllib(policy)
        )
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open(server.play(reply(status)), b"data", timeout=5)
        assert not responses[-1].closed
        assert caught.value.read() == b"ok"
        caught.value.close()
        assert server.bodies == [b"data"] * count

    def test_try_again_from_inside(self, httpx_way, server):
        """What the user raises in an event hook asks for another attempt, whatever the rule."""
        hooks = {"response": [again_async if "async" in httpx_way.name else again]}
        assert sent(httpx_way, server, reply(), event_hooks=hooks) == 4


def again(response):
    raise TryAgain


async def again_async(response):
    raise TryAgain


class TestIdempotent:
    """`idempotent=` replaces the methods and the key of this rule."""

    def test_methods(self, way, server):
        """In any case; others are not sent again, nor is a request because of its key."""
        options = {"idempotent": ["post", "GET"]}
        assert sent(way, server, RESET, reply(), **options) == 2
        assert sent(way, server, RESET, reply(), method="PUT", **options) == 1
        key = {"Idempotency-Key": "1"}
        assert sent(way, server, RESET, reply(), method="PATCH", headers=key, **options) == 1

    def test_a_predicate(self, way, server):
        """On the request."""
        seen = []

        def is_safe(request):
            seen.append(request)
            return len(seen) == 1

        assert sent(way, server, reply(503), reply(503), reply(), idempotent=is_safe) == 2
        assert len(seen) == 2
        assert seen[0] is seen[1]

    def test_a_predicate_that_raises(self, way, server):
        """It is a bug, and propagates."""
        url = server.play(reply(503))
        with (
            way.session(QUICK, idempotent=lambda request: 1 // 0) as session,
            pytest.raises(ZeroDivisionError),
        ):
            session.fetch("GET", url)

    def test_everything(self, way, server):
        """True: LLM APIs use POST for everything."""
        assert sent(way, server, RESET, reply(503), reply(), idempotent=True) == 3

    def test_nothing(self, way, server):
        """False: only what was not processed."""
        assert sent(way, server, RESET, reply(), method="GET", body=None, idempotent=False) == 1
        assert sent(way, server, reply(429), reply(), idempotent=False) == 2

    @pytest.mark.parametrize(
        "wrong",
        ["POST", b"POST", 3, [3], ["PO ST"], dict],
        ids=["str", "bytes", "int", "ints", "space", "class"],
    )
    def test_anything_else(self, way, wrong):
        """TypeError, or ValueError for what cannot be a method."""
        with (
            pytest.raises((TypeError, ValueError), match="idempotent="),
            way.session(QUICK, idempotent=wrong),
        ):
            pass


class TestRedirects:
    """Each redirect hop is a request of its own; in httpx the whole chain is one."""

    def test_a_get(self, way, server):
        """It is retried wherever it fails."""
        end = server.play(reply(503), reply(200, b"here"), path="/end")
        url = server.play(reply(302, headers={"Location": end}))
        with way.session(QUICK) as session:
            assert session.fetch("GET", url).body == b"here"
        assert len([r for r in server.requests if r.target == "/end"]) == 2
        assert len(server.requests) == (4 if way.is_httpx else 3)

    def test_names_of_the_hops(self, way, server):
        """One call for each hop, or one for all."""
        calls = []
        end = server.play(reply(200, b"here"), path="/end")
        url = server.play(reply(302, headers={"Location": end}))
        with way.session(QUICK.replace(before_attempt=calls.append)) as session:
            session.fetch("GET", url)
        assert len(calls) == (1 if way.is_httpx else 2)

    def test_attempts_of_the_hops(self, way, server):
        """As many for each hop as its policy says, or for all; likewise the function's calls."""
        asked = []

        def choose(request):
            asked.append(request)
            return QUICK

        fails = [reply(503)] * 3
        end = server.play(*fails, reply(200, b"here"), path="/end")
        url = server.play(*fails, reply(302, headers={"Location": end}))
        with way.session(choose, pool=1) as session:
            answer = session.fetch("GET", url)
        if way.is_httpx:
            assert (answer.status, answer.record.attempts) == (503, 4)
            assert (len(server.requests), len(asked)) == (5, 1)
        else:
            assert (answer.body, answer.record) == (b"here", None)
            assert (len(server.requests), len(asked)) == (8, 2)

    @pytest.mark.parametrize("fault", ["429", "425", "refused"])
    def test_httpx_after_a_redirect(self, httpx_way, server, fault):
        """Neither an unsent error nor 425 and 429 permit sending a POST again."""
        end = refused() if fault == "refused" else server.play(reply(int(fault)), path="/end")
        url = server.play(reply(307, headers={"Location": end}))
        with httpx_way.session(QUICK) as session:
            try:
                session.fetch("POST", url, b"data")
            except Exception as error:
                assert web.unsent(error)
        assert len([r for r in server.requests if r.target != "/end"]) == 1

    def test_httpx_after_a_redirect_to_a_get(self, httpx_way, server):
        """The rule is about the first request of the chain."""
        end = server.play(RESET, reply(), path="/end")
        url = server.play(reply(303, headers={"Location": end}))
        with httpx_way.session(QUICK) as session, pytest.raises(Exception):  # noqa: B017, PT011
            session.fetch("POST", url, b"data")
        assert [r.method for r in server.requests] == ["POST", "GET"]

    @pytest.mark.parametrize("status", [425, 429])
    def test_httpx_before_any_redirect(self, httpx_way, server, status):
        """Where the first hop fails, they do; also where the client raised it itself."""
        end = server.play(reply(), path="/end")
        for hooks in ({}, {"event_hooks": {"response": [raising(httpx_way)]}}):
            url = server.play(reply(status), reply(307, headers={"Location": end}))
            with httpx_way.session(QUICK, **(hooks if hooks else {})) as session:
                try:
                    session.fetch("POST", url, b"data")
                except Exception as error:
                    assert "307" in str(error)  # httpx's own rule: a redirect raises as well
            assert [r.target for r in server.requests][:2] == [server.requests[0].target] * 2

    @pytest.mark.parametrize("status", [425, 429])
    def test_httpx_raises_itself_after_a_redirect(self, httpx_way, server, status):
        """A hook's error says which request it is about."""
        end = server.play(reply(status), path="/end")
        url = server.play(reply(307, headers={"Location": end}))
        hooks = {"response": [raising(httpx_way, only_errors=True)]}
        with httpx_way.session(QUICK, event_hooks=hooks) as session, pytest.raises(httpx_way.error):
            session.fetch("POST", url, b"data")
        assert len(server.requests) == 2

    @pytest.mark.parametrize("status", [307, 308])
    def test_a_generator_is_not_sent_empty(self, way, server, status):
        """After a redirect it could only be."""
        end = server.play(reply(), path="/end")
        url = server.play(reply(status, headers={"Location": end}))
        follows = way.name != "urllib"
        fails = pytest.raises(Exception) if follows else nullcontext()  # noqa: PT011
        with way.session(QUICK) as session, fails:
            session.discard(session.fetch("PUT", url, session.once(b"da", b"ta")))
        assert [request.body for request in server.requests if request.is_whole] == [b"data"]

    def test_httpx_does_not_send_an_iterator_empty(self, server):
        """Which httpx itself would, after a redirect."""
        for way in (way for way in WAYS if way.is_httpx and not way.is_async):
            end = server.play(reply(), path="/end")
            url = server.play(reply(307, headers={"Location": end}))
            with way.session(QUICK) as session, pytest.raises(Exception):  # noqa: B017, PT011
                session.fetch("PUT", url, iter([b"da", b"ta"]))
            assert [r.body for r in server.requests if r.is_whole] == [b"data"]

    @pytest.mark.parametrize("kind", ["iterator", "own class", "reader"])
    def test_requests_does_not_send_them_empty(self, server, kind):
        """Which requests itself would, after a redirect; a new call reads what it is given."""
        import requests

        class Own:
            def __init__(self):
                self.pieces = iter([b"da", b"ta"])

            def __iter__(self):
                yield from self.pieces

        class Reader(Own):
            def read(self, size=-1):
                return next(self.pieces, b"")

        body = {"iterator": iter([b"da", b"ta"]), "own class": Own(), "reader": Reader()}[kind]
        end = server.play(reply(), path="/new-end")
        url = server.play(reply(307, headers={"Location": end}))
        with WAYS[0].session(QUICK) as session:
            with pytest.raises(requests.exceptions.UnrewindableBodyError):
                session.fetch("PUT", url, body)
            assert server.bodies == [b"data"]

    def test_requests_reads_what_can_be_read_in_each_call(self, server):
        """An iterable of the user's own may be used again, as without us."""

        class Own:
            def __iter__(self):
                yield b"data"

        class Reader:
            __slots__ = ("rest",)  # there are no weak references to it

            def __iter__(self):
                return self

            def read(self, size=-1):
                data, self.rest = self.rest, b""
                return data

        own, reader = Own(), Reader()
        with WAYS[0].session(QUICK) as session:
            for body in (own, own, reader, reader):
                reader.rest = b"data"
                session.fetch("PUT", server.play(reply()), body)
                assert server.bodies == [b"data"]

    def test_a_file_is_sent_whole_after_a_redirect(self, way, server):
        """From where it was."""
        if way.name == "urllib" or (way.is_async and way.is_httpx):
            return  # neither follows a PUT, or sends a file
        end = server.play(reply(503), reply())  # a path of its own: requests may arrive late
        url = server.play(reply(307, headers={"Location": end}))
        with way.session(QUICK) as session:
            session.fetch("PUT", url, way.file(b"data"))
        # A server that answers early may have read nothing of it yet.
        assert {request.body for request in server.requests if request.is_whole} == {b"data"}
        assert len(server.bodies) == (4 if way.is_httpx else 3)


def raising(way, *, only_errors=False):
    def check(response):
        if not only_errors or response.status_code >= 400:
            response.raise_for_status()

    async def check_async(response):
        check(response)

    return check_async if "async" in way.name else check


class TestBodies:
    """What is seekable is sent whole each time; what can be read only once is sent once."""

    FAULTS = (RESET, reply(503), CLOSE)

    @pytest.mark.parametrize("size", [0, 4, 900_000])
    def test_bytes(self, way, server, size):
        """Whatever their size."""
        body = os.urandom(size)
        assert sent(way, server, *self.FAULTS, reply(), method="PUT", body=body) == 4
        assert server.bodies == [body] * 4

    @pytest.mark.parametrize("size", [4, 3_000_000])
    def test_a_file(self, way, server, size, tmp_path):
        """Sent from where it was, each time; sync httpx and all others but async httpx take one."""
        if way.is_httpx and way.is_async:
            return  # httpx rejects it
        body = os.urandom(size)
        (tmp_path / "body").write_bytes(body)
        with open(tmp_path / "body", "rb") as file:
            # aiohttp closes what it has sent.
            assert sent(way, server, *self.FAULTS, reply(), method="PUT", body=file) == 4
        assert server.bodies == [body] * 4

    def test_a_file_from_its_middle(self, way, server):
        """What was read before is not sent."""
        if way.is_httpx:
            return  # whose Content-Length counts from the beginning: see below
        url = server.play(*self.FAULTS, reply())
        with way.session(QUICK) as session:
            headers = {"Content-Length": "4"} if way.name == "urllib" else {}
            session.fetch("PUT", url, way.file(b"headdata", 4), headers=headers)
        assert server.bodies == [b"data"] * 4

    def test_a_file_from_its_middle_in_httpx(self, server):
        """With the length that belongs to it."""
        import httpx

        url = server.play(*self.FAULTS, reply())
        file = io.BytesIO(b"headdata")
        file.seek(4)
        with clients.httpx(httpx.Client(), QUICK) as client:
            client.put(url, content=file, headers={"Content-Length": "4"})
        assert server.bodies == [b"data"] * 4

    @pytest.mark.parametrize("fault", [*BROKEN, "429"])
    def test_what_can_be_read_only_once(self, way, server, fault):
        """The first failure is final, and no empty body is sent in its place."""
        given = []
        url = server.play({**BROKEN, "429": reply(429)}[fault], reply())
        policy = EVERYTHING.replace(on_give_up=given.append)
        with way.session(policy, idempotent=True) as session:
            try:
                session.discard(session.fetch("PUT", url, session.once(b"da", b"ta")))
            except Exception:
                pass
        assert server.bodies == [b"data"]
        assert [attempt.reason for attempt in given] == ["not retryable"]

    def test_a_file_that_is_closed_when_it_was_read(self, sync_way, server):
        """Likewise, with the error of the attempt."""

        class Once(io.BytesIO):
            def read(self, *args):
                data = super().read(*args)
                if self.tell() == 4:
                    self.read = lambda *_: b""  # for whoever reads on
                    self.close()
                return data

        given = []
        policy = QUICK.replace(on_give_up=given.append)
        with (
            sync_way.session(policy) as session,
            pytest.raises(Exception) as caught,  # noqa: PT011
        ):
            session.fetch("PUT", server.play(RESET, reply()), Once(b"data"))
        assert web.transient(caught.value)
        assert [attempt.reason for attempt in given] == ["not retryable"]
        assert server.bodies == [b"data"]

    def test_once_also_where_it_was_never_sent(self, way):
        """The rule is the body's."""
        attempts = []
        with (
            way.session(QUICK.replace(before_attempt=attempts.append)) as session,
            pytest.raises(Exception),  # noqa: B017, PT011
        ):
            session.fetch("PUT", refused(), session.once(b"data"))
        assert len(attempts) == 1

    def test_once_also_where_more_was_asked_for(self, httpx_way, server):
        """TryAgain in a hook does not send an empty body."""
        hooks = {"response": [again_async if "async" in httpx_way.name else again]}
        url = server.play(reply())
        with httpx_way.session(QUICK, event_hooks=hooks) as session, pytest.raises(TryAgain):
            session.fetch("PUT", url, session.once(b"data"))
        assert server.bodies == [b"data"]

    @pytest.mark.parametrize("kind", ["iterator", "own class", "pipe"])
    def test_other_things_that_are_read_once(self, sync_way, server, kind):
        """An iterator, an object that wraps one, a file that cannot seek."""
        data = [b"da", b"ta"]
        if kind == "pipe" and sync_way.is_httpx:
            return  # which says that a pipe has no length, and sends nothing of it

        class Own:
            def __init__(self):
                self.pieces = iter(data)

            def __iter__(self):
                yield from self.pieces

        reading, writing = os.pipe()
        os.write(writing, b"data")
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            body = {"iterator": iter(data), "own class": Own(), "pipe": pipe}[kind]
            url = server.play(reply(503), reply())
            with sync_way.session(QUICK) as session:
                session.discard(session.fetch("PUT", url, body))
        assert server.bodies == [b"data"]

    def test_a_list(self, sync_way, server):
        """Can be read again."""
        if sync_way.name == "requests":
            return  # which takes it for a form
        assert sent(sync_way, server, *self.FAULTS, reply(), method="PUT", body=[b"da", b"ta"]) == 4
        assert server.bodies == [b"data"] * 4

    def test_a_file_that_a_hook_closes(self, sync_way, server):
        """Is not sent again."""
        file = sync_way.file(b"data")
        policy = QUICK.replace(on_retry=lambda attempt: file.close())
        url = server.play(RESET, reply())
        with sync_way.session(policy) as session, pytest.raises(ValueError, match="not sent again"):
            session.fetch("PUT", url, file)
        assert server.bodies == [b"data"]

    def test_a_file_that_a_hook_reads(self, sync_way, server):
        """Is sent whole all the same."""
        file = sync_way.file(b"data")
        policy = QUICK.replace(on_retry=lambda attempt: file.read(3))
        url = server.play(RESET, reply())
        with sync_way.session(policy) as session:
            session.fetch("PUT", url, file)
        assert server.bodies == [b"data"] * 2

    def test_multipart(self, server):
        """Forms with files: requests, httpx, aiohttp."""
        import httpx
        import requests

        url = server.play(*self.FAULTS, reply())
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            session.put(url, files={"f": io.BytesIO(b"data")})
        assert len(set(server.bodies)) == 1
        assert len(server.bodies) == 4
        assert b"data" in server.bodies[0]

        url = server.play(*self.FAULTS, reply())
        with clients.httpx(httpx.Client(), QUICK) as client:
            client.put(url, files={"f": io.BytesIO(b"data")}, data={"a": "b"})
        assert len(set(server.bodies)) == 1
        assert len(server.bodies) == 4
        assert b"data" in server.bodies[0]

        url = server.play(*self.FAULTS, reply())

        async def put():
            form = aiohttp.FormData({"a": "b"})
            form.add_field("f", io.BytesIO(b"data"), filename="f")
            middlewares = [clients.aiohttp(QUICK)]
            async with (
                aiohttp.ClientSession(middlewares=middlewares) as session,
                session.put(url, data=form),
            ):
                pass

        asyncio.run(put())
        assert len(set(server.bodies)) == 1
        assert len(server.bodies) == 4
        assert b"data" in server.bodies[0]

    def test_multipart_that_can_be_read_only_once(self, httpx_way, server):
        """A file in it that cannot seek."""

        class Stream(io.RawIOBase):
            def __init__(self):
                self.rest = b"data"

            def read(self, size=-1):
                data, self.rest = self.rest, b""
                return data

            def seek(self, *_):
                raise io.UnsupportedOperation

            def fileno(self):
                raise io.UnsupportedOperation

        url = server.play(reply(503), reply())
        with httpx_way.session(QUICK) as session:
            request = session.client.build_request("PUT", url, files={"f": Stream()})
            sent = session.client.send(request)
            if httpx_way.is_async:
                sent = session.runner.run(sent)
        assert sent.status_code == 503
        assert len(server.bodies) == 1
        assert b"data" in server.bodies[0]

    def test_an_answer_before_the_body_was_read(self, way, server):
        """A server that is overloaded may not read it all; the next attempt is whole."""
        body = os.urandom(1_000_000)
        url = server.play(reply(503, is_early=True, close=True), reply(200))
        with way.session(QUICK) as session:
            answer = session.fetch("PUT", url, body)
        assert answer.status == 200
        assert server.bodies[-1] == body
        assert server.requests[-1].is_whole

    def test_a_file_that_was_not_read_to_its_end(self, way, server, tmp_path):
        """Likewise."""
        if way.is_httpx and way.is_async:
            return
        body = os.urandom(5_000_000)
        (tmp_path / "body").write_bytes(body)
        url = server.play(reply(503, is_early=True, close=True), reply(200))
        with way.session(QUICK) as session, open(tmp_path / "body", "rb") as file:
            answer = session.fetch("PUT", url, file)
        assert answer.status == 200
        assert server.bodies[-1] == body

    def test_a_file_that_is_still_read(self, server, tmp_path):
        """aiohttp reads it in a thread, which outlives the attempt that failed."""

        class Slow(io.FileIO):
            readers, most = 0, 0

            def read(self, size=-1):
                self.readers += 1
                self.most = max(self.most, self.readers)
                time.sleep(0.1)
                data = super().read(size)
                self.readers -= 1
                return data

        (way,) = (way for way in WAYS if way.name == "aiohttp")
        body = os.urandom(600_000)
        (tmp_path / "body").write_bytes(body)
        for _ in range(3):
            url = server.play(reply(503, is_early=True, close=True), reply(200))
            file = Slow(tmp_path / "body")
            with way.session(QUICK) as session:
                assert session.fetch("PUT", url, file).status == 200
            assert server.bodies[1:] == [body]
            assert file.most == 1


class TestAnswersArriveAsEver:
    """What a response is to the user does not change."""

    def test_gzip(self, way, server):
        """Decoded by the client, or not, as without us."""
        packed = gzip.compress(b"text" * 1000)
        url = server.play(reply(503), reply(200, packed, {"Content-Encoding": "gzip"}))
        with way.session(QUICK) as session:
            answer = session.fetch("GET", url)
        expected = packed if way.name == "urllib" else b"text" * 1000
        assert answer.body == expected

    def test_gzip_of_the_last_failed_response(self, way, server):
        """Decoded too."""
        packed = gzip.compress(b"text" * 1000)
        url = server.play(reply(503, packed, {"Content-Encoding": "gzip"}))
        with way.session(QUICK) as session:
            answer = session.fetch("GET", url)
        assert answer.body == (packed if way.name == "urllib" else b"text" * 1000)

    def test_head(self, way, server):
        """There is no body to read."""
        url = server.play(reply(503, b"x" * 100), reply(200, b"x" * 100))
        with way.session(QUICK, pool=1) as session:
            answer = session.fetch("HEAD", url)
        assert (answer.status, answer.body, len(server.requests)) == (200, b"", 2)

    def test_chunks(self, way, server):
        """Put together again."""
        url = server.play(
            reply(503, b"no" * 3000, chunked=True), reply(200, b"x" * 9000, chunked=True)
        )
        with way.session(QUICK, pool=1) as session:
            assert session.fetch("GET", url).body == b"x" * 9000

    def test_cookies(self, server):
        """Those of the last response are in the session, as ever."""
        import requests

        url = server.play(reply(503), reply(200, headers={"Set-Cookie": "a=1"}))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            session.get(url)
            assert session.cookies["a"] == "1"
