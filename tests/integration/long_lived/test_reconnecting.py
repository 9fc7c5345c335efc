"""Contract 2: `reset_after` and `stop`, in the programs of the guide "Long-lived programs".

The code of the page runs as it stands, against a server that is a process of its own: it is killed
with -9, it hangs up, and it is well again.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "unit"))
sys.path.append(str(Path(__file__).parents[1]))

import documents
from database_servers import free_port, wait_until

from retrying_elegant import backoff, testing

pytest.importorskip("httpx", reason="the package httpx is not installed")
pytest.importorskip("websockets", reason="the package websockets is not installed")

PAGE = documents.ROOT / "docs" / "long-lived.md"
SERVER = Path(__file__).with_name("feed_server.py")
PATIENCE = 30  # seconds, and only where something would hang
IN_NO_TIME = 5  # seconds, of waits that would take a minute
HEALTHY = 2  # seconds: longer than any failed attempt takes

FORMS = ["follow_events", "follow_events_async", "follow_socket", "follow_socket_async"]


@pytest.fixture(scope="module")
def page():
    """The names of the page, after it has run."""
    names = {}
    with testing.instant():
        documents.run(PAGE, have=True, namespace=names)
    return names


class Server:
    """A feed on one port, which is well, hangs up, or is not there."""

    def __init__(self, kind):
        self.kind = kind
        self.port = free_port()
        self.process = None
        self.connections = 0

    def start(self, mode):
        """Start it, in place of the one before, and return when it listens."""
        self.kill()
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER), self.kind, str(self.port), mode],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "listening\n"
        self.connections = 0
        self.reader = threading.Thread(target=self._count)
        self.reader.start()

    def _count(self):
        for line in self.process.stdout:
            assert line == "connection\n"
            self.connections += 1

    def kill(self):
        """``kill -9``."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
            self.reader.join(PATIENCE)
            self.process.stdout.close()
            self.process = None


class Client:
    """A thread that runs a function of the page, and what it has seen.

    Attributes:
        events: The numbers of the events, in order.
        retries: For each retry the number of the failed attempt and the wait.
        reasons: Why it gave up.
        error: What it has raised.
    """

    def __init__(self, page, form, port, **changes):
        self.events, self.retries, self.reasons, self.error = [], [], [], None
        is_socket = "socket" in form
        url = f"ws://127.0.0.1:{port}/" if is_socket else f"http://127.0.0.1:{port}/"
        policy = "SOCKET" if is_socket else "EVENTS"
        # The functions read their policy when they are called.
        follow = documents_function(page, form, policy, self._policy(page[policy], changes))
        self.stopped = threading.Event()
        run = self._run_async if form.endswith("async") else self._run
        self.thread = threading.Thread(target=run, args=(follow, url))
        self.thread.start()

    def _policy(self, policy, changes):
        return policy.replace(
            on_retry=lambda attempt: self.retries.append((attempt.number, attempt.next_wait)),
            on_give_up=lambda attempt: self.reasons.append(attempt.reason),
            log_level=None,
            **changes,
        )

    def _handle(self, event):
        self.events.append(event["id"])

    def _run(self, follow, url):
        try:
            follow(url, self._handle, self.stopped)
        except BaseException as error:
            self.error = error

    def _run_async(self, follow, url):
        async def main():
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(stop.set)
            await follow(url, self._handle, stop)

        try:
            asyncio.run(main())
        except BaseException as error:
            self.error = error

    def _stop(self):
        self.stopped.set()

    def wait_until(self, true):
        """Wait for what its events and retries are to show."""

        def is_true():
            assert self.thread.is_alive(), (self.error, self.reasons)
            return true()

        wait_until(is_true, patience=PATIENCE)

    def follows(self):
        """Wait until events arrive."""
        before = len(self.events)
        self.wait_until(lambda: len(self.events) > before + 3)

    def fails(self, times=1):
        """Wait until so many attempts have failed."""
        self.wait_until(lambda: len(self.retries) >= times)

    def stop(self):
        """Set the event; return the seconds until the thread has ended."""
        start = time.monotonic()
        if self.thread.is_alive():
            self._stop()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        return time.monotonic() - start


def documents_function(page, form, policy, changed):
    """The function *form* of the page, with another *policy*."""
    return type(page[form])(page[form].__code__, page | {policy: changed}, form, (0,))


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def server(form):
    server = Server("socket" if "socket" in form else "events")
    yield server
    server.kill()


@pytest.fixture
def follow(page, form, server):
    """Start a client; at the end it is stopped."""
    with contextlib.ExitStack() as stack:

        def follow(**changes):
            client = Client(page, form, server.port, **changes)
            stack.callback(client.stop)
            return client

        yield follow


class TestKilled:
    """The server is killed with -9, again and again."""

    def test_no_event_is_lost(self, server, follow):
        """Each connection continues where the one before it broke, however often that happens."""
        server.start("well")
        client = follow(wait=backoff.exponential(0.05, cap=0.2))
        for _ in range(3):
            client.follows()
            failed = len(client.retries)
            server.kill()
            client.fails(failed + 1)
            server.start("well")
        client.follows()
        client.stop()
        assert client.events == list(range(1, len(client.events) + 1))
        assert (client.error, client.reasons) == (None, [])


class TestHealthy:
    """A connection that lasted `reset_after` makes the waits short again."""

    def test_after_an_outage(self, server, follow):
        """They grow while the server hangs up, and start over after it was well for long."""
        wait = backoff.exponential(0.02, cap=0.5, jitter=0)
        client = follow(wait=wait, reset_after=HEALTHY)
        server.start("hang-up")
        client.fails(5)
        server.start("well")
        client.follows()
        began, failed = time.monotonic(), len(client.retries)
        client.wait_until(lambda: time.monotonic() > began + HEALTHY)
        server.kill()
        client.fails(failed + 1)
        assert client.retries[failed] == (1, 0.02)
        numbers = [number for number, _ in client.retries[:failed]]
        assert numbers == list(range(1, failed + 1))
        assert [wait for _, wait in client.retries[:4]] == [0.02, 0.04, 0.08, 0.16]


class TestHangingUp:
    """A server that accepts each connection and closes it is not called in a hot loop."""

    @pytest.mark.parametrize("mode", ["hang-up", "hang-up-later"])
    def test_connections_per_second(self, server, follow, mode):
        """With the settings of the page: the waits grow, whenever it hangs up."""
        server.start(mode)
        client = follow()
        client.fails()
        time.sleep(2)
        assert 1 <= server.connections <= 8  # more are as likely as 1 in 100 million runs
        numbers = [number for number, _ in client.retries]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) - 1 <= server.connections <= len(numbers) + 1


class TestStopped:
    """The event ends the program, wherever it is."""

    def test_in_the_middle_of_a_wait(self, server, follow):
        """Of a minute: no server is there."""
        client = follow(wait=60)
        client.fails()
        assert client.stop() < IN_NO_TIME
        assert (client.error, client.reasons) == (None, ["stopped"])
        assert len(client.retries) == 1

    def test_while_it_is_connected(self, server, follow):
        """After the next event; that is no failure."""
        server.start("well")
        client = follow()
        client.follows()
        assert client.stop() < IN_NO_TIME
        assert (client.error, client.reasons, client.retries) == (None, [], [])
