"""Section 16 of the contract where another handler of urllib raises for the status itself."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request

import pytest
from client_server import reply

from retrying_elegant import Policy, clients, given_up, web

QUICK = Policy(4, on=web.transient, wait=0)


class RaiseForStatus(urllib.request.HTTPHandler):
    """As those do that users write to have no response without a status of 200."""

    def http_open(self, request):
        response = super().http_open(request)
        if response.status == 200:
            return response
        raise urllib.error.HTTPError(
            request.full_url, response.status, "", response.headers, response
        )


class Stop(threading.Event):
    """Set as soon as a wait begins."""

    def wait(self, timeout=None):
        self.set()
        return True


@pytest.fixture
def fetch(server):
    def fetch(*steps, policy=QUICK, timeout=5):
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), RaiseForStatus(), clients.urllib(policy)
        )
        return opener.open(server.play(*steps), timeout=timeout)

    return fetch


class TestRaisedForTheStatus:
    """An attempt that failed, with a response to be closed, and to be returned after all."""

    def test_retried(self, fetch, server):
        """Until it succeeds; the connections are closed."""
        with fetch(reply(503, b"x" * 100_000), reply(503), reply(200, b"done")) as response:
            assert response.read() == b"done"
        assert len(server.requests) == 3
        assert server.settles(0)

    def test_the_last_one(self, fetch):
        """It is the user's to read."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(reply(503, b"why"))
        with caught.value as error:
            assert (error.read(), given_up(error).attempts) == (b"why", 4)

    @pytest.mark.parametrize("size", [3, 1 << 20])
    def test_stop(self, fetch, server, size):
        """In the wait: what had been read before is still there."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(reply(503, b"x" * size), policy=QUICK.replace(wait=5, stop=Stop()))
        assert server.settles(0)
        with caught.value as error:
            assert error.read() == b"x" * size
            assert (error.code, given_up(error).reason) == (503, "stopped")
        assert len(server.requests) == 1

    @pytest.mark.parametrize(
        "step",
        [reply(503, b"x" * (3 << 19)), reply(503, b"x" * 1000, half="close")],
        ids=["long", "cut"],
    )
    def test_what_was_not_read_whole(self, fetch, step):
        """Reading it says so."""
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(step, policy=QUICK.replace(wait=5, stop=Stop()))
        with caught.value as error, pytest.raises(Exception) as cut:  # noqa: PT011
            error.read()
        assert web.transient(cut.value)

    def test_the_clients_own_timeout_applies(self, fetch):
        """Reading it is not part of the attempt, whose timeout was cut."""

        def step(connection, request):
            connection.socket.sendall(b"HTTP/1.1 503 Slow\r\nContent-Length: 10\r\n\r\nxxxxx")
            connection.over.wait(0.4)
            connection.socket.sendall(b"xxxxx")
            return False

        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(step, policy=QUICK.replace(attempts=1, attempt_timeout=0.25))
        with caught.value as error:
            assert error.read() == b"x" * 10
