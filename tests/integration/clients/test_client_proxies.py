"""Section 16 of the contract over the wire: tunnels through a proxy, which can fail by itself."""

from __future__ import annotations

import gc

import pytest
from client_server import CLOSE, HANG, RESET, ScriptedServer, refused, reply, tunnel

from retrying_elegant import Policy, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)
FAULTS = {
    "502": reply(502),
    "503": reply(503, retry_after=0),
    "504": reply(504),
    "reset": RESET,
    "close": CLOSE,
    "before the handshake": reply(200, b"", close=True),
    "in the handshake": tunnel(100),
}


@pytest.fixture(scope="module")
def proxy():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def through(way, proxy, secure, trust):
    """Open a session whose requests go through the proxy, which plays these steps."""

    def session(*steps, policy=QUICK, **options):
        proxy.play(*steps, path=secure.address)
        return way.session(policy, proxy=proxy.base, trust=trust, **options)

    yield session
    gc.collect()  # a pool of urllib3 closes what it holds when it is collected
    assert proxy.settles(0)
    assert secure.settles(0)


class TestTunnels:
    """A request through a tunnel is retried like any other."""

    def test_one_that_holds(self, through, proxy, secure):
        """The server fails, and the proxy does not."""
        url = secure.play(reply(503, b"x" * 1000), RESET, reply(200, b"done"))
        with through(tunnel(), pool=1) as session:
            assert session.fetch("PUT", url, b"data").body == b"done"
        assert secure.bodies == [b"data"] * 3
        assert {request.method for request in proxy.requests} == {"CONNECT"}

    @pytest.mark.parametrize("fault", FAULTS)
    def test_one_that_is_not_made(self, way, through, proxy, secure, fault):
        """The proxy cannot reach the server, or breaks: another attempt may."""
        url = secure.play(reply(200, b"done"))
        # Where a handshake fails in a tunnel, httpx alone loses a place of its pool.
        pool = 10 if way.is_httpx and "handshake" in fault else 1
        with through(FAULTS[fault], FAULTS[fault], tunnel(), pool=pool) as session:
            assert session.fetch("GET", url).body == b"done"
        assert (len(proxy.requests), len(secure.requests)) == (3, 1)

    @pytest.mark.parametrize("status", [403, 407])
    def test_one_that_is_forbidden(self, through, proxy, secure, status):
        """Another attempt would not help: the client's own error, at once."""
        url = secure.play(reply(200))
        with through(reply(status)) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("GET", url)
        assert given_up(caught.value) is None
        assert str(status) in str(caught.value)
        assert (len(proxy.requests), len(secure.requests)) == (1, 0)

    def test_one_that_is_never_made(self, through, proxy, secure):
        """The client's own error, with note and record."""
        url = secure.play(reply(200))
        with through(reply(503)) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("GET", url)
        assert given_up(caught.value).attempts == len(proxy.requests) == 4
        assert secure.requests == []

    def test_one_that_never_answers(self, through, proxy, secure):
        """The client's timeout ends the attempt."""
        url = secure.play(reply(200, b"done"))
        # To aiohttp, only `total` and an `attempt_timeout` apply before the tunnel is made.
        policy = QUICK.replace(attempt_timeout=0.5)
        with through(HANG, tunnel(), policy=policy) as session:
            assert session.fetch("GET", url).body == b"done"
        assert len(proxy.requests) == 2

    def test_one_that_breaks(self, way, through, proxy, secure):
        """In the middle of the answer."""
        url = secure.play(reply(200, b"x" * 100_000), reply(200, b"done"))
        with through(tunnel(20_000), tunnel(), pool=1) as session:
            try:
                answer = session.fetch("GET", url)
            except Exception as error:
                assert not way.reads_bodies, error
            else:
                assert answer.body == b"done"


class TestSentTwice:
    """A POST is sent again only where it certainly was not sent."""

    @pytest.mark.parametrize("fault", FAULTS)
    def test_a_tunnel_that_is_not_made(self, through, proxy, secure, fault):
        """What a proxy says is no certainty; a handshake that failed is, where it is known."""
        url = secure.play(reply(200))
        with through(FAULTS[fault]) as session, pytest.raises(Exception) as caught:  # noqa: PT011
            session.fetch("POST", url, b"data")
        is_certain = web.unsent(caught.value)
        assert not is_certain or "handshake" in fault
        assert len(proxy.requests) == (4 if is_certain else 1)
        assert secure.requests == []

    def test_a_tunnel_that_breaks(self, through, proxy, secure):
        """The request may have been executed."""
        url = secure.play(RESET)
        with through(tunnel()) as session, pytest.raises(Exception):  # noqa: B017, PT011
            session.fetch("POST", url, b"data")
        assert (len(proxy.requests), len(secure.requests)) == (1, 1)

    def test_no_proxy(self, way, secure, trust):
        """Nothing listens: it was not sent."""
        attempts = []
        policy = QUICK.replace(before_attempt=attempts.append)
        url = secure.play(reply(200))
        with (
            way.session(policy, proxy=refused(), trust=trust) as session,
            pytest.raises(Exception) as caught,  # noqa: PT011
        ):
            session.fetch("POST", url, b"data")
        assert web.unsent(caught.value)
        assert len(attempts) == 4


class TestNames:
    """The name is that of the server, and the proxy's password appears nowhere."""

    def test_in_the_log(self, way, proxy, secure, trust, log):
        """Nor in notes and records."""
        url = secure.play(reply(200))
        proxy.play(reply(503), path=secure.address)
        address = f"http://user:tok-secret@{proxy.address}"
        policy = QUICK.replace(attempts=2)
        with (
            way.session(policy, proxy=address, trust=trust) as session,
            pytest.raises(Exception) as caught,  # noqa: PT011
        ):
            session.fetch("GET", url)
        assert proxy.requests[0].headers["proxy-authorization"].startswith("Basic ")
        text = "\n".join([*log(), *caught.value.__notes__, str(given_up(caught.value))])
        assert "GET 127.0.0.1 " in text
        assert "tok-" not in text
