"""A server of numbered events, as a process that can be killed.

    python tests/integration/long_lived/feed_server.py (events | socket) PORT MODE

``events`` serves them as an event stream over HTTP, ``socket`` as messages of a WebSocket.  MODE is
``well``, or when it closes each connection: ``hang-up``, at once, or ``hang-up-later``, politely,
after its headers or the opening handshake.  A client gets the events after the one that it names.
Prints "listening", and then a line for each connection.
"""

from __future__ import annotations

import itertools
import json
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE = 0.01  # seconds between two events

kind, port, mode = sys.argv[1:]
address = ("127.0.0.1", int(port))


def events(last: str) -> Iterator[str]:
    """The events after *last*, as JSON: endless, or none."""
    if mode == "well":
        for number in itertools.count(int(last) + 1):
            yield json.dumps({"id": number})
            time.sleep(PAUSE)


class Handler(BaseHTTPRequestHandler):
    """One connection of an event stream."""

    def do_GET(self) -> None:
        print("connection", flush=True)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for event in events(self.headers["Last-Event-ID"]):
            self.wfile.write(f": a comment\n\ndata: {event}\n\n".encode())

    def log_message(self, *_: object) -> None:
        """Nothing reads it."""


def hang_up() -> None:
    """Accept connections, and close them."""
    with socket.create_server(address) as listener:
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            print("connection", flush=True)
            connection.close()


def serve_events() -> None:
    server = ThreadingHTTPServer(address, Handler)
    print("listening", flush=True)
    server.serve_forever()


def serve_socket() -> None:
    from websockets.sync.server import ServerConnection, serve

    def talk(connection: ServerConnection) -> None:
        print("connection", flush=True)
        assert connection.request is not None
        (last,) = parse_qs(urlsplit(connection.request.path).query)["after"]
        for event in events(last):
            connection.send(event)

    with serve(talk, *address) as server:
        print("listening", flush=True)
        server.serve_forever()


if mode == "hang-up":
    hang_up()
else:
    {"events": serve_events, "socket": serve_socket}[kind]()
