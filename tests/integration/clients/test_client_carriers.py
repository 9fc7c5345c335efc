"""Section 16 of the contract over TLS, through tunnels and over HTTP/2: a policy's limits hold."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest
from client_carriers import LONG
from client_ways import WAYS

from retrying_elegant import Policy, RetryBudget, deadline, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)
CARRIERS = ("tls", "tunnel", "http2", "http2 in a tunnel")


def speaks(way, name):
    """Whether *way* is tried over this carrier: but for HTTP/2, httpx2 is as httpx."""
    if name == "http2":
        return way.is_httpx
    return "httpx2" not in way.name and (way.is_httpx or "http2" not in name)


PAIRS = [(name, way) for name in CARRIERS for way in WAYS if speaks(way, name)]


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}, {pair[1]}")
def pair(request, carriers):
    """Each client over whatever it can speak over; at the end no connection is open."""
    name, way = request.param
    yield carriers[name], way
    gc.collect()  # a pool of urllib3 closes what it holds when it is collected
    assert carriers[name].settles(0)


def fetch_and_do(action, way, session, url):
    """Fetch *url*, and call *action* meanwhile, in another thread or in the event loop."""
    if way.is_async:

        async def both():
            asyncio.get_running_loop().call_later(0.1, action)
            return await session.fetch_async("GET", url)

        return session.runner.run(both())
    acting = threading.Timer(0.1, action)
    acting.start()
    try:
        return session.fetch("GET", url)
    finally:
        acting.join()


class TestLimits:
    """On a pool of one connection, under a policy that a function chooses for each request."""

    def test_budget(self, pair):
        """Two retries, for all requests together."""
        carrier, way = pair
        policy = QUICK.replace(budget=RetryBudget(2, refill=0))
        with carrier.session(way, lambda request: policy) as session:
            counts = []
            for _ in range(3):
                answer = session.fetch("GET", carrier.play("503 long"))
                assert answer.body == LONG
                counts.append((len(carrier.requests), answer.record.reason))
        assert counts == [(3, "budget"), (1, "budget"), (1, "budget")]

    def test_budget_of_broken_connections(self, pair):
        """Likewise."""
        carrier, way = pair
        policy = QUICK.replace(budget=RetryBudget(2, refill=0))
        with carrier.session(way, lambda request: policy, pool=10) as session:
            for count in (3, 1):
                url = carrier.play("reset")
                with pytest.raises(Exception) as caught:  # noqa: PT011
                    session.fetch("GET", url)
                assert given_up(caught.value).reason == "budget"
                assert len(carrier.requests) == count

    def test_stop(self, pair):
        """The wait ends immediately; the response is whole, its connection free, no token gone."""
        carrier, way = pair
        event = asyncio.Event() if way.is_async else threading.Event()
        budget, began = RetryBudget(10), time.monotonic()
        policy = QUICK.replace(wait=30, stop=event, budget=budget)
        with carrier.session(way, lambda request: policy) as session:
            url = carrier.play("503 long")
            answer = fetch_and_do(event.set, way, session, url)
            assert (answer.status, answer.body) == (503, LONG)
            assert (answer.record.reason, len(carrier.requests)) == ("stopped", 1)
            assert (budget.tokens, time.monotonic() - began < 10) == (10, True)
            # It stays set: first attempts are made, and no others.
            assert session.fetch("GET", carrier.play("200")).status == 200
            assert session.fetch("GET", carrier.play("503", "200")).record.reason == "stopped"

    def test_deadline(self, pair):
        """No retry past it."""
        carrier, way = pair
        with carrier.session(way, lambda request: QUICK.replace(wait=10)) as session, deadline(5):
            answer = session.fetch("GET", carrier.play("503 long", "200"))
        assert (answer.status, answer.body) == (503, LONG)
        assert (answer.record.reason, len(carrier.requests)) == ("timeout", 1)

    def test_an_attempt_that_hangs(self, pair):
        """A deadline ends it, but not aiohttp's; after an attempt_timeout, another follows."""
        carrier, way = pair
        policies = iter([QUICK, QUICK.replace(attempt_timeout=0.25)])
        with carrier.session(way, lambda request: next(policies), pool=10) as session:
            began = time.monotonic()
            if way.name == "aiohttp":
                next(policies)
            else:
                url = carrier.play("hang")
                with deadline(0.2), pytest.raises(Exception) as caught:  # noqa: PT011
                    session.fetch("GET", url)
                assert given_up(caught.value).reason == "timeout"
            assert session.fetch("GET", carrier.play("hang", "200")).status == 200
            assert time.monotonic() - began < 4

    def test_policies(self, pair):
        """None: that request is not retried; and the function is called once for each."""
        carrier, way = pair
        asked = []

        def choose(request):
            asked.append(request)
            method = getattr(request, "method", None) or request.get_method()
            return {"GET": QUICK, "PUT": QUICK.replace(attempts=2), "DELETE": None}[method]

        with carrier.session(way, choose) as session:
            for method, count in (("GET", 4), ("PUT", 2), ("DELETE", 1)):
                body = b"data" if method == "PUT" else None
                assert session.fetch(method, carrier.play("503"), body).status == 503
                assert len(carrier.requests) == count
        assert len(asked) == 3

    def test_sent_twice(self, pair):
        """A POST only where it was not processed; what can be read once, once."""
        carrier, way = pair
        with carrier.session(way, lambda request: QUICK, pool=10) as session:
            assert session.fetch("POST", carrier.play("429", "200"), b"data").status == 200
            assert [request.body for request in carrier.requests] == [b"data"] * 2
            url = carrier.play("close", "200")
            with pytest.raises(Exception) as caught:  # noqa: PT011
                session.fetch("POST", url, b"data")
            assert given_up(caught.value) is None
            assert len(carrier.requests) == 1
            url = carrier.play("503", "200")
            assert session.fetch("PUT", url, session.once(b"da", b"ta")).status == 503
            assert [request.body for request in carrier.requests] == [b"data"]

    @pytest.mark.parametrize("name", ["hang", "503 long"], ids=["attempt", "wait"])
    def test_canceled(self, pair, name):
        """No attempt follows, a token that was taken is returned, and the connection is free."""
        carrier, way = pair
        if not way.is_async:
            return
        budget = RetryBudget(10)
        policy = QUICK.replace(wait=5, budget=budget)
        with carrier.session(way, lambda request: policy) as session:
            session.fetch("GET", carrier.play("200"))
            url = carrier.play(name)

            async def cancel():
                task = asyncio.create_task(session.fetch_async("GET", url))
                await asyncio.sleep(0.1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

            with deadline(60):
                session.runner.run(cancel())
            assert (len(carrier.requests), budget.tokens) == (1, 10)
            assert session.fetch("GET", carrier.play("200")).body == b"said"
