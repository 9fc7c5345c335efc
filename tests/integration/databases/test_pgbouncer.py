"""`db.conflict` and `db.disconnected` behind PgBouncer, which has errors of its own."""

from __future__ import annotations

import contextlib

import collisions
import psycopg
import pytest
from collisions import error_of
from database_drivers import POSTGRESQL, opened
from database_servers import PATIENCE, PgBouncer, wait_until
from db_parts import meaning

# Drivers leave broken connections and event loops to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAIN = ["psycopg", "psycopg, async", "psycopg2", "asyncpg", "pg8000", "pyodbc"]
each = pytest.mark.parametrize("connect", [POSTGRESQL[name] for name in PLAIN], ids=PLAIN)
# Fewer drivers, where each test starts a pooler of its own.
SOME = ["psycopg", "pg8000", "pyodbc"]
some = pytest.mark.parametrize("connect", [POSTGRESQL[name] for name in SOME], ids=SOME)


def running(postgresql, **settings):
    with PgBouncer(postgresql, **settings) as server:
        yield server


@pytest.fixture(scope="module")
def pgbouncer(postgresql):
    """One that hands out servers for a transaction."""
    yield from running(postgresql)


@pytest.fixture(scope="module")
def by_session(postgresql):
    """One that hands them out for as long as a client stays."""
    yield from running(postgresql, pool_mode="session")


@pytest.fixture(scope="module")
def strict(postgresql):
    """One that has little room, and little patience."""
    yield from running(
        postgresql,
        default_pool_size=1,
        max_client_conn=3,
        query_wait_timeout=0.3,
        server_login_retry=0.1,
    )


@pytest.fixture
def operator(postgresql):
    """A session of its own, straight to the server."""
    with psycopg.connect(postgresql.address, autocommit=True) as connection:
        yield connection


def process_of(session):
    """The server's side of *session*'s transaction."""
    [(process,)] = session.execute("SELECT pg_backend_pid()")
    return process


def ending(process, operator):
    """A function that ends it."""
    return lambda: operator.execute(
        "SELECT pg_terminate_backend(%s, %s)", [process, 1000 * PATIENCE]
    )


def sleeping(session):
    return lambda: session.execute(f"SELECT pg_sleep({PATIENCE})")


def asked(connect, server):
    """A client that gets in may learn from its first statement that there is no server."""
    with opened(connect, server) as session:
        session.execute("SELECT 1")
    return contextlib.ExitStack()  # something to close, as a session has been already


def works(server):
    with contextlib.suppress(psycopg.OperationalError):
        return asked(POSTGRESQL["psycopg"], server)


class TestTheServerBehindIt:
    """What happens to it reaches the client, in other words."""

    @each
    def test_ended_in_a_query(self, connect, postgresql, pgbouncer, operator):
        """57P01 passes through, or only that the connection ended."""
        with opened(connect, pgbouncer) as session:
            process = process_of(session)
            error = collisions.ended_during(
                sleeping(session),
                ending(process, operator),
                once=collisions.waiting(postgresql, process),
            )
            assert meaning(error) == "disconnected"

    @each
    def test_ended_in_a_commit_that_took_place(self, connect, postgresql, pgbouncer, operator):
        """The driver says "lost", and the row is there."""
        operator.execute("CREATE TABLE IF NOT EXISTS written (n int)")
        operator.execute("TRUNCATE written")
        with opened(connect, pgbouncer) as session:
            process = process_of(session)
            session.execute("SET LOCAL synchronous_commit = on")
            session.execute("INSERT INTO written VALUES (1)")
            error = collisions.ended_during(
                session.commit,
                ending(process, operator),
                once=collisions.waiting(postgresql, process),
            )
            assert meaning(error) == "disconnected"
        assert operator.execute("SELECT n FROM written").fetchall() == [(1,)]

    @each
    @pytest.mark.parametrize("pool_mode", ["pgbouncer", "by_session"])
    def test_ended_in_an_idle_transaction(self, connect, pool_mode, operator, request):
        """The next statement finds it gone, and so does the one after that."""
        with opened(connect, request.getfixturevalue(pool_mode)) as session:
            ending(process_of(session), operator)()
            assert meaning(error_of(session.execute, "SELECT 1")) == "disconnected"
            assert meaning(error_of(session.execute, "SELECT 1")) == "disconnected"

    @each
    def test_ended_between_transactions(self, connect, pgbouncer, operator):
        """Nobody notices: another server takes the next one."""
        with opened(connect, pgbouncer) as session:
            end = ending(process_of(session), operator)
            session.rollback()
            end()
            assert session.execute("SELECT 1")[0][0] == 1

    @each
    @pytest.mark.parametrize("how", ["kill", "stop"])
    def test_killed_and_stopped_in_a_query(self, connect, postgresql, pgbouncer, how):
        """Killed with -9, it is "server conn crashed?", with SQLSTATE 08P01."""
        with opened(connect, pgbouncer) as session:
            asleep = collisions.waiting(postgresql, process_of(session))
            error = collisions.ended_during(
                sleeping(session), getattr(postgresql, how), once=asleep
            )
            postgresql.start()
            assert meaning(error) == "disconnected"

    @each
    def test_gone(self, connect, postgresql, strict):
        """Clients wait for it in vain; later ones are told to try again."""
        asked(connect, strict)
        with postgresql.down():
            errors = [error_of(asked, connect, strict) for _ in range(2)]
        wait_until(lambda: works(strict))
        assert [meaning(error) for error in errors] == ["disconnected", "disconnected"]

    @each
    def test_starting(self, connect, postgresql, strict):
        """Whatever a client is told until a statement succeeds."""
        asked(connect, strict)
        postgresql.kill()
        errors = collisions.errors_while(postgresql.start, lambda: asked(connect, strict))
        assert {meaning(error) for error in errors} == {"disconnected"}

    @some
    def test_gone_before_it_has_ever_met_it(self, connect, postgresql):
        """Then clients do not even get in: `client_login_timeout (server down)`."""
        with (
            PgBouncer(postgresql, client_login_timeout=0.2) as pgbouncer,
            postgresql.down(),
        ):
            assert meaning(error_of(connect, pgbouncer)) == "disconnected"

    @some
    def test_out_of_connections(self, connect, postgresql):
        """It repeats "too many clients", with 08P01 instead of the server's 53300."""
        with PgBouncer(postgresql) as pgbouncer, collisions.no_room(postgresql):
            assert meaning(error_of(connect, pgbouncer)) == "disconnected"


class TestItself:
    """Its limits, and its own end."""

    @each
    @pytest.mark.parametrize("how", ["kill", "stop"])
    def test_killed_and_stopped_in_a_query(self, connect, postgresql, pgbouncer, how):
        """As if it were the server."""
        with opened(connect, pgbouncer) as session:
            asleep = collisions.waiting(postgresql, process_of(session))
            error = collisions.ended_during(sleeping(session), getattr(pgbouncer, how), once=asleep)
            assert meaning(error) == "disconnected"
        try:
            assert meaning(error_of(connect, pgbouncer)) == "disconnected"
        finally:
            pgbouncer.start()

    @each
    def test_a_pool_that_is_full(self, connect, strict):
        """`query_wait_timeout`: the statement has not been run."""
        with opened(connect, strict) as first, opened(connect, strict) as second:
            first.execute("SELECT 1")
            assert meaning(error_of(second.execute, "SELECT 1")) == "disconnected"

    @each
    def test_too_many_clients(self, connect, strict):
        """`max_client_conn`."""
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(psycopg.connect(strict.address))
            assert meaning(error_of(connect, strict)) == "disconnected"
        wait_until(lambda: works(strict))

    @some
    @pytest.mark.parametrize("setting", ["query_timeout", "idle_transaction_timeout"])
    def test_its_timeouts(self, connect, postgresql, setting):
        """They close the connection, as do the server's own that have the same purpose."""
        with (
            PgBouncer(postgresql, **{setting: 0.2}) as server,
            opened(connect, server) as session,
        ):
            process = process_of(session)
            if setting == "query_timeout":
                error = error_of(sleeping(session))
            else:
                wait_until(collisions.gone(postgresql, process))
                error = error_of(session.execute, "SELECT 1")
            assert meaning(error) == "disconnected"


class TestTheRest:
    """What it passes on, and what it will say again."""

    @each
    def test_a_deadlock(self, connect, pgbouncer, operator):
        """The server's 40P01."""
        operator.execute("DROP TABLE IF EXISTS account")
        operator.execute("CREATE TABLE account (id int PRIMARY KEY, balance int)")
        operator.execute("INSERT INTO account VALUES (1, 0), (2, 0)")
        with opened(connect, pgbouncer) as first, opened(connect, pgbouncer) as second:
            assert meaning(collisions.deadlock(first, second)) == "conflict"

    @pytest.mark.parametrize("name", PLAIN)
    def test_who_may_not_enter(self, pgbouncer, name):
        """A wrong password, an unknown user, and a database unknown here or to the server."""
        connect = POSTGRESQL[name]
        database = "dbname" if name.startswith("psycopg") else "database"
        for wrong in (
            {"user": "secret", "password": "wrong"},
            {"user": "unknown"},
            {database: "nope"},
            {database: "missing"},
        ):
            error = error_of(lambda wrong=wrong: connect(pgbouncer, **wrong))
            assert meaning(error) == "neither", wrong

    @each
    def test_what_is_wrong_with_a_statement(self, connect, pgbouncer):
        """The server's errors have their own states."""
        with opened(connect, pgbouncer) as session:
            assert meaning(error_of(session.execute, "SELECT * FROM nowhere")) == "neither"
