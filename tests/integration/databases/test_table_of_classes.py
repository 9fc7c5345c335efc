"""The table of docs/databases.md that says which class each driver raises for what."""

from __future__ import annotations

import contextlib
import functools
import sqlite3

import collisions
import documents
import psycopg
import pymysql
import pytest
from collisions import error_of
from database_drivers import MARIADB, POSTGRESQL, opened

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

KINDS = {"PostgresError", "OSError", "InterfaceError", "DatabaseError", "Error"}
KINDS |= {"OperationalError", "ProgrammingError", "InternalError"}


def table():
    """The rows of the page: of each driver, the classes in the three columns."""
    page = (documents.ROOT / "docs" / "databases.md").read_text(encoding="utf-8")
    rows = page.partition("| Driver | Deadlock or busy |")[2].partition("\n\n")[0].splitlines()[2:]
    found = {}
    for row in rows:
        names, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        columns = [set(cell.replace("`", "").split(", ")) - {""} for cell in cells]
        found |= {name.strip(): columns for name in names.split(",")}
    return found


TABLE = table()


def kind(error):
    """The most specific class of *error* that the page speaks of."""
    return next(cls.__name__ for cls in type(error).__mro__ if cls.__name__ in KINDS)


def check(connect, server, columns, process, end):
    """Provoke all three with one driver."""
    conflict, syntax, lost = columns
    with opened(connect, server) as first, opened(connect, server) as second:
        assert kind(collisions.deadlock(first, second)) in conflict
    with opened(connect, server) as session:
        assert {kind(error_of(session.execute, "SELEC 1"))} == syntax
        session.rollback()
        [(number,)] = session.execute(process)
        end(number)
        for _ in range(2):
            assert kind(error_of(session.execute, "SELECT 1")) in lost
    with server.down():
        assert kind(error_of(connect, server)) in lost


ON_POSTGRESQL = ["psycopg", "psycopg2", "asyncpg", "pg8000", "pyodbc"]
ON_MARIADB = ["PyMySQL", "mysqlclient", "mysql-connector", "pyodbc"]


class TestTheTable:
    """An error is of no other class than those that the page names for it."""

    def test_every_driver_is_tried(self):
        """Each that the table names, and none without a row."""
        assert TABLE.keys() == {"sqlite3", *ON_POSTGRESQL, *ON_MARIADB}

    @pytest.mark.parametrize("name", ON_POSTGRESQL)
    def test_postgresql(self, postgresql, name):
        """One of two that deadlock, a wrong word, a session that is ended, and no server."""

        def run(statement, *values):
            with psycopg.connect(postgresql.address, autocommit=True) as operator:
                operator.execute(statement, values)

        run("CREATE TABLE IF NOT EXISTS account (id int PRIMARY KEY, balance int)")
        run("INSERT INTO account VALUES (1, 0), (2, 0) ON CONFLICT DO NOTHING")
        end = functools.partial(run, "SELECT pg_terminate_backend(%s, 5000)")
        check(POSTGRESQL[name], postgresql, TABLE[name], "SELECT pg_backend_pid()", end)

    @pytest.mark.parametrize("name", ON_MARIADB)
    def test_mariadb(self, mariadb, name):
        """The same there."""

        def run(statement, *values):
            with pymysql.connect(**mariadb.address, autocommit=True) as operator:
                operator.cursor().execute(statement, values)

        run("CREATE TABLE IF NOT EXISTS account (id int PRIMARY KEY, balance int) ENGINE=InnoDB")
        run("INSERT IGNORE INTO account VALUES (1, 0), (2, 0)")
        end = functools.partial(run, "KILL %s")
        check(MARIADB[name], mariadb, TABLE[name], "SELECT connection_id()", end)

    def test_sqlite(self, tmp_path):
        """A file that is busy, and a wrong word; there is no connection to lose."""
        busy, syntax, lost = TABLE["sqlite3"]
        path = tmp_path / "file.db"
        with (
            contextlib.closing(sqlite3.connect(path, timeout=0)) as first,
            contextlib.closing(sqlite3.connect(path, timeout=0)) as second,
        ):
            first.execute("BEGIN IMMEDIATE")
            assert {kind(error_of(second.execute, "BEGIN IMMEDIATE"))} == busy
            assert {kind(error_of(second.execute, "SELEC 1"))} == syntax
        assert lost == set()
