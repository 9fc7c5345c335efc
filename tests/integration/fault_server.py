"""A server on the loopback that fails as asked, to try HTTP clients against.

Each fault has a base URL of its own; any path and method may be asked for below it::

    with FaultServer() as faults:
        requests.get(faults.url("reset"))                        # raises ConnectionError
        requests.get(faults.status(503, retry_after="120"))      # answers 503
        faults.requests["reset"]                                 # 1: how often it was asked

``FaultServer.FAULTS`` names the faults, and says what each does; besides, ``refuse`` is a
port where nobody listens.  The ``tls`` faults have https URLs; ``tls-untrusted`` is there in
``FaultServer(untrusted_tls())``, or with another ``ssl.SSLContext`` that no client trusts.

Threads and the standard library only (``untrusted_tls`` needs ``trustme``).  One connection
serves one request.  On leaving the ``with`` block everything that hangs is let go.
"""

from __future__ import annotations

import os
import selectors
import socket
import ssl
import struct
import threading
from collections import Counter
from contextlib import suppress
from http.client import responses
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

PATIENCE = 10  # seconds until the server gives up on a client that neither sends nor reads


def untrusted_tls() -> ssl.SSLContext:
    """A server's TLS with a certificate for the loopback that no client trusts."""
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


class FaultServer:
    """
    The server: a context manager that listens as long as its block runs.

    Attributes:
        requests: How many requests each fault has been asked, by its name.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: Counter[str] = Counter()
        self._tls = tls
        self._listeners: dict[str, socket.socket] = {}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def url(self, fault: str) -> str:
        """The base URL of *fault*, with a slash at its end."""
        host, port = self._listeners[fault].getsockname()
        return f"{'https' if fault.startswith('tls') else 'http'}://{host}:{port}/"

    def status(self, code: int, *, retry_after: str | None = None) -> str:
        """A URL that answers with *code*, and with a Retry-After header if one is given."""
        query = "" if retry_after is None else f"?retry-after={quote(retry_after)}"
        return f"{self.url('status')}{code}{query}"

    def __enter__(self) -> Self:
        for fault in ("refuse", *self.FAULTS):
            if fault == "tls-untrusted" and self._tls is None:
                continue
            listener = self._listeners[fault] = socket.socket()
            listener.bind(("127.0.0.1", 0))
            if fault != "refuse":  # bound but deaf: the port stays ours, and refuses
                listener.listen()
                listener.setblocking(False)
        self._wake, self._waker = socket.socketpair()
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._waker.close()
        for thread in self._threads:
            thread.join(PATIENCE)
        for listener in (*self._listeners.values(), self._wake):
            listener.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            for fault, listener in self._listeners.items():
                if fault != "refuse":
                    selector.register(listener, selectors.EVENT_READ, fault)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    with suppress(OSError):  # the client has left already
                        connection, _ = self._listeners[key.data].accept()
                        self.requests[key.data] += 1
                        self._start(self._serve, key.data, connection)

    def _serve(self, fault: str, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # clients of a faulty server leave at any time
            connection.settimeout(PATIENCE)
            self.FAULTS[fault](self, connection)

    # One method for each fault. Leaving one closes the connection.

    def _reset(self, connection: socket.socket) -> None:
        """The connection is reset before a word of the answer."""
        read_request(connection)
        reset_on_close(connection)

    def _close(self, connection: socket.socket) -> None:
        """The connection is closed in good order before a word of the answer."""
        read_request(connection)

    def _cut(self, connection: socket.socket) -> None:
        """The connection is reset in the middle of the body."""
        read_request(connection)
        connection.sendall(answer(200, length=100_000))
        reset_on_close(connection)

    def _short(self, connection: socket.socket) -> None:
        """The body ends before its Content-Length is reached."""
        read_request(connection)
        connection.sendall(answer(200, length=100_000))

    def _short_chunked(self, connection: socket.socket) -> None:
        """The body ends before its last chunk."""
        read_request(connection)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        connection.sendall(head + b"5\r\nhello\r\n")

    def _hang(self, connection: socket.socket) -> None:
        """No answer comes."""
        read_request(connection)
        self._over.wait()

    def _stall(self, connection: socket.socket) -> None:
        """The answer stops in the middle of its body."""
        read_request(connection)
        connection.sendall(answer(200, length=100_000))
        self._over.wait()

    def _garbage(self, connection: socket.socket) -> None:
        """What comes back is no HTTP."""
        read_request(connection)
        connection.sendall(b"220 mail.example ESMTP ready\r\n\r\n")

    def _loop(self, connection: socket.socket) -> None:
        """The answer sends the client to where it already is."""
        read_request(connection)
        fields = b"Location: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(b"HTTP/1.1 302 Found\r\n" + fields)

    def _miscoded(self, connection: socket.socket) -> None:
        """The body is not in the coding that its header says: it arrives, and is of no use."""
        read_request(connection)
        head, body = answer(200).split(b"\r\n\r\n")
        connection.sendall(head + b"\r\nContent-Encoding: gzip\r\n\r\n" + body)

    def _status(self, connection: socket.socket) -> None:
        """
        The first number in the request's target is the status of the answer.

        So it also is a proxy that answers ``CONNECT 502.invalid:443`` with 502.
        """
        target = urlsplit(read_request(connection).split()[1])
        code = int("".join(char for char in target.path if char.isdigit())[:3])
        connection.sendall(answer(code, *parse_qs(target.query).get("retry-after", ())))

    def _tls_untrusted(self, connection: socket.socket) -> None:
        """All is well, but for the certificate: it is not one that the client trusts."""
        assert self._tls is not None
        with self._tls.wrap_socket(connection, server_side=True) as secure:
            read_request(secure)
            secure.sendall(answer(200))

    def _tls_closed(self, connection: socket.socket) -> None:
        """The connection is closed in the middle of the TLS handshake."""
        connection.recv(65_536)

    def _tls_missing(self, connection: socket.socket) -> None:
        """The port does not speak TLS at all."""
        connection.recv(65_536)
        connection.sendall(answer(400))

    FAULTS: ClassVar[dict[str, Callable[[FaultServer, socket.socket], None]]] = {
        "reset": _reset,
        "close": _close,
        "cut": _cut,
        "short": _short,
        "short-chunked": _short_chunked,
        "hang": _hang,
        "stall": _stall,
        "garbage": _garbage,
        "loop": _loop,
        "miscoded": _miscoded,
        "status": _status,
        "tls-untrusted": _tls_untrusted,
        "tls-closed": _tls_closed,
        "tls-missing": _tls_missing,
    }


def read_request(connection: socket.socket) -> str:
    """Read one request, its body included (or closing would reset); give its first line."""
    head, _, body = _read_until(connection, b"", lambda data: b"\r\n\r\n" in data).partition(
        b"\r\n\r\n"
    )
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(":", 1) for line in lines[1:])
    length = int(fields.get("content-length", 0))
    _read_until(connection, body, lambda data: len(data) >= length)
    return lines[0]


def _read_until(connection: socket.socket, data: bytes, complete: Callable[[bytes], bool]) -> bytes:
    while not complete(data):
        more = connection.recv(65_536)
        if not more:
            raise ConnectionAbortedError("the client left in the middle of its request")
        data += more
    return data


def answer(code: int, retry_after: str | None = None, *, length: int = 5) -> bytes:
    """An answer with a body of five bytes, however long it says that it is."""
    fields = [
        f"HTTP/1.1 {code} {responses.get(code, '')}",
        "Content-Type: text/plain",
        f"Content-Length: {length}",
        "Connection: close",
    ]
    if retry_after is not None:
        fields.append(f"Retry-After: {retry_after}")
    return "\r\n".join([*fields, "", "hello"]).encode("latin-1")


def reset_on_close(connection: socket.socket) -> None:
    """Have the closing of *connection* reset it: it is to linger for no time at all."""
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
