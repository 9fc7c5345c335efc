"""What the pages of the documentation are given: real parts that fail at first, by their names.

A block below ``<!-- given: url -->`` runs with the ``url`` that ``GIVEN["url"]`` has made, which is
a context manager.  ``Server`` plays the other side of all HTTP recipes.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
import tempfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

sys.path.append(str(Path(__file__).parents[1] / "unit"))

import database_servers
import documents
from fault_server import reset_on_close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from documents import Block

TOKEN = "a fresh token"


class Server(ThreadingHTTPServer):
    """
    An HTTP server on the loopback whose every path fails twice, and then is well.

    The first request of a path is answered with 503 and ``Retry-After: 1``, the second is cut off
    by a reset; what the following get, ``Handler`` says.

    Attributes:
        requests: How often each path was asked for.
        keys: The Idempotency-Key of each request that had one.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: Counter[str] = Counter()
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        """The base URL, with a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}/"

    def shutdown_request(self, request: Any) -> None:
        """Close it, without the polite shutdown before, or there would be no reset."""
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of a faulty server leave at any time."""


class Handler(BaseHTTPRequestHandler):
    """One request of a ``Server``."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        target = urlsplit(self.path)
        place = target.path.strip("/").partition("/")[0]
        self.server.requests[target.path] += 1
        if "Idempotency-Key" in self.headers:
            self.server.keys.append(self.headers["Idempotency-Key"])
        answers = {"session": self._session, "private": self._private, "missing": self._missing}
        if place in answers:
            return answers[place]()
        match self.server.requests[target.path]:
            case 1:
                return self._answer({"error": "busy"}, 503, ("Retry-After", "1"))
            case 2:
                return self._reset()
        if place == "jobs":
            return self._job(target.path)
        if place == "chat":
            return self._stream("data: " + word for word in ("Once", "upon", "a", "time"))
        return self._answer({"path": target.path, "body": body.decode()})

    do_POST = do_PUT = do_GET  # noqa: N815 - the names that the base class calls

    def _session(self) -> None:
        """A token."""
        self._answer({"token": TOKEN})

    def _private(self) -> None:
        """401 for all that have another token."""
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        self._answer({"secret": 42} if allowed else {}, 200 if allowed else 401)

    def _missing(self) -> None:
        self._answer({}, 404)

    def _job(self, path: str) -> None:
        """A job that is done when it has been asked for five times."""
        self._answer({"state": "running" if self.server.requests[path] < 5 else "done"})

    def _reset(self) -> None:
        reset_on_close(self.connection)
        self.close_connection = True

    def _stream(self, lines: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            self.wfile.write(b"%x\r\n%s\n\r\n" % (len(line) + 1, line.encode()))
        self.wfile.write(b"0\r\n\r\n")

    def _answer(self, content: object, status: int = 200, *headers: tuple[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        for name, value in (*fields, *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """A ``Server`` that listens."""
    with Server() as server:
        # Asked often whether it is over: the default of half a second is felt in every test.
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def url() -> Iterator[str]:
    """The base URL of a ``Server``."""
    with server() as listening:
        yield listening.url


@contextlib.contextmanager
def upload(status: int = 75) -> Iterator[list[str]]:
    """A command that exits with *status* twice, and then prints ``sent``."""
    with tempfile.TemporaryDirectory() as folder:
        lines = (
            "import pathlib, sys",
            "calls = pathlib.Path(sys.argv[1], 'calls')",
            "calls.write_text((calls.read_text() if calls.exists() else '') + 'x')",
            "print('sent') if len(calls.read_text()) > 2 else sys.exit(int(sys.argv[2]))",
        )
        program = Path(folder, "upload.py")
        program.write_text("\n".join(lines))
        yield [sys.executable, str(program), folder, str(status)]


@contextlib.contextmanager
def shop_tasks() -> Iterator[Any]:
    """The module that docs/at-scale.md shows, where processes can import it."""
    page = documents.ROOT / "docs" / "at-scale.md"
    (source,) = (
        block.code for block in documents.blocks(page) if block.code.startswith("# shop_tasks.py\n")
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop_tasks.py").write_text(source, encoding="utf-8")
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        try:
            yield importlib.import_module("shop_tasks")
        finally:
            sys.path.remove(folder)
            sys.modules.pop("shop_tasks", None)


@contextlib.contextmanager
def postgresql() -> Iterator[Any]:
    """A PostgreSQL server with two accounts, and no payments."""
    import psycopg

    with database_servers.PostgreSQL() as server:
        with psycopg.connect(server.address) as connection:
            connection.execute("CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)")
            connection.execute("INSERT INTO account VALUES (1, 100), (2, 0)")
            connection.execute(
                "CREATE TABLE payment (operation uuid PRIMARY KEY, account int, amount int)"
            )
        yield server


@contextlib.contextmanager
def dsn() -> Iterator[str]:
    """The address of such a server."""
    with postgresql() as server:
        yield server.dsn


@contextlib.contextmanager
def django_database(server: Any) -> Iterator[str]:
    """Django's default database, at *server*."""
    sys.path.append(str(Path(__file__).parent / "frameworks"))
    from django_project import database

    at = {"HOST": "127.0.0.1", "PORT": str(server.port), "USER": "tester", "NAME": "postgres"}
    with database("default", ENGINE="django.db.backends.postgresql", **at) as alias:
        yield alias


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The same with a server of its own."""
    with postgresql() as server, django_database(server) as alias:
        yield alias


@contextlib.contextmanager
def redis_port() -> Iterator[int]:
    """Where a Redis server listens."""
    with database_servers.Redis() as server:
        yield server.port


@contextlib.contextmanager
def amqp_url() -> Iterator[str]:
    """The address of a RabbitMQ broker."""
    with database_servers.RabbitMQ() as server:
        yield server.url


GIVEN: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "url": url,
    "upload": upload,
    "shop_tasks": shop_tasks,
    "dsn": dsn,
    "database": database,
    "redis_port": redis_port,
    "amqp_url": amqp_url,
}


@contextlib.contextmanager
def given(blocks: list[Block]) -> Iterator[dict[str, object]]:
    """All that *blocks* ask for, by name."""
    names = {name for block in blocks for name in block.given}
    with contextlib.ExitStack() as stack:
        namespace = {name: stack.enter_context(GIVEN[name]()) for name in sorted(names)}
        try:
            yield namespace
        finally:
            for thing in namespace.values():
                if hasattr(thing, "dispose"):  # an engine that the page has made
                    thing.dispose()
