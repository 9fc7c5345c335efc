"""Section 9 of the contract, over the wire: niquests, sync and async.

It needs an environment of its own: it brings urllib3-future, which takes the place of urllib3 for
every other client.  The extra is ``niquests``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import niquests
import pytest

sys.path.append(str(Path(__file__).parents[1] / "integration"))

from answering import answering
from fault_server import FaultServer, untrusted_tls

from retrying_elegant import TryAgain, web

PATIENCE = 0.3
STATUSES = (408, 425, 429, 500, 502, 503, 504)


def ask(url, method="GET"):
    with niquests.Session() as session:
        session.trust_env = False
        response = session.request(method, url, timeout=PATIENCE)
        response.raise_for_status()


def ask_async(url, method="GET"):
    async def run():
        async with niquests.AsyncSession() as session:
            session.trust_env = False
            response = await session.request(method, url, timeout=PATIENCE)
            response.raise_for_status()

    asyncio.run(run())


both = pytest.mark.parametrize("ask", [ask, ask_async])


def failure(ask, *args):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which class it is, is the client's
        ask(*args)
    return caught.value


@pytest.fixture(scope="module")
def faults():
    with FaultServer(untrusted_tls()) as faults:
        yield faults


@pytest.fixture
def server():
    with answering() as server:
        yield server


@both
class TestConnections:
    """As of requests: by what is inside, and only what was certainly never sent is unsent."""

    @pytest.mark.parametrize(
        ("fault", "transient", "unsent"),
        [
            ("refuse", True, True),
            ("reset", True, False),
            ("close", True, False),
            ("cut", True, False),
            ("short", True, False),
            ("short-chunked", True, False),
            ("hang", True, False),
            ("stall", True, False),
            ("garbage", False, False),
            ("tls-untrusted", False, True),
            ("tls-closed", True, False),
            ("tls-missing", False, False),
        ],
    )
    def test_fault(self, faults, ask, fault, transient, unsent):
        """The server fails as asked."""
        error = failure(ask, faults.url(fault), "POST")
        assert web.transient(error) is transient, chain(error)
        assert web.unsent(error) is unsent, chain(error)

    @pytest.mark.parametrize("fault", ["refuse", "close", "hang"])
    def test_method(self, faults, ask, fault):
        """Known, as long as it was not the body that failed."""
        assert web.Transient(methods=["GET"])(failure(ask, faults.url(fault), "POST")) is False

    def test_unroutable(self, ask):
        """TCP cannot reach a multicast address."""
        error = failure(ask, "http://224.0.0.1:9/")
        assert web.transient(error) is True, chain(error)
        assert web.unsent(error) is True, chain(error)

    def test_unknown_host(self, ask):
        """Permanent, and unsent."""
        error = failure(ask, "http://no-such-host.invalid/")
        assert web.transient(error) is False, chain(error)
        assert web.unsent(error) is True, chain(error)


@both
class TestStatuses:
    """By status, with the hint of the response."""

    @pytest.mark.parametrize("status", [*STATUSES, 400, 404, 409])
    def test_status(self, server, ask, status):
        """The seven, and no other."""
        server.give(status)
        error = failure(ask, server.url)
        assert isinstance(error, niquests.HTTPError)
        assert web.transient(error) is (status in STATUSES)
        assert web.unsent(error) is False

    def test_hint(self, server, ask):
        """In seconds, or milliseconds."""
        server.give(503, {"Retry-After": "7"})
        verdict = web.transient(failure(ask, server.url))
        assert isinstance(verdict, TryAgain)
        assert verdict.after == 7.0
        server.give(503, {"Retry-After": "7", "Retry-After-Ms": "250"})
        assert web.transient(failure(ask, server.url)).after == 0.25


def chain(error):
    """What is inside, for the message of a test that fails."""
    found = []
    while isinstance(error, BaseException) and len(found) < 9:
        found.append(f"{type(error).__module__}.{type(error).__name__}: {error}")
        inner = (getattr(error, "reason", None), *error.args, error.__cause__)
        error = next((it for it in inner if isinstance(it, BaseException)), None)
    return "\n".join(found)
