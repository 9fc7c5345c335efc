"""Contract 13: `demo`, in process, its waits skipped."""

from __future__ import annotations

import contextlib
import io
import socket
import struct
import threading
from urllib.error import HTTPError

import pytest
from cli_parts import Terminal

from retrying_elegant import testing
from retrying_elegant.cli import demo, main


@pytest.fixture(scope="module")
def shown():
    """What the demonstration prints, run once, with waits that pass at once."""
    stream = io.StringIO()
    with testing.instant(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "PATIENCE", 0.1)
        patch.setattr("sys.stdout", stream)
        assert main.main([]) == 0
    return stream.getvalue()


class TestDemo:
    """`demo` shows decorator, loop, block, sync and async riding a flaky server out."""

    @pytest.mark.parametrize(
        "line",
        [
            "@retry(net)",
            "for attempt in retrying(net, attempts=3, raises=False, name=path):",
            "if attempt.succeeded:",
            "with retrying(net, timeout=5) as call:",
            "async for attempt in retrying(net, attempt_timeout=0.5, name=path):",
            "opener = build_opener(clients.urllib(net), ProxyHandler({}))",
        ],
    )
    def test_the_code_that_runs_is_shown(self, shown, line):
        """Every form, as it stands in the source."""
        assert line in shown

    @pytest.mark.parametrize(
        "what",
        [
            "ConnectionResetError",
            "503 Service Unavailable, Retry-After: 1",
            "TimeoutError",
            "IncompleteRead: 12 bytes are missing",
            "'7 orders, 3 of them new'",
            "-> Ada has 2 books, 1 lamp",
            "-> /weather: none today, after 3 attempts",
            "-> 3 loaves in stock",
            "-> a POST may have been executed, so it was sent once",
        ],
    )
    def test_a_timeline(self, shown, what):
        """Each kind of failure, success, and giving up."""
        assert what in shown

    def test_it_gives_up_honestly(self, shown):
        """The original exception with its note."""
        assert "-> urllib.error.HTTPError: HTTP Error 500: Internal Server Error\n" in shown
        assert "-> retrying_elegant: gave up on Client.get after 3 attempts in " in shown
        (row,) = (
            line for line in shown.splitlines() if "404 Not Found" in line and "->" not in line
        )
        assert row.endswith("not retried")

    def test_no_line_is_too_long(self, shown):
        """It fits the terminal that everybody has."""
        lines = [line for line in shown.splitlines() if not line.startswith("   -> ")]
        assert max(map(len, lines)) <= 80

    def test_colours_on_a_terminal_only(self, monkeypatch):
        """And not where the user does not want them."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        assert demo.Screen(Terminal()).paint("x", "red") == "\x1b[31mx\x1b[0m"
        assert demo.Screen(io.StringIO()).paint("x", "red") == "x"
        monkeypatch.setenv("TERM", "dumb")
        assert demo.Screen(Terminal()).paint("x", "red") == "x"
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("NO_COLOR", "1")
        assert demo.Screen(Terminal()).paint("x", "red") == "x"

    def test_ascii_where_there_is_nothing_else(self):
        """What it lacks becomes a question mark."""
        raw = io.BytesIO()
        screen = demo.Screen(io.TextIOWrapper(raw, "ascii"))
        screen.write(screen.marks["ok"] + "\u00e9")
        screen.code(demo.by_block)
        assert raw.getvalue().startswith(b"+?\n  | with retrying(")

    def test_no_source_at_hand(self):
        """As in a frozen program: the rest is shown."""
        code = compile("def f(): pass", "<nowhere>", "exec")
        exec(code, names := {})
        assert demo.body_of(names["f"]) == ["(its source is not available)"]

    def test_the_server_survives_its_clients(self):
        """One that leaves, one that leaves before the answer, one that stays and is silent."""
        with contextlib.ExitStack() as stack, demo.FlakyServer() as server:
            socket.create_connection(server.address).close()
            stack.enter_context(socket.create_connection(server.address))
            with socket.create_connection(server.address) as client:
                client.sendall(b"GET")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with pytest.raises(HTTPError, match="404"):
                demo.Client(*server.address).get("/not-there")


class TestDemoCannotRun:
    """Where threads cannot start: one line, and exit status 1."""

    def threads(self, monkeypatch, allowed):
        """Let so many threads start, and no more."""
        start = threading.Thread.start

        def limited(thread):
            nonlocal allowed
            allowed -= 1
            if allowed < 0:
                raise RuntimeError("can't start\n new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)

    MESSAGE = "retrying-elegant: the demonstration server cannot run: can't start new thread\n"

    def test_no_threads(self, monkeypatch, capsys):
        """As in a browser, or at the limit of a user's processes."""
        self.threads(monkeypatch, 0)
        assert main.main([]) == 1
        assert capsys.readouterr() == ("", self.MESSAGE)

    def test_too_few_threads(self, monkeypatch, capsys):
        """The server listens, and cannot answer: the failures shown would not be the script's."""
        self.threads(monkeypatch, 1)
        assert main.main([]) == 1
        assert capsys.readouterr().err == self.MESSAGE

    def test_no_loopback(self, monkeypatch, capsys):
        """The server listens, and cannot be reached, as in a sandbox without a network."""

        def unreachable(address, *args):
            raise OSError(101, "Network is unreachable")

        monkeypatch.setattr(socket, "create_connection", unreachable)
        assert main.main([]) == 1
        assert capsys.readouterr().err.endswith("cannot run: [Errno 101] Network is unreachable\n")

    def test_no_network(self, monkeypatch, capsys):
        """Likewise."""

        def fails(address):
            raise OSError("Cannot assign requested address")

        monkeypatch.setattr("socket.create_server", fails)
        assert main.main([]) == 1
        assert capsys.readouterr().err.endswith(" cannot run: Cannot assign requested address\n")

    def test_other_errors_are_shown_as_they_are(self, monkeypatch):
        """A fault of the demonstration is not one of the machine."""

        def fails(stream, server):
            raise ZeroDivisionError

        monkeypatch.setattr(demo, "show", fails)
        with pytest.raises(ZeroDivisionError):
            main.main([])
