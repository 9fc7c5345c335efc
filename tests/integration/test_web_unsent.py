"""Section 9 of the contract, over the wire: which requests were never sent, for every client.

Whether a request arrived is what the server says; nothing here makes an error itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import aiohttp
import httpx
import httpx2
import pytest
import requests
import trustme
import urllib3
from fault_server import FaultServer, answer, read_request, reset_on_close, untrusted_tls
from web_clients import CLIENTS, PATIENCE, clients, failure

from retrying_elegant import web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Their TLS errors may come from the middle of a connection as well as from its beginning.
ONE_CLASS_FOR_ALL_OF_TLS = {
    "urllib",
    "http.client",
    "requests",
    "urllib3",
    "urllib3 without retries",
}


@pytest.fixture(scope="module")
def faults() -> Iterator[FaultServer]:
    with FaultServer(untrusted_tls()) as faults:
        yield faults


class TestNoConnection:
    """True: refused, unroutable, unknown host, connect timeout."""

    @clients()
    def test_refused(self, faults, client):
        """Nobody listens."""
        assert web.unsent(failure(client, faults.url("refuse"), method="POST")) is True

    @clients()
    def test_unroutable(self, client):
        """TCP cannot reach a multicast address: the system says so without sending anything."""
        error = failure(client, "http://224.0.0.1:9/", method="POST")
        assert web.unsent(error) is True, repr(error)

    @clients()
    def test_unknown_host(self, client):
        """`.invalid` is unknown everywhere (RFC 2606)."""
        assert web.unsent(failure(client, "http://no-such-host.invalid/", method="POST")) is True

    @clients()
    def test_connect_timeout(self, client):
        """The queue of the server is full, so that the system does not answer."""
        with full_queue() as url:
            error = failure(client, url, method="POST")
            assert web.unsent(error) is True, repr(error)
            assert web.transient(error) is True


class TestPoolTimeout:
    """True: no place in the pool was free in time."""

    @pytest.mark.parametrize("package", [httpx, httpx2])
    def test_of_httpx(self, faults, package):
        """Sync and async."""
        options = {"timeout": PATIENCE, "limits": package.Limits(max_connections=1)}
        url = faults.url("stall")
        with package.Client(**options) as client, client.stream("GET", url):
            self.check(lambda: client.post(url))

        async def post():
            async with package.AsyncClient(**options) as client, client.stream("GET", url):
                await client.post(url)

        self.check(lambda: asyncio.run(post()))

    def test_of_urllib3(self, faults):
        """A pool that blocks."""
        with urllib3.PoolManager(maxsize=1, block=True) as pool:
            options = {"retries": False, "pool_timeout": PATIENCE, "timeout": PATIENCE}
            first = pool.request("GET", faults.url("stall"), preload_content=False, **options)
            self.check(lambda: pool.request("POST", faults.url("stall"), **options))
            first.close()

    def test_of_aiohttp(self, faults):
        """A connector with a limit."""

        async def post():
            timeout = aiohttp.ClientTimeout(connect=PATIENCE)
            connector = aiohttp.TCPConnector(limit=1)
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.get(faults.url("stall")),
                session.post(faults.url("stall")),
            ):
                pass

        self.check(lambda: asyncio.run(post()))

    def check(self, fail: Callable[[], object]) -> None:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the class is the client's
            fail()
        assert web.unsent(caught.value) is True
        assert web.transient(caught.value) is True


class TestHandshake:
    """True: the TLS handshake failed, where the error can come from a handshake alone."""

    @clients()
    def test_certificate(self, faults, client):
        """Not one that the client trusts."""
        assert web.unsent(failure(client, faults.url("tls-untrusted"), method="POST")) is True

    @clients()
    @pytest.mark.parametrize("fault", ["tls-closed", "tls-missing"])
    def test_an_error_that_may_come_later(self, faults, client, fault):
        """A connection that is closed, or is not TLS at all, can be so in the middle too."""
        error = failure(client, faults.url(fault), method="POST")
        assert web.unsent(error) is (client not in ONE_CLASS_FOR_ALL_OF_TLS), repr(error)

    @clients()
    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
    def test_no_common_version(self, tls, client):
        """A server that speaks only what is too old."""
        tls.context.minimum_version = ssl.TLSVersion.TLSv1
        tls.context.maximum_version = ssl.TLSVersion.TLSv1_1
        error = tls.failure(client, "answer")
        assert web.unsent(error) is True, repr(error)
        assert tls.requests == []

    @clients()
    def test_no_common_cipher(self, tls, client):
        """A server that has only what no client offers."""
        tls.context.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.context.set_ciphers("AES128-SHA")
        error = tls.failure(client, "answer")
        assert web.unsent(error) is True, repr(error)
        assert tls.requests == []


class TestSent:
    """False: the request arrived, whatever became of the connection then."""

    @clients()
    @pytest.mark.parametrize(
        "fault", ["reset", "close", "cut", "short", "short-chunked", "hang", "stall", "garbage"]
    )
    def test_fault(self, faults, client, fault):
        """The server has read the request."""
        before = faults.requests[fault]
        error = failure(client, faults.url(fault), method="POST")
        assert web.unsent(error) is False, repr(error)
        assert faults.requests[fault] > before

    @clients(but={"http.client", "urllib3 without retries"})
    @pytest.mark.parametrize("status", [408, 425, 429, 503, 404])
    def test_status(self, faults, client, status):
        """The server has answered."""
        assert web.unsent(failure(client, faults.status(status), method="POST")) is False

    @clients()
    def test_tunnel(self, faults, client):
        """A proxy that could not connect says what it likes; that is no certainty."""
        error = failure(client, "https://502.invalid/", proxy=faults.url("status"))
        assert web.unsent(error) is False

    @clients()
    @pytest.mark.parametrize("fault", ["close", "reset", "garbled", "cut"])
    @pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
    def test_tls_that_fails_in_the_middle(self, tls, client, fault, version):
        """The request went through it before."""
        tls.context.minimum_version = tls.context.maximum_version = ssl.TLSVersion[version]
        error = tls.failure(client, fault)
        assert web.unsent(error) is False, repr(error)
        assert tls.requests == ["POST / HTTP/1.1"]

    @clients()
    def test_a_certificate_of_the_client_that_is_missing(self, tls, client):
        """Under TLS 1.3 the server rejects it when the request may be on its way."""
        tls.context.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.context.verify_mode = ssl.CERT_REQUIRED
        tls.authority.configure_trust(tls.context)
        error = tls.failure(client, "answer")
        assert web.unsent(error) is False, repr(error)


class TestHealthy:
    """A server that could not be reached by anyone would make every test above pass."""

    @clients()
    def test_a_request_arrives(self, tls, client):
        """With the same TLS."""
        CLIENTS[client](tls.url("answer"), method="POST", ca=tls.ca)
        assert tls.requests == ["POST / HTTP/1.1"]


class TestRetriesOfTheClient:
    """It speaks of the request that failed, not of those that the client has made before."""

    def test_of_requests(self, faults):
        """Turned off, as they are by default, there are none."""
        with requests.Session() as session:
            with pytest.raises(requests.ConnectionError) as caught:
                session.post(faults.url("refuse"))
            assert web.unsent(caught.value) is True
            before = faults.requests["close"]
            with pytest.raises(requests.ConnectionError) as caught:
                session.post(faults.url("close"))
            assert web.unsent(caught.value) is False
            assert faults.requests["close"] == before + 1


@contextlib.contextmanager
def full_queue() -> Iterator[str]:
    """A server that accepts no connection, and whose queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


class TlsServer:
    """A server that clients trust, and that fails as asked once it has read the request."""

    def __init__(self, folder) -> None:
        self.authority = trustme.CA()
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.context)
        self.context.set_ciphers("DEFAULT:@SECLEVEL=0")  # or TLS 1.1 does not get far enough
        self.requests: list[str] = []
        self._threads: list[threading.Thread] = []
        self._listeners: list[socket.socket] = []

    def failure(self, client: str, fault: str) -> BaseException:
        """The error of *client*, which has met *fault*."""
        return failure(client, self.url(fault), method="POST", ca=self.ca)

    def url(self, fault: str) -> str:
        """A URL for any number of connections that all meet *fault*."""
        listener = socket.create_server(("127.0.0.1", 0))
        self._listeners.append(listener)
        thread = threading.Thread(target=self._accept, args=(listener, fault))
        self._threads.append(thread)
        thread.start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}/"

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self, listener: socket.socket, fault: str) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(5)
                self._serve(connection, fault)

    def _serve(self, connection: socket.socket, fault: str) -> None:
        below = socket.socket(fileno=os.dup(connection.fileno()))
        with below, self.context.wrap_socket(connection, server_side=True) as secure:
            self.requests.append(read_request(secure))
            if fault == "answer":
                secure.sendall(answer(200))
            elif fault == "cut":
                secure.sendall(answer(200, length=100_000))
                reset_on_close(below)
            elif fault == "garbled":
                below.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                below.recv(1)  # until the client has seen it
            elif fault == "reset":
                reset_on_close(below)


@pytest.fixture
def tls(tmp_path) -> Iterator[TlsServer]:
    server = TlsServer(tmp_path)
    yield server
    server.close()
