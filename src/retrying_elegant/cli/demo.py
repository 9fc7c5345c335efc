"""Demo: every form of the library copes with a server that really fails, under one policy.

Owns the flaky HTTP server on the loopback interface, the two small clients that talk to it,
the code that is shown and run, and the look of the timeline.  Leaves every retry to the
library: its hooks print the rows.  Times are float seconds.
"""

# A loop has at least one iteration, which pyright cannot know:
# pyright: reportPossiblyUnboundVariable=false

from __future__ import annotations

import asyncio
import http.client
import inspect
import io
import os
import socket
import struct
import textwrap
import threading
import time
import traceback
import urllib.request
from collections import deque
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from retrying_elegant import Attempt, Policy, backoff, clients, given_up, retry, retrying, web
from retrying_elegant._text import one_line

from .output import complain, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self, TextIO

    Tell = Callable[[Attempt], None]
    Say = Callable[[str], None]

# The server's outcomes, as the demonstration names them.
RESET = "a reset"
BUSY = "503 with Retry-After: 1"
DOWN = "503"
HANG = "a hang"
CUT = "half a body"
BROKEN = "500"
MISSING = "404"
FINE = "the answer"

# One outcome for each request; the last repeats.
SCRIPT = {
    "/orders": (RESET, BUSY, HANG, CUT, FINE),
    "/prices": (DOWN, CUT, FINE),
    "/weather": (BROKEN,),
    "/user": (DOWN, FINE),
    "/cart": (RESET, HANG, FINE),
    "/a": (HANG, FINE),
    "/b": (RESET, DOWN, CUT, FINE),
    "/c": (BUSY, FINE),
    "/stock": (DOWN, HANG, FINE),
    "/pay": (DOWN,),
    "/broken": (BROKEN,),
    "/not-there": (MISSING,),
}
ANSWERS = {
    "/orders": "7 orders, 3 of them new",
    "/prices": "bread 4.10, milk 1.35",
    "/user": "Ada",
    "/cart": "2 books, 1 lamp",
    "/stock": "3 loaves",
}
HEADS = {
    BUSY: "503 Service Unavailable\r\nRetry-After: 1",
    DOWN: "503 Service Unavailable",
    BROKEN: "500 Internal Server Error",
    MISSING: "404 Not Found",
}
PATIENCE = 0.5  # the clients' timeout
LONGER = 10.0  # how long the server hangs; it ends sooner when the demo does


# The demonstration shows the bodies of these functions verbatim, and runs them.


def one_policy(tell: Tell) -> Policy:
    waits = backoff.exponential(0.1, jitter=0.5)
    net = Policy(8, on=web.transient, wait=waits, timeout=10)
    # Hooks that print the rows below:
    net = net.replace(on_retry=tell, on_success=tell, on_give_up=tell)
    return net


def by_decorator(net: Policy, get: Callable[[str], str]) -> None:
    @retry(net)
    def fetch(path: str) -> str:
        return get(path)

    fetch("/orders")


def by_loop(net: Policy, get: Callable[[str], str], say: Say) -> None:
    for path in ("/prices", "/weather"):
        for attempt in retrying(net, attempts=3, raises=False, name=path):
            with attempt:
                page = get(path)
        if attempt.succeeded:
            say(f"{path}: {page}")
        else:
            say(f"{path}: none today, after {attempt.number} attempts")


def by_block(net: Policy, get: Callable[[str], str], say: Say) -> None:
    with retrying(net, timeout=5) as call:
        user = call(get, "/user")
        cart = call(get, "/cart")
        say(f"{user} has {cart}")


async def by_async_loop(net: Policy, get: Callable[[str], Any], say: Say) -> None:
    pages = {}

    async def download(path: str) -> None:
        async for attempt in retrying(net, attempt_timeout=0.5, name=path):
            async with attempt:
                pages[path] = await get(path)

    await asyncio.gather(download("/a"), download("/b"), download("/c"))
    say(f"here are {', '.join(pages)}")


def by_client(net: Policy, host: str, say: Say) -> None:
    opener = build_opener(clients.urllib(net), ProxyHandler({}))
    with opener.open(f"http://{host}/stock", timeout=0.5) as response:
        say(f"{response.read().decode()} in stock")
    try:
        opener.open(Request(f"http://{host}/pay", method="POST"), timeout=0.5)
    except HTTPError as error:
        error.close()
        say("a POST may have been executed, so it was sent once")


def giving_up(net: Policy, get: Callable[[str], str], show: Callable[[Exception], None]) -> None:
    patient = retry(net, attempts=3)(get)  # as @retry above
    for path in ("/broken", "/not-there"):
        try:
            patient(path)
        except HTTPError as error:  # the client's own exception, not a wrapper
            show(error)


def demo(stream: TextIO) -> int:
    """
    Run the demonstration, which takes about six seconds, and print it to *stream*.

    Returns:
        The exit status: 0, or 1 if the server cannot run, for example without threads.
    """
    server = FlakyServer()
    try:
        with server:
            show(stream, server)
    except Exception:
        if server.trouble is None:
            raise
        text = one_line(str(server.trouble))
        complain(f": the demonstration server cannot run: {text}")
        return 1
    return 0


def show(stream: TextIO, server: FlakyServer) -> None:
    """Run every form against *server*, and print what happens to *stream*."""
    started = time.monotonic()
    screen = Screen(stream)
    timeline = Timeline(screen)
    net = one_policy(timeline.tell)
    say = timeline.say
    client = Client(*server.address)
    screen.write("retrying_elegant", "bold", end=" ")
    screen.write(f"against a server on {client.base} that really fails:")
    screen.write("resets, 503s, hangs and half answers go over the wire, as listed for each path.")
    screen.write(f"get(path) is urllib with a timeout of {PATIENCE:g} s. One policy serves all:\n")
    screen.code(one_policy)

    timeline.section("1  Decorator: a function", by_decorator, "/orders")
    by_decorator(net, client.get)

    timeline.section(
        "2  Loop: a piece of code, and a look at the outcome afterwards",
        by_loop,
        "/prices",
        "/weather",
    )
    by_loop(net, client.get, say)

    timeline.section("3  Block: several calls under one deadline", by_block, "/user", "/cart")
    by_block(net, client.get, say)

    timeline.section(
        "4  Async loop: three at once, a hang is canceled", by_async_loop, "/a", "/b", "/c"
    )
    asyncio.run(by_async_loop(net, client.get_async, say))

    timeline.section("5  Client: every request of a whole client", by_client, "/stock", "/pay")
    by_client(net, client.base.removeprefix("http://"), say)

    timeline.section(
        "6  Giving up: the original exception, with a note", giving_up, "/broken", "/not-there"
    )
    giving_up(net, client.get, timeline.show)

    screen.write(
        f"\n{server.requests} requests, {timeline.retries} retries, {timeline.successes} calls "
        f"that succeeded, in {time.monotonic() - started:.1f} s.",
        "bold",
    )
    screen.write("Next:  retrying-elegant preview --timeout 60      a policy's waits, drawn")
    screen.write("       retrying-elegant run -- COMMAND            retries any command")


COLORS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
MARKS = {"ok": "\u2714", "failed": "\u2718", "bar": "\u2592", "edge": "\u2502"}
ASCII_MARKS = {"ok": "+", "failed": "x", "bar": "#", "edge": "|"}


class Screen:
    """
    The output of the demonstration: in color on a terminal, and in ASCII if need be.

    Args:
        stream: A text stream. Colors are used on a terminal, unless ``NO_COLOR`` is
            set or ``TERM`` is ``dumb``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._colored = (
            stream.isatty()
            and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM") != "dumb"
            and (os.name != "nt" or "WT_SESSION" in os.environ)
        )
        try:
            "".join(MARKS.values()).encode(self._encoding)
            self.marks = MARKS
        except UnicodeEncodeError:
            self.marks = ASCII_MARKS

    def paint(self, text: str, color: str) -> str:
        """Return *text* in *color*, if colors are used."""
        return f"\x1b[{COLORS[color]}m{text}\x1b[0m" if self._colored else text

    def write(self, text: str = "", color: str | None = None, *, end: str = "\n") -> None:
        """Write *text* immediately; a character that cannot be encoded becomes a question mark."""
        safe = text.encode(self._encoding, "replace").decode(self._encoding)
        write(self._stream, (self.paint(safe, color) if color else safe) + end)

    def code(self, function: Callable[..., object]) -> None:
        """Write the body of *function* as it is in this file."""
        edge = self.paint(self.marks["edge"], "dim")
        for line in body_of(function):
            self.write(f"  {edge} {self.paint(line, 'cyan')}".rstrip())


def body_of(function: Callable[..., object]) -> list[str]:
    """Return the lines of the body of *function*, except for a ``return`` at the end."""
    try:
        source = inspect.getsource(function)
    except OSError:
        return ["(its source is not available)"]
    lines = textwrap.dedent(source.partition(":\n")[2]).rstrip().splitlines()
    return lines[:-1] if lines[-1].startswith("return ") else lines


class Timeline:
    """
    The rows that the hooks print, one for each attempt.

    Attributes:
        retries: How many retries it has seen.
        successes: How many calls that succeeded.
    """

    _WIDTH = 48  # of the middle column

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._labeled = False
        self.retries = 0
        self.successes = 0

    def section(self, title: str, function: Callable[..., object], *paths: str) -> None:
        """Begin a section: its title, the code that runs, and what the server will do."""
        screen = self._screen
        self._labeled = len(paths) > 1
        screen.write(f"\n{title}", "bold")
        screen.code(function)
        screen.write()
        for path in paths:
            screen.write(f"   {path}: {in_words(SCRIPT[path])}", "dim")
        screen.write(f"   {'after':>6}  #    {'what happened':<{self._WIDTH}}  then waits", "dim")

    def tell(self, attempt: Attempt) -> None:
        """Print the row of *attempt*: a hook for ``on_retry``, ``on_success``, ``on_give_up``."""
        screen, error = self._screen, attempt.error
        # The path is the argument of a call, in the request of a client, or the name of a loop.
        path = attempt.args[0] if attempt.args else attempt.name
        what = f"{getattr(path, 'selector', path)}: " if self._labeled else ""
        mark, follows = screen.paint(screen.marks["failed"], "red"), ""
        if error is None:
            self.successes += 1
            mark = screen.paint(screen.marks["ok"], "green")
            result = attempt.result
            what += repr(result) if isinstance(result, str) else "succeeded"
        else:
            what += in_brief(error)
        if attempt.next_wait is not None:
            self.retries += 1
            bar = screen.marks["bar"] * max(1, round(attempt.next_wait * 5))
            follows = f"{attempt.next_wait:.2f} s {screen.paint(bar, 'yellow')}"
        elif error is not None:
            follows = screen.paint("gives up" if given_up(error) else "not retried", "red")
        number = f"   {attempt.elapsed:4.2f} s  {attempt.number}"
        screen.write(f"{number}  {mark} {what:<{self._WIDTH}.{self._WIDTH}}  {follows}".rstrip())

    def say(self, text: str) -> None:
        """Print a message of the code that is shown."""
        self._screen.write(f"   -> {text}", "green")

    def show(self, error: Exception) -> None:
        """Print *error* and its note as at the end of a traceback."""
        for line in "".join(traceback.format_exception_only(error)).splitlines():
            self._screen.write(f"   -> {line}")


def in_words(outcomes: Sequence[str]) -> str:
    """Describe a line of the script."""
    return ", ".join(outcomes) if len(outcomes) > 1 else f"always {outcomes[0]}"


def in_brief(error: Exception) -> str:
    """Describe *error* in the few words that fit into a column."""
    if isinstance(error, HTTPError):
        asked = error.headers["Retry-After"]
        return f"{error.code} {error.reason}" + (f", Retry-After: {asked}" if asked else "")
    if isinstance(error, http.client.IncompleteRead):
        return f"IncompleteRead: {error.expected} bytes are missing"
    return type(error).__name__


class Client:
    """HTTP over the standard library, for sync and for async code."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.base = f"http://{host}:{port}"
        # Without the proxies of the environment: the server is on this machine.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def get(self, path: str) -> str:
        """Return the page at *path*; raise what urllib raises."""
        try:
            with self._open(self.base + path, timeout=PATIENCE) as response:
                body: bytes = response.read()
        except HTTPError as error:
            error.close()
            raise
        return body.decode()

    async def get_async(self, path: str) -> str:
        """Return the page at *path*, over asyncio's streams; raise the same errors."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
            _, status, reason = (await reader.readline()).decode().split(" ", 2)
            headers = http.client.parse_headers(io.BytesIO(await reader.readuntil(b"\r\n\r\n")))
            if status != "200":
                url, words = self.base + path, reason.strip()
                failure = HTTPError(url, int(status), words, headers, io.BytesIO())
                failure.close()
                raise failure
            body = await reader.readexactly(int(headers["Content-Length"]))
        except asyncio.IncompleteReadError as error:
            missing = (error.expected or 0) - len(error.partial)
            raise http.client.IncompleteRead(error.partial, missing) from None
        finally:
            writer.close()
        return body.decode()


class FlakyServer:
    """
    An HTTP server on a free port of the loopback that fails as ``SCRIPT`` says.

    It is a context manager: it listens while its block runs, then releases the requests that
    hang.  Each request is served by a thread.

    Attributes:
        address: Its host and port.
        requests: How many requests it has received.
        trouble: What keeps it from running, such as a missing network, or no threads.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.trouble: Exception | None = None
        self._script = {path: deque(outcomes) for path, outcomes in SCRIPT.items()}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        try:
            self._listener = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            self.trouble = error
            raise
        self.address: tuple[str, int] = self._listener.getsockname()
        try:
            # Where the loopback interface is down, one can listen on it, but not connect.
            with socket.create_connection(self.address):
                self._listener.accept()[0].close()
            self._start(self._accept)
        except (OSError, RuntimeError) as error:
            self.trouble = error
            self._listener.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        socket.create_connection(self.address).close()  # wakes the accepting thread
        self._threads.pop(0).join()
        for connection in self._connections:
            try:
                connection.shutdown(
                    socket.SHUT_RDWR
                )  # an interrupted client may still be connected
            except OSError:
                pass  # closed already
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self.trouble = error
            raise
        self._threads.append(thread)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._over.is_set():
                connection.close()
                return
            self.requests += 1
            self._connections.append(connection)
            try:
                self._start(self._serve, connection)
            except RuntimeError:
                connection.close()  # this part of the demonstration fails

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(LONGER)
        with connection, connection.makefile("rb") as request:
            try:
                path = request.readline().split()[1].decode()
                while request.readline().strip():
                    pass  # the headers do not matter here
                self._answer(connection, path)
            except (OSError, IndexError):
                pass  # clients of a flaky server may disconnect at any time

    def _answer(self, connection: socket.socket, path: str) -> None:
        script = self._script[path]
        outcome = script.popleft() if len(script) > 1 else script[0]
        if outcome == HANG:
            self._over.wait(LONGER)
            return
        head = HEADS.get(outcome, "200 OK")
        body = ANSWERS.get(path, "a page").encode()
        head = f"HTTP/1.1 {head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        if outcome in (RESET, CUT):
            body = body[: len(body) // 2]
        connection.sendall(head.encode() + body)
        if outcome == RESET:
            self._over.wait(0.05)  # so that the client has begun to read
            # Closing without lingering resets the connection.
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
