"""What the tests of whole clients have in common."""

from __future__ import annotations

import ssl

import pytest
import trustme
from client_carriers import Http2, Http2Tunnel, Plain, Tls, Tunnel
from client_server import ScriptedServer
from client_ways import WAYS, Trust
from http2_server import Http2Server


@pytest.fixture(scope="session")
def one_server():
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def server(one_server):
    yield one_server
    one_server.forget()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def secure(authority):
    """A server with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with ScriptedServer(context) as server:
        yield server


@pytest.fixture(scope="session")
def trust(authority, tmp_path_factory):
    """What a client must be given to accept its certificate."""
    path = tmp_path_factory.mktemp("trust") / "authority.pem"
    authority.cert_pem.write_to_path(path)
    return Trust(ssl.create_default_context(cafile=path), str(path))


@pytest.fixture(scope="session")
def tunnels():
    """A proxy."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="session")
def http2_server():
    with Http2Server() as server:
        yield server


@pytest.fixture(scope="session")
def secure_http2_server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2"])
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Http2Server(context) as server:
        yield server


@pytest.fixture
def carriers(server, secure, trust, tunnels, http2_server, secure_http2_server):
    """What may be between client and server."""
    return {
        "plain": Plain(server),
        "tls": Tls(secure, trust),
        "tunnel": Tunnel(secure, trust, tunnels),
        "http2": Http2(http2_server),
        "http2 in a tunnel": Http2Tunnel(secure_http2_server, trust, tunnels),
    }


@pytest.fixture(params=WAYS, ids=repr)
def way(request):
    """Each client in turn."""
    return request.param


@pytest.fixture(params=[way for way in WAYS if way.is_async], ids=repr)
def async_way(request):
    return request.param


@pytest.fixture(params=[way for way in WAYS if not way.is_async], ids=repr)
def sync_way(request):
    return request.param


@pytest.fixture(params=[way for way in WAYS if way.is_httpx], ids=repr)
def httpx_way(request):
    return request.param


@pytest.fixture(params=[way for way in WAYS if way.reads_bodies], ids=repr)
def reading_way(request):
    """Each client that reads whole responses by itself."""
    return request.param


@pytest.fixture
def log(caplog):
    """The lines of our own log so far."""
    caplog.set_level("DEBUG", "retrying_elegant")
    return lambda: [r.getMessage() for r in caplog.records if r.name.startswith("retrying_elegant")]
