"""The guide "Timeouts and deadlines": `attempt.timeout` ends an attempt in each of its clients.

The functions are those of the page, with shorter limits; the servers do not answer in time.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))

import database_servers
import documents
from fault_server import FaultServer

from retrying_elegant import deadline, given_up, testing

grpc = pytest.importorskip("grpc", reason="the package grpcio is not installed")
httpx = pytest.importorskip("httpx", reason="the package httpx is not installed")
psycopg = pytest.importorskip("psycopg", reason="the package psycopg[binary] is not installed")
requests = pytest.importorskip("requests", reason="the package requests is not installed")

PAGE = documents.ROOT / "docs" / "timeouts.md"
LIMIT = 0.2  # seconds
IN_TIME = 10  # seconds: of what would take a minute


@pytest.fixture(scope="module")
def page():
    """The names of the page after it has run; two attempts, each with little time."""
    names = {}
    with testing.instant():
        documents.run(PAGE, have=True, namespace=names)
    names["LIMITS"] = names["LIMITS"].replace(attempts=2, attempt_timeout=LIMIT, wait=0)
    return names


@pytest.fixture
def hanging():
    """The URL of a server that does not answer."""
    with FaultServer() as faults:
        yield faults.url("hang")


@pytest.fixture(scope="module")
def database():
    with database_servers.PostgreSQL() as server:
        yield server.dsn


class Greeter(grpc.GenericRpcHandler):
    """Answers when the call has ended, or at once where it is greeted."""

    def service(self, details):
        def say(request, context):
            if request != b"hello":
                ended = threading.Event()
                context.add_callback(ended.set)
                ended.wait(60)
            return b"hello to you"

        return grpc.unary_unary_rpc_method_handler(say)


@pytest.fixture(scope="module")
def target():
    with futures.ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((Greeter(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def ends(error, call, *args, attempts=2):
    """Assert that *call* raises *error* after so many attempts that were cut short."""
    start = time.monotonic()
    with pytest.raises(error) as caught:
        call(*args)
    assert attempts * LIMIT / 2 < time.monotonic() - start < IN_TIME
    assert given_up(caught.value).attempts == attempts
    return caught.value


class TestAttemptTimeout:
    """A server that hangs costs no more than the limit, at each attempt."""

    def test_requests(self, page, hanging):
        """Its timeout of a read."""
        ends(requests.exceptions.ReadTimeout, page["get"], hanging)

    def test_httpx(self, page, hanging):
        """Likewise."""
        ends(httpx.ReadTimeout, page["get_with_httpx"], hanging)

    def test_psycopg(self, page, database):
        """The server cancels the statement; what is in time has its result."""
        ends(psycopg.errors.QueryCanceled, page["execute"], database, "SELECT pg_sleep(60)")
        assert page["execute"](database, "SELECT 42") == [(42,)]

    def test_grpc(self, page, target):
        """The call ends on both sides."""
        error = ends(grpc.RpcError, page["say"], target, b"...")
        assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert page["say"](target, b"hello") == b"hello to you"


class TestBeneathADeadline:
    """It is cut to what is left of a deadline, and 0 if that has passed."""

    @pytest.fixture
    def over(self):
        """Inside a deadline that has passed."""
        with deadline(0.001):
            time.sleep(0.002)
            yield

    @pytest.fixture
    def long(self, page, monkeypatch):
        """Limits of a minute, which only a deadline can cut."""
        longer = page["LIMITS"].replace(attempt_timeout=60, timeout=None)
        monkeypatch.setitem(page, "LIMITS", longer)

    def test_what_is_left(self, page, long, hanging):
        """One attempt, for a retry would be too late."""
        with deadline(LIMIT):
            ends(requests.exceptions.ReadTimeout, page["get"], hanging, attempts=1)

    def test_nothing_for_requests(self, page, over, hanging):
        """The page passes a little, because 0 would be a ValueError."""
        with pytest.raises(requests.exceptions.ReadTimeout):
            page["get"](hanging)
        with pytest.raises(ValueError, match="timeout"):
            requests.get(hanging, timeout=0)

    def test_nothing_for_httpx(self, page, over, hanging):
        """The page passes a little, because 0 would look like a server that is not there."""
        with pytest.raises(httpx.ReadTimeout):
            page["get_with_httpx"](hanging)
        with pytest.raises(httpx.ConnectError):
            httpx.get(hanging, timeout=0)

    def test_nothing_for_psycopg(self, page, over, database):
        """The page passes a little, because 0 would be no limit."""
        with pytest.raises(psycopg.errors.QueryCanceled):
            page["execute"](database, "SELECT pg_sleep(60)")

    def test_nothing_for_grpc(self, page, over, target):
        """0 ends the call at once."""
        with pytest.raises(grpc.RpcError) as caught:
            page["say"](target, b"...")
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
