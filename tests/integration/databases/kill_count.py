"""Count what happens to payments while a database server is killed with -9 again and again.

    python tests/integration/databases/kill_count.py [--clients N] [--kills K] [postgresql|mariadb]

Clients pay as fast as they can, each payment in a transaction of its own, and retry whatever
``db.conflict`` and ``db.disconnected`` are true of.  Meanwhile the server is killed and started
again.  In the end the payments that were acknowledged to a client are compared with the table, once
where each has an operation id (a primary key), and once where it has none.  Prints a Markdown
table; the exit status is 1 if a payment with an id was lost or doubled.  Durations are seconds.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1])]

import database_servers  # noqa: E402 - it is in that folder

from retrying_elegant import backoff, db, retry  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable


class Count(NamedTuple):
    """What became of the payments."""

    acknowledged: int
    in_table: int
    lost: int
    doubled: int


def lost_or_undone(error: BaseException) -> bool:
    return db.conflict(error) or db.disconnected(error)


def connecting(server: Any) -> Callable[[], Any]:
    """How to connect to *server*."""
    if isinstance(server, database_servers.PostgreSQL):
        import psycopg

        return lambda: psycopg.connect(server.address)
    import pymysql

    return lambda: pymysql.connect(**server.address)


class Payments:
    """A table of payments at *server*, with or without an operation id."""

    def __init__(self, server: Any, *, with_id: bool) -> None:
        self._connect = connecting(server)
        unique = "PRIMARY KEY" if with_id else "NOT NULL"
        connection = self._connect()
        cursor = connection.cursor()
        cursor.execute("DROP TABLE IF EXISTS payment")
        cursor.execute(f"CREATE TABLE payment (operation varchar(36) {unique}, amount int)")
        connection.commit()
        connection.close()
        self._insert = "INSERT INTO payment VALUES (%s, %s)"
        if with_id:
            postgresql = isinstance(server, database_servers.PostgreSQL)
            self._insert += (
                " ON CONFLICT DO NOTHING"
                if postgresql
                else " ON DUPLICATE KEY UPDATE operation = operation"
            )

    def client(self) -> Callable[[str], None]:
        """A function that pays, over a connection of its own that it opens anew if it is lost."""
        open_now: list[Any] = []

        def forget(attempt: Any) -> None:
            while open_now:
                try:
                    open_now.pop().close()
                except Exception:
                    pass  # it is broken, which is why it is closed

        @retry(
            None,
            on=lost_or_undone,
            wait=backoff.exponential(0.02, cap=0.2),
            timeout=database_servers.PATIENCE,
            on_retry=forget,
            log_level=None,  # there are hundreds, and a table to read
        )
        def pay(operation: str) -> None:
            if not open_now:
                open_now.append(self._connect())
            cursor = open_now[0].cursor()
            cursor.execute(self._insert, [operation, 1])
            open_now[0].commit()

        return pay

    def rows(self) -> list[str]:
        """The operations in the table."""
        connection = self._connect()
        cursor = connection.cursor()
        cursor.execute("SELECT operation FROM payment")
        found = [row[0] for row in cursor.fetchall()]
        connection.close()
        return found


def under_kills(
    server: Any, pay: Callable[[], Callable[[str], None]], *, clients: int, kills: int
) -> list[str]:
    """Let *clients* pay while the server is killed *kills* times; the acknowledged operations."""
    acknowledged: list[str] = []
    errors: list[BaseException] = []
    over = threading.Event()

    def run() -> None:
        paying = pay()
        try:
            while not over.is_set():
                operation = str(uuid.uuid4())
                paying(operation)
                acknowledged.append(operation)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(kills):
            before = len(acknowledged)
            while len(acknowledged) < before + 5 * clients and not errors:
                time.sleep(0.005)  # until all are in full swing again
            server.restart()
    finally:
        over.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return acknowledged


def counted(acknowledged: list[str], rows: list[str]) -> Count:
    """Compare what clients were told with what is in the table."""
    distinct = set(rows)
    lost = len(set(acknowledged) - distinct)
    return Count(len(acknowledged), len(rows), lost, len(rows) - len(distinct))


def count(server: Any, *, with_id: bool, clients: int, kills: int) -> Count:
    """The whole experiment, once."""
    payments = Payments(server, with_id=with_id)
    acknowledged = under_kills(server, payments.client, clients=clients, kills=kills)
    return counted(acknowledged, payments.rows())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Count payments under kill -9.")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kills", type=int, default=10)
    kinds = {"postgresql": database_servers.PostgreSQL, "mariadb": database_servers.MariaDB}
    parser.add_argument("servers", nargs="*", metavar="|".join(kinds), default=[*kinds])
    options = parser.parse_args(arguments)
    print(
        "| server | operation id | clients | kills | acknowledged | in the table | lost | doubled |"
    )
    print("|---|---|---|---|---|---|---|---|")
    wrong = False
    for name in options.servers:
        with kinds[name]() as server:
            for with_id in (True, False):
                found = count(server, with_id=with_id, clients=options.clients, kills=options.kills)
                wrong |= with_id and bool(found.lost or found.doubled)
                which = "yes" if with_id else "no"
                cells = [name, which, options.clients, options.kills, *found]
                print("|", " | ".join(map(str, cells)), "|", flush=True)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
