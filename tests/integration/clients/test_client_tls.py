"""TLS under whole clients: a handshake that fails was never sent, and the user's settings apply."""

from __future__ import annotations

import http.server
import ssl
import threading
import urllib.error
import urllib.request

import httpx
import pytest
import requests
import trustme

from retrying_elegant import Policy, clients, web

QUICK = Policy(4, on=web.transient, wait=0)


class Answers(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        type(self).count += 1
        self.send_response(503 if self.count % 2 else 200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"done")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture(scope="module")
def secure(authority):
    """A URL with a certificate of *authority*, which fails every other time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


class TestTls:
    """Over TLS as without it."""

    def test_urllib_with_a_context(self, secure, authority):
        """The handler passes requests on to the user's own HTTPSHandler."""
        context = ssl.create_default_context()
        authority.configure_trust(context)
        https = urllib.request.HTTPSHandler(context=context)
        for handlers in ((https, clients.urllib(QUICK)), (clients.urllib(QUICK), https)):
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), *handlers)
            with opener.open(secure, timeout=5) as response:
                assert response.read() == b"done"

    def test_requests(self, secure, authority, tmp_path):
        """`verify` applies, and a body is read within bounds."""
        path = tmp_path / "authority.pem"
        authority.cert_pem.write_to_path(path)
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", clients.requests(QUICK))
            assert session.get(secure, verify=str(path), timeout=5).content == b"done"

    def test_httpx(self, secure, authority):
        """Likewise."""
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with clients.httpx(httpx.Client(verify=context, trust_env=False), QUICK) as client:
            assert client.get(secure).content == b"done"

    def test_a_certificate_that_fails(self, secure):
        """It will fail again: once."""
        counts = []
        policy = QUICK.replace(before_attempt=lambda attempt: counts.append(attempt.number))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), clients.urllib(policy)
        )
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            opener.open(secure, timeout=5)
        with (
            clients.httpx(httpx.Client(trust_env=False), policy) as client,
            pytest.raises(httpx.ConnectError),
        ):
            client.get(secure)
        assert counts == [1, 1]
