"""What docs/databases.md says beside its recipes and tables, of databases and their drivers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sqlite3

import asyncpg
import collisions
import psycopg
import psycopg_pool
import pymysql
import pytest
import sqlalchemy
from collisions import error_of, update
from database_drivers import MARIADB, POSTGRESQL, opened
from db_parts import meaning

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ON_POSTGRESQL = [("postgresql", POSTGRESQL["psycopg"])]
ON_BOTH = [*ON_POSTGRESQL, ("mariadb", MARIADB["PyMySQL"])]
TABLE = "CREATE TABLE account (id int PRIMARY KEY, balance int)"


@pytest.fixture
def server(request):
    """A server with two accounts."""
    name, connect = request.param
    server = request.getfixturevalue(name)
    with opened(connect, server) as session:
        for statement in ("DROP TABLE IF EXISTS account", TABLE):
            session.execute(statement)
        session.execute("INSERT INTO account VALUES (1, 0), (2, 0)")
        session.commit()
    return server, connect


@pytest.fixture
def two(server):
    where, connect = server
    with opened(connect, where) as first, opened(connect, where) as second:
        yield first, second


def on(servers):
    ids = [name for name, _ in servers]
    return pytest.mark.parametrize("server", servers, ids=ids, indirect=True)


class TestTransactions:
    """What is to be run again: all of it, with its reads, and isolated from others."""

    @on(ON_BOTH)
    def test_the_default_level_loses_updates(self, two):
        """Both have read 0; no conflict, and one of the two additions is gone."""
        for session in two:
            assert session.execute("SELECT balance FROM account WHERE id = 1") == [(0,)]
        for session in two:
            session.execute("UPDATE account SET balance = 0 + 5 WHERE id = 1")
            session.commit()
        assert two[0].execute("SELECT balance FROM account WHERE id = 1") == [(5,)]

    @on(ON_BOTH)
    def test_for_update_prevents_it(self, two):
        """The second has to wait, and then reads what the first has written."""
        first, second = two
        read = "SELECT balance FROM account WHERE id = 1 FOR UPDATE"
        first.execute(read)
        assert meaning(error_of(second.execute, f"{read} NOWAIT")) == "conflict"
        second.rollback()
        first.execute(update(1, by=5))
        first.commit()
        assert second.execute(read) == [(5,)]

    @on(ON_POSTGRESQL)
    def test_a_commit_alone_cannot_be_repeated(self, two):
        """After a conflict, another COMMIT succeeds, and commits nothing."""
        assert meaning(collisions.write_skew(*two)) == "conflict"
        two[1].commit()
        rows = two[1].execute("SELECT balance FROM account ORDER BY id")
        assert rows == [(1,), (0,)]

    @on(ON_BOTH)
    def test_ddl_commits_what_came_before_it(self, two):
        """In MariaDB, as in MySQL and Oracle, and not in PostgreSQL."""
        two[0].execute(update(1, by=5))
        two[0].execute("CREATE TABLE another (n int)")
        two[0].rollback()
        in_mariadb = isinstance(two[0].connection, pymysql.Connection)
        expected = 5 if in_mariadb else 0
        assert two[1].execute("SELECT balance FROM account WHERE id = 1") == [(expected,)]
        two[1].rollback()
        two[0].execute("DROP TABLE IF EXISTS another")
        two[0].commit()


class TestOperationIds:
    """The database recognizes the second attempt of an operation."""

    @pytest.fixture
    def connections(self, postgresql):
        with (
            psycopg.connect(postgresql.address) as first,
            psycopg.connect(postgresql.address, autocommit=True) as second,
        ):
            second.execute("DROP TABLE IF EXISTS payment")
            second.execute("CREATE TABLE payment (operation int PRIMARY KEY)")
            yield first, second

    def test_an_attempt_that_is_still_at_it_is_waited_for(self, connections):
        """Until it has committed, or not."""
        first, second = connections
        pay = "INSERT INTO payment VALUES (1) ON CONFLICT DO NOTHING"
        assert first.execute(pay).rowcount == 1
        second.execute("SET lock_timeout = '50ms'")
        assert meaning(error_of(second.execute, pay)) == "conflict"  # it has waited in vain
        first.rollback()
        assert second.execute(pay).rowcount == 1
        assert second.execute(pay).rowcount == 0

    def test_sqlite(self):
        """The same words."""
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            connection.execute("CREATE TABLE payment (operation int PRIMARY KEY)")
            pay = "INSERT INTO payment VALUES (1) ON CONFLICT DO NOTHING"
            assert [connection.execute(pay).rowcount for _ in range(2)] == [1, 0]

    def test_mariadb(self, mariadb):
        """1062, which is not retried."""
        with pymysql.connect(**mariadb.address) as connection:
            cursor = connection.cursor()
            cursor.execute("CREATE OR REPLACE TABLE payment (operation int PRIMARY KEY)")
            cursor.execute("INSERT INTO payment VALUES (1)")
            error = error_of(cursor.execute, "INSERT INTO payment VALUES (1)")
        assert error.args[0] == 1062
        assert meaning(error) == "neither"


class TestPools:
    """What they hand out, and what they say if they have nothing."""

    @pytest.mark.parametrize("checks", [True, False])
    def test_sqlalchemy(self, postgresql, checks):
        """`pool_pre_ping=True`."""
        engine = sqlalchemy.create_engine(
            f"postgresql+psycopg://{postgresql.url}", pool_pre_ping=checks
        )

        def ask():
            with engine.begin() as connection:
                return connection.execute(sqlalchemy.text("SELECT 1")).scalar_one()

        assert ask() == 1
        postgresql.restart()
        if not checks:
            assert meaning(error_of(ask)) == "disconnected"
        assert ask() == 1
        engine.dispose()

    @pytest.mark.parametrize("checks", [True, False])
    def test_psycopg(self, postgresql, checks):
        """`check=ConnectionPool.check_connection`."""
        check = psycopg_pool.ConnectionPool.check_connection if checks else None
        with psycopg_pool.ConnectionPool(
            postgresql.address, min_size=1, max_size=1, check=check, open=True
        ) as pool:

            def ask():
                with pool.connection() as connection:
                    return connection.execute("SELECT 1").fetchone()

            assert ask() == (1,)
            postgresql.restart()
            if not checks:
                assert meaning(error_of(ask)) == "disconnected"
            assert ask() == (1,)

    def test_psycopg_does_not_say_why_there_is_no_connection(self, postgresql):
        """Exhausted, it is as if the server were down."""
        with (
            psycopg_pool.ConnectionPool(
                postgresql.address, min_size=1, max_size=1, open=True
            ) as pool,
            pool.connection(),
        ):
            error = error_of(lambda: pool.getconn(timeout=0.05))
        assert type(error) is psycopg_pool.PoolTimeout
        assert meaning(error) == "disconnected"

    def test_sqlalchemy_says_so(self, postgresql):
        """Its own TimeoutError is neither."""
        engine = sqlalchemy.create_engine(
            f"postgresql+psycopg://{postgresql.url}", pool_size=1, max_overflow=0, pool_timeout=0.05
        )
        with engine.connect():
            error = error_of(engine.connect)
        engine.dispose()
        assert type(error) is sqlalchemy.exc.TimeoutError
        assert meaning(error) == "neither"


class TestAsyncpg:
    """Its own timeouts do not say of what they are."""

    def test_of_a_query(self, postgresql):
        """A bare TimeoutError."""

        async def main():
            connection = await asyncpg.connect(postgresql.dsn)
            try:
                await connection.fetch("SELECT pg_sleep(20)", timeout=0.05)
            finally:
                connection.terminate()

        error = error_of(asyncio.run, main())
        assert type(error) is TimeoutError
        assert meaning(error) == "neither"

    def test_of_connecting(self):
        """The same, at a server that says nothing."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            dsn = f"postgresql://tester@127.0.0.1:{silent.getsockname()[1]}/postgres"
            error = error_of(asyncio.run, asyncpg.connect(dsn, timeout=0.05, ssl=False))
        assert type(error) is TimeoutError
        assert meaning(error) == "neither"


class TestSQLAlchemy:
    """It may give a connection up for a reason of its own."""

    @pytest.mark.parametrize("name", ["SQLAlchemy, PyMySQL"])
    def test_a_connection_that_it_has_invalidated(self, mariadb, name):
        """As for MariaDB's 4031, which it takes for MySQL's: then the connection is gone."""
        trigger = (
            "CREATE TRIGGER t BEFORE INSERT ON watched FOR EACH ROW FOLLOWS nowhere SET @n = 1"
        )
        with opened(MARIADB[name], mariadb) as session:
            session.execute("CREATE OR REPLACE TABLE watched (id int)")
            error = error_of(session.execute, trigger)
            assert error.connection_invalidated
            assert session.connection.invalidated
        assert meaning(error.orig) == "neither"
        assert meaning(error) == "disconnected"
