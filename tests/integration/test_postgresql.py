"""A PostgreSQL server restarted under a retrying client, and transactions that it refuses."""

from __future__ import annotations

import asyncio
import signal
import threading

import database_servers
import pytest

from retrying_elegant import Policy, given_up, retry, retrying

psycopg = pytest.importorskip("psycopg", reason="the package psycopg[binary] is not installed")

AWAY = Policy(
    None, on=psycopg.OperationalError, wait=0.02, timeout=database_servers.PATIENCE, name="query"
)


def refused_by_the_server(error):
    """A transaction that would have succeeded alone: SQLSTATE 40001 or 40P01."""
    return isinstance(error, psycopg.Error) and error.sqlstate in ("40001", "40P01")


@pytest.fixture(scope="module")
def server():
    with database_servers.PostgreSQL() as server:
        with psycopg.connect(server.address, autocommit=True) as connection:
            connection.execute("CREATE TABLE account (id int PRIMARY KEY, balance int)")
            connection.execute("CREATE TABLE log (entry text PRIMARY KEY)")
        yield server


@pytest.fixture
def restart(server):
    """A hook: the server has been stopped; the first time it runs, start it in a thread."""
    threads = []

    def hook(attempt):
        if not threads:
            threads.append(threading.Thread(target=server.start))
            threads[0].start()

    yield hook
    for thread in threads:
        thread.join()


class Client:
    """Keeps one connection, and opens another where that is broken."""

    def __init__(self, server):
        self.address = server.address
        self.connection = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.connection is not None:
            self.connection.close()

    def query(self, sql):
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(self.address, autocommit=True)
        return self.connection.execute(sql).fetchone()[0]


class TestRestart:
    """A query that meets a server in the middle of a restart succeeds after it."""

    @pytest.mark.parametrize("mode", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
    def test_decorator(self, server, restart, mode):
        """Its connection is dead, then the socket is gone, then the server starts up."""
        errors = []

        def note(attempt):
            errors.append(type(attempt.error))

        with Client(server) as client:
            query = retry(AWAY, on_retry=[restart, note])(client.query)
            assert query("SELECT 1") == 1
            first_connection = client.connection
            server.stop(mode)
            assert query("SELECT 2") == 2
            assert client.connection is not first_connection
        assert first_connection.closed
        assert len(errors) >= 2  # the lost connection, and those that were refused
        assert all(issubclass(error, psycopg.OperationalError) for error in errors)

    def test_loop(self, server, restart):
        """A connection for each attempt."""
        server.stop()
        for attempt in retrying(AWAY, on_retry=restart):
            with attempt, psycopg.connect(server.address) as connection:
                [value] = connection.execute("SELECT 3").fetchone()
        assert value == 3
        assert attempt.number >= 2

    def test_async_block(self, server, restart):
        """psycopg's async connections, several statements under one deadline."""

        async def query(sql):
            async with await psycopg.AsyncConnection.connect(server.address) as connection:
                cursor = await connection.execute(sql)
                return (await cursor.fetchone())[0]

        async def main():
            async with retrying(AWAY, on_retry=restart, attempt_timeout=60) as call:
                return [await call(query, "SELECT 4"), await call(query, "SELECT 5")]

        server.stop()
        assert asyncio.run(main()) == [4, 5]

    def test_a_server_that_stays_down(self, server):
        """The client's own error leaves, with the record."""
        server.stop()
        try:
            with pytest.raises(psycopg.OperationalError) as caught:
                retry(AWAY, attempts=3)(Client(server).query)("SELECT 6")
            assert given_up(caught.value).attempts == 3
        finally:
            server.start()

    def test_a_wrong_statement_is_asked_once(self, server):
        """It is no OperationalError."""
        calls = []
        with Client(server) as client:

            @retry(AWAY)
            def query():
                calls.append(True)
                return client.query("SELECT no_such_column")

            with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
                query()
        assert len(calls) == 1
        assert given_up(caught.value) is None


class TestTransactions:
    """What the server refuses because of others is retried as a whole, by predicate."""

    @pytest.fixture
    def accounts(self, server):
        """Two connections to a table with one row of 100."""
        with (
            psycopg.connect(server.address) as ours,
            psycopg.connect(server.address, autocommit=True) as theirs,
        ):
            theirs.execute("TRUNCATE account")
            theirs.execute("INSERT INTO account VALUES (1, 100)")
            ours.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
            yield ours, theirs

    def test_a_serialization_failure(self, accounts):
        """Somebody else changes the row between reading and writing: 40001, once."""
        ours, theirs = accounts
        attempts = []

        @retry(5, on=refused_by_the_server, wait=0)
        def withdraw(amount):
            with ours.transaction():
                [balance] = ours.execute("SELECT balance FROM account").fetchone()
                attempts.append(balance)
                if len(attempts) == 1:
                    theirs.execute("UPDATE account SET balance = balance - 30")
                ours.execute("UPDATE account SET balance = %s", [balance - amount])

        withdraw(50)
        assert attempts == [100, 70]
        assert theirs.execute("SELECT balance FROM account").fetchone() == (20,)

    def test_one_that_never_ends(self, accounts):
        """The driver's own error leaves, and nothing has been written."""
        ours, theirs = accounts
        with pytest.raises(psycopg.errors.SerializationFailure) as caught:
            for attempt in retrying(3, on=refused_by_the_server, wait=0):
                with attempt, ours.transaction():
                    ours.execute("SELECT balance FROM account").fetchone()
                    theirs.execute("UPDATE account SET balance = balance + 1")
                    ours.execute("UPDATE account SET balance = 0")
        assert given_up(caught.value).attempts == 3
        assert caught.value.sqlstate == "40001"
        assert theirs.execute("SELECT balance FROM account").fetchone() == (103,)

    def test_another_error_is_not_retried(self, accounts):
        """A duplicate key will be one the next time too."""
        ours, _ = accounts
        calls = []

        def insert():
            calls.append(True)
            with ours.transaction():
                ours.execute("INSERT INTO account VALUES (1, 0)")

        with (
            pytest.raises(psycopg.errors.UniqueViolation),
            retrying(on=refused_by_the_server) as call,
        ):
            call(insert)
        assert len(calls) == 1
