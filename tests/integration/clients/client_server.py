"""A server on the loopback that plays a script, and remembers what it was sent.

Every path has a script of its own: one step for each request, of which the last repeats::

    with ScriptedServer() as server:
        url = server.play(RESET, reply(503, retry_after=0), reply(200, b"done"))
        client.put(url, data=b"body")
        [request.body for request in server.requests]   # b"body", three times

Connections stay open between requests, as those of real servers do, so that a client that does
not give one back is seen.  Threads and the standard library only.
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import responses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from typing import Self

PATIENCE = 10  # seconds until the server gives up on a client that neither sends nor reads

Step = "Callable[[Connection, Received], bool]"


@dataclass
class Received:
    """One request, as it arrived."""

    method: str
    target: str
    headers: dict[str, str]  # names in lower case
    body: bytes = b""
    is_whole: bool = False
    connection: int = 0


@dataclass
class Connection:
    """One connection, with the bytes that have arrived and are not used yet."""

    socket: socket.socket
    number: int
    over: threading.Event
    rest: bytes = b""
    is_closed: bool = field(default=False)

    def more(self) -> bytes:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionAbortedError("the client has left")
        return data

    def until(self, end: bytes) -> bytes:
        while end not in self.rest:
            self.rest += self.more()
        head, _, self.rest = self.rest.partition(end)
        return head

    def exactly(self, size: int) -> bytes:
        while len(self.rest) < size:
            self.rest += self.more()
        data, self.rest = self.rest[:size], self.rest[size:]
        return data

    def read_body(self, request: Received) -> None:
        """Read the body, piece by piece, so that a partial one is seen as what it is."""
        if "chunked" in request.headers.get("transfer-encoding", ""):
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                request.body += self.exactly(size)
                self.exactly(2)
            self.until(b"\r\n")
        else:
            left = int(request.headers.get("content-length", 0))
            while left:
                if not self.rest:
                    self.rest = self.more()
                piece, self.rest = self.rest[:left], self.rest[left:]
                request.body += piece
                left -= len(piece)
        request.is_whole = True

    def wait_until_left(self) -> None:
        """Wait until the client leaves, or the server ends."""
        self.socket.settimeout(0.02)
        while not self.over.is_set():
            try:
                if not self.socket.recv(1 << 16):
                    return
            except TimeoutError:
                continue


class ScriptedServer:
    """
    The server: a context manager that listens as long as its block runs.

    Args:
        tls: What it encrypts with; None: nothing.

    Attributes:
        requests: What has arrived, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self._tls = tls
        self._scripts: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[int] = set()
        self._numbers = itertools.count(1)
        self._paths = itertools.count(1)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def base(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.address}"

    def play(self, *steps: Any, path: str = "", query: str = "") -> str:
        """Give the URL of a path that plays *steps*, and forget the requests so far."""
        path = path or f"/script-{next(self._paths)}"
        with self._lock:
            self._scripts[path] = [*steps]
            self.requests.clear()
        return f"{self.base}{path}{query}"

    def has_seen_all(self) -> bool:
        """Wait until what clients have sent so far, and then left, is among the requests."""
        with socket.create_connection(self._listener.getsockname(), PATIENCE) as last:
            last.sendall(b"GET /last HTTP/1.1\r\n\r\n")  # accepted after all others
            last.recv(1)
        return self.settles(0)

    def forget(self) -> None:
        """Forget all scripts: what still arrives for them belongs to a test that is over."""
        with self._lock:
            self._scripts.clear()

    @property
    def open_connections(self) -> int:
        """How many connections clients hold open."""
        with self._lock:
            return len(self._open)

    def settles(self, count: int, patience: float = PATIENCE / 2) -> bool:
        """Wait until at most *count* connections are open: the server does not see it at once."""
        ends = threading.Event()
        for _ in range(int(patience / 0.01)):
            if self.open_connections <= count:
                return True
            ends.wait(0.01)
        return False

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.requests]

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client, next(self._numbers))

    def _serve(self, client: socket.socket, number: int) -> None:
        with self._lock:
            self._open.add(number)
        try:
            with client, suppress(OSError, ValueError):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    client.settimeout(PATIENCE)
                    client = self._tls.wrap_socket(client, server_side=True)
                with client:
                    connection = Connection(client, number, self._over)
                    while self._answer(connection):
                        pass
        finally:
            with self._lock:
                self._open.discard(number)

    def _answer(self, connection: Connection) -> bool:
        """Answer one request; False: the connection is over."""
        connection.socket.settimeout(0.02)
        while not connection.rest:  # idle
            if self._over.is_set():
                return False
            try:
                connection.rest = connection.more()
            except TimeoutError:
                continue
        connection.socket.settimeout(PATIENCE)
        lines = connection.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        fields = (line.split(":", 1) for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, value in fields}
        request = Received(method, target, headers, connection=connection.number)
        with self._lock:
            steps = self._scripts.get(target.partition("?")[0])
            if steps is None:
                return False
            self.requests.append(request)
            step = steps.pop(0) if len(steps) > 1 else steps[0]
        if not getattr(step, "is_early", False):
            if headers.get("expect", "").lower() == "100-continue":
                connection.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.read_body(request)
        return bool(step(connection, request))


def reply(
    status: int = 200,
    body: bytes = b"ok",
    headers: dict[str, str] | None = None,
    *,
    retry_after: object = None,
    chunked: bool = False,
    close: bool = False,
    is_early: bool = False,
    delay: float = 0,
    half: str = "",
) -> Any:
    """
    Answer with *status* and *body*.

    Args:
        close: The connection ends with the answer.
        is_early: The answer comes before the body of the request is read.
        delay: Seconds before the answer.
        half: ``"close"``, ``"reset"`` or ``"stall"`` in the middle of the body.
    """
    lines = [f"HTTP/1.1 {status} {responses.get(status, 'Odd')}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if retry_after is not None:
        lines.append(f"Retry-After: {retry_after}")
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    if close or is_early:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")

    def step(connection: Connection, request: Received) -> bool:
        connection.over.wait(delay)
        if request.method == "HEAD" or status in (204, 304):
            connection.socket.sendall(head)
            return not close
        if chunked:
            pieces = [body[i : i + 1000] for i in range(0, len(body), 1000)]
            sent = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            sent += b"0\r\n\r\n"
        else:
            sent = body
        if not half:
            connection.socket.sendall(head + sent)
            if is_early:  # closing with unread data would reset: let the client have the answer
                connection.socket.shutdown(socket.SHUT_WR)
                with suppress(OSError):
                    connection.socket.settimeout(1)
                    while connection.socket.recv(1 << 16):
                        pass
            return not (close or is_early)
        connection.socket.sendall(head + sent[: len(sent) // 2])
        if half == "stall":
            connection.wait_until_left()
        elif half == "reset":
            connection.over.wait(0.02)  # or the reset overtakes the data
            reset_on_close(connection.socket)
        return False

    step.is_early = is_early  # type: ignore[attr-defined]
    return step


def RESET(connection: Connection, request: Received) -> bool:  # noqa: N802 - a word of the script
    """The connection is reset before a word of the answer."""
    reset_on_close(connection.socket)
    return False


def CLOSE(connection: Connection, request: Received) -> bool:  # noqa: N802 - likewise
    """The connection is closed in good order before a word of the answer."""
    return False


def HANG(connection: Connection, request: Received) -> bool:  # noqa: N802 - likewise
    """No answer comes."""
    connection.wait_until_left()
    return False


def tunnel(most: int | None = None) -> Any:
    """
    Answer CONNECT as a proxy does that reaches the server.

    Args:
        most: The connection is reset when the server has sent so many bytes; None: never.
    """

    def step(connection: Connection, request: Received) -> bool:
        host, _, port = request.target.rpartition(":")
        with socket.create_connection((host, int(port)), PATIENCE) as server:
            connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            left, ends = most, {connection.socket: server, server: connection.socket}
            while not connection.over.is_set():
                if left == 0:
                    reset_on_close(connection.socket)
                    return False
                for end in select.select([*ends], [], [], 0.02)[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return False
                    if left is not None and end is server:
                        data = data[:left]
                        left -= len(data)
                    ends[end].sendall(data)
        return False

    return step


def flood(status: int, sent: list[int] | None = None) -> Any:
    """Answer with a body that never ends; *sent* grows with each 64 kB."""

    def step(connection: Connection, request: Received) -> bool:
        head = f"HTTP/1.1 {status} Flood\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.socket.sendall(head.encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        for number in range(2000):
            connection.socket.sendall(chunk)
            if sent is not None:
                sent.append(number)
        return False

    return step


def trickle(status: int, *, length: str = "Content-Length: 100000\r\n") -> Any:
    """
    Answer with a body that comes a byte at a time, long before a read times out.

    Args:
        length: Empty: the body lasts until the connection ends.
    """

    def step(connection: Connection, request: Received) -> bool:
        head = f"HTTP/1.1 {status} Trickle\r\n{length}\r\n"
        connection.socket.sendall(head.encode())
        while not connection.over.wait(0.05):
            connection.socket.sendall(b".")
        return False

    return step


def slowly(body: bytes, pause: float) -> Any:
    """Answer at once, and with the second half of *body* after *pause* seconds."""

    def step(connection: Connection, request: Received) -> bool:
        half = len(body) // 2
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.socket.sendall(head + body[:half])
        connection.over.wait(pause)
        connection.socket.sendall(body[half:])
        return True

    return step


def refused() -> str:
    """Give a URL on a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def reset_on_close(client: socket.socket) -> None:
    """Have the closing of *client* reset it: it is to linger for no time at all."""
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
