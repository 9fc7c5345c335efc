"""The table of docs/databases.md that says what each attempt does, for drivers without a recipe.

Many clients at a time add one to a balance that they have read, as the table has it for their
driver.  If an attempt left its transaction open, kept half of it, or did not commit, the sum would
be another one.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading

import documents
import psycopg
import psycopg_pool
import pymysql
import pytest
import sqlalchemy
from database_drivers import MARIADB, POSTGRESQL, SQLITE, Session, opened
from database_servers import PATIENCE, wait_until
from sqlalchemy import orm

from retrying_elegant import backoff, db, retry

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:Module .* has no models"),
]

CLIENTS, CALLS = 4, 5
TABLE = "CREATE TABLE account (id int PRIMARY KEY, balance int)"
ROWS_OF_IT = "INSERT INTO account VALUES (0, 0), (1, 0), (2, 0), (3, 0), (4, 0)"


def add_one(own, locking, conflicts):
    """
    Write a row of one's own, then read the common one, and write what was read.

    Until it has collided with another one, if it is locked.
    """
    yield f"UPDATE account SET balance = balance + 1 WHERE id = {own}"
    [(balance,)] = yield f"SELECT balance FROM account WHERE id = 0{locking}"
    wait_until(lambda: conflicts or not locking)
    yield f"UPDATE account SET balance = {balance + 1} WHERE id = 0"


def run(execute, statements):
    with contextlib.suppress(StopIteration):
        statement = next(statements)
        while True:
            statement = statements.send(execute(statement))


def commit_or_roll_back(session, statements):
    """`commit()` at the end, `rollback()` on any error."""
    try:
        run(session.execute, statements)
        session.commit()
    except BaseException:
        session.rollback()
        raise


def with_connection(session, statements):
    """`with connection:`."""
    with session.connection:
        run(session.execute, statements)


def a_pool(server):
    return psycopg_pool.ConnectionPool(server.address, min_size=1, max_size=1, open=True)


def with_pool(pool, statements):
    """`with pool.connection():`, of psycopg's."""
    with pool.connection() as connection:
        run(Session(connection).execute, statements)


def with_session(session, statements):
    """`with Session(engine) as s, s.begin():`, of SQLAlchemy's ORM."""
    engine = session.connection.engine

    def execute(sql):
        result = s.execute(sqlalchemy.text(sql))
        return result.all() if result.returns_rows else []

    with orm.Session(engine) as s, s.begin():
        run(execute, statements)


def immediate(statements):
    """`BEGIN IMMEDIATE` first."""
    yield "BEGIN IMMEDIATE"
    yield from statements


def with_connection_immediately(session, statements):
    with_connection(session, immediate(statements))


def commit_or_roll_back_immediately(session, statements):
    commit_or_roll_back(session, immediate(statements))


def atomic(session, statements):
    """`with database.atomic():`, of peewee."""

    def execute(sql):
        cursor = session.connection.execute_sql(sql)
        return cursor.fetchall() if cursor.description else []

    with session.connection.atomic():
        run(execute, statements)


def in_transaction(session, statements):
    """`async with in_transaction():`, of tortoise."""
    from tortoise.transactions import in_transaction

    async def main():
        async with in_transaction() as connection:
            with contextlib.suppress(StopIteration):
                statement = next(statements)
                while True:
                    _, rows = await connection.execute_query(statement)
                    statement = statements.send([tuple(dict(row).values()) for row in rows])

    session.run(main)


ROWS = {
    "psycopg, pool": ("postgresql", a_pool, with_pool),
    "SQLAlchemy, PostgreSQL": ("postgresql", POSTGRESQL["SQLAlchemy, psycopg"], with_session),
    "SQLAlchemy, MariaDB": ("mariadb", MARIADB["SQLAlchemy, PyMySQL"], with_session),
    "psycopg2": ("postgresql", POSTGRESQL["psycopg2"], with_connection),
    "pg8000": ("postgresql", POSTGRESQL["pg8000"], commit_or_roll_back),
    "pyodbc, PostgreSQL": ("postgresql", POSTGRESQL["pyodbc"], commit_or_roll_back),
    "PyMySQL": ("mariadb", MARIADB["PyMySQL"], commit_or_roll_back),
    "aiomysql": ("mariadb", MARIADB["aiomysql"], commit_or_roll_back),
    "asyncmy": ("mariadb", MARIADB["asyncmy"], commit_or_roll_back),
    "mysqlclient": ("mariadb", MARIADB["mysqlclient"], commit_or_roll_back),
    "mysql-connector": ("mariadb", MARIADB["mysql-connector"], commit_or_roll_back),
    "pyodbc, MariaDB": ("mariadb", MARIADB["pyodbc"], commit_or_roll_back),
    "peewee, PostgreSQL": ("postgresql", POSTGRESQL["peewee"], atomic),
    "peewee, MariaDB": ("mariadb", MARIADB["peewee"], atomic),
    "tortoise, PostgreSQL": ("postgresql", POSTGRESQL["tortoise, asyncpg"], in_transaction),
    "tortoise, MariaDB": ("mariadb", MARIADB["tortoise"], in_transaction),
    "sqlite3": ("sqlite", SQLITE["sqlite3"], with_connection_immediately),
    "aiosqlite": ("sqlite", SQLITE["aiosqlite"], commit_or_roll_back_immediately),
}


# On the page, each of these has a recipe, which test_database_recipes.py runs.
RECIPES = {"psycopg", "asyncpg", "SQLAlchemy", "Django", "redis"}
# Their servers cannot be installed here: the drivers' own classes and numbers only.
WITHOUT_SERVER = {"python-oracledb", "pymongo"}


def test_every_driver_is_tried():
    """Each that the table names, here or by a recipe."""
    page = (documents.ROOT / "docs" / "databases.md").read_text(encoding="utf-8")
    rows = page.partition("| Driver | `on` |")[2].partition("\n\n")[0].splitlines()[2:]
    names = {name.strip() for row in rows[:-1] for name in row.split("|")[1].split(",")}
    tried = {name.partition(",")[0] for name in ROWS}
    assert names == tried | RECIPES | WITHOUT_SERVER


@pytest.fixture
def database(request, tmp_path):
    """A database with the table in it: where it is, how to lock a row, and how to read it."""
    kind = request.param
    if kind == "sqlite":
        where, locking = str(tmp_path / "file.db"), ""
        connecting = lambda: contextlib.closing(sqlite3.connect(where))  # noqa: E731
    else:
        where, locking = request.getfixturevalue(kind), " FOR UPDATE NOWAIT"
        if kind == "mariadb":
            connecting = lambda: pymysql.connect(**where.address)  # noqa: E731
        else:
            connecting = lambda: psycopg.connect(where.address)  # noqa: E731
    with connecting() as connection:
        cursor = connection.cursor()
        for statement in ("DROP TABLE IF EXISTS account", TABLE, ROWS_OF_IT):
            cursor.execute(statement)
        connection.commit()

    def balances():
        with connecting() as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT balance FROM account ORDER BY id")
            return [row[0] for row in cursor.fetchall()]

    return where, locking, balances


@pytest.mark.parametrize(
    ("database", "connect", "attempt"), ROWS.values(), ids=ROWS, indirect=["database"]
)
class TestWhatEachAttemptDoes:
    """Nothing is lost, nothing doubled, and no transaction left open."""

    def test_the_sum_is_right(self, database, connect, attempt):
        """That of one call after the other, though they have collided."""
        where, locking, balances = database
        errors, conflicts = [], []
        together = threading.Barrier(CLIENTS)

        def client(own):
            try:
                with opened(connect, where) as session:

                    @retry(
                        None,
                        on=db.conflict,
                        wait=backoff.exponential(0.005, cap=0.1),
                        timeout=PATIENCE,
                        on_retry=conflicts.append,
                        log_level=None,
                    )
                    def call():
                        attempt(session, add_one(own, locking, conflicts))

                    together.wait(PATIENCE)
                    for _ in range(CALLS):
                        call()
            except BaseException as error:
                errors.append(error)
                together.abort()

        threads = [threading.Thread(target=client, args=(own,)) for own in range(1, CLIENTS + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert balances() == [CLIENTS * CALLS, *[CALLS] * CLIENTS]
