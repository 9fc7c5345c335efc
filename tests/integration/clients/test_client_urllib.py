"""Section 16 of the contract where other handlers of urllib do part of the work."""

from __future__ import annotations

import io
import threading
import urllib.error
import urllib.request
from email.message import Message
from urllib.response import addinfourl

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


class TestAuthentication:
    """The opener sends the same request again: its body whole, or not at all."""

    @pytest.fixture(
        params=[urllib.request.HTTPBasicAuthHandler, urllib.request.HTTPDigestAuthHandler]
    )
    def put(self, request, server):
        kind = request.param
        name = "Basic" if "Basic" in kind.__name__ else "Digest"

        def step(connection, received):
            if "authorization" in received.headers:
                return reply(200)(connection, received)
            headers = {"WWW-Authenticate": f'{name} realm="x", nonce="1"'}
            return reply(401, b"", headers)(connection, received)

        def put(body):
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, server.base, "me", "secret")
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), kind(passwords), clients.urllib(QUICK)
            )
            headers = {"Content-Type": "text/plain"}
            request = urllib.request.Request(server.play(step), body, headers, method="PUT")
            with opener.open(request, timeout=5) as response:
                return response.status

        return put

    def test_a_file(self, put, server):
        """From where it was, not from where it was left: urllib alone sends nothing."""
        file = io.BytesIO(b"skip this")
        file.seek(5)
        assert put(file) == 200
        assert server.bodies == [b"this", b"this"]

    def test_a_redirect_with_a_body(self, server):
        """Which only a handler of the user's follows."""

        class Redirect(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, request, response, code, text, headers, url):
                method, headers = request.get_method(), request.headers
                return urllib.request.Request(url, request.data, headers, method=method)

        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), Redirect(), clients.urllib(QUICK)
        )
        server.play(reply(200), path="/end")
        url = server.play(reply(307, headers={"Location": "/end"}))
        headers = {"Content-Type": "text/plain"}
        request = urllib.request.Request(url, io.BytesIO(b"this"), headers, method="PUT")
        opener.open(request, timeout=5).close()
        assert server.bodies == [b"this", b"this"]

    def test_what_can_be_read_only_once(self, put, server):
        """An error, instead of an empty body and a status of 200."""
        words = "the request was not sent again: its body cannot be read again$"
        with pytest.raises(ValueError, match=words):
            put(iter([b"once"]))
        assert server.bodies == [b"once"]

    def test_another_one(self, server):
        """The same request with a new body is sent."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), clients.urllib(QUICK))
        request = urllib.request.Request(
            server.play(reply(200)), iter([b"one"]), {"Content-Type": "text/plain"}, method="PUT"
        )
        opener.open(request, timeout=5).close()
        request.data = iter([b"two"])
        opener.open(request, timeout=5).close()
        assert server.bodies == [b"one", b"two"]


class Simple(urllib.request.HTTPHandler):
    """As in tests of users: what urllib needs of a response, and no more."""

    def __init__(self, *codes):
        super().__init__()
        self.codes = [*codes]

    def http_open(self, request):
        response = addinfourl(io.BytesIO(b"why"), Message(), request.full_url)
        response.code, response.msg = self.codes.pop(0), "So"
        return response


class TestOtherResponses:
    """Those of handlers that do not use http.client, and those that are not raised."""

    def test_retried(self):
        """Until it succeeds."""
        opener = urllib.request.build_opener(Simple(503, 200), clients.urllib(QUICK))
        with opener.open("http://host/") as response:
            assert response.code == 200

    @pytest.mark.parametrize("code", [404, 503])
    def test_raised(self, code):
        """The user's, also if it was closed before."""
        policy = QUICK.replace(wait=5, stop=Stop())
        opener = urllib.request.build_opener(Simple(code), clients.urllib(policy))
        with pytest.raises(urllib.error.HTTPError) as caught:
            opener.open("http://host/")
        with caught.value as error:
            assert (error.code, error.reason, error.read()) == (code, "So", b"why")

    def test_not_raised(self, server):
        """All that a response of http.client has, also if it was closed before."""

        class Quiet(urllib.request.HTTPErrorProcessor):
            def http_response(self, request, response):
                return response

        policy = QUICK.replace(wait=5, stop=Stop())
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), Quiet(), clients.urllib(policy)
        )
        with opener.open(server.play(reply(503, b"why", {"X": "y"})), timeout=5) as response:
            assert (response.status, response.reason, response.version) == (
                503,
                "Service Unavailable",
                11,
            )
            assert (response.getheader("x"), dict(response.getheaders())["X"]) == ("y", "y")
            assert response.read() == b"why"


class TestTwoOpeners:
    """One handler may serve several."""

    def test_each_with_its_own_handlers(self):
        """Those that were given to it, whichever opener was made last."""

        class Named(urllib.request.HTTPHandler):
            def __init__(self, name):
                super().__init__()
                self.names = [name, name]

            def http_open(self, request):
                name = self.names.pop()
                response = addinfourl(io.BytesIO(name), Message(), request.full_url)
                response.code, response.msg = (200 if not self.names else 503), "So"
                return response

        shared = clients.urllib(QUICK)
        openers = [urllib.request.build_opener(Named(name), shared) for name in (b"one", b"two")]
        for opener, name in zip(openers, (b"one", b"two"), strict=True):
            with opener.open("http://host/") as response:
                assert response.read() == name
        with pytest.raises(ValueError, match="expected one handler"):
            openers[1].add_handler(clients.urllib(QUICK))
