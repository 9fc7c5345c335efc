"""Contract 9 at work: HTTP clients retried with ``on=web.transient``, in every form.

The server plays a script, one fault for each request, at one and the same URL, and then is well.
The clients are real, keep their connections as they do, and raise what they raise.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import urllib.error
import urllib.request
from functools import partial
from typing import ClassVar

import pytest
from fault_server import FaultServer, answer, read_request
from forms import ASYNC, SYNC

from retrying_elegant import Policy, RetryBudget, given_up, retry, retrying, testing, web

anyio = pytest.importorskip("anyio", reason="the package anyio is not installed")
aiohttp = pytest.importorskip("aiohttp", reason="the package aiohttp is not installed")
httpx = pytest.importorskip("httpx", reason="the package httpx is not installed")
requests = pytest.importorskip("requests", reason="the package requests is not installed")
pytest.importorskip("trio", reason="the package trio is not installed")

PATIENCE = 10  # seconds that a client waits where nothing hangs
SHORT = 0.15  # seconds that it waits where something does; a good answer takes a hundredth


class Recovering(FaultServer):
    """A server whose ``flaky`` URL fails as its *script* says, and then answers ``hello``."""

    def __init__(self):
        super().__init__()
        self.script = []

    def plays(self, *script):
        """Play *script* from now on: names of faults, or whole answers; give the URL."""
        self.script = list(script)
        self.requests.clear()
        return self.url("flaky")

    @property
    def asked(self):
        """How often the flaky URL has been asked since the script began."""
        return self.requests["flaky"]

    def _flaky(self, connection):
        outcome = self.script.pop(0) if self.script else answer(200)
        if isinstance(outcome, str):
            self.FAULTS[outcome](self, connection)
        else:
            read_request(connection)
            connection.sendall(outcome)

    FAULTS: ClassVar = {**FaultServer.FAULTS, "flaky": _flaky}


@pytest.fixture(scope="module")
def server():
    with Recovering() as server:
        yield server


# The clients: a context manager that gives a function, which asks once, raises for a bad status,
# and gives the text.


@contextlib.contextmanager
def urllib_client(timeout):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def fetch(url, method="GET"):
        try:
            with opener.open(urllib.request.Request(url, method=method), timeout=timeout) as page:
                return page.read().decode()
        except urllib.error.HTTPError as error:
            error.close()  # it is a response as well
            raise

    yield fetch


@contextlib.contextmanager
def requests_client(timeout):
    with requests.Session() as session:
        session.trust_env = False

        def fetch(url, method="GET"):
            response = session.request(method, url, timeout=timeout)
            response.raise_for_status()
            return response.text

        yield fetch


@contextlib.contextmanager
def httpx_client(timeout):
    with httpx.Client(timeout=timeout, trust_env=False) as client:

        def fetch(url, method="GET"):
            response = client.request(method, url)
            response.raise_for_status()
            return response.text

        yield fetch


@contextlib.asynccontextmanager
async def httpx_async_client(timeout):
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:

        async def fetch(url, method="GET"):
            response = await client.request(method, url)
            response.raise_for_status()
            return response.text

        yield fetch


@contextlib.asynccontextmanager
async def aiohttp_client(timeout):
    limits = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=limits, raise_for_status=True) as session:

        async def fetch(url, method="GET"):
            async with session.request(method, url) as response:
                return await response.text()

        yield fetch


CLIENTS = {"urllib": urllib_client, "requests": requests_client, "httpx": httpx_client}
ASYNC_CLIENTS = {
    "httpx asyncio": (httpx_async_client, "asyncio"),
    "httpx trio": (httpx_async_client, "trio"),
    "aiohttp": (aiohttp_client, "asyncio"),
}
METHOD_KNOWN_WITHOUT_ANSWER = ("requests", "httpx", "httpx asyncio", "httpx trio")


def ask(client, form, url, *args, method="GET", timeout=PATIENCE, **options):
    """Ask for *url* with *client*, retried through *form*."""
    if client in CLIENTS:
        with CLIENTS[client](timeout) as fetch:
            return SYNC[form](partial(fetch, url, method), *args, **options)
    open_client, backend = ASYNC_CLIENTS[client]

    async def main():
        async with open_client(timeout) as fetch:
            return await ASYNC[form](partial(fetch, url, method), *args, **options)

    return anyio.run(main, backend=backend)


@pytest.fixture(params=[*CLIENTS, *ASYNC_CLIENTS])
def client(request):
    return request.param


@pytest.fixture(params=SYNC)
def form(request):
    return request.param


class TestFaults:
    """What is transient is retried until the server is well again."""

    def test_one_after_the_other(self, server, client, form):
        """Reset, closed, cut in the middle, too short, 503, 429: the seventh attempt succeeds."""
        url = server.plays("reset", "close", "cut", "short", answer(503), answer(429))
        assert ask(client, form, url, 10, on=web.transient, wait=0.001) == "hello"
        assert server.asked == 7

    def test_a_hang(self, server, client):
        """It ends by the client's own timeout."""
        url = server.plays("hang", "stall")
        value = ask(client, "decorator", url, 20, on=web.transient, wait=0, timeout=SHORT)
        assert value == "hello"
        assert server.asked >= 3  # more where a busy machine lets even a good answer come late

    def test_what_is_permanent_is_asked_once(self, server, client, form):
        """404: no policy has given up, there was nothing to retry."""
        url = server.plays(answer(404))
        with pytest.raises(Exception, match="404") as caught:
            ask(client, form, url, on=web.transient, wait=0)
        assert server.asked == 1
        assert given_up(caught.value) is None

    def test_a_server_that_stays_down(self, server, client, form):
        """The client's own error leaves, with the record of every attempt."""
        url = server.plays(*[answer(503)] * 10)
        with pytest.raises(Exception, match="503") as caught:
            ask(client, form, url, 3, on=web.transient, wait=0)
        assert server.asked == 3
        assert given_up(caught.value).reason == "attempts"
        assert len(given_up(caught.value).history) == 3

    def test_a_port_where_nobody_listens(self, server, client):
        """Refused each time, until the budget for this target is empty."""
        budget = RetryBudget(2)
        with pytest.raises(Exception) as caught:  # noqa: PT011 - each client has its own
            ask(client, "loop", server.url("refuse"), on=web.transient, wait=0, budget=budget)
        assert given_up(caught.value).attempts == 3
        assert given_up(caught.value).reason == "budget"


class TestTimeouts:
    """A hang ends by what the library gives or does."""

    @pytest.mark.parametrize("client", CLIENTS)
    def test_a_sync_client_is_handed_the_timeout(self, server, client):
        """`attempt.timeout` is what this attempt may take."""
        url = server.plays("hang")
        for attempt in retrying(20, on=web.transient, wait=0, attempt_timeout=SHORT):
            with attempt, CLIENTS[client](attempt.timeout) as fetch:
                page = fetch(url)
        assert page == "hello"
        assert server.asked == attempt.number >= 2

    @pytest.mark.parametrize("client", ASYNC_CLIENTS)
    def test_an_async_client_is_cancelled(self, server, client, form):
        """By `attempt_timeout`, and its session serves the next attempt."""
        url = server.plays("hang")
        options = {"on": web.transient, "wait": 0, "attempt_timeout": SHORT}
        assert ask(client, form, url, 20, **options) == "hello"
        assert server.asked >= 2


class TestRetryAfter:
    """A hint of the server: never earlier than asked."""

    def test_it_is_waited_for(self, server, client, form):
        """503 with Retry-After: the wait is the hint and the backoff's own on top."""
        url = server.plays(answer(503, "7"), answer(429, "3"))
        with testing.instant() as instant:
            assert ask(client, form, url, on=web.transient, wait=0.5) == "hello"
        assert instant.waits == [7.5, 3.5]
        assert server.asked == 3

    def test_jitter_comes_on_top(self, server, client):
        """With the default backoff no wait is shorter than the hint."""
        url = server.plays(*[answer(503, "5")] * 4)
        with testing.instant() as instant:
            assert ask(client, "decorator", url, on=web.transient) == "hello"
        assert len(instant.waits) == 4
        assert all(5 <= wait <= 5 + 30 for wait in instant.waits)

    def test_in_real_time(self, server):
        """One second is one second."""
        url = server.plays(answer(503, "1"))
        began = time.monotonic()
        assert ask("httpx asyncio", "loop", url, on=web.transient, wait=0) == "hello"
        assert time.monotonic() - began >= 1

    def test_one_that_asks_for_too_much(self, server, client):
        """Above `max_retry_after`: give up rather than hammer or hang."""
        url = server.plays(answer(503, "3600"))
        with pytest.raises(Exception, match="503"):
            ask(client, "decorator", url, on=web.transient, wait=0)
        assert server.asked == 1

    def test_one_that_does_not_fit_the_timeout(self, server, client):
        """The policy gives up at once, without sleeping."""
        url = server.plays(answer(503, "60"))
        with pytest.raises(Exception, match="503") as caught:
            ask(client, "decorator", url, Policy(on=web.transient, timeout=20), timeout=PATIENCE)
        assert given_up(caught.value).reason == "timeout"


class TestMethods:
    """With `methods` given, a request known to use another is not retried."""

    SAFE = web.Transient(methods=("GET", "HEAD", "PUT"))

    def test_a_post_that_was_answered(self, server, client, form):
        """It may have been carried out: asked once."""
        url = server.plays(answer(503))
        with pytest.raises(Exception, match="503"):
            ask(client, form, url, method="POST", on=self.SAFE, wait=0)
        assert server.asked == 1

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    def test_what_may_be_sent_twice(self, server, client, method):
        """Retried."""
        url = server.plays(answer(503), "close")
        assert ask(client, "decorator", url, method=method, on=self.SAFE, wait=0) == "hello"
        assert server.asked == 3

    @pytest.mark.parametrize("client", METHOD_KNOWN_WITHOUT_ANSWER)
    def test_a_post_without_an_answer(self, server, client):
        """Not retried where the client's error still knows its method."""
        url = server.plays("reset")
        with pytest.raises(Exception):  # noqa: B017, PT011 - each client has its own
            ask(client, "decorator", url, method="POST", on=self.SAFE, wait=0)
        assert server.asked == 1


class TestBlocks:
    """Several requests under one deadline, over one session."""

    def test_each_request_is_retried(self, server, client):
        """The faults of one are not counted against the other."""
        url = server.plays("reset", answer(503), answer(200), "short", answer(503))
        if client in CLIENTS:
            with (
                CLIENTS[client](PATIENCE) as fetch,
                retrying(3, on=web.transient, wait=0, timeout=60) as call,
            ):
                pages = [call(fetch, url), call(fetch, url)]
        else:
            open_client, backend = ASYNC_CLIENTS[client]

            async def main():
                async with (
                    open_client(PATIENCE) as fetch,
                    retrying(3, on=web.transient, wait=0, timeout=60) as call,
                ):
                    return [await call(fetch, url), await call(fetch, url)]

            pages = anyio.run(main, backend=backend)
        assert pages == ["hello", "hello"]
        assert server.asked == 6

    @pytest.mark.parametrize("client", ["httpx asyncio", "aiohttp"])
    def test_many_at_once(self, server, client):
        """Thirty requests over one session, some of which fail: all have their page."""
        url = server.plays(*["reset", answer(503), "short"] * 4)
        open_client, _ = ASYNC_CLIENTS[client]
        policy = Policy(20, on=web.transient, wait=0.001, budget=RetryBudget())

        async def main():
            async with open_client(PATIENCE) as fetch:
                ask_again = retry(policy)(fetch)
                return await asyncio.gather(*(ask_again(url) for _ in range(30)))

        assert asyncio.run(main()) == ["hello"] * 30
        assert server.asked == 42
