"""A server on the loopback that speaks HTTP/2, plays a script, and remembers what it was sent.

There is one script at a time, with one step for each request, of which the last repeats.  A step
is called when the request has arrived, or, if it is ``early``, when its headers have::

    with Http2Server() as server:
        url = server.play(reset(ErrorCodes.REFUSED_STREAM), answer(200, b"done"))
        client.put(url, content=b"body")
        [request.body for request in server.requests]

Without TLS, clients have to know beforehand what the server speaks.
"""

from __future__ import annotations

import itertools
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from client_server import PATIENCE, Received, reset_on_close
from h2.errors import ErrorCodes

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Self


class Http2Connection:
    """One connection: its streams, and what has arrived on each."""

    def __init__(self, server: Http2Server, client: socket.socket, number: int) -> None:
        self.server = server
        self.socket = client
        self.number = number
        self.is_over = False
        self.frames = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.streams: dict[int, tuple[Received, Any]] = {}
        self.waiting: dict[int, bytes] = {}  # what the client's window leaves no room for

    def run(self) -> None:
        self.frames.initiate_connection()
        self.send()
        self.socket.settimeout(0.02)
        while not self.is_over and not self.server.over.is_set():
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return
            for event in self.frames.receive_data(data):
                if not self.is_over:
                    self.handle(event)
            if not self.is_over:
                self.send()

    def send(self) -> None:
        for stream, data in [*self.waiting.items()]:
            del self.waiting[stream]
            self.send_body(stream, data)
        self.socket.settimeout(PATIENCE)
        self.socket.sendall(self.frames.data_to_send())
        self.socket.settimeout(0.02)

    def send_body(self, stream: int, data: bytes) -> None:
        while data:
            room = self.frames.local_flow_control_window(stream)
            size = min(room, self.frames.max_outbound_frame_size, len(data))
            if not size:
                self.waiting[stream] = data
                return
            self.frames.send_data(stream, data[:size])
            data = data[size:]
        self.frames.end_stream(stream)

    def handle(self, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            headers = {name.decode(): value.decode() for name, value in event.headers}
            request = Received(headers[":method"], headers[":path"], headers)
            request.connection = self.number
            step = self.server.next_step(request)
            self.streams[event.stream_id] = (request, step)
            if getattr(step, "is_early", False):
                step(self, event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            request, _ = self.streams[event.stream_id]
            request.body += event.data
            with suppress(h2.exceptions.StreamClosedError):  # it was answered early
                self.frames.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            request, step = self.streams[event.stream_id]
            request.is_whole = True
            if not getattr(step, "is_early", False):
                step(self, event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.waiting.pop(event.stream_id, None)


class Http2Server:
    """
    The server: a context manager that listens as long as its block runs.

    Args:
        tls: What it encrypts with, having agreed on HTTP/2; None: nothing.

    Attributes:
        requests: What has arrived, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self._tls = tls
        self.over = threading.Event()
        self._steps: list[Any] = []
        self._path = ""
        self._paths = itertools.count(1)
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._open: set[int] = set()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def play(self, *steps: Any) -> str:
        """Give a URL that plays *steps*, and forget the requests so far."""
        with self._lock:
            self._steps = [*steps]
            self._path = f"/script-{next(self._paths)}"
            self.requests.clear()
        return f"http{'s' if self._tls else ''}://{self.address}{self._path}"

    def next_step(self, request: Received) -> Any:
        with self._lock:
            if request.target != self._path:
                return LEAVE  # of a script that is over
            self.requests.append(request)
            return self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]

    def settles(self, count: int) -> bool:
        """Wait until at most *count* connections are open: the server does not see it at once."""
        for _ in range(200):
            if self.open_connections <= count:
                return True
            self.over.wait(0.01)
        return False

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client, next(self._numbers))

    def _serve(self, client: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(number)
        try:
            with client, suppress(OSError, h2.exceptions.ProtocolError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    client.settimeout(PATIENCE)
                    client = self._tls.wrap_socket(client, server_side=True)
                with client:
                    Http2Connection(self, client, number).run()
        finally:
            with self._lock:
                self._open.discard(number)


def early(step: Any) -> Any:
    """Have *step* answer when the headers have arrived, without reading the body."""
    step.is_early = True
    return step


def answer(status: int = 200, body: bytes = b"ok", *, half: bool = False) -> Any:
    """Answer with *status* and *body*, or with *half* of it and a reset stream."""

    def step(connection: Http2Connection, stream: int) -> None:
        head = [(":status", str(status)), ("content-length", str(len(body)))]
        is_bare = connection.streams[stream][0].method == "HEAD"
        connection.frames.send_headers(stream, head, end_stream=is_bare)
        if is_bare:
            return
        if half:
            connection.frames.send_data(stream, body[: len(body) // 2])
            connection.frames.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
            return
        connection.send_body(stream, body)

    return step


def reset(code: ErrorCodes) -> Any:
    """Answer with RST_STREAM."""

    def step(connection: Http2Connection, stream: int) -> None:
        connection.frames.reset_stream(stream, code)

    return step


def leave(connection: Http2Connection) -> None:
    """End *connection*, when the client has had the time to read what was sent."""
    connection.is_over = True
    connection.socket.shutdown(socket.SHUT_WR)
    connection.socket.settimeout(1)
    with suppress(OSError):  # closing with unread data would reset
        while connection.socket.recv(1 << 16):
            pass


def go_away(last: Callable[[int], int], code: ErrorCodes = ErrorCodes.NO_ERROR) -> Any:
    """Answer with GOAWAY, which names the last stream that was processed, and leave."""

    def step(connection: Http2Connection, stream: int) -> None:
        connection.frames.close_connection(code, last_stream_id=last(stream))
        connection.send()
        leave(connection)

    return step


def LEAVE(connection: Http2Connection, stream: int) -> None:  # noqa: N802 - a word of the script
    """The connection is closed before a word of the answer."""
    leave(connection)


def RESET(connection: Http2Connection, stream: int) -> None:  # noqa: N802 - likewise
    """The connection is reset before a word of the answer."""
    reset_on_close(connection.socket)
    connection.is_over = True


def SILENCE(connection: Http2Connection, stream: int) -> None:  # noqa: N802 - likewise
    """No answer comes."""
