"""`db.conflict` and `db.disconnected`, of every driver's real errors, provoked over the wire."""

from __future__ import annotations

import contextlib
import functools
import shutil
import sqlite3
import ssl
import threading
import types

import collisions
import psycopg
import psycopg2
import pymysql
import pytest
import sqlalchemy
import trustme
from collisions import error_of, update
from database_drivers import MARIADB, POSTGRESQL, SQLITE, opened
from database_servers import PATIENCE, MariaDB, free_port, wait_until
from db_parts import meaning
from sqlalchemy import orm

# Libraries above the drivers come with pools and defaults of their own; these are the drivers.
# Drivers leave broken connections, pools and event loops to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

PLAIN_POSTGRESQL = ["psycopg", "psycopg, async", "psycopg2", "asyncpg", "pg8000", "pyodbc"]
PLAIN_MARIADB = ["PyMySQL", "mysqlclient", "mysql-connector", "mysql-connector, pure", "aiomysql"]
PLAIN_MARIADB += ["asyncmy", "pyodbc"]


def each(drivers, of):
    return pytest.mark.parametrize("connect", [of[name] for name in drivers], ids=list(drivers))


def lost_while_idle(session, connect):
    """What the next statement says after the connection is gone, and the one after that."""
    first = error_of(session.execute, "SELECT 1")
    assert meaning(first) == "disconnected"
    second = error_of(session.execute, "SELECT 1")
    if "PendingRollbackError" in type(second).__name__:
        # SQLAlchemy waits for its rollback, and connects again by itself.
        assert meaning(second) == "neither"
        session.rollback()
        assert session.execute("SELECT 1") == [(1,)]
    elif "released back to the pool" in str(second):
        # asyncpg's pool, through tortoise: so it says of every connection that is not one's own.
        assert meaning(second) == "neither"
    else:
        assert meaning(second) == "disconnected"


class MariaDBWithTLS(MariaDB):
    """With a certificate of its own."""

    def _create(self):
        super()._create()
        certificate = trustme.CA().issue_cert("127.0.0.1")
        self.certificate = self.folder / "certificate.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(self.certificate)
        self.other_authority = self.folder / "other.pem"
        trustme.CA().cert_pem.write_to_path(self.other_authority)
        if self._root:
            shutil.chown(self.certificate, self.account)

    def _command(self):
        pem = self.certificate
        return [*super()._command(), f"--ssl-cert={pem}", f"--ssl-key={pem}"]


class GaleraNode(MariaDB):
    """A cluster of one."""

    def _create(self):
        super()._create()
        self._ports = [free_port(), free_port()]

    def _command(self):
        group, transfer = self._ports
        options = f"gmcast.listen_addr=tcp://127.0.0.1:{group};ist.recv_addr=127.0.0.1:{transfer}"
        return [
            *(*super()._command(), "--wsrep-on=ON", "--binlog-format=ROW"),
            *("--wsrep-provider=/usr/lib/galera/libgalera_smm.so", "--wsrep-sst-method=rsync"),
            *("--wsrep-cluster-address=gcomm://", "--wsrep-node-address=127.0.0.1"),
            f"--wsrep-provider-options={options};gcache.size=1M",
        ]


@pytest.fixture(scope="module")
def mariadb_with_tls():
    with MariaDBWithTLS() as server:
        yield server


class TestPostgreSQLConflicts:
    """The database refused or undid work because of others; nothing has been committed."""

    @pytest.fixture(autouse=True)
    def account(self, postgresql):
        with psycopg.connect(postgresql.address, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS account")
            connection.execute("CREATE TABLE account (id int PRIMARY KEY, balance int)")
            connection.execute("INSERT INTO account VALUES (1, 0), (2, 0), (3, 0)")
        yield
        with psycopg.connect(postgresql.address) as connection:
            # The winner has committed at most once for each row; row 3 is the loser's.
            rows = connection.execute("SELECT balance FROM account ORDER BY id").fetchall()
        assert rows in ([(0,), (0,), (0,)], [(1,), (0,), (0,)])

    @pytest.fixture
    def two(self, connect, postgresql):
        with opened(connect, postgresql) as first, opened(connect, postgresql) as second:
            yield first, second
            second.rollback()

    @each(POSTGRESQL, POSTGRESQL)
    def test_deadlock(self, two):
        """40P01: one of the two is undone."""
        assert meaning(collisions.deadlock(*two)) == "conflict"

    @each(POSTGRESQL, POSTGRESQL)
    def test_a_lock_that_is_not_available(self, two):
        """55P03, of `NOWAIT`, after an earlier write."""
        two[1].execute(update(3))
        statement = "SELECT 1 FROM account WHERE id = 1 FOR UPDATE NOWAIT"
        assert meaning(collisions.locked(*two, statement)) == "conflict"

    @each(PLAIN_POSTGRESQL, POSTGRESQL)
    def test_a_lock_timeout(self, two):
        """55P03, of `lock_timeout`."""
        two[1].execute("SET LOCAL lock_timeout = '50ms'")
        assert meaning(collisions.locked(*two, update(1))) == "conflict"

    @each(POSTGRESQL, POSTGRESQL)
    def test_serializable(self, two):
        """40001, of a COMMIT."""
        assert meaning(collisions.write_skew(*two)) == "conflict"

    @each(PLAIN_POSTGRESQL, POSTGRESQL)
    def test_repeatable_read(self, two):
        """40001, of an UPDATE."""
        two[1].execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert meaning(collisions.lost_update(*two)) == "conflict"

    @each(PLAIN_POSTGRESQL, POSTGRESQL)
    def test_a_savepoint_fixes_nothing(self, two):
        """What has been read stays as it was: the same conflict again, until all is rolled back."""
        first, second = two
        second.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        second.execute("SELECT balance FROM account")
        first.execute(update(1))
        first.commit()
        for _ in range(3):
            second.execute("SAVEPOINT here")
            assert meaning(error_of(second.execute, update(1))) == "conflict"
            second.execute("ROLLBACK TO SAVEPOINT here")
        second.rollback()
        second.execute(update(1, by=0))
        second.commit()


class TestPostgreSQLDisconnects:
    """The connection was lost or could not be made."""

    @pytest.fixture
    def operator(self, postgresql):
        with psycopg.connect(postgresql.address, autocommit=True) as connection:
            yield connection

    @pytest.fixture
    def session(self, connect, postgresql):
        with opened(connect, postgresql) as session:
            yield session

    @pytest.fixture
    def process(self, session):
        [(process,)] = session.execute("SELECT pg_backend_pid()")
        return process

    @pytest.fixture
    def end(self, operator, process):
        patience = 1000 * PATIENCE
        return lambda: operator.execute("SELECT pg_terminate_backend(%s, %s)", [process, patience])

    @pytest.fixture
    def ended_during(self, postgresql, process, end):
        once = collisions.waiting(postgresql, process)
        return lambda call, end=end: collisions.ended_during(call, end, once=once)

    @each(POSTGRESQL, POSTGRESQL)
    def test_ended_while_idle(self, connect, session, end):
        """The next statement finds the connection gone."""
        end()
        lost_while_idle(session, connect)

    @each(POSTGRESQL, POSTGRESQL)
    def test_ended_in_a_query(self, session, ended_during):
        """In the middle of it."""
        call = lambda: session.execute(f"SELECT pg_sleep({PATIENCE})")  # noqa: E731
        assert meaning(ended_during(call)) == "disconnected"

    @each(POSTGRESQL, POSTGRESQL)
    def test_ended_in_a_commit_that_took_place(self, session, operator, ended_during):
        """The driver says "lost", and the row is there: it waited for a standby only."""
        operator.execute("CREATE TABLE IF NOT EXISTS written (n int)")
        operator.execute("TRUNCATE written")
        session.execute("SET LOCAL synchronous_commit = on")
        session.execute("INSERT INTO written VALUES (1)")
        assert meaning(ended_during(session.commit)) == "disconnected"
        assert operator.execute("SELECT n FROM written").fetchall() == [(1,)]

    @each(PLAIN_POSTGRESQL, POSTGRESQL)
    def test_ended_in_a_commit_that_did_not(self, session, operator, ended_during):
        """The same error, and no row: a deferred trigger was still at work."""
        operator.execute("DROP TABLE IF EXISTS checked")
        operator.execute("CREATE TABLE checked (n int)")
        operator.execute(
            "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
            f"'BEGIN PERFORM pg_sleep({PATIENCE}); RETURN NULL; END'"
        )
        operator.execute(
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON checked "
            "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
        )
        session.execute("INSERT INTO checked VALUES (1)")
        assert meaning(ended_during(session.commit)) == "disconnected"
        assert operator.execute("SELECT n FROM checked").fetchall() == []

    @each(PLAIN_POSTGRESQL, POSTGRESQL)
    def test_idle_in_a_transaction_for_too_long(self, postgresql, session, process):
        """25P03, which the server says before it closes the connection."""
        session.execute("SET idle_in_transaction_session_timeout = '50ms'")
        wait_until(collisions.gone(postgresql, process))
        assert meaning(error_of(session.execute, "SELECT 1")) == "disconnected"

    def test_ended_in_a_copy(self, postgresql, operator):
        """psycopg2 then has no more to say than that there is no socket."""
        operator.execute("CREATE TABLE IF NOT EXISTS written (n int)")
        with contextlib.closing(psycopg2.connect(postgresql.address)) as connection:
            process = connection.info.backend_pid

            class Rows:
                def read(self, size):
                    operator.execute("SELECT pg_terminate_backend(%s)", [process])
                    return "1\n" * 1_000

            error = error_of(connection.cursor().copy_expert, "COPY written FROM STDIN", Rows())
        assert meaning(error) == "disconnected"

    @each(POSTGRESQL, POSTGRESQL)
    @pytest.mark.parametrize("how", ["restart", "stop and start"])
    def test_the_server_goes_away(self, connect, postgresql, session, how):
        """Killed with -9, or stopped in an orderly way."""
        session.execute("SELECT 1")
        if how == "restart":
            postgresql.restart()
        else:
            with postgresql.down():
                pass
        lost_while_idle(session, connect)

    @each(PLAIN_POSTGRESQL, POSTGRESQL)
    def test_killed_in_a_query(self, postgresql, session, ended_during):
        """With -9, in the middle of it."""
        call = lambda: session.execute(f"SELECT pg_sleep({PATIENCE})")  # noqa: E731
        error = ended_during(call, postgresql.kill)
        postgresql.start()
        assert meaning(error) == "disconnected"

    @pytest.mark.parametrize("name", POSTGRESQL)
    def test_no_server(self, postgresql, name):
        """Nothing listens."""
        with postgresql.down():
            assert meaning(error_of(POSTGRESQL[name], postgresql)) == "disconnected"

    @pytest.mark.parametrize("name", PLAIN_POSTGRESQL)
    def test_a_server_that_starts(self, postgresql, name):
        """Whatever it says until it is up: refused, starting, in recovery."""
        POSTGRESQL[name](postgresql).close()  # what has to be imported takes time
        postgresql.kill()
        errors = collisions.errors_while(postgresql.start, lambda: POSTGRESQL[name](postgresql))
        assert {meaning(error) for error in errors} == {"disconnected"}

    @pytest.mark.parametrize("name", [name for name in PLAIN_POSTGRESQL if name != "pg8000"])
    def test_killed_before_encryption_begins(self, postgresql, name):
        """
        libpq does not show what the server says before it knows the server.

        pg8000 reads the message from its second byte on, and raises a KeyError if it has arrived
        as a whole: nothing that could be recognized.
        """
        words = collisions.last_words(postgresql)
        assert b"57P01" in words
        with collisions.only_says(words) as port:
            address = postgresql.address.replace(str(postgresql.port), str(port))
            there = types.SimpleNamespace(port=port, address=address)
            error = error_of(POSTGRESQL[name], there)
        assert meaning(error) == "disconnected"

    @pytest.mark.parametrize("name", PLAIN_POSTGRESQL)
    def test_too_many_connections(self, postgresql, name):
        """53300, with a SQLSTATE or without."""
        with collisions.no_room(postgresql):
            assert meaning(error_of(POSTGRESQL[name], postgresql)) == "disconnected"

    def test_a_pool_that_finds_no_server(self, postgresql):
        """psycopg_pool says nothing but that it took too long."""
        import psycopg_pool

        with (
            postgresql.down(),
            psycopg_pool.ConnectionPool(postgresql.address, timeout=0.2, open=True) as pool,
        ):
            error = error_of(pool.getconn)
        assert type(error) is psycopg_pool.PoolTimeout
        assert meaning(error) == "disconnected"
        assert meaning(error_of(pool.getconn)) == "neither"  # closed


class TestPostgreSQLNeither:
    """What another attempt would not change."""

    @pytest.mark.parametrize("name", PLAIN_POSTGRESQL)
    def test_who_may_not_enter(self, postgresql, name):
        """A wrong password, and a database that does not exist."""
        with psycopg.connect(postgresql.address, autocommit=True) as operator:
            operator.execute("DROP ROLE IF EXISTS secret")
            operator.execute("CREATE ROLE secret LOGIN PASSWORD 'right'")
        connect = POSTGRESQL[name]
        database = "dbname" if name.startswith("psycopg") else "database"
        wrong = {"user": "secret", "password": "wrong"}
        assert meaning(error_of(lambda: connect(postgresql, **wrong))) == "neither"
        assert meaning(error_of(lambda: connect(postgresql, **{database: "nope"}))) == "neither"

    @pytest.mark.parametrize("connect", [psycopg.connect, psycopg2.connect])
    def test_who_may_not_enter_at_one_of_two_addresses(self, postgresql, connect):
        """Nothing listens at the other one, as at ::1 for many a `localhost`."""
        both = {"host": "127.0.0.1,127.0.0.1", "port": f"1,{postgresql.port}"}
        wrong = {"user": "secret", "password": "wrong", "dbname": "postgres"}
        error = error_of(lambda: connect(**both, **wrong))
        assert "refused" in str(error)
        assert meaning(error) == "neither"
        right = {"user": "tester", "dbname": "nope"}
        assert meaning(error_of(lambda: connect(**both, **right))) == "neither"
        nowhere = {"host": "127.0.0.1,127.0.0.1", "port": "1,2", "dbname": "postgres"}
        assert meaning(error_of(lambda: connect(**nowhere))) == "disconnected"

    @pytest.mark.parametrize("connect", [psycopg.connect, psycopg2.connect])
    def test_what_is_wrong_with_an_option(self, postgresql, connect):
        """An OperationalError without a state, as for a lost connection."""
        address = {"host": "127.0.0.1", "port": postgresql.port, "dbname": "postgres"}
        for wrong in ({"port": "1,2,3"}, {"sslmode": "nonsense"}, {"service": "nonsense"}):
            error = error_of(lambda wrong=wrong: connect(**{**address, **wrong}))
            assert isinstance(error, (psycopg.OperationalError, psycopg2.OperationalError))
            assert meaning(error) == "neither"

    @each(POSTGRESQL, POSTGRESQL)
    @pytest.mark.parametrize(
        "statement",
        [
            "SELEC 1",
            "SELECT * FROM nowhere",
            "SELECT 1/0",
            "INSERT INTO pg_catalog.pg_class SELECT * FROM pg_class LIMIT 1",
            "SELECT set_config('statement_timeout', '50', true), pg_sleep(0.01)",
        ],
        ids=["syntax", "no table", "division", "constraint", "statement timeout"],
    )
    def test_what_is_wrong_with_a_statement(self, connect, postgresql, statement):
        """Whatever class it has."""
        with opened(connect, postgresql) as session:
            if "statement_timeout" in statement:
                session.execute(statement)
                statement = "SELECT pg_sleep(5)"
            assert meaning(error_of(session.execute, statement)) == "neither"

    # psqlODBC has rolled it back already.
    @each([name for name in PLAIN_POSTGRESQL if name != "pyodbc"], POSTGRESQL)
    def test_a_transaction_that_has_failed(self, connect, postgresql):
        """25P02: it waits for its rollback."""
        with opened(connect, postgresql) as session:
            error_of(session.execute, "SELECT 1/0")
            assert meaning(error_of(session.execute, "SELECT 1")) == "neither"


class TestMariaDBConflicts:
    """The same there."""

    @pytest.fixture(autouse=True)
    def account(self, mariadb):
        with pymysql.connect(**mariadb.address, autocommit=True) as connection:
            cursor = connection.cursor()
            cursor.execute("DROP TABLE IF EXISTS account")
            cursor.execute("CREATE TABLE account (id int PRIMARY KEY, balance int) ENGINE=InnoDB")
            cursor.execute("INSERT INTO account VALUES (1, 0), (2, 0), (3, 0)")

    @pytest.fixture
    def two(self, connect, mariadb):
        with opened(connect, mariadb) as first, opened(connect, mariadb) as second:
            yield first, second
            second.rollback()

    @each(MARIADB, MARIADB)
    def test_deadlock(self, two):
        """1213: one of the two is undone."""
        assert meaning(collisions.deadlock(*two)) == "conflict"

    @each(MARIADB, MARIADB)
    def test_a_lock_timeout(self, two):
        """1205; `NOWAIT` is the same there."""
        second = two[1]
        for statement in (update(1), "SELECT 1 FROM account WHERE id = 1 FOR UPDATE NOWAIT"):
            second.rollback()
            assert meaning(collisions.locked(*two, statement)) == "conflict"

    @each(PLAIN_MARIADB, MARIADB)
    def test_a_lock_timeout_leaves_the_transaction_open(self, two, connect, mariadb):
        """Who commits after it commits the earlier writes; who rolls back does not."""
        first, second = two
        second.execute("SET innodb_lock_wait_timeout = 0")
        for end, expected in ((second.rollback, 0), (second.commit, 5)):
            second.execute(update(3, by=5))
            assert meaning(collisions.locked(first, second, update(1))) == "conflict"
            end()
            with opened(connect, mariadb) as reader:
                assert reader.execute("SELECT balance FROM account WHERE id = 3") == [(expected,)]

    @each(PLAIN_MARIADB, MARIADB)
    def test_a_deadlock_undoes_the_whole_transaction(self, two, connect, mariadb):
        """The earlier write of the one that was chosen is gone, even if it commits."""
        first, second = two
        first.execute(f"SET innodb_lock_wait_timeout = {PATIENCE}")
        first.execute(update(3))
        first.execute(update(2))
        second.execute(update(1))  # the lighter one, which is chosen
        thread = threading.Thread(target=first.execute, args=(update(1),))
        thread.start()
        error = error_of(second.execute, update(2))
        thread.join()
        assert meaning(error) == "conflict"
        second.commit()
        first.rollback()
        with opened(connect, mariadb) as reader:
            assert reader.execute("SELECT sum(balance) FROM account") == [(0,)]

    def test_a_savepoint_fixes_nothing(self, mariadb):
        """A deadlock undoes it as well: what is retried inside it runs without what came before."""
        connect = MARIADB["PyMySQL"]
        with opened(connect, mariadb) as first, opened(connect, mariadb) as second:
            first.execute(f"SET innodb_lock_wait_timeout = {PATIENCE}")
            for number in (1, 2, 3):
                first.execute(f"INSERT INTO account VALUES ({number + 10}, 0)")  # the heavier one
            first.execute(update(2))
            second.execute(update(3, by=5))
            second.execute("SAVEPOINT here")
            second.execute(update(1))
            thread = threading.Thread(target=first.execute, args=(update(1),))
            thread.start()
            error = error_of(second.execute, update(2))
            thread.join()
            first.rollback()
            assert meaning(error) == "conflict"
            assert error_of(second.execute, "ROLLBACK TO SAVEPOINT here").args[0] == 1305
            second.execute(update(1))
            second.execute(update(2))
            second.commit()
            rows = second.execute("SELECT balance FROM account ORDER BY id")
            assert rows == [(1,), (1,), (0,)]  # committed, without the 5

    @each(PLAIN_MARIADB, MARIADB)
    def test_snapshot_isolation(self, two):
        """1020, which MariaDB raises for what other databases call a serialization failure."""
        two[1].execute("SET SESSION innodb_snapshot_isolation = ON")
        two[1].rollback()
        assert meaning(collisions.lost_update(*two)) == "conflict"


class TestMariaDBDisconnects:
    """The same there."""

    @pytest.fixture
    def operator(self, mariadb):
        with pymysql.connect(**mariadb.address, autocommit=True) as connection:
            yield connection.cursor()

    @pytest.fixture
    def session(self, connect, mariadb):
        with opened(connect, mariadb) as session:
            yield session

    @pytest.fixture
    def process(self, session):
        [(process,)] = session.execute("SELECT connection_id()")
        return process

    @pytest.fixture
    def end(self, operator, process):
        return lambda: operator.execute(f"KILL {process}")

    @pytest.fixture
    def ended_during(self, operator, process, end):
        """Once it sleeps, or waits for a lock."""

        def waiting():
            state = "SELECT state FROM information_schema.processlist WHERE id = %s"
            operator.execute(state, [process])
            return operator.fetchone()[0].startswith(("User sleep", "Waiting for"))

        return lambda call: collisions.ended_during(call, end, once=waiting)

    @each(MARIADB, MARIADB)
    def test_ended_while_idle(self, connect, session, end):
        """The next statement finds the connection gone."""
        end()
        lost_while_idle(session, connect)

    @each(MARIADB, MARIADB)
    def test_ended_in_a_query(self, session, ended_during):
        """In the middle of it."""
        call = lambda: session.execute(f"SELECT sleep({PATIENCE})")  # noqa: E731
        assert meaning(ended_during(call)) == "disconnected"

    @each(PLAIN_MARIADB, MARIADB)
    def test_ended_in_a_commit(self, session, mariadb, operator, ended_during):
        """It waits for a lock of the whole server; here it does not take place."""
        operator.execute("CREATE TABLE IF NOT EXISTS written (n int) ENGINE=InnoDB")
        operator.execute("TRUNCATE written")
        session.execute("INSERT INTO written VALUES (1)")
        with pymysql.connect(**mariadb.address, autocommit=True) as locking:
            locking.cursor().execute("FLUSH TABLES WITH READ LOCK")
            error = ended_during(session.commit)
        assert meaning(error) == "disconnected"

    @each(MARIADB, MARIADB)
    @pytest.mark.parametrize("how", ["restart", "stop and start"])
    def test_the_server_goes_away(self, connect, mariadb, session, how):
        """Killed with -9, or stopped in an orderly way."""
        session.execute("SELECT 1")
        if how == "restart":
            mariadb.restart()
        else:
            with mariadb.down():
                pass
        lost_while_idle(session, connect)

    @pytest.mark.parametrize("name", MARIADB)
    def test_no_server(self, mariadb, name):
        """Nothing listens."""
        with mariadb.down():
            assert meaning(error_of(MARIADB[name], mariadb)) == "disconnected"

    @pytest.mark.parametrize("name", PLAIN_MARIADB)
    def test_a_server_that_starts(self, mariadb, name):
        """Whatever it says until it is up."""
        MARIADB[name](mariadb).close()  # what has to be imported takes time
        mariadb.kill()
        errors = collisions.errors_while(mariadb.start, lambda: MARIADB[name](mariadb))
        assert {meaning(error) for error in errors} == {"disconnected"}

    @pytest.mark.parametrize("name", PLAIN_MARIADB)
    def test_too_many_connections(self, mariadb, operator, name):
        """1040."""
        operator.execute("SET GLOBAL max_connections = 10")
        try:
            with contextlib.ExitStack() as stack:
                with pytest.raises(pymysql.OperationalError, match="1040"):
                    for _ in range(20):
                        stack.enter_context(pymysql.connect(**mariadb.address))
                assert meaning(error_of(MARIADB[name], mariadb)) == "disconnected"
        finally:
            operator.execute("SET GLOBAL max_connections = 150")

    @pytest.mark.parametrize("name", PLAIN_MARIADB)
    def test_too_many_connections_of_an_account(self, mariadb, operator, name):
        """1226, which is also what the limits by the hour say: those are not over so soon."""
        limits = {"MAX_USER_CONNECTIONS": "disconnected", "MAX_CONNECTIONS_PER_HOUR": "neither"}
        for limit, expected in limits.items():
            user = f"{limit} {name}"  # the server counts by name, also after DROP USER
            operator.execute(f"CREATE USER '{user}' IDENTIFIED BY 'pw' WITH {limit} 1")
            account = {"user": user, "password": "pw", "database": "information_schema"}
            with pymysql.connect(**{**mariadb.address, **account}):
                error = error_of(lambda account=account: MARIADB[name](mariadb, **account))
            operator.execute(f"DROP USER '{user}'")
            assert "1226" in str(error)
            assert meaning(error) == expected

    def test_a_node_that_is_not_ready(self):
        """Of a Galera cluster: here it leaves its own, for one that it does not find."""
        with GaleraNode() as node, pymysql.connect(**node.address, autocommit=True) as operator:
            cursor = operator.cursor()
            cursor.execute(
                "SET GLOBAL wsrep_cluster_address = 'gcomm://127.0.0.1:1?pc.wait_prim=no'"
            )
            for name in PLAIN_MARIADB:
                with opened(MARIADB[name], node) as session:
                    error = error_of(session.execute, "SELECT 1 FROM mysql.db")
                assert "1047" in str(error)
                assert meaning(error) == "disconnected"


class TestMariaDBWithTLS:
    """A lost connection has other words there."""

    TRUSTING = ssl.create_default_context()
    TRUSTING.check_hostname = False
    TRUSTING.verify_mode = ssl.CERT_NONE
    DRIVERS = {  # noqa: RUF012
        "PyMySQL": {"ssl": TRUSTING},
        "mysqlclient": {"ssl_mode": "REQUIRED"},
        "mysql-connector": {"ssl_disabled": False},
        "mysql-connector, pure": {"ssl_disabled": False},
        "aiomysql": {"ssl": TRUSTING},
        "asyncmy": {"ssl": TRUSTING},
    }

    @pytest.mark.parametrize("name", DRIVERS)
    def test_ended_in_a_query(self, mariadb_with_tls, name):
        """By an operator, and by kill -9."""
        connect = functools.partial(MARIADB[name], **self.DRIVERS[name])
        with pymysql.connect(**mariadb_with_tls.address, autocommit=True) as other:
            operator = other.cursor()
            with opened(connect, mariadb_with_tls) as session:
                [(_, cipher)] = session.execute("SHOW STATUS LIKE 'Ssl_cipher'")
                assert cipher
                [(process,)] = session.execute("SELECT connection_id()")

                def waiting():
                    state = "SELECT state FROM information_schema.processlist WHERE id = %s"
                    operator.execute(state, [process])
                    return operator.fetchone()[0].startswith("User sleep")

                error = collisions.ended_during(
                    lambda: session.execute(f"SELECT sleep({PATIENCE})"),
                    lambda: operator.execute(f"KILL {process}"),
                    once=waiting,
                )
        assert meaning(error) == "disconnected"
        with opened(connect, mariadb_with_tls) as session:
            session.execute("SELECT 1")
            mariadb_with_tls.restart()
            assert meaning(error_of(session.execute, "SELECT 1")) == "disconnected"

    def test_a_certificate_that_is_not_trusted(self, mariadb_with_tls):
        """The same number, 2026."""
        unknown = {"ssl_mode": "VERIFY_CA", "ssl": {"ca": str(mariadb_with_tls.other_authority)}}
        error = error_of(lambda: MARIADB["mysqlclient"](mariadb_with_tls, **unknown))
        assert "2026" in str(error)
        assert meaning(error) == "neither"


class TestMariaDBNeither:
    """What another attempt would not change."""

    @pytest.mark.parametrize("name", PLAIN_MARIADB)
    def test_who_may_not_enter(self, mariadb, name):
        """A wrong password, and a database that does not exist."""
        connect = MARIADB[name]
        assert meaning(error_of(lambda: connect(mariadb, password="wrong"))) == "neither"
        assert meaning(error_of(lambda: connect(mariadb, database="nope"))) == "neither"

    @each(MARIADB, MARIADB)
    @pytest.mark.parametrize(
        "statement",
        [
            "SELEC 1",
            "SELECT * FROM nowhere",
            "INSERT INTO once VALUES (1)",
            "SELECT sleep(5)",
        ],
        ids=["syntax", "no table", "duplicate", "statement timeout"],
    )
    def test_what_is_wrong_with_a_statement(self, connect, mariadb, statement):
        """Whatever class it has."""
        with opened(connect, mariadb) as session:
            if "INSERT" in statement:
                session.execute("CREATE TEMPORARY TABLE once (id int PRIMARY KEY) SELECT 1 AS id")
            session.execute("SET max_statement_time = 0.05")
            assert meaning(error_of(session.execute, statement)) == "neither"

    @each(PLAIN_MARIADB, MARIADB)
    def test_a_number_with_another_meaning_in_mysql(self, connect, mariadb):
        """4031, of a trigger that is missing.  (SQLAlchemy gives the connection up for it.)"""
        trigger = (
            "CREATE TRIGGER t BEFORE INSERT ON watched FOR EACH ROW FOLLOWS nowhere SET @n = 1"
        )
        with opened(connect, mariadb) as session:
            session.execute("CREATE OR REPLACE TABLE watched (id int)")
            error = error_of(session.execute, trigger)
            assert "4031" in str(error)
            assert meaning(error) == "neither"


class Base(orm.DeclarativeBase):
    """What SQLAlchemy's declarations derive from."""


class Document(Base):
    """A row with a version, which SQLAlchemy compares on every UPDATE."""

    __tablename__ = "document"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    text: orm.Mapped[str]
    version: orm.Mapped[int] = orm.mapped_column()
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - as their documentation has it


class TestSQLite:
    """Files have no server: they are busy, or they are not."""

    @pytest.fixture
    def path(self, tmp_path):
        path = str(tmp_path / "bank.sqlite3")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE account (id int PRIMARY KEY, balance int)")
            connection.execute("INSERT INTO account VALUES (1, 0)")
            connection.commit()
        return path

    @each(SQLITE, SQLITE)
    def test_two_writers(self, connect, path):
        """The second is told that the database is locked."""
        with opened(connect, path) as first, opened(connect, path) as second:
            first.execute(update(1))
            assert meaning(error_of(second.execute, update(1))) == "conflict"

    # tortoise turns the write-ahead log on, where readers do not stop writers.
    @pytest.mark.parametrize("name", [name for name in SQLITE if name != "tortoise"])
    def test_a_commit_that_finds_a_reader_leaves_the_transaction_open(self, name, path):
        """Its writes are still there: roll back, or they are committed with the next ones."""
        reader = sqlite3.connect(path)
        with opened(SQLITE[name], path) as writer, contextlib.closing(reader):
            cursor = reader.execute("SELECT * FROM account UNION ALL SELECT * FROM account")
            cursor.fetchone()  # and there is more to come
            writer.execute(update(1))
            assert meaning(error_of(writer.commit)) == "conflict"
            if name in ("sqlite3", "aiosqlite", "Django"):
                assert writer.execute("SELECT balance FROM account") == [(1,)]
            if name.startswith("SQLAlchemy"):
                writer.close()  # its own rollback does nothing after a COMMIT; the pool's does
            else:
                writer.rollback()
            cursor.fetchall()
            assert reader.execute("SELECT balance FROM account").fetchall() == [(0,)]

    @each(SQLITE, SQLITE)
    @pytest.mark.parametrize(
        "statement", ["SELEC 1", "SELECT * FROM nowhere", "INSERT INTO account VALUES (1, 1)"]
    )
    def test_neither(self, connect, path, statement):
        """Also an OperationalError, but for the last."""
        with opened(connect, path) as session:
            assert meaning(error_of(session.execute, statement)) == "neither"

    def test_with_connection_rolls_a_failed_commit_back(self, path):
        """So that the next attempt begins a transaction of its own."""
        reader = sqlite3.connect(path)
        writer = sqlite3.connect(path, timeout=0)
        with contextlib.closing(reader), contextlib.closing(writer):
            cursor = reader.execute("SELECT * FROM account UNION ALL SELECT * FROM account")
            cursor.fetchone()

            def write():
                with writer:
                    writer.execute(update(1))

            assert meaning(error_of(write)) == "conflict"
            assert not writer.in_transaction
            cursor.fetchall()

    def test_a_stale_snapshot(self, path):
        """BUSY_SNAPSHOT: in WAL mode, a reader that begins to write after somebody else did."""
        first, second = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))
        first.execute("PRAGMA journal_mode = WAL")
        second.execute("BEGIN")
        second.execute("SELECT * FROM account").fetchall()
        first.execute(update(1))
        error = error_of(second.execute, update(1))
        first.close()
        second.close()
        assert error.sqlite_errorname == "SQLITE_BUSY_SNAPSHOT"
        assert meaning(error) == "conflict"

    def test_a_shared_cache(self):
        """LOCKED_SHAREDCACHE is by another connection, LOCKED by one's own."""
        name = "file:shared?mode=memory&cache=shared"
        first, second = (sqlite3.connect(name, uri=True, isolation_level=None) for _ in range(2))
        first.execute("CREATE TABLE account (id int, balance int)")
        first.execute("INSERT INTO account VALUES (1, 0), (2, 0)")
        first.execute("BEGIN")
        first.execute(update(1))
        by_another = error_of(second.execute, update(1))
        first.execute("COMMIT")
        rows = first.execute("SELECT * FROM account")
        rows.fetchone()
        by_oneself = error_of(first.execute, "DROP TABLE account")
        first.close()
        second.close()
        assert by_another.sqlite_errorname == "SQLITE_LOCKED_SHAREDCACHE"
        assert meaning(by_another) == "conflict"
        assert by_oneself.sqlite_errorname == "SQLITE_LOCKED"
        assert meaning(by_oneself) == "neither"

    def test_an_optimistic_lock(self, path):
        """SQLAlchemy's `version_id_col`: somebody else has changed the row."""
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        Document.metadata.create_all(engine)
        with orm.Session(engine, expire_on_commit=False) as session:
            document = Document(id=1, text="first")
            session.add(document)
            session.commit()
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("UPDATE document SET version = version + 1")
                connection.commit()
            document.text = "mine"
            error = error_of(session.commit)
            session.rollback()
        engine.dispose()
        assert meaning(error) == "conflict"
