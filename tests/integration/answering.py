"""A server on the loopback that gives one answer after the other to whatever it is asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class AnsweringServer(ThreadingHTTPServer):
    """
    The server; ``answers`` is what the next requests get, ``requests`` what has been asked.

    An answer is a status, headers and a body; the last one is repeated.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[str] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.give(200)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def give(self, status: int, headers: dict[str, str] | None = None, body: str = "{}") -> None:
        """From now on, this is the answer."""
        self.answers = []
        self.then(status, headers, body)

    def then(self, status: int, headers: dict[str, str] | None = None, body: str = "{}") -> None:
        """After the others, this is the answer."""
        self.answers.append((status, headers or {}, body.encode()))

    def handle_error(self, *_: Any) -> None:
        """Clients leave at any time."""


class _Handler(BaseHTTPRequestHandler):
    server: AnsweringServer

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.requests.append(self.requestline)
        answers = self.server.answers
        status, headers, body = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response_only(status)
        content = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in {**content, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PUT = do_GET  # noqa: N815 - the names are http.server's

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


@contextmanager
def answering() -> Iterator[AnsweringServer]:
    """A server that runs as long as the block."""
    with AnsweringServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
