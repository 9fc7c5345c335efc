"""Playing HTTP: sends both sides of a row to a server that fails as the row says.

The server is real, the waits are not: those of theirs end in a ``time.sleep`` or
``asyncio.sleep`` that only notes them, ours are skipped by ``testing.instant()``.
"""

from __future__ import annotations

import ast
import asyncio
import random
import textwrap
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from fault_server import reset_on_close

from retrying_elegant import testing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .rows import Absent

CUT = "cut"  # the connection is reset before anything is answered


class Answer(NamedTuple):
    """What the server answers: a status, and headers."""

    status: int
    headers: Mapping[str, str] = {}


@dataclass(frozen=True)
class HttpRow:
    """
    One line of a table: the same thing said to their client and to ours.

    A side is put into the template of its library, or is statements that leave their response in
    ``response``.

    Attributes:
        note: What the page says after our code.
        script: What the server does, request by request; the last is repeated.
        method: What is requested.
        differ: What is not alike, by the name of a field of ``HttpTrace``: theirs and ours.
    """

    theirs: str
    ours: str
    note: str = ""
    script: tuple[Any, ...] = (Answer(503),)
    method: str = "GET"
    differ: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class HttpTable:
    """A table of the page, below the heading *title*."""

    title: str
    rows: tuple[HttpRow | Absent, ...]


@dataclass(frozen=True)
class HttpLibrary:
    """
    A client that retries, and all that is said of it.

    Attributes:
        name: The heading of its section.
        modules: What has to be installed, by the names of imports.
        imports: Statements that give the names of both sides.
        templates: Statements around what a row shows, theirs and ours.
    """

    name: str
    modules: tuple[str, ...]
    imports: str
    templates: tuple[str, str]
    tables: tuple[HttpTable, ...]


@dataclass
class HttpTrace:
    """
    What one side did.

    Attributes:
        sent: The requests that arrived.
        waits: Seconds before each but the first.
        ended: The status that was returned, or that an error was raised.
    """

    sent: int
    waits: list[float]
    ended: int | str


class Server(ThreadingHTTPServer):
    """Plays a script, and counts requests."""

    daemon_threads = True

    def __init__(self, script: tuple[Any, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.sent = 0

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
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        played = self.server.script[min(self.server.sent, len(self.server.script) - 1)]
        self.server.sent += 1
        if played == CUT:
            reset_on_close(self.connection)
            self.close_connection = True
            return
        self.send_response(played.status)
        for name, value in {"Content-Length": "0", **played.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    do_POST = do_PUT = do_GET  # noqa: N815 - the names that the base class calls

    def log_message(self, *_: object) -> None:
        """Not read by anything."""


def play(library: HttpLibrary, row: HttpRow, side: int, luck: float = 0.5) -> HttpTrace:
    """Play one *side* of *row*: 0 is theirs, 1 is ours."""
    text = (row.theirs, row.ours)[side]
    if "response =" not in text:
        text = textwrap.dedent(library.templates[side]).strip().replace("{}", text)
    with Server(row.script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        namespace: dict[str, Any] = {"url": url, "method": row.method, "response": None}
        try:
            exec(library.imports, namespace)
            waits, ended = _run(text, namespace, side, luck)
        finally:
            server.shutdown()
            thread.join()
    waits = [round(wait, 6) for wait in waits]
    return HttpTrace(server.sent, waits, ended)


def _run(text: str, namespace: dict[str, Any], side: int, luck: float) -> Any:
    slept: list[float] = []

    async def pause(seconds: float, *_: Any) -> None:
        slept.append(seconds)

    instant = testing.instant()
    chance = {
        "random.random": lambda: luck,
        "random.uniform": lambda low, high: low + (high - low) * luck,
    }
    patches: list[Any] = [mock.patch(name, replacement) for name, replacement in chance.items()]
    if side:
        patches.append(instant)
    else:
        patches += [mock.patch("time.sleep", slept.append), mock.patch("asyncio.sleep", pause)]
    state = random.getstate()
    for patch in patches:
        patch.__enter__()
    try:
        _execute(text, namespace)
        response = namespace["response"]
        status = getattr(response, "status_code", None) or getattr(response, "status", None)
        ended = status if status is not None else response
    except Exception:
        ended = "an error"
    finally:
        for patch in reversed(patches):
            patch.__exit__(None, None, None)
        random.setstate(state)
    return (list(instant.waits) if side else slept), ended


def _execute(source: str, namespace: dict[str, Any]) -> None:
    code = compile(source, "<row>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & 0x80:  # it awaits
        asyncio.run(eval(code, namespace))
    else:
        exec(code, namespace)
