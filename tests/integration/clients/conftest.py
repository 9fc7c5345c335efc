"""What the tests of whole clients have in common."""

from __future__ import annotations

import pytest
from client_server import ScriptedServer
from client_ways import WAYS


@pytest.fixture(scope="session")
def server():
    with ScriptedServer() as server:
        yield server


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
