"""Section 16 of the contract over the wire: what limits what."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import nullcontext

import aiohttp
import pytest
import requests
import urllib3
from client_server import HANG, RESET, reply, slowly

from retrying_elegant import Policy, clients, deadline, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)


def seconds(function):
    began = time.monotonic()
    try:
        function()
    except Exception:
        pass
    return time.monotonic() - began


class TestTimeout:
    """`timeout` alone cuts nothing: it never interrupts an attempt."""

    def test_an_attempt_that_takes_longer(self, way, server):
        """It succeeds."""
        for step in (reply(200, b"slow", delay=0.4), slowly(b"slow", pause=0.4)):
            url = server.play(step)
            with way.session(QUICK.replace(timeout=0.1)) as session:
                assert session.fetch("GET", url).body == b"slow"


class TestDeadline:
    """Client timeouts are cut to what remains of a deadline."""

    @pytest.mark.parametrize("steps", [[HANG], [reply(503), RESET, HANG]], ids=["first", "third"])
    def test_sync_clients_and_httpx(self, way, server, steps):
        """So that an attempt that hangs ends with it, the first or a later one."""
        if way.name == "aiohttp":
            return
        with way.session(QUICK, timeout=5) as session:
            url = server.play(*steps)
            with deadline(0.3):
                assert 0.2 < seconds(lambda: session.fetch("GET", url)) < 4

    def test_a_redirect(self, way, server):
        """Its second hop has what the first has left of it."""
        if way.name == "aiohttp":
            return
        end = server.play(HANG, path="/end")
        url = server.play(reply(302, headers={"Location": end}, delay=1.5))
        with way.session(QUICK, timeout=30) as session, deadline(2):
            assert 1.9 < seconds(lambda: session.fetch("GET", url)) < 3
        assert len(server.requests) == 2

    @pytest.mark.parametrize("limit", ["deadline", "attempt_timeout"])
    def test_before_the_request(self, way, limit):
        """A server that accepts connections, and then does not answer the TLS handshake."""
        policy, around = QUICK, nullcontext()
        if limit == "attempt_timeout":
            if way.is_httpx and way.is_async:
                return  # httpx itself leaves a connection open whose handshake is canceled
            policy = QUICK.replace(attempts=1, attempt_timeout=0.3)
        elif way.name == "aiohttp":
            return  # where a deadline cuts nothing
        else:
            around = deadline(0.3)
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            way.session(policy, timeout=5) as session,
            around,
        ):
            url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
            assert 0.2 < seconds(lambda: session.fetch("GET", url)) < 4

    def test_an_attempt_timeout_is_cut_to_it(self, way, server):
        """Under aiohttp too, where it is the policy's and not the client's."""
        url = server.play(HANG)
        with (
            way.session(QUICK.replace(attempt_timeout=5), timeout=5) as session,
            deadline(0.3),
            pytest.raises(Exception) as caught,  # noqa: PT011
        ):
            assert 0.2 < seconds(lambda: session.fetch("GET", url)) < 4
            session.fetch("GET", url)  # nothing is left
        assert given_up(caught.value).reason == "timeout"

    def test_a_policy_for_each_request(self, way, server):
        """One that says None is sent as the bare client sends it: nothing is cut."""
        url = server.play(reply(200, b"slow", delay=0.4))
        with way.session(lambda request: None) as session, deadline(0.1):
            assert session.fetch("GET", url).body == b"slow"

    def test_without_a_timeout_of_the_client(self, server):
        """There is one then."""
        with requests.Session() as session:
            session.mount("http://", clients.requests(QUICK))
            url = server.play(HANG)
            with deadline(0.3):
                assert seconds(lambda: session.get(url)) < 4

    def test_never_to_zero(self, way, server):
        """The first attempt is always made, and can still fail."""
        with way.session(QUICK) as session:
            url = server.play(RESET)
            with deadline(0.01):
                time.sleep(0.02)
                with pytest.raises(Exception) as caught:  # noqa: PT011
                    session.fetch("GET", url)
            if not isinstance(caught.value, ValueError):
                assert given_up(caught.value).reason == "timeout"

    def test_aiohttp(self, server):
        """Under aiohttp a deadline cuts nothing."""
        from client_ways import WAYS

        (way,) = (way for way in WAYS if way.name == "aiohttp")
        url = server.play(reply(200, b"slow", delay=0.4))
        with way.session(QUICK) as session, deadline(0.1):
            assert session.fetch("GET", url).body == b"slow"

    def test_the_request_is_left_as_it_was(self, httpx_way, server):
        """What was cut was this attempt's."""
        with httpx_way.session(QUICK, timeout=5) as session:
            request = session.build("GET", server.play(reply(200)), None, None, None)
            with deadline(0.5):
                answer = session.client.send(request)
                if httpx_way.is_async:
                    session.runner.run(answer)
        assert request.extensions["timeout"] == {
            "connect": 5.0,
            "read": 5.0,
            "write": 5.0,
            "pool": 5.0,
        }


class TestAttemptTimeout:
    """Where the policy sets `attempt_timeout`, client timeouts are cut to `attempt.timeout`."""

    def test_each_attempt(self, way, server):
        """And a hung attempt is retried."""
        url = server.play(HANG, HANG, reply(200, b"done"))
        with way.session(QUICK.replace(attempt_timeout=0.3), timeout=5) as session:
            took = []
            took.append(seconds(lambda: took.append(session.fetch("GET", url).body)))
        assert took[0] == b"done"
        assert 0.5 < took[1] < 4.5

    def test_in_the_middle_of_a_response(self, reading_way, server):
        """Where the client reads it, that is part of the attempt."""
        url = server.play(reply(200, b"x" * 1000, half="stall"), reply(200, b"done"))
        policy = QUICK.replace(attempt_timeout=0.3)
        with reading_way.session(policy, pool=1, timeout=5) as session:
            assert seconds(lambda: session.fetch("GET", url)) < 4
            assert len(server.requests) == 2
            url = server.play(reply(200, b"x" * 1000, half="stall"))
            with pytest.raises(Exception) as caught:  # noqa: PT011
                session.fetch("POST", url, b"data")
        assert given_up(caught.value) is None
        assert len(server.requests) == 1

    def test_the_smaller_one(self, way, server):
        """A client's own timeout that is shorter stays."""
        url = server.play(HANG)
        with way.session(QUICK.replace(attempts=1, attempt_timeout=5), timeout=0.2) as session:
            assert seconds(lambda: session.fetch("GET", url)) < 4

    def test_what_is_left_of_the_timeout(self, way, server):
        """`attempt.timeout` counts it."""
        url = server.play(HANG)
        policy = QUICK.replace(attempt_timeout=5, timeout=0.3)
        with way.session(policy, timeout=5) as session:
            assert seconds(lambda: session.fetch("GET", url)) < 4

    @pytest.mark.parametrize(
        "timeout",
        [None, 5, (5, 5), (None, None), urllib3.Timeout(5), urllib3.Timeout(connect=5, read=None)],
        ids=str,
    )
    def test_all_forms_that_requests_takes(self, server, timeout):
        """One number, two, or an object."""
        url = server.play(HANG)
        with requests.Session() as session:
            session.mount(
                "http://", clients.requests(QUICK.replace(attempts=1, attempt_timeout=0.3))
            )
            began = time.monotonic()
            with pytest.raises(requests.Timeout):
                session.get(url, timeout=timeout)
        assert 0.2 < time.monotonic() - began < 4


class TestStreams:
    """What is streamed after the headers is not part of the attempt."""

    @pytest.mark.parametrize("limit", ["attempt_timeout", "deadline"])
    def test_the_clients_own_timeout_applies(self, way, server, limit):
        """Not that of the attempt, which was cut."""
        url = server.play(slowly(b"x" * 10, pause=0.4))
        policy, around = QUICK.replace(attempts=1), nullcontext()
        if limit == "attempt_timeout":
            policy = policy.replace(attempt_timeout=0.25)
        else:
            around = deadline(0.25)
        with way.session(policy, timeout=5) as session, around:
            answer = session.fetch("GET", url, stream=True)
            assert session.read(answer) == b"x" * 10
            session.discard(answer)

    @pytest.mark.parametrize("limit", ["attempt_timeout", "deadline"])
    def test_a_stream_that_stops(self, way, server, limit):
        """It ends by the client's own timeout, as without us."""
        url = server.play(reply(200, b"x" * 1000, half="stall"))
        policy, around = QUICK.replace(attempts=1), nullcontext()
        if limit == "attempt_timeout":
            policy = policy.replace(attempt_timeout=0.25)
        else:
            around = deadline(0.25)
        with way.session(policy, timeout=0.5) as session, around:
            answer = session.fetch("GET", url, stream=True)
            assert seconds(lambda: session.read(answer)) < 4
            session.discard(answer)

    @pytest.mark.parametrize(
        "timeout",
        [0.5, (5, 0.5), urllib3.Timeout(0.5), urllib3.Timeout(5, read=0.5)],
        ids=["number", "pair", "total", "object"],
    )
    def test_one_that_stops_in_every_form_that_requests_takes(self, server, timeout):
        """The least of what applies to a read."""
        url = server.play(reply(200, b"x" * 1000, half="stall"))
        policy = QUICK.replace(attempts=1, attempt_timeout=0.25)
        with requests.Session() as session:
            session.mount("http://", clients.requests(policy))
            with session.get(url, timeout=timeout, stream=True) as response:
                assert 0.3 < seconds(lambda: response.content) < 4

    def test_of_every_form_that_requests_takes(self, server):
        """One number, two, or an object."""
        policy = QUICK.replace(attempts=1, attempt_timeout=0.25)
        for timeout in (5, None, (1, 5), urllib3.Timeout(5), urllib3.Timeout(connect=1)):
            url = server.play(slowly(b"x" * 10, pause=0.4))
            with requests.Session() as session:
                session.mount("http://", clients.requests(policy))
                with session.get(url, timeout=timeout, stream=True) as response:
                    assert response.content == b"x" * 10


class TestAiohttpTotal:
    """aiohttp's own `total` limits all attempts together, waits included."""

    def session(self, policy, **limits):
        return aiohttp.ClientSession(
            middlewares=[clients.aiohttp(policy)], timeout=aiohttp.ClientTimeout(**limits)
        )

    def test_once_an_attempt_has_failed_by_it_none_follows(self, server):
        """Reason "timeout"."""
        url = server.play(HANG)

        async def fetch():
            async with self.session(QUICK, total=0.3) as session:
                await session.get(url)

        with pytest.raises(TimeoutError) as caught:
            asyncio.run(fetch())
        assert given_up(caught.value).reason == "timeout"
        assert len(server.requests) == 1

    def test_a_healthy_attempt(self, server):
        """It starts the policy's time over, but not aiohttp's."""
        url = server.play(HANG)

        async def fetch():
            async with self.session(QUICK.replace(reset_after=0.1), total=0.3) as session:
                await session.get(url)

        with pytest.raises(TimeoutError):
            asyncio.run(fetch())
        assert server.has_seen_all()
        assert len(server.requests) == 1

    def test_per_request(self, server):
        """The total of the request, where it has one of its own, longer or shorter."""
        url = server.play(HANG)

        async def fetch(total, own, wait=0):
            async with (
                self.session(QUICK.replace(wait=wait), total=total) as session,
                session.get(url, timeout=aiohttp.ClientTimeout(total=own)) as response,
            ):
                return response.status

        with pytest.raises(TimeoutError) as caught:
            asyncio.run(fetch(30, 0.3))
        assert given_up(caught.value).reason == "timeout"
        url = server.play(reply(503), reply(200))
        assert asyncio.run(fetch(0.1, 30, wait=0.2)) == 200

    def test_a_wait_that_would_end_after_it_is_not_begun(self, server):
        """Where the library knows it."""
        url = server.play(reply(503))

        async def fetch():
            async with (
                self.session(QUICK.replace(wait=5), total=1) as session,
                session.get(url) as response,
            ):
                return response.status, given_up(response)

        began = time.monotonic()
        status, record = asyncio.run(fetch())
        assert (status, record.reason) == (503, "timeout")
        assert time.monotonic() - began < 0.95

    def test_in_a_wait(self, server, log, monkeypatch):
        """Where it is not known, it ends the call as in the bare client, unannounced."""
        from retrying_elegant.clients import _aiohttp

        monkeypatch.setattr(_aiohttp, "_total_of", lambda handler: None)
        ended = []
        url = server.play(reply(503))

        async def fetch():
            policy = QUICK.replace(wait=5, on_give_up=ended.append)
            async with self.session(policy, total=0.3) as session:
                await session.get(url)

        with pytest.raises(TimeoutError) as caught:
            asyncio.run(fetch())
        assert given_up(caught.value) is None
        assert ended == []
        assert len(log()) == 1

    @pytest.mark.parametrize("wait", [0, 0.2])
    def test_while_a_failed_response_is_read(self, server, log, wait):
        """Before the wait: the same."""
        ended = []
        url = server.play(reply(503, b"half", half="stall"))

        async def fetch():
            policy = QUICK.replace(wait=wait, on_give_up=ended.append)
            async with self.session(policy, total=0.5) as session:
                with pytest.raises(TimeoutError) as caught:
                    await session.get(url)
                return caught.value, asyncio.current_task().cancelling()

        error, cancellations = asyncio.run(fetch())
        assert given_up(error) is None
        assert cancellations == 0
        assert ended == []
        assert len(log()) == 1

    def test_unknown(self, server, monkeypatch):
        """Even then none follows an attempt that failed by it."""
        from retrying_elegant.clients import _aiohttp

        monkeypatch.setattr(_aiohttp, "_total_of", lambda handler: None)
        url = server.play(HANG)

        async def fetch():
            async with self.session(QUICK, total=0.3) as session:
                await session.get(url)

        with pytest.raises(TimeoutError):
            asyncio.run(fetch())
        assert len(server.requests) == 1

    def test_redirects_count(self, server):
        """The second hop does not begin again."""
        end = server.play(reply(503), path="/end")
        url = server.play(reply(302, headers={"Location": end}, delay=0.4))

        async def fetch():
            async with (
                self.session(QUICK.replace(wait=0.35), total=0.7) as session,
                session.get(url) as response,
            ):
                return response.status, given_up(response)

        status, record = asyncio.run(fetch())
        assert (status, record.reason) == (503, "timeout")

    def test_with_other_middlewares_inside(self, server):
        """It is still known."""
        url = server.play(reply(503))

        async def other(request, handler):
            return await handler(request)

        async def fetch():
            limits = aiohttp.ClientTimeout(total=1)
            middlewares = [other, clients.aiohttp(QUICK.replace(wait=5)), other, other]
            async with (
                aiohttp.ClientSession(middlewares=middlewares, timeout=limits) as session,
                session.get(url) as response,
            ):
                return given_up(response)

        assert asyncio.run(fetch()).reason == "timeout"
