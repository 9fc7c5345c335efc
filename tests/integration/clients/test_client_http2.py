"""Section 16 of the contract over HTTP/2, which httpx speaks: streams that fail beside others."""

from __future__ import annotations

import asyncio
import io

import httpx
import httpx2
import pytest
import trio
from client_server import reply
from client_ways import WAYS
from h2.errors import ErrorCodes
from http2_server import LEAVE, RESET, SILENCE, Http2Server, answer, early, go_away, leave, reset

from retrying_elegant import Policy, clients, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)
FAULTS = {
    "503": answer(503, b"x" * 100_000),
    "refused stream": reset(ErrorCodes.REFUSED_STREAM),
    "internal error": reset(ErrorCodes.INTERNAL_ERROR),
    "too many requests": reset(ErrorCodes.ENHANCE_YOUR_CALM),
    "refused early": early(reset(ErrorCodes.REFUSED_STREAM)),
    "go away, nothing processed": go_away(lambda stream: 0),
    "go away, all processed": go_away(lambda stream: stream),
    "go away, in error": go_away(lambda stream: stream, ErrorCodes.INTERNAL_ERROR),
    "mid-body": answer(200, b"x" * 1000, half=True),
    "closed": LEAVE,
    "reset": RESET,
}


@pytest.fixture(scope="module")
def h2_server():
    with Http2Server() as server:
        yield server


@pytest.fixture
def session(httpx_way, h2_server):
    """A session that speaks HTTP/2; at its end no connection is open."""

    def make(policy=QUICK, **options):
        # httpx2 alone loses a place of its pool with each HTTP/2 connection that breaks.
        pool = 10 if httpx_way.kind.library is httpx2 else 1
        return httpx_way.session(policy, http1=False, http2=True, pool=pool, **options)

    yield make
    assert h2_server.settles(0)


class TestFaults:
    """What may succeed on another attempt is retried, whole, on a pool of one connection."""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_retried(self, session, h2_server, fault):
        """And the connection is free afterwards."""
        url = h2_server.play(FAULTS[fault], FAULTS[fault], answer(200, b"done"))
        with session(timeout=2) as made:
            assert made.fetch("PUT", url, b"data").body == b"done"
            whole = [request.body for request in h2_server.requests if request.is_whole]
            assert set(whole) == {b"data"}
            assert len(h2_server.requests) == 3
            for _ in range(3):
                assert made.fetch("GET", h2_server.play(answer(200, b"more"))).body == b"more"

    @pytest.mark.parametrize("fault", FAULTS)
    def test_not_of_a_post(self, session, h2_server, fault):
        """Not even of a refused stream: httpx does not say what it was refused for."""
        url = h2_server.play(FAULTS[fault], answer())
        with session() as made:
            if fault == "503":
                assert made.fetch("POST", url, b"data").status == 503
            else:
                with pytest.raises(Exception) as caught:  # noqa: PT011
                    made.fetch("POST", url, b"data")
                assert not web.unsent(caught.value)
        assert len(h2_server.requests) == 1

    def test_a_post_that_was_not_processed(self, session, h2_server):
        """429 says so."""
        url = h2_server.play(answer(429), answer())
        with session() as made:
            assert made.fetch("POST", url, b"data").status == 200
        assert h2_server.bodies == [b"data"] * 2

    def test_given_up(self, session, h2_server):
        """The client's own error, with note and record."""
        url = h2_server.play(reset(ErrorCodes.REFUSED_STREAM))
        with session() as made, pytest.raises(Exception, match="StreamReset") as caught:
            made.fetch("GET", url)
        assert given_up(caught.value).attempts == len(h2_server.requests) == 4

    def test_silence(self, session, h2_server):
        """Until the attempt has taken too long; its stream is given up, and another is opened."""
        url = h2_server.play(SILENCE, answer(200, b"done"))
        with session(QUICK.replace(attempt_timeout=0.3)) as made:
            assert made.fetch("GET", url).body == b"done"

    def test_an_answer_before_the_body_was_read(self, session, h2_server):
        """The next attempt is whole."""
        body = b"x" * 60_000
        url = h2_server.play(early(answer(503)), answer())
        with session() as made:
            assert made.fetch("PUT", url, body).status == 200
        assert h2_server.bodies[-1] == body

    def test_the_last_response(self, session, h2_server):
        """Whole, with its record."""
        url = h2_server.play(answer(503, b"x" * 100_000))
        with session() as made:
            found = made.fetch("GET", url)
        assert (found.body, found.record.attempts) == (b"x" * 100_000, 4)


class TestBodies:
    """httpx repeats by itself what a GOAWAY says was not processed: also then whole, or not."""

    # The first stream is processed, so that the second is behind the last one that was.
    STEPS = (answer(200, b"first"), go_away(lambda stream: stream - 2), answer(200, b"done"))

    @pytest.mark.parametrize("method", ["PUT", "POST"])
    def test_bytes(self, session, h2_server, method):
        """Whatever the method, for it was not processed."""
        url = h2_server.play(*self.STEPS)
        attempts = []
        with session(QUICK.replace(before_attempt=attempts.append)) as made:
            made.fetch("GET", url)
            assert made.fetch(method, url, b"data").body == b"done"
        assert h2_server.bodies[1:] == [b"data"] * 2
        assert len(attempts) == 2

    def test_a_file(self, h2_server):
        """From where it was; httpx alone would send nothing of it."""
        url = h2_server.play(*self.STEPS)
        client = httpx.Client(http1=False, http2=True, trust_env=False)
        with clients.httpx(client, QUICK) as client:
            client.get(url)
            assert client.put(url, content=io.BytesIO(b"data")).content == b"done"
        assert h2_server.bodies[1:] == [b"data"] * 2

    def test_what_can_be_read_only_once(self, session, h2_server):
        """It is not sent empty."""
        url = h2_server.play(*self.STEPS)
        with session() as made:
            made.fetch("GET", url)
            with pytest.raises(Exception, match="streamed"):
                made.fetch("PUT", url, made.once(b"da", b"ta"))
        assert [r.body for r in h2_server.requests[1:] if r.is_whole] == [b"data"]


class TestSideBySide:
    """One connection carries many requests; what ends one of them spares the others."""

    COUNT = 20

    def statuses(self, way, url):
        policy = QUICK.replace(attempts=50)
        # httpx2: see above. Sync clients mix up their own streams where threads share them.
        pool = 10 if way.kind.library is httpx2 else 1
        with way.session(policy, http1=False, http2=True, pool=pool) as session:

            async def all_of_them():
                fetches = (session.fetch_async("GET", url) for _ in range(self.COUNT))
                return await asyncio.gather(*fetches)

            return [found.status for found in session.runner.run(all_of_them())]

    @pytest.mark.parametrize("way", [way for way in WAYS if "httpx" in way.name and way.is_async])
    def test_some_fail(self, way, h2_server):
        """Each is retried by itself, and gets its own answer."""
        steps = [reset(ErrorCodes.REFUSED_STREAM), answer(503), answer(200)] * self.COUNT
        url = h2_server.play(*steps, answer(200))
        assert self.statuses(way, url) == [200] * self.COUNT
        assert len({request.connection for request in h2_server.requests}) == 1

    @pytest.mark.parametrize("way", [way for way in WAYS if "httpx" in way.name and way.is_async])
    def test_all_fail_with_the_connection(self, way, h2_server):
        """They meet again on another one."""
        steps = [answer(200)] * 5 + [LEAVE]
        url = h2_server.play(*steps, *steps, answer(200))
        assert self.statuses(way, url) == [200] * self.COUNT


class TestCancellation:
    """No attempt follows, and the connection can be used again."""

    @pytest.mark.parametrize("moment", ["attempt", "wait"])
    def test_asyncio(self, async_way, h2_server, moment):
        """The stream that was waited for is over."""
        if not async_way.is_httpx:
            return
        url = h2_server.play(SILENCE if moment == "attempt" else answer(503, b"x" * 100_000))
        options = {"http1": False, "http2": True}
        with async_way.session(QUICK.replace(wait=5), **options) as made:

            async def cancel():
                task = asyncio.create_task(made.fetch_async("GET", url))
                await asyncio.sleep(0.2)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

            made.runner.run(cancel())
            assert len(h2_server.requests) == 1
            assert made.fetch("GET", h2_server.play(answer(200, b"done"))).body == b"done"
        assert h2_server.settles(0)

    @pytest.mark.parametrize("step", [SILENCE, answer(503)], ids=["attempt", "wait"])
    def test_trio(self, h2_server, step):
        """Likewise."""

        async def call():
            bare = httpx.AsyncClient(http1=False, http2=True, trust_env=False, timeout=5)
            async with clients.httpx(bare, QUICK.replace(wait=5)) as client:
                with trio.move_on_after(0.2) as scope:
                    await client.get(h2_server.play(step))
                assert scope.cancelled_caught
                assert len(h2_server.requests) == 1
                return (await client.get(h2_server.play(answer(200, b"done")))).content

        assert trio.run(call) == b"done"
        assert h2_server.settles(0)


class TestNames:
    """What the server says when it leaves is not in the log."""

    def test_additional_data(self, session, h2_server, log):
        """Only the type of the error."""

        def say_why(connection, stream):
            connection.frames.close_connection(0, additional_data=b"secret", last_stream_id=0)
            connection.send()
            leave(connection)

        with session() as made, pytest.raises(Exception, match="Terminated") as caught:
            made.fetch("GET", h2_server.play(say_why))
        text = "\n".join([*log(), *caught.value.__notes__])
        assert "GET 127.0.0.1" in text
        assert "Terminated" not in text


class TestOverTls:
    """Where client and server agree on HTTP/2, or on HTTP/1.1, in the handshake."""

    def test_a_server_that_speaks_http_1(self, httpx_way, secure, trust):
        """A client that speaks both."""
        url = secure.play(reply(503), reply(200, b"done"))
        with httpx_way.session(QUICK, http2=True, trust=trust, pool=1) as made:
            assert made.fetch("GET", url).body == b"done"
