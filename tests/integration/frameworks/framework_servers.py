"""Servers around what the tests write: an ASGI application under uvicorn, and a Redis."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30  # seconds, and only where something would hang
# Of a Celery worker that ends: now and then its main process stops before it has read the last
# result of a process of its pool, which waits for that for 30 seconds (billiard's
# `_ensure_messages_consumed`), and then both end well.
WORKERS_PATIENCE = 30 + PATIENCE


def until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of *condition*, called again and again."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {PATIENCE} s")
        time.sleep(0.005)
    return value


@contextlib.contextmanager
def serving(app: Any, *, loop: str = "asyncio") -> Iterator[str]:
    """Serve the ASGI application *app* from a thread, on the event loop *loop*; yield its URL."""
    import uvicorn

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app, loop=loop, log_level="error", lifespan="off", timeout_graceful_shutdown=PATIENCE
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            until(lambda: server.started, "the server starts")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def request_and_leave(url: str, path: str, may_leave: Callable[[], Any]) -> None:
    """Ask for *path*, and close the connection without reading as soon as *may_leave* is true."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        until(may_leave, "the request reaches the view")


def required(program: str, package: str) -> str:
    """Return the path of *program*; without it the test is skipped, and fails on CI."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is not installed (Debian: apt-get install {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Start a private Redis on a Unix socket, which keeps nothing; yield the socket's path."""
    program = required("redis-server", "redis-server")
    # Not pytest's folder: the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="retrying-redis-", dir="/tmp") as folder:
        place = Path(folder, "redis.sock")
        process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--dir", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(place.exists, "Redis starts")
            yield str(place)
        finally:
            process.terminate()
            process.wait(PATIENCE)
