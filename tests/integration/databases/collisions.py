"""What two sessions, or a session and an operator, do to each other on purpose.

Owns the situations in which databases refuse work or lose connections.  Each function returns the
error that came of it, or fails.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from database_drivers import Session


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
    call: Callable[[], Any], end: Callable[[], Any], *, after: float = 0.3
) -> BaseException:
    """An operator ends the session in the middle of *call*."""
    timer = threading.Timer(after, end)
    timer.start()
    try:
        return error_of(call)
    finally:
        timer.join()


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


def errors_while(start: Callable[[], Any], connect: Callable[[], Session]) -> list[BaseException]:
    """The errors of connecting again and again while a server starts, and at last it succeeds."""
    errors: list[BaseException] = []
    thread = threading.Thread(target=start)
    thread.start()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            connect().close()
        except Exception as error:
            errors.append(error)
            time.sleep(0.005)
        else:
            break
    else:
        raise AssertionError("the server did not come up")
    thread.join()
    return errors
