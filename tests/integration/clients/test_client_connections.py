"""Section 16 of the contract over the wire: connections are given back, and bounds are kept."""

from __future__ import annotations

import asyncio
import gc
import gzip
import signal
import socket
import threading
import time
from contextlib import nullcontext
from typing import ClassVar

import pytest
import requests
from client_server import CLOSE, HANG, RESET, flood, reply, trickle
from client_ways import WAYS

from retrying_elegant import Policy, RetryBudget, clients, deadline, given_up, web
from retrying_elegant.clients import _aiohttp, _httpx, _shared

QUICK = Policy(4, on=web.transient, wait=0)


class TestConnections:
    """A failed response is closed, and its connection back in the pool, before the wait."""

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_pool_of_one(self, way, server, stream):
        """It never waits for itself."""
        url = server.play(
            reply(503, b"x" * 50_000), reply(502, b"y", chunked=True), reply(200, b"z")
        )
        with way.session(QUICK, pool=1, timeout=2) as session:
            for _ in range(3):
                url = server.play(
                    reply(503, b"x" * 50_000), reply(502, b"y", chunked=True), reply()
                )
                answer = session.fetch("GET", url, stream=stream)
                assert (answer.status, len(server.requests)) == (200, 3)
                session.discard(answer)

    def test_the_same_connection(self, way, server):
        """It is used again, if the body was short."""
        if way.name == "urllib":
            return  # which closes every connection
        url = server.play(reply(503, b"x" * 1000), reply(200))
        with way.session(QUICK) as session:
            session.fetch("GET", url)
        assert server.requests[0].connection == server.requests[1].connection

    def test_before_the_wait(self, way, server):
        """Another request gets through the pool of one while the first waits."""
        url = server.play(reply(503, b"x" * 1000), reply(200, b"late"))
        other = server.play(reply(200, b"other"), path="/other")
        closed = []

        def wait(attempt):
            return 1.5

        with way.session(QUICK.replace(wait=wait), pool=1, timeout=5) as session:
            began = time.monotonic()
            if way.is_async:

                async def both():
                    first = asyncio.create_task(session.fetch_async("GET", url))
                    await asyncio.sleep(0.1)
                    second = await session.fetch_async("GET", other)
                    closed.append(time.monotonic() - began)
                    return second, await first

                second, first = session.runner.run(both())
            else:
                answers = []
                thread = threading.Thread(target=lambda: answers.append(session.fetch("GET", url)))
                thread.start()
                time.sleep(0.1)
                second = session.fetch("GET", other)
                closed.append(time.monotonic() - began)
                thread.join()
                (first,) = answers
        assert (first.body, second.body) == (b"late", b"other")
        assert closed[0] < 1.4

    def test_closed_when_the_next_attempt_begins(self, way, server):
        """As the response itself says."""
        failed = []
        policy = QUICK.replace(
            on_retry=lambda attempt: failed.append(attempt.result),
            before_attempt=lambda attempt: [closed(response) for response in failed],
        )
        with way.session(policy) as session:
            session.discard(session.fetch("GET", server.play(reply(503), reply(503), reply())))
        assert len(failed) == 2
        assert all(closed(response) for response in failed)

    def test_hooks_can_still_end_the_call(self, way, server):
        """The response is closed after them, so that it can be returned as it came."""
        states = []

        def hook(attempt):
            states.append(closed(attempt.result))

        url = server.play(reply(503, b"x" * 500_000))
        with way.session(QUICK.replace(attempts=2, on_retry=hook)) as session:
            session.discard(session.fetch("GET", url, stream=True))
        assert way.name == "aiohttp" or states == [False]

    def test_nothing_stays_open(self, way, server):
        """However the call ends."""
        gc.collect()  # what earlier tests have left: see below
        assert server.settles(0)
        with way.session(QUICK, pool=3) as session:
            for steps in ([reply(503)], [RESET], [CLOSE], [reply(503), RESET, reply(404)]):
                try:
                    session.discard(session.fetch("GET", server.play(*steps)))
                except Exception:
                    pass
            assert server.open_connections <= 3
        gc.collect()  # a pool of urllib3 closes what it holds when it is collected
        assert server.settles(0)

    def test_an_interrupt_in_a_hook(self, way, server):
        """The response that nobody will get is closed."""

        class Interrupted(BaseException):
            pass

        def hook(attempt):
            raise Interrupted

        with way.session(QUICK.replace(on_retry=hook), pool=1, timeout=2) as session:
            with pytest.raises(Interrupted):
                session.fetch("GET", server.play(reply(503, b"x" * 500_000)))
            session.discard(session.fetch("GET", server.play(reply(200))))

    def test_a_soft_time_limit_while_a_failed_response_is_read(self, sync_way, server):
        """What a signal handler raises there ends the call, as in a wait."""

        class Limit(Exception):
            pass

        def limit(number, frame):
            raise Limit

        before = signal.signal(signal.SIGALRM, limit)
        try:
            with sync_way.session(QUICK, pool=1, timeout=5) as session:
                url = server.play(trickle(503), reply(200))
                signal.setitimer(signal.ITIMER_REAL, 0.5)
                with pytest.raises(Limit) as caught:
                    session.fetch("GET", url)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert given_up(caught.value).reason == "interrupted"


def closed(response):
    for name in ("is_closed", "closed"):
        if hasattr(response, name):
            return getattr(response, name)
    return response.raw.closed


class Setter:
    """An event that is set when the first wait begins, and so after the hooks."""

    def __init__(self):
        self.event = threading.Event()

    def is_set(self):
        return self.event.is_set()

    def wait(self, timeout=None):
        self.event.set()
        return True


class AsyncSetter(Setter):
    async def wait(self):
        self.event.set()
        return True


def fetch_and_set(event, way, session, url):
    """Fetch *url*, and set *event* meanwhile, from another thread or task."""
    if way.is_async:

        async def both():
            asyncio.get_running_loop().call_later(0.15, event.set)
            return await session.fetch_async("GET", url)

        return session.runner.run(both())
    setting = threading.Timer(0.15, event.set)
    setting.start()
    try:
        return session.fetch("GET", url)
    finally:
        setting.join()


@pytest.fixture
def hurried(monkeypatch):
    """A quarter of the time to read a failed response, so that the tests are quicker."""
    for module in (_shared, _httpx, _aiohttp):
        monkeypatch.setattr(module, "MOST_SECONDS", 0.5)


@pytest.mark.usefixtures("hurried")
class TestBounds:
    """The body of a failed response is read first, within bounds of size and time."""

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_body_without_end(self, way, server, stream):
        """It is cut off, long before the time is over."""
        sent = []
        url = server.play(flood(503, sent), reply(200))
        with way.session(QUICK, pool=1) as session:
            answer = session.fetch("GET", url, stream=stream)
            assert answer.status == 200
            session.discard(answer)
        assert len(sent) < 600  # what was read, and what buffers of the system hold

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    def test_a_body_that_comes_slowly(self, way, server, stream):
        """A byte at a time is never too slow for a read, but for this."""
        began = time.monotonic()
        url = server.play(trickle(503), reply(200))
        with way.session(QUICK, pool=1) as session:
            answer = session.fetch("GET", url, stream=stream)
            assert answer.status == 200
            session.discard(answer)
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("size", [1 << 20, (1 << 20) + 1], ids=["1 MiB", "more"])
    def test_size(self, way, server, size):
        """So much is read, and returned after all; if there was more, reading it says so."""
        policy = QUICK.replace(wait=5, stop=AsyncSetter() if way.is_async else Setter())
        complete = pytest.raises(Exception) if size > 1 << 20 else nullcontext()  # noqa: PT011
        with way.session(policy, pool=1) as session, complete:
            answer = session.fetch("GET", server.play(reply(503, b"x" * size)), stream=True)
            assert session.read(answer) == b"x" * size

    def test_a_compressed_body(self, way, server):
        """It is kept as it came, and decoded only when the user reads it."""
        packed = gzip.compress(b"text" * 1000)
        url = server.play(reply(503, packed, {"Content-Encoding": "gzip"}))
        policy = QUICK.replace(wait=5, stop=AsyncSetter() if way.is_async else Setter())
        with way.session(policy) as session:
            answer = session.fetch("GET", url)
        assert answer.body == (packed if way.name == "urllib" else b"text" * 1000)

    def test_a_body_that_stops_beyond_the_bounds(self, way, server):
        """Its connection is not used again, though nothing is left to be read of it."""
        size = _shared.MOST_BYTES + (1 << 16)
        url = server.play(reply(503, b"x" * (2 * size), half="stall"), reply(200))
        with way.session(QUICK.replace(attempts=2), pool=1, timeout=2) as session:
            assert session.fetch("GET", url).status == 200

    @pytest.mark.parametrize(
        "step", [flood(503), reply(503, b"x" * 1000, half="stall")], ids=["long", "slow"]
    )
    def test_a_response_that_a_hook_keeps(self, way, server, step):
        """It is closed where it was not read whole, rather than left to a collection."""
        kept = []
        policy = QUICK.replace(on_retry=lambda attempt: kept.append(attempt.result))
        with way.session(policy, timeout=2) as session:
            session.discard(session.fetch("GET", server.play(step, reply(200))))
            assert [closed(response) for response in kept] == [True]

    def test_a_body_of_unknown_length(self, way, server):
        """Its end is not known by its length either: what the time cut off is not the whole."""
        policy = QUICK.replace(wait=5, stop=AsyncSetter() if way.is_async else Setter())
        url = server.play(trickle(503, length=""))
        with way.session(policy, pool=1) as session:
            with pytest.raises(Exception) as caught:  # noqa: PT011
                answer = session.fetch("GET", url, stream=True)
                assert answer.status == 503
                session.read(answer)
            assert web.transient(caught.value) or way.name == "aiohttp"

    def test_an_interpreter_that_ends(self):
        """It does not wait until the time is over."""
        before = threading.enumerate()  # a timer that was canceled may need a moment to end
        ours, theirs = socket.socketpair()
        with ours, theirs, _shared.TimeLimit(ours):
            timers = {*threading.enumerate()} - {*before}
            assert [timer.daemon for timer in timers] == [True]

    @pytest.mark.parametrize("half", ["close", "reset"])
    def test_a_body_that_is_cut_off(self, way, server, half):
        """It does not matter any more."""
        url = server.play(reply(503, b"x" * 1000, half=half), reply(200))
        with way.session(QUICK, pool=1) as session:
            answer = session.fetch("GET", url)
        assert (answer.status, len(server.requests)) == (200, 2)


class TestTimeOfReading:
    """Two seconds of them."""

    def test_a_body_that_stops(self, way, server):
        """Long before the client's own timeout."""
        began = time.monotonic()
        url = server.play(reply(503, b"x" * 1000, half="stall"), reply(200))
        with way.session(QUICK, pool=1, timeout=30) as session:
            answer = session.fetch("GET", url)
            assert answer.status == 200
        assert 1.9 < time.monotonic() - began < 5


class TestReturnedAfterAll:
    """So that it can still be returned where no attempt follows after all."""

    @pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
    @pytest.mark.parametrize(
        "body",
        [b"", b"x" * 1000, b"x" * 700_000, b"x" * _shared.MOST_BYTES],
        ids=["empty", "short", "long", "as long as may be"],
    )
    def test_stop(self, way, server, stream, body):
        """Set during the wait."""
        policy = QUICK.replace(wait=5, stop=AsyncSetter() if way.is_async else Setter())
        with way.session(policy, pool=1) as session:
            answer = session.fetch("GET", server.play(reply(503, body)), stream=stream)
            assert answer.status == 503
            assert answer.record.reason == "stopped"
            assert (session.read(answer) if stream else answer.body) == body
            session.discard(answer)
        assert len(server.requests) == 1

    def test_cookies(self, server):
        """Of a response that was closed before, too."""
        url = server.play(reply(503, b"why", {"Set-Cookie": "a=1"}))
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK.replace(wait=5, stop=Setter())))
            assert session.get(url).content == b"why"
            assert session.cookies["a"] == "1"

    @pytest.mark.parametrize("step", [reply(503, b"why"), RESET], ids=["503", "reset"])
    def test_stop_by_another(self, way, server, step):
        """A thread or task: the wait ends immediately, and the connection is free."""
        event = asyncio.Event() if way.is_async else threading.Event()
        budget = RetryBudget(10)
        policy = QUICK.replace(wait=30, stop=event, budget=budget)
        with way.session(lambda request: policy, pool=1, timeout=2) as session:
            began, record = time.monotonic(), None
            try:
                answer = fetch_and_set(event, way, session, server.play(step))
            except Exception as error:
                record = given_up(error)
                assert step is RESET
            else:
                record = answer.record
                assert (answer.status, answer.body) == (503, b"why")
            assert time.monotonic() - began < 5
            assert (record.reason, len(server.requests)) == ("stopped", 1)
            assert budget.tokens == 10
            session.discard(session.fetch("GET", server.play(reply(200))))

    def test_stop_during_an_attempt(self, way, server):
        """The attempt is not interrupted, and its response is not set aside."""
        event, retries, given = asyncio.Event() if way.is_async else threading.Event(), [], []
        policy = QUICK.replace(wait=5, stop=event, on_retry=retries.append, on_give_up=given.append)
        with way.session(policy, pool=1) as session:
            url = server.play(reply(503, b"why", delay=0.3))
            answer = fetch_and_set(event, way, session, url)
            assert (answer.status, answer.body) == (503, b"why")
            assert (answer.record.reason, retries) == ("stopped", [])
            # It stays set: of a new request, the first attempt is made.
            assert session.fetch("GET", server.play(reply(200))).status == 200
            assert session.fetch("GET", server.play(reply(503))).record.reason == "stopped"
            assert session.fetch("POST", server.play(reply(503)), b"data").record is None
        assert [attempt.reason for attempt in given] == ["stopped", "stopped", "not retryable"]

    def test_stop_during_the_hooks(self, way, server):
        """Then it was not even closed."""
        event = asyncio.Event() if way.is_async else threading.Event()
        policy = QUICK.replace(wait=5, stop=event, on_retry=lambda attempt: event.set())
        with way.session(policy, pool=1) as session:
            answer = session.fetch("GET", server.play(reply(503, b"x" * 100_000)))
        assert (answer.status, answer.body) == (503, b"x" * 100_000)
        assert answer.record.reason == "stopped"

    def test_a_wait_that_took_too_long(self, way, server, monkeypatch):
        """The timeout has passed when it ends."""
        import retrying_elegant._async_backend as backend
        from retrying_elegant import _clock

        real = _clock.sleep

        async def oversleep(seconds):
            await asyncio.sleep(0.3)

        monkeypatch.setattr(_clock, "sleep", lambda seconds: real(0.3))
        monkeypatch.setattr(backend, "sleep", oversleep)
        policy = QUICK.replace(timeout=0.25, wait=0.05)
        with way.session(policy, pool=1) as session:
            answer = session.fetch("GET", server.play(reply(503, b"late")))
        assert (answer.status, answer.body, answer.record.reason) == (503, b"late", "timeout")

    @pytest.mark.parametrize(
        "step", [flood(503), reply(503, b"x" * 1000, half="close")], ids=["flood", "cut"]
    )
    def test_what_was_not_read_whole(self, way, server, step):
        """Reading it says so; a part is never passed off as all."""
        policy = QUICK.replace(wait=5, stop=AsyncSetter() if way.is_async else Setter())
        with way.session(policy, pool=1) as session:
            with pytest.raises(Exception) as caught:  # noqa: PT011
                answer = session.fetch("GET", server.play(step), stream=True)
                assert answer.status == 503
                session.read(answer)
            assert web.transient(caught.value) or way.name == "aiohttp"

    def test_the_error_of_reading_it_has_the_record(self, reading_way, server):
        """Where the client reads it by itself."""
        policy = QUICK.replace(attempts=2)
        url = server.play(reply(503, b"x" * 1000, half="close"))
        with reading_way.session(policy) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("GET", url)
        assert given_up(caught.value).attempts == 2


class TestWholeResponses:
    """In requests and httpx a body that is cut off is a failed attempt, unless the user streams."""

    @pytest.mark.parametrize("status", [200, 404, 501])
    @pytest.mark.parametrize("half", ["close", "reset"])
    def test_retried(self, reading_way, server, status, half):
        """Whatever the status."""
        url = server.play(reply(status, b"x" * 1000, half=half), reply(200, b"whole"))
        with reading_way.session(QUICK, pool=1) as session:
            assert session.fetch("GET", url).body == b"whole"
        assert len(server.requests) == 2

    def test_filters_that_match_the_status(self, reading_way, server):
        """They do not match what was raised by reading."""
        url = server.play(reply(404, b"x" * 1000, half="close"), reply(200, b"whole"))
        with reading_way.session(QUICK.replace(unless=reading_way.error)) as session:
            assert session.fetch("GET", url).body == b"whole"

    def test_chunks(self, reading_way, server):
        """Without the last one."""
        url = server.play(reply(200, b"x" * 9000, chunked=True, half="close"), reply(200, b"whole"))
        with reading_way.session(QUICK, pool=1) as session:
            assert session.fetch("GET", url).body == b"whole"

    def test_not_where_the_user_reads(self, way, server):
        """In aiohttp and urllib, the call has ended with success when the headers arrived."""
        if way.reads_bodies:
            return
        ended = []
        url = server.play(reply(200, b"x" * 1000, half="close"), reply(200))
        with way.session(QUICK.replace(on_success=ended.append)) as session:
            answer = session.fetch("GET", url, stream=True)
            assert len(ended) == 1
            with pytest.raises(Exception) as caught:  # noqa: PT011
                session.read(answer)
            session.discard(answer)
        assert given_up(caught.value) is None
        assert len(server.requests) == 1

    def test_not_of_a_post(self, reading_way, server):
        """It was carried out."""
        url = server.play(reply(200, b"x" * 1000, half="close"), reply(200))
        with reading_way.session(QUICK) as session, pytest.raises(Exception):  # noqa: B017, PT011
            session.fetch("POST", url, b"data")
        assert len(server.requests) == 1

    def test_not_of_a_stream(self, reading_way, server):
        """What the user reads is the user's."""
        url = server.play(reply(200, b"x" * 1000, half="close"), reply(200))
        with reading_way.session(QUICK) as session:
            answer = session.fetch("GET", url, stream=True)
            with pytest.raises(Exception):  # noqa: B017, PT011
                session.read(answer)
            session.discard(answer)
        assert len(server.requests) == 1

    def test_a_stream_is_open_when_its_headers_have_arrived(self, way, server):
        """Nothing of it has been read."""
        url = server.play(reply(503), reply(200, b"x" * 1_000_000, half="stall"))
        with way.session(QUICK) as session:
            answer = session.fetch("GET", url, stream=True)
            assert answer.status == 200
            session.discard(answer)

    def test_not_decodable(self, reading_way, server):
        """Another attempt would not help: the client's own error, as ever."""
        url = server.play(reply(200, b"no gzip", {"Content-Encoding": "gzip"}))
        with reading_way.session(QUICK, pool=1, timeout=2) as session:
            for _ in range(2):
                with pytest.raises(Exception, match=r"(?i)deco|incorrect header"):
                    session.fetch("GET", url)
        assert len(server.requests) == 2

    def test_a_redirect_that_cannot_be_decoded(self, server):
        """requests follows it all the same."""
        end = server.play(reply(200, b"here"), path="/end")
        headers = {"Location": end, "Content-Encoding": "gzip"}
        url = server.play(reply(302, b"no gzip", headers))
        with WAYS[0].session(QUICK) as session:
            assert session.fetch("GET", url).body == b"here"


class TestOwnRetries:
    """The client's own retries do not multiply ours."""

    @pytest.mark.parametrize("fault", [RESET, CLOSE], ids=["reset", "close"])
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_as_many_requests_as_attempts(self, way, server, fault, method):
        """On a new connection, and on one that was used before."""
        body = b"data" if method == "PUT" else None
        with way.session(QUICK.replace(attempts=3), pool=1) as session:
            for _ in range(2):
                session.discard(session.fetch("GET", server.play(reply(200))))
                url = server.play(fault)
                with pytest.raises(Exception) as caught:  # noqa: PT011
                    session.fetch(method, url, body)
                assert given_up(caught.value).attempts == 3
                assert len(server.requests) == 3

    def test_not_retryable(self, way, server):
        """Nor does the client send again what we do not."""
        url = server.play(RESET)
        with way.session(QUICK.replace(on=())) as session, pytest.raises(Exception):  # noqa: B017, PT011
            session.fetch("GET", url)
        assert len(server.requests) == 1

    def test_what_is_not_ours_stays_the_clients(self, way, server):
        """A request without a policy is sent as the bare client sends it."""
        counts = []
        for options in ({"bare": True}, {}):
            url = server.play(RESET)
            policy = None if options else lambda request: None
            with (
                way.session(policy, **options) as session,
                pytest.raises(Exception),  # noqa: B017, PT011
            ):
                session.fetch("GET", url)
            counts.append(len(server.requests))
        assert counts[0] == counts[1]


class TestCancellation:
    """No attempt follows a cancellation, and nothing stays open."""

    STEPS: ClassVar = {
        "sending": reply(200, is_early=True, delay=0.5),
        "attempt": HANG,
        "body": reply(200, b"x" * 1000, half="stall"),
        "reading": reply(503, b"x" * 1000, half="stall"),
        "hook": reply(503, b"x" * 1_000_000),
        "wait": reply(503, b"x" * 100_000),
    }

    @pytest.mark.parametrize("moment", STEPS)
    def test_canceled(self, async_way, server, log, moment):
        """Wherever it strikes; a token that was taken is returned, and nothing is announced."""
        given, kept, budget = [], [], RetryBudget(10)

        async def hook(attempt):
            kept.append(attempt.result)  # so that no collection closes it
            if moment == "hook":
                await asyncio.sleep(5)

        url = server.play(self.STEPS[moment])
        body = b"x" * 20_000_000 if moment == "sending" else None
        if body and not async_way.is_httpx:
            body = async_way.file(body)  # aiohttp warns of so many bytes
        policy = QUICK.replace(wait=5, on_retry=hook, on_give_up=given.append, budget=budget)
        with async_way.session(lambda request: policy, pool=1, timeout=2) as session:

            async def cancel():
                task = asyncio.create_task(session.fetch_async("PUT", url, body))
                while not server.requests:
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.2)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                assert given_up(caught.value) is None
                if body:  # asyncio closes a connection only when it has sent what was begun
                    await asyncio.to_thread(server.settles, 0)

            with deadline(60):
                session.runner.run(cancel())
            assert (len(server.requests), budget.tokens, given) == (1, 10, [])
            assert not any("gave up" in line for line in log())
            session.discard(session.fetch("GET", server.play(reply(200))))
            assert len(server.requests) == 1
        assert server.settles(0)

    def test_canceled_where_the_pool_is_full(self, async_way, server):
        """Nothing was sent, and the others are served."""
        with async_way.session(QUICK, pool=1, timeout=5) as session:

            async def cancel():
                held = server.play(reply(200, b"x" * 1000, half="stall"))
                first = await session.fetch_async("GET", held, stream=True)
                url = server.play(reply(200))
                tasks = [asyncio.create_task(session.fetch_async("GET", url)) for _ in range(3)]
                await asyncio.sleep(0.1)
                assert tasks[1].cancel()
                await asyncio.sleep(0)
                if async_way.is_httpx:
                    await first.response.aclose()
                else:
                    first.response.close()
                return await asyncio.gather(*tasks, return_exceptions=True)

            ends = session.runner.run(cancel())
            assert isinstance(ends[1], asyncio.CancelledError)
            assert [ends[0].status, ends[2].status] == [200, 200]
            assert len(server.requests) == 2

    def test_wait_for(self, async_way, server):
        """TimeoutError of the user's own, at once."""
        with async_way.session(QUICK.replace(wait=5), pool=1) as session:

            async def bounded():
                async with asyncio.timeout(0.2):
                    await session.fetch_async("GET", server.play(reply(503)))

            with pytest.raises(TimeoutError):
                session.runner.run(bounded())


class TestClosed:
    """A client that is closed while a request waits, by another thread or task."""

    def test_in_the_wait(self, way, server):
        """The next attempt ends as a new request would: some clients open again."""
        url = server.play(reply(503), reply(200))
        with way.session(QUICK.replace(wait=0.4)) as session:
            try:
                if way.is_async:

                    async def close():
                        task = asyncio.create_task(session.fetch_async("GET", url))
                        await asyncio.sleep(0.2)
                        client = session.client
                        await (client.aclose if way.is_httpx else client.close)()
                        return await task

                    answer = session.runner.run(close())
                else:
                    closing = threading.Timer(0.2, session.close)
                    closing.start()
                    answer = session.fetch("GET", url)
                    closing.join()
            except RuntimeError as error:
                assert "closed" in str(error)
                assert given_up(error).attempts == 2
                assert len(server.requests) == 1
            else:
                assert (answer.status, way.name) in ((200, "requests"), (200, "urllib"))
        answer = None  # a response of requests keeps the pool alive
        gc.collect()  # a pool of urllib3 closes what it holds when it is collected
        assert server.settles(0)


class TestBudgetsAndLimits:
    """What a policy says holds for a whole client as for a function."""

    def test_budget(self, way, server):
        """Two retries, for all requests together."""
        budget = RetryBudget(2, refill=0)
        with way.session(QUICK.replace(budget=budget)) as session:
            counts = []
            for _ in range(3):
                answer = session.fetch("GET", server.play(reply(503)))
                counts.append((len(server.requests), answer.record.reason))
        assert counts == [(3, "budget"), (1, "budget"), (1, "budget")]

    def test_a_policy_per_request(self, way, server):
        """By method, for instance."""

        def choose(request):
            method = getattr(request, "method", None) or request.get_method()
            return QUICK.replace(attempts=2 if method == "DELETE" else 3)

        with way.session(choose) as session:
            for method, count in (("GET", 3), ("DELETE", 2)):
                session.fetch(method, server.play(reply(503)))
                assert len(server.requests) == count

    def test_deadline(self, way, server):
        """No retry past it."""
        with way.session(QUICK.replace(wait=0.2)) as session, deadline(0.3):
            answer = session.fetch("GET", server.play(reply(503)))
        assert (answer.record.reason, len(server.requests)) == ("timeout", 2)

    def test_timeout(self, way, server):
        """A wait that would end past it is not begun."""
        with way.session(QUICK.replace(timeout=0.5, wait=1)) as session:
            answer = session.fetch("GET", server.play(reply(503)))
        assert (answer.record.reason, len(server.requests)) == ("timeout", 1)

    def test_an_attempt_that_ran_long_was_healthy(self, way, server):
        """reset_after."""
        slow = [reply(503, delay=0.1)] * 5
        policy = QUICK.replace(attempts=2, reset_after=0.05)
        with way.session(policy) as session:
            answer = session.fetch("GET", server.play(*slow, reply(200)))
        assert (answer.status, len(server.requests)) == (200, 6)

    def test_threads(self, sync_way, server):
        """Any number at once."""
        url = server.play(*[reply(503)] * 20, reply(200))
        # httpx closes a connection under one thread where another finds the pool full.
        pool = 8 if sync_way.is_httpx else 4
        with sync_way.session(QUICK.replace(attempts=40), pool=pool) as session:
            answers = []
            threads = [
                threading.Thread(target=lambda: answers.append(session.fetch("GET", url).status))
                for _ in range(8)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert answers == [200] * 8

    def test_tasks(self, async_way, server):
        """Likewise."""
        url = server.play(*[reply(503)] * 20, reply(200))
        with async_way.session(QUICK.replace(attempts=40), pool=4) as session:

            async def all_of_them():
                return await asyncio.gather(*(session.fetch_async("GET", url) for _ in range(8)))

            answers = session.runner.run(all_of_them())
        assert [answer.status for answer in answers] == [200] * 8
