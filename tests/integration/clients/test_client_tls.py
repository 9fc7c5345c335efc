"""TLS under whole clients: as without it, and the user's settings apply."""

from __future__ import annotations

import gc
import urllib.request

import pytest
from client_server import RESET, reply

from retrying_elegant import Policy, clients, web

QUICK = Policy(4, on=web.transient, wait=0)


class TestTls:
    """A request is retried like any other."""

    def test_retried(self, way, secure, trust):
        """After a failed response, and on another connection."""
        url = secure.play(reply(503, b"x" * 50_000), RESET, reply(200, b"done"))
        with way.session(QUICK, pool=1, trust=trust) as session:
            assert session.fetch("PUT", url, b"data").body == b"done"
        assert secure.bodies == [b"data"] * 3
        gc.collect()  # a pool of urllib3 closes what it holds when it is collected
        assert secure.settles(0)

    def test_a_certificate_that_fails(self, way, secure):
        """It will fail again: once."""
        attempts = []
        policy = QUICK.replace(before_attempt=attempts.append)
        with way.session(policy) as session, pytest.raises(Exception, match="VERIFY_FAILED"):
            session.fetch("GET", secure.play(reply(200)))
        assert len(attempts) == 1
        assert secure.requests == []

    def test_urllib_with_a_context(self, secure, trust):
        """The handler passes requests on to the user's own HTTPSHandler, before or after it."""
        https = urllib.request.HTTPSHandler(context=trust.context)
        for handlers in ((https, clients.urllib(QUICK)), (clients.urllib(QUICK), https)):
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
            with opener.open(secure.play(reply(503), reply(200, b"done")), timeout=5) as response:
                assert response.read() == b"done"
