"""What two sessions, or a session and an operator, do to each other on purpose.

Owns the situations in which databases refuse work or lose connections.  Each function returns the
error that came of it, or fails.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import socketserver
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
from database_servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from database_drivers import Session
    from database_servers import PostgreSQL


def error_of(function: Callable[..., Any], *args: Any) -> BaseException:
    """The error that a call ends with."""
    try:
        result = function(*args)
    except Exception as error:
        return error
    raise AssertionError(f"{function} was expected to fail, and returned {result!r}")


def update(row: int, by: int = 1) -> str:
    """A statement that locks one row."""
    return f"UPDATE account SET balance = balance + {by} WHERE id = {row}"


def deadlock(first: Session, second: Session) -> BaseException:
    """Each locks a row and then wants that of the other; one is chosen, the other goes on."""
    first.execute(update(1))
    second.execute(update(2))
    errors = []

    def go_on(session: Session, row: int) -> None:
        try:
            session.execute(update(row))
        except Exception as error:
            errors.append(error)
        session.rollback()

    thread = threading.Thread(target=go_on, args=(first, 2))
    thread.start()
    go_on(second, 1)
    thread.join()
    assert len(errors) == 1, errors
    return errors[0]


def locked(first: Session, second: Session, statement: str) -> BaseException:
    """The second wants a row that the first has locked, and does not wait for ever."""
    first.execute(update(1))
    error = error_of(second.execute, statement)
    first.rollback()
    return error


def write_skew(first: Session, second: Session) -> BaseException:
    """Each reads what the other changes: serializable one after the other only."""
    for session in (first, second):
        session.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        session.execute("SELECT sum(balance) FROM account")
    first.execute(update(1))
    second.execute(update(2))
    first.commit()
    return error_of(second.commit)


def lost_update(first: Session, second: Session) -> BaseException:
    """The second changes a row that has changed since its snapshot."""
    second.execute("SELECT balance FROM account WHERE id = 1")
    first.execute(update(1))
    first.commit()
    return error_of(second.execute, update(1))


def ended_during(
    call: Callable[[], Any], end: Callable[[], Any], *, once: Callable[[], object]
) -> BaseException:
    """An operator ends the session in the middle of *call*, *once* it has got that far."""

    def operate() -> None:
        wait_until(once)
        end()

    with ThreadPoolExecutor(1) as pool:
        operating = pool.submit(operate)
        error = error_of(call)
        operating.result()
    return error


def waiting(server: PostgreSQL, process: int) -> Callable[[], bool]:
    """Whether a session of *server* is asleep, or waits for a standby at the end of its COMMIT."""
    state = "SELECT wait_event IN ('PgSleep', 'SyncRep') FROM pg_stat_activity WHERE pid = %s"

    def it_waits() -> bool:
        with psycopg.connect(server.address) as connection:
            return connection.execute(state, [process]).fetchone() == (True,)

    return it_waits


def gone(server: PostgreSQL, process: int) -> Callable[[], bool]:
    """Whether there is no such session any more."""

    def it_is_gone() -> bool:
        with psycopg.connect(server.address) as connection:
            query = "SELECT FROM pg_stat_activity WHERE pid = %s"
            return connection.execute(query, [process]).rowcount == 0

    return it_is_gone


@contextlib.contextmanager
def no_room(server: PostgreSQL) -> Iterator[None]:
    """Every connection that *server* has is taken; they are free again afterwards."""
    with contextlib.ExitStack() as stack:
        try:
            while True:
                stack.enter_context(psycopg.connect(server.address))
        except psycopg.OperationalError as error:
            assert "too many clients" in str(error), error
        yield

    def few_are_left() -> bool:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(server.address) as connection,
        ):
            return connection.execute("SELECT FROM pg_stat_activity").rowcount < 20
        return False

    wait_until(few_are_left)


@contextlib.contextmanager
def answers_lost(port: int, request: bytes, *, times: int) -> Iterator[int]:
    """A port that leads to *port*, but loses so many answers to *request*, and the connection."""
    to_lose = [None] * times

    def forward(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            while asked := client.recv(65_536):
                server.sendall(asked)
                answer = server.recv(65_536)
                if request in asked and to_lose:
                    to_lose.pop()
                    return
                client.sendall(answer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=forward, args=(listener.accept()[0],)))
                threads[-1].start()

    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join()
    assert not to_lose


# What a client asks first: whether the connection may be encrypted.
_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)


def last_words(server: PostgreSQL) -> bytes:
    """What a client that is about to log in is told when ``kill -9`` meets the postmaster alone."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(_SSL_REQUEST)
        assert client.recv(1) == b"N"  # from now on, a process of its own speaks to this client
        os.kill(server.pid, signal.SIGKILL)
        words = b"".join(iter(lambda: client.recv(65_536), b""))
    server.restart()
    return words


@contextlib.contextmanager
def only_says(words: bytes) -> Iterator[int]:
    """A port that answers *words* to whoever asks, and hangs up."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            self.request.sendall(words)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def errors_while(start: Callable[[], Any], connect: Callable[[], Session]) -> list[BaseException]:
    """The errors of connecting, before a server starts and while it does, until that succeeds."""
    errors = [error_of(connect)]
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(start)

        def connects() -> bool:
            try:
                connect().close()
            except Exception as error:
                errors.append(error)
                return starting.done() and starting.exception() is not None
            return True

        wait_until(connects)
        starting.result()
    return errors
