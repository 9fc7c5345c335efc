"""Section 17 of the contract: what a database error means, without any driver at hand.

The errors of the standard library are real ones.  Those of drivers are stand-ins with the right
names, bases and codes; ``tests/integration/databases`` provokes the real ones over the wire.
"""

from __future__ import annotations

import errno
import gc
import itertools
import socket
import sqlite3
import ssl
import subprocess
import sys
import weakref
from pathlib import Path

import db_parts as parts
import pytest
from db_parts import made, meaning
from ways import THOROUGH

import retrying_elegant
from retrying_elegant import RetryError, db, given_up, retry

# Read again from the sources that db.py names, with the names that they have there.
SQLSTATES = {
    "conflict": {
        "40001": "serialization_failure",
        "40P01": "deadlock_detected",
        "55P03": "lock_not_available",
    },
    "disconnected": {
        "01002": "disconnect error (ODBC)",
        "08000": "connection_exception",
        "08001": "sqlclient_unable_to_establish_sqlconnection",
        "08003": "connection_does_not_exist",
        "08004": "sqlserver_rejected_establishment_of_sqlconnection",
        "08006": "connection_failure",
        "08007": "transaction_resolution_unknown",
        "08S01": "communication link failure (ODBC)",
        "08S02": "tcp provider (ODBC)",
        "25P03": "idle_in_transaction_session_timeout",
        "25P04": "transaction_timeout",
        "40003": "statement_completion_unknown",
        "53300": "too_many_connections",
        "57P01": "admin_shutdown",
        "57P02": "crash_shutdown",
        "57P03": "cannot_connect_now",
        "57P04": "database_dropped",
        "57P05": "idle_session_timeout",
        "HYT01": "connection timeout expired (ODBC)",
    },
    "neither": {
        "00000": "successful_completion",
        "08P01": "protocol_violation: the driver's fault, unless PgBouncer says it",
        "0A000": "feature_not_supported",
        "22012": "division_by_zero",
        "23505": "unique_violation",
        "25P02": "in_failed_sql_transaction",
        "28P01": "invalid_password",
        "3D000": "invalid_catalog_name",
        "40000": "transaction_rollback: by whom, it does not say",
        "40002": "transaction_integrity_constraint_violation",
        "42601": "syntax_error",
        "53100": "disk_full",
        "53200": "out_of_memory",
        "55006": "object_in_use: perhaps by oneself",
        "57014": "query_canceled",
        "HYT00": "timeout expired (ODBC), of a statement",
        "XX000": "internal_error",
    },
}
MYSQL = {
    "conflict": {
        1020: "ER_CHECKREAD",
        1205: "ER_LOCK_WAIT_TIMEOUT",
        1213: "ER_LOCK_DEADLOCK",
        1412: "ER_TABLE_DEF_CHANGED",
        1613: "ER_XA_RBTIMEOUT",
        1614: "ER_XA_RBDEADLOCK",
        1689: "ER_LOCK_ABORTED",
        3058: "ER_USER_LOCK_DEADLOCK",
        3101: "ER_TRANSACTION_ROLLBACK_DURING_COMMIT",
        3572: "ER_LOCK_NOWAIT",
    },
    "disconnected": {
        1040: "ER_CON_COUNT_ERROR",
        1042: "ER_BAD_HOST_ERROR",
        1043: "ER_HANDSHAKE_ERROR",
        1047: "ER_UNKNOWN_COM_ERROR, of a Galera cluster",
        1053: "ER_SERVER_SHUTDOWN",
        1077: "ER_NORMAL_SHUTDOWN",
        1080: "ER_FORCING_CLOSE",
        1152: "ER_ABORTING_CONNECTION",
        1158: "ER_NET_READ_ERROR",
        1159: "ER_NET_READ_INTERRUPTED",
        1160: "ER_NET_ERROR_ON_WRITE",
        1161: "ER_NET_WRITE_INTERRUPTED",
        1184: "ER_NEW_ABORTING_CONNECTION",
        1203: "ER_TOO_MANY_USER_CONNECTIONS",
        1226: "ER_USER_LIMIT_REACHED",
        1927: "ER_CONNECTION_KILLED (MariaDB)",
        2001: "CR_SOCKET_CREATE_ERROR",
        2002: "CR_CONNECTION_ERROR",
        2003: "CR_CONN_HOST_ERROR",
        2004: "CR_IPSOCK_ERROR",
        2005: "CR_UNKNOWN_HOST",
        2006: "CR_SERVER_GONE_ERROR",
        2012: "CR_SERVER_HANDSHAKE_ERR",
        2013: "CR_SERVER_LOST",
        2026: "CR_SSL_CONNECTION_ERROR",
        2055: "CR_SERVER_LOST_EXTENDED",
        3032: "ER_SERVER_OFFLINE_MODE",
        3169: "ER_SESSION_WAS_KILLED",
        4031: "ER_CLIENT_INTERACTION_TIMEOUT",
        5014: "CR_ERR_NET_WRITE (MariaDB)",
    },
}
SQL_SERVER = {
    "conflict": {
        1204: "cannot obtain a lock resource",
        1205: "deadlock victim",
        1222: "lock request timeout exceeded",
        3960: "snapshot isolation, update conflict",
        41301: "commit dependency failed",
        41302: "record updated since the transaction started",
        41305: "repeatable read validation",
        41325: "serializable validation",
        41339: "table altered since the transaction started",
        41839: "too many commit dependencies",
    },
    "disconnected": {
        20: "no encryption at the instance",
        64: "error during login",
        121: "semaphore timeout",
        233: "no process at the other end",
        921: "database not recovered yet",
        941: "database not started",
        997: "error during login",
        4060: "cannot open database, yet",
        4221: "read-secondary not ready",
        10053: "transport-level error, receiving",
        10054: "transport-level error, sending",
        10060: "server not found or not accessible",
        10928: "resource limit reached",
        10929: "too busy",
        10930: "too busy",
        10936: "request limit reached",
        11001: "no such host is known",
        17197: "login timed out",
        18401: "server is in script upgrade mode",
        40143: "connection could not be initialized",
        40197: "service error",
        40501: "service is busy",
        40540: "service error, will be available again",
        40613: "database not available at present",
        40642: "too busy",
        40675: "too busy",
        42108: "SQL pool is warming up",
        42109: "SQL pool is paused",
        49802: "database not available at the moment",
        49918: "not enough resources",
        49919: "too many create or update operations",
        49920: "too many operations",
    },
}
ORACLE = {
    "conflict": {
        54: "resource busy, NOWAIT",
        60: "deadlock",
        2049: "distributed transaction waiting for lock",
        4020: "deadlock locking an object",
        4021: "timeout locking an object",
        8177: "can't serialize access",
        30006: "resource busy, WAIT timed out",
    },
    "disconnected": {
        18: "maximum sessions",
        20: "maximum processes",
        22: "invalid session",
        28: "session killed",
        31: "session marked for kill",
        45: "session terminated",
        378: "buffer pools",
        602: "internal exception",
        603: "terminated by fatal error",
        609: "could not attach",
        1012: "not logged on",
        1033: "starting or stopping",
        1034: "not available",
        1041: "hostdef extension",
        1089: "immediate shutdown",
        1090: "shutdown in progress",
        1092: "instance terminated",
        2391: "too many sessions of the user",
        2396: "idle too long",
        3113: "end-of-file",
        3114: "not connected",
        3135: "lost contact",
        12153: "not connected",
        12170: "connect timeout",
        12203: "unable to connect",
        12514: "service not registered",
        12516: "no handler",
        12518: "no hand off",
        12519: "no service handler",
        12520: "no handler",
        12528: "instances blocking",
        12537: "closed",
        12541: "no listener",
        12543: "host unreachable",
        12547: "lost contact",
        12560: "protocol adapter",
        12570: "packet reader",
        12571: "packet writer",
        12583: "no reader",
        12757: "service not known yet",
        27146: "post/wait",
        56600: "terminated by fatal error",
    },
}
MONGODB = {
    "conflict": {
        24: "LockTimeout",
        46: "LockBusy",
        112: "WriteConflict",
        246: "SnapshotUnavailable",
    },
    "disconnected": {
        6: "HostUnreachable",
        7: "HostNotFound",
        89: "NetworkTimeout",
        91: "ShutdownInProgress",
        189: "PrimarySteppedDown",
        9001: "SocketException",
        10058: "LegacyNotPrimary",
        10107: "NotWritablePrimary",
        11600: "InterruptedAtShutdown",
        11602: "InterruptedDueToReplStateChange",
        13435: "NotPrimaryNoSecondaryOk",
        13436: "NotPrimaryOrSecondary",
    },
}


def wrong(table, read):
    """
    The numbers from 0 to 60 000 that *read* does not take as *table* has them.

    A quick run tries those of the table, their neighbors, the small ones, and every 61st.
    """
    expected = {code: key for key, codes in table.items() for code in codes}
    numbers = set(range(60_001))
    if not THOROUGH:
        near = {code + step for code in expected for step in (-1, 0, 1)}
        numbers = (near & numbers) | set(range(256)) | set(range(0, 60_001, 61))
    found = {number: read(number) for number in numbers}
    return {n: found[n] for n in found if found[n] != expected.get(n, "neither")}


class TestSQLSTATE:
    """PostgreSQL's drivers, and ODBC's, say it with five characters."""

    @pytest.mark.parametrize("error", [parts.psycopg, parts.psycopg2, parts.asyncpg, parts.pg8000])
    @pytest.mark.parametrize("expected", SQLSTATES)
    def test_of_each_driver(self, error, expected):
        """Wherever the driver keeps it."""
        states = SQLSTATES[expected]
        assert {state: meaning(error(state)) for state in states} == dict.fromkeys(states, expected)

    @pytest.mark.parametrize("expected", SQLSTATES)
    def test_of_odbc(self, expected):
        """The first argument; the text after it does not matter."""
        states = SQLSTATES[expected]
        for text in ("ERROR: why (1) (SQLX)", "no number"):
            found = {state: meaning(parts.odbc(state, text)) for state in states}
            assert found == dict.fromkeys(states, expected)

    @pytest.mark.parametrize("kind", ["DatabaseError", "InternalError", "Error"])
    def test_the_class_does_not_matter_where_there_is_a_state(self, kind):
        """It differs from driver to driver."""
        for error in (parts.psycopg, parts.psycopg2):
            assert meaning(error("40P01", kind=kind)) == "conflict"
            assert meaning(error("57P01", kind=kind)) == "disconnected"
            assert meaning(error("42601", kind=kind)) == "neither"

    @pytest.mark.parametrize(
        "state", ["", "4000", "40001 ", "40p01", 40001, None, b"40001", ("40001",)]
    )
    def test_what_is_not_one(self, state):
        """Five characters, as they are written, or it says nothing."""
        for error in (parts.asyncpg, parts.pg8000, parts.odbc):
            assert meaning(error(state)) == "neither"


class TestMySQL:
    """MySQL and MariaDB say it with numbers, all drivers with the same ones."""

    @pytest.mark.parametrize("package", ["pymysql.err", "MySQLdb", "asyncmy.errors"])
    @pytest.mark.parametrize("expected", MYSQL)
    def test_the_first_argument(self, package, expected):
        """PyMySQL, mysqlclient and asyncmy; aiomysql raises the errors of PyMySQL."""
        numbers = MYSQL[expected]
        found = {number: meaning(parts.pymysql(number, package=package)) for number in numbers}
        assert found == dict.fromkeys(numbers, expected)

    @pytest.mark.parametrize("expected", MYSQL)
    def test_mysql_connector(self, expected):
        """`errno`."""
        numbers = MYSQL[expected]
        found = {number: meaning(parts.mysql_connector(number)) for number in numbers}
        assert found == dict.fromkeys(numbers, expected)

    @pytest.mark.parametrize("error", [parts.odbc_mariadb, parts.odbc_mysql])
    @pytest.mark.parametrize("expected", MYSQL)
    def test_odbc(self, error, expected):
        """The number in the text, for a state such as HY000 says nothing."""
        numbers = MYSQL[expected]
        found = {number: meaning(error(number)) for number in numbers}
        assert found == dict.fromkeys(numbers, expected)

    @pytest.mark.parametrize(
        ("number", "text"),
        [
            (1047, "Unknown command"),
            (1226, "User 'u' has exceeded the 'max_connections_per_hour' resource"),
            (1226, "User 'u' has exceeded the 'max_queries_per_hour' resource"),
            (2026, "TLS/SSL error: self-signed certificate in certificate chain"),
            (2026, "SSL connection error: SSL is required but the server doesn't support it"),
            (
                4031,
                "Referenced trigger 't' for the given action time and event type does not exist",
            ),
        ],
    )
    def test_one_number_with_two_meanings(self, number, text):
        """The text decides: an account's limit by the hour, a certificate, MariaDB's trigger."""
        names = ("pymysql.err.MySQLError", "pymysql.err.OperationalError")
        assert meaning(made(*names, args=(number, text))) == "neither"
        assert meaning(parts.mysql_connector(number, text)) == "neither"
        odbc = f"[ma-3.1.15][10.11.19-MariaDB]{text} ({number}) (SQLExecDirectW)"
        assert meaning(parts.odbc("HY000", odbc)) == "neither"

    @pytest.mark.parametrize(
        "text",
        [
            "TLS/SSL error: unexpected eof while reading",
            "TLS/SSL error: Connection reset by peer (104)",
            "TLS/SSL error: Broken pipe (32)",
            "SSL connection error: error:0A000126:SSL routines::unexpected eof while reading",
        ],
    )
    def test_a_lost_connection_with_tls(self, text):
        """What the C libraries of MariaDB and MySQL say of it has the number of all TLS errors."""
        names = ("MySQLdb.MySQLError", "MySQLdb.OperationalError")
        assert meaning(made(*names, args=(2026, text))) == "disconnected"

    def test_of_the_odbc_driver_itself(self):
        """MariaDB's names only itself where it did not connect."""
        text = "[ma-3.1.15]Can't connect to server on '127.0.0.1' (111) (2002) (SQLDriverConnect)"
        assert meaning(parts.odbc("HY000", text)) == "disconnected"

    def test_no_other_number(self):
        """Among them 1045 (access denied), 1062 (duplicate), 1064 (syntax) and 3024 (too slow)."""
        assert wrong(MYSQL, lambda number: meaning(parts.pymysql(number))) == {}

    @pytest.mark.parametrize("kind", ["InternalError", "OperationalError", "DatabaseError"])
    def test_the_class_does_not_matter(self, kind):
        """1213 is an OperationalError in PyMySQL and an InternalError in mysql-connector."""
        assert meaning(parts.pymysql(1213, kind)) == "conflict"
        assert meaning(parts.mysql_connector(1213, kind=kind)) == "conflict"

    @pytest.mark.parametrize("package", ["pymysql.err", "MySQLdb", "asyncmy.errors"])
    def test_a_connection_that_is_closed(self, package):
        """`InterfaceError(0, "")`, and nothing else with that number."""
        assert meaning(parts.pymysql(0, "InterfaceError", package)) == "disconnected"
        assert meaning(parts.pymysql(0, "OperationalError", package)) == "neither"
        assert meaning(parts.pymysql(1, "InterfaceError", package)) == "neither"
        assert meaning(parts.pymysql(-1, "InterfaceError", package)) == "neither"
        assert meaning(parts.pymysql(2013, "InterfaceError", package)) == "disconnected"

    @pytest.mark.parametrize("package", ["pymysql.err", "asyncmy.errors"])
    def test_a_connection_that_is_closed_in_async_drivers(self, package):
        """aiomysql has put the tuple into a text."""
        names = (f"{package}.MySQLError", f"{package}.InterfaceError")
        assert meaning(made(*names, args=("(0, 'Not connected')",))) == "disconnected"
        assert meaning(made(*names, args=("(0, 'Cursor closed')",))) == "neither"

    def test_mysql_connector_without_a_number(self):
        """-1 stands for no number; then the text counts."""
        gone = "MySQL Connection not available"
        assert meaning(parts.mysql_connector(-1, gone, "OperationalError")) == "disconnected"
        for text in ("Connection to MySQL is not available", "Can not reconnect to MySQL after 1"):
            assert meaning(parts.mysql_connector(-1, text, "InterfaceError")) == "disconnected"
        assert meaning(parts.mysql_connector(-1, "No result set")) == "neither"
        assert meaning(parts.mysql_connector(1064, gone)) == "neither"
        assert meaning(parts.mysql_connector(-2, gone)) == "neither"

    @pytest.mark.parametrize(
        "name", ["ConnectionTimeoutError", "ReadTimeoutError", "WriteTimeoutError"]
    )
    def test_timeouts_of_mysql_connector(self, name):
        """It closes the connection with them."""
        assert meaning(parts.mysql_connector(-1, kind=name)) == "disconnected"

    @pytest.mark.parametrize("number", ["1213", 1213.0, None, (1213,)])
    def test_what_is_not_a_number(self, number):
        """It says nothing."""
        assert meaning(parts.pymysql(number)) == "neither"
        assert meaning(parts.mysql_connector(number)) == "neither"


class TestSQLServer:
    """Microsoft's driver and FreeTDS, through pyodbc: the number in the text."""

    def test_every_number(self):
        """From 0 to 60 000: those of the tables, and no other."""
        assert wrong(SQL_SERVER, lambda number: meaning(parts.odbc_sql_server(number))) == {}

    def test_of_the_driver_itself(self):
        """Its own errors name it only once."""
        assert meaning(parts.odbc_sql_server(10054, "08S01", of="TCP Provider: ")) == "disconnected"
        text = "[FreeTDS][SQL Server]Transaction was deadlocked (1205) (SQLExecDirectW)"
        assert meaning(parts.odbc("40001", text)) == "conflict"

    def test_the_number_wins_over_the_state(self):
        """A lock timeout has the state of any other timeout."""
        assert meaning(parts.odbc_sql_server(1222, "HYT00")) == "conflict"
        assert meaning(parts.odbc_sql_server(0, "HYT00")) == "neither"
        assert meaning(parts.odbc_sql_server(0, "40001")) == "conflict"

    def test_logging_in_took_too_long(self):
        """The one timeout that is certainly of the connection."""
        text = (
            "[Microsoft][ODBC Driver 18 for SQL Server]Login timeout expired (0) (SQLDriverConnect)"
        )
        assert meaning(parts.odbc("HYT00", text)) == "disconnected"
        assert meaning(parts.odbc("HY000", text)) == "neither"
        assert meaning(parts.odbc("IM006", text)) == "neither"

    def test_numbers_of_other_servers(self):
        """Nobody knows what 64 means there; nor is a number in a value of the user's one."""
        for origin in ("[Oracle][ODBC][Ora]", "[Oracle][ODBC][SQL Server]"):
            for number in (64, 1205):
                text = f"{origin}why ({number}) (SQLX)"
                assert meaning(parts.odbc("HY000", text)) == "neither"
        assert (
            meaning(parts.odbc("HY000", "ERROR: SQL Server] [SQL Server] (64) (SQLX)")) == "neither"
        )
        assert meaning(parts.odbc("HY000", "SQL Server why (64) (SQLX)")) == "neither"
        value = "[Microsoft][ODBC Driver 18 for SQL Server]duplicate (1205) (SQL) (2627) (SQLX)"
        assert meaning(parts.odbc("23000", value)) == "neither"

    @pytest.mark.parametrize("args", [(), ("HY000",), (None, None), (1205, 1205)])
    def test_other_arguments(self, args):
        """They say nothing."""
        assert meaning(made("pyodbc.Error", args=args)) == "neither"


class TestOracle:
    """python-oracledb and cx_Oracle: the code of the object that they put into their errors."""

    @pytest.mark.parametrize("package", ["oracledb.exceptions", "cx_Oracle"])
    def test_every_number(self, package):
        """From 0 to 60 000: those of the tables, and no other."""
        assert wrong(ORACLE, lambda number: meaning(parts.oracle(number, package=package))) == {}

    @pytest.mark.parametrize("expected", ["disconnected"])
    def test_of_the_driver_itself(self, expected):
        """Without a number of the server's."""
        for code in ("DPY-1001", "DPY-4011", "DPY-4033", "DPY-6000", "DPY-6001", "DPY-6005"):
            assert meaning(parts.oracle(full_code=code)) == expected
        for code in ("DPI-1010", "DPI-1080"):
            assert meaning(parts.oracle(full_code=code, package="cx_Oracle")) == expected

    @pytest.mark.parametrize("code", ["DPY-4024", "DPY-4005", "DPY-4001", "DPY-2016", ""])
    def test_neither_of_the_driver_itself(self, code):
        """Such as a call that took too long, whose connection lives on."""
        assert meaning(parts.oracle(full_code=code)) == "neither"

    def test_the_number_is_there_where_the_code_is_translated(self):
        """ORA-03113 is shown as DPY-4011."""
        assert meaning(parts.oracle(3113, "DPY-4011")) == "disconnected"

    @pytest.mark.parametrize("args", [(), ("ORA-00060",), (None,)])
    def test_other_arguments(self, args):
        """They say nothing."""
        assert meaning(made("oracledb.exceptions.Error", args=args)) == "neither"


class TestSQLite:
    """BUSY in all its forms, and a table that another connection has locked."""

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            (5, "conflict"),  # SQLITE_BUSY
            (261, "conflict"),  # SQLITE_BUSY_RECOVERY
            (517, "conflict"),  # SQLITE_BUSY_SNAPSHOT
            (773, "conflict"),  # SQLITE_BUSY_TIMEOUT
            (15, "conflict"),  # SQLITE_PROTOCOL: too many began a transaction at once
            (262, "conflict"),  # SQLITE_LOCKED_SHAREDCACHE
            (6, "neither"),  # SQLITE_LOCKED: by the same connection
            (518, "neither"),  # SQLITE_LOCKED_VTAB
            (1, "neither"),  # SQLITE_ERROR, as for wrong syntax
            (10, "neither"),  # SQLITE_IOERR
            (14, "neither"),  # SQLITE_CANTOPEN
            (19, "neither"),  # SQLITE_CONSTRAINT
            (None, "neither"),
            ("5", "neither"),
        ],
    )
    def test_codes(self, code, expected):
        """The text is the same for several of them."""
        assert meaning(parts.sqlite(code)) == expected

    def test_a_real_one(self, tmp_path):
        """Two connections write; the second is busy, and a table that is missing stays missing."""
        path = tmp_path / "file.db"
        first, second = (sqlite3.connect(path, timeout=0) for _ in range(2))
        first.execute("CREATE TABLE t (n)")
        first.commit()
        first.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.OperationalError) as busy:
            second.execute("INSERT INTO t VALUES (2)")
        with pytest.raises(sqlite3.OperationalError) as missing:
            second.execute("SELECT * FROM nowhere")
        first.close()
        second.close()
        assert meaning(busy.value) == "conflict"
        assert meaning(missing.value) == "neither"


class TestLibpq:
    """psycopg and psycopg2 have no SQLSTATE while they connect, nor for a lost connection."""

    DRIVERS = pytest.mark.parametrize("error", [parts.psycopg, parts.psycopg2])

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "connection failed: Connection refused\n\tIs the server running on that host?",
            'could not translate host name "db" to address: Name or service not known',
            "failed to resolve host 'db.example'",
            "connection timeout expired",
            "server closed the connection unexpectedly",
            "SSL connection has been closed unexpectedly",
            "consuming input failed: SSL SYSCALL error: EOF detected",
            "SSL error: unexpected eof while reading",
            "could not receive data from server: Connection timed out",
            "could not send data to server: Broken pipe",
            "write to server failed",
            "lost synchronization with server: got message type",
            "error with status PGRES_TUPLES_OK and no message from the libpq",
            "could not send startup packet: Broken pipe",
            "could not send SSL negotiation packet: Connection reset by peer",
            "could not send GSSAPI negotiation packet: Connection reset by peer",
            "server sent an error response during SSL exchange",
            "server sent an error response during GSS encryption exchange",
            "sending query failed: no connection to the server",
            "connection not open",
            "the connection is closed",
            "the connection is lost",
            "connection socket closed",
            "invalid socket\n",
            "connection already closed",
            "session is read-only",
            "session is not read-only",
            "server is in hot standby mode",
            "server is not in hot standby mode",
        ],
    )
    def test_the_network(self, error, text):
        """The texts of a connection that was lost, or could not be made."""
        assert meaning(error(None, text)) == "disconnected"

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "",
            "could not match 2 port numbers to 3 hosts",
            'definition of service "x" not found',
            'invalid port number: "x"',
            'invalid integer value "x" for connection option "connect_timeout"',
            'private key file "x" has group or world access',
            "sending query failed: another command is already in progress",
            "failed to enter pipeline mode",
            "the pool 'x' is already closed",
            "cursor already closed",
        ],
    )
    def test_texts_that_it_does_not_know(self, error, text):
        """An OperationalError without a state may as well be one's own fault."""
        assert meaning(error(None, text)) == "neither"

    @DRIVERS
    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ('FATAL:  password authentication failed for user "x"', "neither"),
            ('ВАЖНО:  роль "x" не существует', "neither"),
            ("fe_sendauth: no password supplied", "neither"),
            ("authentication method 10 not supported", "neither"),
            ("SSL error: certificate verify failed", "neither"),
            ("server does not support SSL, but SSL was required", "neither"),
            ("FATAL:  the database system is starting up", "disconnected"),
        ],
    )
    def test_one_of_several_addresses_answers(self, error, answer, expected):
        """Then it does not matter that another one was refused."""
        refused = 'connection to server at "localhost" (::1), port 5432 failed: Connection refused'
        text = f"{refused}\n\tIs the server running on that host?\n{answer}"
        assert meaning(error(None, text)) == expected

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "the database system is starting up",
            "the database system is shutting down",
            "the database system is in recovery mode",
            "sorry, too many clients already",
            'too many connections for role "x"',
            "remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "terminating connection due to administrator command",
            "could not fork new process for connection: Resource temporarily unavailable",
        ],
    )
    def test_the_server_says_not_now(self, error, text):
        """It may say something else in a second."""
        assert meaning(error(None, f"connection failed: FATAL:  {text}")) == "disconnected"
        assert meaning(error(None, f"connection failed: {text}")) == "disconnected"  # old libpq

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            'FATAL:  password authentication failed for user "x"',
            'FATAL:  role "x" does not exist',
            'FATAL:  database "x" does not exist',
            "FATAL:  no pg_hba.conf entry for host",
            'КАТАСТРОФА:  role "x" does not exist',
            "fe_sendauth: no password supplied",
            "SSL error: certificate verify failed",
            "server does not support SSL, but SSL was required",
            "authentication method 10 not supported",
        ],
    )
    def test_what_will_be_the_same_tomorrow(self, error, text):
        """Who may not enter has not been disconnected."""
        assert meaning(error(None, f"connection failed: {text}")) == "neither"

    @pytest.mark.parametrize(
        "kind", ["DatabaseError", "ProgrammingError", "InterfaceError", "Error"]
    )
    def test_other_errors_of_psycopg_without_a_state(self, kind):
        """They are not about the connection."""
        assert (
            meaning(parts.psycopg(None, "server closed the connection unexpectedly", kind))
            == "neither"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "server closed the connection unexpectedly",
            "SSL connection has been closed unexpectedly",
            "SSL SYSCALL error: EOF detected",
            "could not receive data from server: Connection timed out",
            "could not send data to server: Broken pipe",
            "lost synchronization with server: got message type",
            "error with status PGRES_TUPLES_OK and no message from the libpq",
        ],
    )
    def test_a_lost_connection_without_a_class_in_psycopg2(self, text):
        """It is a bare DatabaseError at times."""
        assert meaning(parts.psycopg2(None, text, "DatabaseError")) == "disconnected"
        assert meaning(parts.psycopg2(None, "something else", "DatabaseError")) == "neither"

    def test_a_closed_connection_of_psycopg2(self):
        """Its InterfaceError; a closed cursor says nothing of the connection."""
        closed = parts.psycopg2(None, "connection already closed", "InterfaceError")
        assert meaning(closed) == "disconnected"
        assert meaning(parts.psycopg2(None, "cursor already closed", "InterfaceError")) == "neither"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Connection refused (101) (SQLDriverConnect)", "disconnected"),
            ('FATAL:  password authentication failed for user "x" (101) (SQLX)', "neither"),
            ("FATAL:  the database system is starting up (101) (SQLX)", "disconnected"),
            ("SSL Provider: certificate verify failed (-1) (SQLX)", "neither"),
        ],
    )
    def test_psqlodbc(self, text, expected):
        """It has the state 08001 for all of them."""
        assert meaning(parts.odbc("08001", f"connection to server failed: {text}")) == expected
        assert meaning(parts.odbc("HY000", f"connection to server failed: {text}")) == "neither"
        assert meaning(parts.odbc("01002", f"disconnected: {text}")) == "disconnected"

    def test_classes_of_psycopg2_without_a_state(self):
        """Raised by hand, in somebody's tests: the name of a conflict counts, no other does."""
        names = ("psycopg2.Error", "psycopg2.OperationalError")
        for name in ("SerializationFailure", "DeadlockDetected", "LockNotAvailable"):
            assert meaning(made(*names, f"psycopg2.errors.{name}", pgcode=None)) == "conflict"
        for name in ("AdminShutdown", "DiskFull"):
            assert meaning(made(*names, f"psycopg2.errors.{name}", pgcode=None)) == "neither"
        assert meaning(made(*names, "psycopg2.errors.AdminShutdown", pgcode="57P01")) == (
            "disconnected"
        )

    def test_classes_that_derive_from_operational_error(self):
        """A pool that found no server; not one that is closed or full, nor a pipeline."""
        names = ("psycopg.Error", "psycopg.OperationalError")
        text = "couldn't get a connection after 30.00 sec"
        assert meaning(made(*names, "psycopg_pool.PoolTimeout", args=(text,))) == "disconnected"
        assert meaning(made(*names, "psycopg_pool.PoolTimeout")) == "disconnected"
        assert meaning(made(*names, "psycopg.errors.ConnectionTimeout")) == "disconnected"
        assert meaning(made(*names, "psycopg_pool.PoolClosed")) == "neither"
        assert meaning(made(*names, "psycopg_pool.TooManyRequests")) == "neither"
        assert meaning(made(*names, "psycopg.errors.PipelineAborted")) == "neither"


class TestPgBouncer:
    """It has one SQLSTATE, 08P01, for whatever it says itself: the text counts."""

    # Under "cached error" is the reason for which it could not connect.
    FAILING = "server login has been failing, cached error: {} (server_login_retry)"

    DRIVERS = pytest.mark.parametrize(
        "made_by",
        [
            lambda text: parts.psycopg("08P01", text),
            lambda text: parts.psycopg2("08P01", text),
            lambda text: parts.psycopg(None, f"connection failed: FATAL:  {text}"),
            lambda text: parts.psycopg2(None, f"connection failed: ERROR:  {text}\n"),
            lambda text: parts.psycopg2(None, f"connection failed: {text}"),  # old libpq
            lambda text: parts.asyncpg("08P01", text),
            lambda text: parts.pg8000("08P01", text),
            lambda text: parts.odbc("08P01", f"FATAL: {text};\nThe connection has been lost (35)"),
            lambda text: parts.odbc("08001", f"connection failed: FATAL:  {text}\n (101) (SQLX)"),
        ],
        ids=[
            *("psycopg", "psycopg2", "psycopg connecting", "psycopg2 connecting", "old libpq"),
            *("asyncpg", "pg8000", "pyodbc", "pyodbc connecting"),
        ],
    )

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "server conn crashed?",
            "query timeout",
            "query_timeout",
            "idle transaction timeout",
            "transaction timeout",
            "client_idle_timeout",
            "database configuration changed",
            "database removed",
            "suspend_timeout",
            "server shutting down",
        ],
    )
    def test_it_closes_the_connection(self, made_by, text):
        """Whatever was in progress may have happened."""
        assert meaning(made_by(text)) == "disconnected"

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "query_wait_timeout",
            "client_login_timeout",
            "client_login_timeout (server down)",
            "no more connections allowed (max_client_conn)",
            "client connections exceeded (max_db_client_connections)",
            "client connections exceeded (max_user_client_connections)",
            "pgbouncer cannot connect to server",
            "server login has been failing, try again later (server_login_retry)",
            *map(
                FAILING.format,
                [
                    "connect failed",
                    "connect timeout",
                    "server DNS lookup failed",
                    "server conn crashed?",
                    "the database system is starting up",
                ],
            ),
        ],
    )
    def test_it_has_no_connection_to_give(self, made_by, text):
        """Nothing was run: the connection could not be made."""
        assert meaning(made_by(text)) == "disconnected"

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "the database system is starting up",
            "the database system is shutting down",
            "sorry, too many clients already",
            "terminating connection due to administrator command",
        ],
    )
    def test_it_repeats_what_the_server_says(self, made_by, text):
        """Of a failed login, and without the server's own SQLSTATE."""
        assert meaning(made_by(text)) == "disconnected"

    @DRIVERS
    @pytest.mark.parametrize(
        "text",
        [
            "password authentication failed",
            '"trust" authentication failed',
            "no such user: x",
            "no such database: x",
            'database "x" does not exist',
            'database "x" is disabled',
            "bouncer config error",
            "login rejected",
            "not allowed",
            "unsupported startup parameter: extra_float_digits",
            "transaction blocks not allowed in statement pooling mode",
            "invalid server parameter",
            "prepared statement name is already in use",
            FAILING.format('password authentication failed for user "x"'),
            FAILING.format('database "x" does not exist'),
        ],
    )
    def test_what_its_configuration_decides(self, made_by, text):
        """Another attempt would be told the same."""
        assert meaning(made_by(text)) == "neither"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "invalid frontend message type 90",
            'bind message supplies 1 parameters, but prepared statement "x" requires 2',
            "server closed the connection unexpectedly",  # libpq says so without a state
        ],
    )
    def test_a_protocol_violation_of_ones_own(self, text):
        """PostgreSQL's 08P01 may be the driver's fault, and the connection may still be there."""
        for driver in (parts.psycopg, parts.psycopg2, parts.asyncpg, parts.pg8000, parts.odbc):
            assert meaning(driver("08P01", text)) == "neither"

    def test_other_states_do_not_look_at_the_text(self):
        """A statement may well be about such words."""
        text = "server conn crashed? query_wait_timeout"
        for driver in (parts.psycopg, parts.psycopg2, parts.asyncpg, parts.pg8000, parts.odbc):
            assert meaning(driver("22012", text)) == "neither"
            assert meaning(driver("40001", text)) == "conflict"


class TestDriversOwnErrors:
    """What a driver raises by itself has no code of a server's."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("connection is closed", "disconnected"),
            ("cannot perform operation: the underlying connection is closed", "disconnected"),
            ("cannot perform operation: another operation is in progress", "neither"),
            ("pool is closed", "neither"),
        ],
    )
    def test_asyncpg(self, text, expected):
        """InterfaceError, by its text."""
        assert meaning(made("asyncpg.exceptions._base.InterfaceError", args=(text,))) == expected

    def test_asyncpg_no_such_server(self):
        """During a failover there may be no primary for a moment."""
        name = "asyncpg.exceptions._base.TargetServerAttributeNotMatched"
        assert meaning(made(name)) == "disconnected"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("network error", "disconnected"),
            ("communication error", "disconnected"),
            ("connection is closed", "disconnected"),
            ("Can't create a connection to host h and port 5432 (timeout is None)", "disconnected"),
            ("Server refuses SSL", "neither"),
            ("in failed transaction block", "neither"),
        ],
    )
    def test_pg8000(self, text, expected):
        """The same."""
        assert meaning(made("pg8000.exceptions.InterfaceError", args=(text,))) == expected

    @pytest.mark.parametrize("fields", [None, "text", {}, {"C": None}, ["C"]])
    def test_pg8000_without_a_state(self, fields):
        """It says nothing."""
        assert meaning(made("pg8000.exceptions.DatabaseError", args=(fields,))) == "neither"
        assert meaning(made("pg8000.exceptions.DatabaseError")) == "neither"


class TestRedis:
    """redis-py has a class for nearly everything."""

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (parts.redis("WatchError"), "conflict"),
            (parts.redis("WatchError", "Watched variable changed."), "conflict"),
            (
                parts.redis("WatchError", "Slot rebalancing occurred while watching keys"),
                "conflict",
            ),
            (made("redis.exceptions.ResponseError", "redis.exceptions.TryAgainError"), "conflict"),
            (parts.redis("ResponseError", "BUSY Redis is busy running a script."), "conflict"),
            (parts.redis("ConnectionError"), "disconnected"),
            (parts.redis("ConnectionError", "max number of clients reached"), "disconnected"),
            (parts.redis("ConnectionError", "No connection available."), "neither"),
            (parts.redis("ConnectionError", "Too many connections"), "neither"),
            (parts.redis("TimeoutError"), "disconnected"),
            (
                made("redis.exceptions.ConnectionError", "redis.exceptions.BusyLoadingError"),
                "disconnected",
            ),
            (
                made("redis.exceptions.ResponseError", "redis.exceptions.ClusterDownError"),
                "disconnected",
            ),
            (
                parts.redis("ResponseError", "BUSYGROUP Consumer Group name already exists"),
                "neither",
            ),
            (parts.redis("ResponseError", "WRONGTYPE Operation against a key"), "neither"),
            (made("redis.exceptions.ResponseError", "redis.exceptions.ReadOnlyError"), "neither"),
            (parts.redis("DataError"), "neither"),
            (parts.redis("LockError"), "neither"),
            (parts.redis("RedisError"), "neither"),
        ],
        ids=lambda value: value if isinstance(value, str) else type(value).__name__,
    )
    def test_classes(self, error, expected):
        """An optimistic lock, a server that is blocked by a script; a connection, a timeout."""
        assert meaning(error) == expected

    @pytest.mark.parametrize("kind", ["ConnectionError", "TimeoutError"])
    @pytest.mark.parametrize("words", ["occurred while", "occurred on while"])
    def test_a_connection_lost_while_watching(self, kind, words):
        """A WatchError as well; but it may have been the answer to EXEC that was lost."""
        text = f"A {kind} {words} watching one or more keys"
        assert meaning(parts.redis("WatchError", text)) == "disconnected"

    def test_one_command_of_a_pipeline(self):
        """Of the others, nobody knows, so it is not a conflict."""
        why = "Command # 2 (MSET {x}1 1 {x}2 1) of pipeline caused error: "
        again = "Multiple keys request during rehashing of slot"
        names = ("redis.exceptions.ResponseError", "redis.exceptions.TryAgainError")
        assert meaning(made(*names, args=(again,))) == "conflict"
        assert meaning(made(*names, args=(why + again,))) == "neither"
        busy = parts.redis("ResponseError", f"{why}BUSY Redis is busy running a script.")
        assert meaning(busy) == "neither"

    @pytest.mark.parametrize(
        ("cause", "expected"),
        [
            (parts.redis("ConnectionError"), "disconnected"),
            (parts.redis("TimeoutError"), "disconnected"),
            (
                made("redis.exceptions.ConnectionError", "redis.exceptions.AuthenticationError"),
                "neither",
            ),
            (made("redis.exceptions.RedisClusterException"), "neither"),
            (None, "neither"),
        ],
    )
    def test_a_cluster_that_cannot_be_connected(self, cause, expected):
        """What happened at the last of its nodes decides."""
        error = made("redis.exceptions.RedisClusterException", cause=cause)
        assert meaning(error) == expected

    @pytest.mark.parametrize(
        "name",
        [
            "AuthenticationError",
            "AuthorizationError",
            "ExternalAuthProviderError",
            "MaxConnectionsError",
        ],
    )
    def test_not_every_connection_error_is_a_disconnect(self, name):
        """A wrong password will be wrong again, and a pool that is full is no server."""
        error = made("redis.exceptions.ConnectionError", f"redis.exceptions.{name}")
        assert meaning(error) == "neither"


class TestMongoDB:
    """Labels first, then the class, then the code."""

    TRANSIENT = ("TransientTransactionError",)
    UNKNOWN = ("UnknownTransactionCommitResult",)

    def test_labels(self):
        """A transaction to be run again, and a commit of which nobody knows."""
        assert meaning(parts.pymongo("OperationFailure", labels=self.TRANSIENT)) == "conflict"
        assert meaning(parts.pymongo("OperationFailure", labels=self.UNKNOWN)) == "disconnected"
        assert meaning(parts.pymongo("OperationFailure", labels=("Else",))) == "neither"

    def test_a_label_wins_over_the_class(self):
        """On a network error inside a transaction nothing has been committed."""
        names = ("ConnectionFailure", "AutoReconnect")
        assert meaning(parts.pymongo(*names, labels=self.TRANSIENT)) == "conflict"
        assert meaning(parts.pymongo(*names, labels=self.UNKNOWN)) == "disconnected"

    def test_both_labels(self):
        """The one that says less is believed."""
        labels = (*self.TRANSIENT, *self.UNKNOWN)
        assert meaning(parts.pymongo("OperationFailure", labels=labels)) == "disconnected"

    @pytest.mark.parametrize(
        "names",
        [
            ("AutoReconnect",),
            ("AutoReconnect", "NetworkTimeout"),
            ("AutoReconnect", "NotPrimaryError"),
            ("AutoReconnect", "ServerSelectionTimeoutError"),
        ],
        ids=lambda names: names[-1],
    )
    def test_classes(self, names):
        """What derives from ConnectionFailure."""
        assert meaning(parts.pymongo("ConnectionFailure", *names)) == "disconnected"

    def test_a_pool_of_ones_own(self):
        """It is exhausted; no connection has been lost."""
        names = ("ConnectionFailure", "WaitQueueTimeoutError")
        assert meaning(parts.pymongo(*names)) == "neither"

    def test_codes(self):
        """From 0 to 60 000: those of the tables, and no other."""
        read = lambda number: meaning(parts.pymongo("OperationFailure", code=number))  # noqa: E731
        assert wrong(MONGODB, read) == {}

    @pytest.mark.parametrize("has", [None, "x", lambda label: "yes", lambda label: 1, lambda: True])
    def test_labels_that_cannot_be_asked_for(self, has):
        """An answer other than True says nothing."""
        assert (
            meaning(made("pymongo.errors.PyMongoError", has_error_label=has, code=1)) == "neither"
        )

    def test_without_labels_the_code_counts(self):
        """As of a stand-in that has no method for them."""
        assert meaning(made("pymongo.errors.PyMongoError", code=112)) == "conflict"


class TestStandardLibrary:
    """asyncpg raises the errors of sockets as they are."""

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionError(),
            ConnectionResetError(errno.ECONNRESET, "reset"),
            ConnectionRefusedError(),
            BrokenPipeError(),
            OSError(errno.ENETDOWN, ""),
            OSError(errno.ENETUNREACH, ""),
            OSError(errno.ENETRESET, ""),
            OSError(errno.EHOSTUNREACH, ""),
            OSError(errno.EHOSTDOWN, ""),
            OSError(errno.ETIMEDOUT, "the kernel's timeout, for a connection"),
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] ..."),
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            ssl.SSLEOFError(),
            ssl.SSLZeroReturnError(),
            ssl.SSLSyscallError(),
        ],
        ids=repr,
    )
    def test_disconnected(self, error):
        """The connection, and nothing else."""
        assert meaning(error) == "disconnected"

    @pytest.mark.parametrize(
        "error",
        [
            TimeoutError(),  # of asyncio: of what, it does not say
            OSError("some text"),
            OSError(errno.EAGAIN, ""),
            FileNotFoundError(errno.ENOENT, "no socket"),
            PermissionError(errno.EACCES, ""),
            ssl.SSLError(),
            ssl.SSLCertVerificationError(),
            ValueError(),
            RuntimeError("database is locked"),
            sqlite3.ProgrammingError("Cannot operate on a closed database."),
            RetryError("why"),
            Exception(1213, "Deadlock found"),
            KeyboardInterrupt(),
            None,
            "40001",
            OSError,
        ],
        ids=repr,
    )
    def test_neither(self, error):
        """What it does not know, what is not an error, and control flow."""
        assert meaning(error) == "neither"


class TestNames:
    """A class is known by the first part of its module, and by its name."""

    def test_subclasses(self):
        """Those of users, too."""
        for error, expected in [
            (parts.psycopg("40001"), "conflict"),
            (parts.psycopg("57P01"), "disconnected"),
            (parts.redis("WatchError"), "conflict"),
        ]:
            cls = type("Mine", (type(error),), {"__module__": "shop.errors"})
            mine = cls(*error.args)
            mine.__dict__.update(vars(error))
            assert meaning(mine) == expected

    @pytest.mark.parametrize("module", ["shop", "psycopg3", "x.psycopg", ""])
    def test_the_same_name_elsewhere(self, module):
        """It is another class."""
        assert meaning(made(f"{module}.Error", sqlstate="40001")) == "neither"

    def test_moved_to_another_module(self):
        """Between releases of the same package."""
        assert meaning(made("psycopg._somewhere.new.Error", sqlstate="40001")) == "conflict"


class TestWrapped:
    """An error that wraps another means what that one means."""

    @pytest.mark.parametrize("wrap", parts.WRAPPERS)
    @pytest.mark.parametrize(
        ("inside", "expected"),
        [
            (parts.psycopg("40001"), "conflict"),
            (parts.pymysql(1205), "conflict"),
            (parts.sqlite(5), "conflict"),
            (parts.psycopg2(None, "server closed the connection unexpectedly"), "disconnected"),
            (ConnectionRefusedError(), "disconnected"),
            (parts.psycopg("42601"), "neither"),
            (ValueError(), "neither"),
            (None, "neither"),
        ],
        ids=lambda value: value if isinstance(value, str) else type(value).__name__,
    )
    def test_by_each_library(self, wrap, inside, expected):
        """SQLAlchemy, Django, peewee and tortoise."""
        assert meaning(wrap(inside)) == expected

    def test_sqlalchemy_has_given_the_connection_up(self):
        """Then it is lost, whatever the driver said; but for a conflict."""
        unknown = parts.pymysql(2014)
        assert meaning(parts.sqlalchemy(unknown, invalidated=True)) == "disconnected"
        assert meaning(parts.sqlalchemy(None, invalidated=True)) == "disconnected"
        assert meaning(parts.sqlalchemy(unknown)) == "neither"
        assert meaning(parts.sqlalchemy(parts.psycopg("40001"), invalidated=True)) == "conflict"
        assert meaning(parts.sqlalchemy(unknown, invalidated=1)) == "neither"

    def test_errors_of_sqlalchemy_itself(self):
        """An optimistic lock; a connection; a transaction that waits for its rollback."""
        base = "sqlalchemy.exc.SQLAlchemyError"
        assert meaning(made(base, "sqlalchemy.orm.exc.StaleDataError")) == "conflict"
        assert meaning(made(base, "sqlalchemy.exc.DisconnectionError")) == "disconnected"
        pending = made(base, "sqlalchemy.exc.PendingRollbackError", cause=parts.psycopg("40001"))
        assert meaning(pending) == "neither"
        assert meaning(made(base, "sqlalchemy.exc.TimeoutError")) == "neither"

    def test_tortoise_without_a_connection(self):
        """It says from what only in the context."""
        error = made(
            "tortoise.exceptions.BaseORMException", "tortoise.exceptions.DBConnectionError"
        )
        assert meaning(error) == "neither"
        error.__context__ = parts.pymysql(2003)
        assert meaning(error) == "disconnected"
        error.__cause__ = parts.asyncpg("3D000")
        assert meaning(error) == "neither"

    def test_what_merely_was_being_handled(self):
        """The context of other errors may be anything."""
        error = parts.django(None)
        error.__context__ = parts.psycopg("40001")
        assert meaning(error) == "neither"
        assert meaning(made("shop.Error", cause=parts.psycopg("40001"))) == "neither"

    @pytest.mark.parametrize(("layers", "expected"), [(50, "conflict"), (600, "neither")])
    def test_depth(self, layers, expected):
        """As many layers as the stack has room for; no real error has more than three."""
        error = parts.psycopg("40001")
        for _ in range(layers):
            error = parts.django(error)
        assert meaning(error) == expected

    def test_a_cycle(self):
        """It means nothing."""
        error = parts.peewee(None)
        error.orig = error
        assert meaning(error) == "neither"

    def test_an_endless_chain(self):
        """Each error makes the next when it is looked at."""
        cause = property(lambda self: type(self)())
        cls = type("Error", (Exception,), {"__module__": "django.db", "__cause__": cause})
        assert meaning(cls()) == "neither"


class TestGroups:
    """Of an exception group, every member counts."""

    CONFLICT = parts.psycopg("40001")
    LOST = ConnectionResetError()

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ([CONFLICT], "conflict"),
            ([CONFLICT, parts.redis("WatchError")], "conflict"),
            ([LOST], "disconnected"),
            ([LOST, LOST], "disconnected"),
            ([CONFLICT, LOST], "disconnected"),
            ([LOST, CONFLICT], "disconnected"),
            ([CONFLICT, ValueError()], "neither"),
            ([ValueError(), LOST], "neither"),
            ([ExceptionGroup("", [CONFLICT]), CONFLICT], "conflict"),
            ([ExceptionGroup("", [CONFLICT, ValueError()]), CONFLICT], "neither"),
        ],
    )
    def test_members(self, members, expected):
        """If one was disconnected, nobody knows what has happened; if one is unknown, neither."""
        assert meaning(ExceptionGroup("", members)) == expected

    def test_depth(self):
        """Deeper than the stack."""
        error = self.CONFLICT
        for _ in range(2_000):
            error = ExceptionGroup("", [error])
        assert meaning(error) == "conflict"

    @pytest.mark.parametrize("around", [lambda error: error, parts.django], ids=["bare", "wrapped"])
    def test_shared_members(self, around):
        """Each error is looked at once, however many ways lead to it: here, 10 to the 20th."""
        error = self.CONFLICT
        for _ in range(20):
            error = around(ExceptionGroup("", [error] * 10))
        assert meaning(error) == "conflict"

    def test_members_that_a_subclass_makes_up(self):
        """Those that it was made with count: others may have no end."""
        lying = property(lambda self: itertools.repeat(self))
        cls = type("Endless", (ExceptionGroup,), {"exceptions": lying})
        assert meaning(cls("", [self.CONFLICT])) == "conflict"
        assert meaning(cls("", [ValueError()])) == "neither"


class Hostile:
    """Raises whenever it is looked at."""

    def refuse(self, *args):
        raise RuntimeError("no")

    __eq__ = __hash__ = __bool__ = __str__ = __repr__ = __iter__ = __len__ = refuse
    __getattr__ = __and__ = __index__ = refuse


class TestHostile:
    """Whatever an error does when it is looked at, nothing is raised."""

    @pytest.mark.parametrize(
        "error",
        [
            made("psycopg.Error", sqlstate=Hostile()),
            made("psycopg.Error", "psycopg.OperationalError", sqlstate=Hostile()),
            made("psycopg2.Error", pgcode=Hostile()),
            made("pg8000.DatabaseError", args=({"C": Hostile()},)),
            made("pymysql.err.MySQLError", args=(Hostile(),)),
            made("mysql.connector.errors.Error", errno=Hostile()),
            made("sqlite3.Error", sqlite_errorcode=Hostile()),
            made("pyodbc.Error", args=(Hostile(), Hostile())),
            made("oracledb.exceptions.Error", args=(Hostile(),)),
            made("pymongo.errors.PyMongoError", has_error_label=Hostile()),
            made("pymongo.errors.PyMongoError", code=Hostile()),
            made("sqlalchemy.exc.StatementError", orig=Hostile()),
            made("sqlalchemy.exc.StatementError", connection_invalidated=Hostile()),
            made("peewee.PeeweeException", orig=Hostile()),
            made("redis.exceptions.ResponseError", args=(Hostile(),)),
            Hostile(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_values(self, error):
        """They say nothing."""
        assert meaning(error) == "neither"

    @pytest.mark.parametrize("name", ["pyodbc.Error", "pymysql.MySQLError", "oracledb.Error"])
    def test_arguments_that_a_subclass_makes_up(self, name):
        """Those that it was made with count: others may have no end."""
        module, _, plain = name.partition(".")
        endless = property(lambda self: itertools.repeat("40001"))
        cls = type(plain, (Exception,), {"__module__": module, "args": endless})
        assert meaning(cls()) == "neither"

    def test_properties(self):
        """One that raises is one that is not there."""

        def raising(self):
            raise ZeroDivisionError

        cls = type("Error", (Exception,), {"__module__": "psycopg", "sqlstate": property(raising)})
        assert meaning(cls()) == "neither"
        names = ("psycopg.Error", "psycopg.OperationalError")
        cls = type("Mine", (type(made(*names)),), {"sqlstate": property(raising)})
        assert meaning(cls("the connection is closed")) == "disconnected"

    def test_a_text_that_raises(self):
        """It is empty, so that what does not depend on it still counts."""

        def raising(self):
            raise ZeroDivisionError

        cls = type("Error", (ConnectionError,), {"__module__": "x", "__str__": raising})
        assert meaning(cls()) == "disconnected"
        cls = type("ResponseError", (Exception,), {"__module__": "redis", "__str__": raising})
        assert meaning(cls()) == "neither"

    def test_a_class_that_cannot_be_read(self):
        """It is nothing that is known."""
        error = type("Hidden", (ConnectionResetError,), {"__module__": Hostile()})()
        assert meaning(error) == "neither"

    def test_no_error_is_kept_alive(self):
        """Not even until the next collection of cycles."""
        gc.disable()
        try:
            error = parts.django(ExceptionGroup("", [parts.psycopg("40001"), parts.sqlite(5)]))
            alive = weakref.ref(error)
            assert meaning(error) == "conflict"
            del error
            assert alive() is None
        finally:
            gc.enable()

    def test_control_flow_passes(self):
        """An interrupt while an error is looked at is not the error's."""

        def interrupted(self):
            raise KeyboardInterrupt

        cls = type(
            "Error", (Exception,), {"__module__": "psycopg", "sqlstate": property(interrupted)}
        )
        with pytest.raises(KeyboardInterrupt):
            db.conflict(cls())


class TestInPolicies:
    """`on=db.conflict`."""

    def test_the_whole_transaction_is_run_again(self, waits):
        """Until it succeeds."""
        outcomes = [parts.psycopg("40001"), parts.sqlalchemy(parts.pymysql(1213)), None]

        @retry(5, on=db.conflict)
        def transfer():
            outcome = outcomes.pop(0)
            if outcome is not None:
                raise outcome
            return "done"

        assert transfer() == "done"
        assert len(waits) == 2

    def test_a_lost_connection_is_not_a_conflict(self):
        """It propagates from the first attempt, as it was."""
        calls = []

        @retry(5, on=db.conflict)
        def transfer():
            calls.append(1)
            raise ConnectionResetError

        with pytest.raises(ConnectionResetError) as caught:
            transfer()
        assert calls == [1]
        assert given_up(caught.value) is None


class TestImports:
    """Nothing is imported to know an error."""

    def test_names(self):
        """`from retrying_elegant.db import *` gives the two predicates."""
        names = {}
        exec("from retrying_elegant.db import *", names)
        assert names.keys() - {"__builtins__"} == {"conflict", "disconnected"}
        assert names["conflict"](parts.psycopg("40001"))

    def test_no_driver(self):
        """Nor anything of the standard library that was not there; all drivers may be installed."""
        program = f"""
import sys
sys.path.insert(0, {str(Path(retrying_elegant.__file__).parent.parent)!r})
import errno, importlib, retrying_elegant
before = set(sys.modules)
from retrying_elegant import db
for module in ("psycopg", "pyodbc", "redis.x", "pymongo", "sqlalchemy.exc", "sqlite3", "pymysql"):
    for name in ("Error", "OperationalError", "StatementError", "RedisError", "MySQLError"):
        error = type(name, (Exception,), {{"__module__": module}})("x", "x")
        assert not db.conflict(error)
print(*sorted(set(sys.modules) - before))
"""
        bare = [sys.executable, "-I", "-S", "-c", program]
        answer = subprocess.run(bare, check=True, capture_output=True, text=True)
        assert answer.stdout.split() == ["retrying_elegant._reading", "retrying_elegant.db"]
