"""Db: what a database error means, whatever the driver.

Owns classifying the errors of database drivers, and of the libraries above them: did the database
undo the work because of other transactions, or was the connection lost?  Leaves counting attempts
and waiting to the policy, and rolling back to the caller.  No driver is imported: classes are
recognized by name, ``package.Class``, and errors by code.

Rules: each error has at most one meaning, so the two predicates are never both true.  An error
that is not in the tables has none.  An error that wraps another has the meaning of that one.
Whatever an error does when it is read, no exception propagates from here.
"""

from __future__ import annotations

import errno

from ._reading import arguments, entry, first, known_as, look, result_for, text
from ._tracebacks import leaves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._reading import Judge

__all__ = ["conflict", "disconnected"]

# The meanings; None is no meaning.
_CONFLICT = "conflict"
_LOST = "disconnected"


def _table(**codes: str) -> dict[str, str]:
    """Return a table from codes to meanings; the codes of each meaning are one text."""
    return {code: meaning for meaning in codes for code in codes[meaning].split()}


def _numbers(**codes: str) -> dict[int, str]:
    """Return the same table for codes that are numbers."""
    return {int(code): meaning for code, meaning in _table(**codes).items()}


# SQLSTATE.  PostgreSQL's appendix "PostgreSQL Error Codes"; ODBC's appendix "ODBC Error Codes"
# for 01002, 08S01, 08S02 and HYT01.  CockroachDB uses 40001 for everything that should be run
# again, and 40003 if it is unknown whether a COMMIT took place.  08P01 is left out on purpose: a
# protocol violation may be the driver's fault, and the connection may remain usable.  Its text
# decides, because PgBouncer has no other state.
_SQLSTATES = _table(
    conflict="""
        40001  40P01  55P03
    """,
    disconnected="""
        08000  08001  08003  08004  08006  08007  08S01  08S02
        01002  25P03  25P04  40003  53300  57P01  57P02  57P03  57P04  57P05  HYT01
    """,
)

# MySQL's "Server Error Message Reference" and "Client Error Message Reference", MariaDB's "MariaDB
# Error Codes", and errmsg.h of MariaDB Connector/C (5014).
#   conflicts: record changed since it was read (1020, with MariaDB's innodb_snapshot_isolation),
#   lock wait timeout (1205), deadlock (1213; of XA 1614; of GET_LOCK 3058), table changed by others
#   (1412), XA rolled back for taking too long (1613), lock aborted by a table lock (1689), group
#   replication (3101), NOWAIT (3572)
_MYSQL = _numbers(
    conflict="""
        1020  1205  1213  1412  1613  1614  1689  3058  3101  3572
    """,
    disconnected="""
        1040  1042  1043  1047  1053  1077  1080  1152  1158  1159  1160  1161  1184  1203  1226
        1927  2001  2002  2003  2004  2005  2006  2012  2013  2026  2055  3032  3169  4031  5014
    """,
)
# These numbers have other meanings too, so one of the texts has to be there.
_MYSQL_TEXTS = {
    1047: ("WSREP has not yet prepared node",),  # of a Galera cluster; else an unknown command
    1226: ("'max_user_connections'",),  # the other limits of an account last for an hour
    # A connection with TLS.  A certificate that is not accepted has the same number.
    2026: ("unexpected eof while reading", "Connection reset by peer", "Broken pipe"),
    4031: ("inactivity",),  # in MariaDB, a trigger that does not exist
}

# SQL Server's "Database Engine events and errors"; which of them are transient as in Microsoft's
# own clients: SqlConfigurableRetryFactory of Microsoft.Data.SqlClient, and the transient exception
# detector of Entity Framework Core.
#   conflicts: no lock to be had (1204), deadlock (1205), lock timeout (1222), snapshot isolation
#   (3960), memory-optimized tables (41301, 41302, 41305, 41325, 41339, 41839)
#   Among the disconnects is 4060: also what a database that does not exist says, but on Azure a
#   failover.
_SQL_SERVER = _numbers(
    conflict="""
        1204  1205  1222  3960  41301  41302  41305  41325  41339  41839
    """,
    disconnected="""
        20  64  121  233  921  941  997  4060  4221  10053  10054  10060  10928  10929  10930  10936
        11001  17197  18401  40143  40197  40501  40540  40613  40642  40675  42108  42109
        49802  49918  49919  49920
    """,
)

# Oracle's "Database Error Messages", the tables of recoverable errors in python-oracledb's
# errors.py, and its own DPY numbers; DPI numbers are those of cx_Oracle.
#   conflicts: NOWAIT (54), deadlock (60; of the dictionary 4020), distributed lock timeout (2049),
#   dictionary lock timeout (4021), serialization (8177), WAIT timed out (30006)
_ORACLE = _numbers(
    conflict="""
        54  60  2049  4020  4021  8177  30006
    """,
    disconnected="""
        18  20  22  28  31  45  378  602  603  609  1012  1033  1034  1041  1089  1090  1092
        2391  2396  3113  3114  3135  12153  12170  12203  12514  12516  12518  12519  12520  12528
        12537  12541  12543  12547  12560  12570  12571  12583  12757  27146  56600
    """,
)
_ORACLE_CLIENT = _table(
    disconnected="""
        DPI-1010  DPI-1080  DPY-1001  DPY-4011  DPY-4033  DPY-6000  DPY-6001  DPY-6005
    """,
)

# MongoDB's "Server Discovery and Monitoring" and "Retryable Writes" (network errors, a primary
# that steps down or shuts down); WriteConflict (112), LockTimeout (24), LockBusy (46) and
# SnapshotUnavailable (246) are from the server's error_codes.yml.
_MONGODB = _numbers(
    conflict="""
        24  46  112  246
    """,
    disconnected="""
        6  7  89  91  189  9001  10058  10107  11600  11602  13435  13436
    """,
)

# SQLite's "Result and Error Codes".  BUSY has several extended codes.  Of those of LOCKED, only
# the one about another connection counts; the others are conflicts within one connection.
# PROTOCOL means that many connections were beginning transactions at once.
_SQLITE_BUSY = 5
_SQLITE_PROTOCOL = 15
_SQLITE_LOCKED_SHAREDCACHE = 262

# Network errors for which Python has no class.
_ERRNOS = [
    getattr(errno, name, None)  # not every system has all of them
    for name in ("ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTDOWN", "EHOSTUNREACH", "ETIMEDOUT")
]


# --- by the code of an error, for each kind of driver ------------------------------------------


def _os_error(error: BaseException) -> str | None:
    """Return the meaning of an OSError; a timeout without a number is not one of the network."""
    number = look(error, "errno")
    if number is not None:
        return _LOST if number in _ERRNOS else None
    # asyncio raises this if it could connect to none of the addresses of a name.
    return _LOST if text(error).startswith("Multiple exceptions: ") else None


def _by_sqlstate(error: BaseException) -> str | None:
    return _state(look(error, "sqlstate"), text(error))


# What libpq says of a connection has no SQLSTATE, only a text, here in English.  From the sources
# of libpq and psycopg.
_LIBPQ_LOST = (
    "Is the server running",
    "could not translate host name",
    "failed to resolve host",
    "timeout expired",
    "server closed the connection unexpectedly",
    "SSL connection has been closed unexpectedly",
    "SSL SYSCALL error",
    "SSL error: unexpected eof",
    "could not receive data from server",
    "could not send ",  # data, or one of the packets of a connection's beginning
    "server sent an error response during ",  # it failed, or was killed, before encryption began
    "write to server failed",
    "lost synchronization with server",
    "no message from the libpq",
    "no connection to the server",
    "connection not open",
    "the connection is closed",
    "the connection is lost",
    "connection socket closed",
    "invalid socket",
    "connection already closed",
    "session is ",  # read-only, or not, where target_session_attrs wants the other
    "server is in hot standby mode",
    "server is not in hot standby mode",
)
# Nor has an answer of the server while libpq connects: a word such as FATAL, and a text.  From
# PostgreSQL's sources: postmaster.c, postinit.c, postgres.c and proc.c.
_SERVER_NOT_NOW = (
    "the database system is ",  # starting up, shutting down, in recovery mode
    "too many clients already",
    "too many connections for ",
    "remaining connection slots",
    "could not fork new process",
    "terminating connection",
)
# What PgBouncer says before it closes the connection, whatever was in progress.  If it had no
# connection to the server, nothing has been run.  From its sources: objects.c, client.c, server.c
# and janitor.c.  Left out is what depends on its configuration: passwords, names, pool modes.
_PGBOUNCER_LOST = (
    "server conn crashed?",
    "query timeout",
    "query_timeout",  # the same, of a query that still waits for the server
    "transaction timeout",  # also of one that is idle
    "client_idle_timeout",
    "database configuration changed",
    "database removed",  # also what KILL says
    "suspend_timeout",
    "server shutting down",
    # The rest had no connection to the server.
    "query_wait_timeout",
    "client_login_timeout",
    "no more connections allowed (max_client_conn)",
    "client connections exceeded (max_",  # db_client_connections, user_client_connections
    "pgbouncer cannot connect to server",  # in old versions
    "server login has been failing, try again later",
    # Newer versions say "cached error", and which: one of the server's, or one of these.
    "connect failed",
    "connect timeout",
    "server DNS lookup failed",
)
_NOT_NOW = (*_SERVER_NOT_NOW, *_PGBOUNCER_LOST)
_PROTOCOL_VIOLATION = "08P01"
# One of the addresses of a host may have been refused, and another has answered.
_LIBPQ_ANSWERS = (
    ":  ",
    "no password supplied",
    "authentication",  # a method that the client does not have
    "certificate",
    "does not support SSL",
)


def _libpq(error: BaseException) -> str | None:
    """Return the meaning of psycopg's or psycopg2's errors."""
    state = look(error, "sqlstate") or look(error, "pgcode")
    return _libpq_says(text(error)) if state is None else _state(state, text(error))


def _libpq_says(words: str) -> str | None:
    reasons = _NOT_NOW if _libpq_answer(words) else (*_NOT_NOW, *_LIBPQ_LOST)
    return _LOST if any(reason in words for reason in reasons) else None


def _libpq_answer(words: str) -> bool:
    return any(answer in words for answer in _LIBPQ_ANSWERS)


def _state(state: Any, words: str) -> str | None:
    """Return the meaning of a SQLSTATE; *words* count only for the one that PgBouncer uses."""
    if state == _PROTOCOL_VIOLATION:
        return _LOST if any(reason in words for reason in _NOT_NOW) else None
    return _SQLSTATES.get(state)


def _pg8000(error: BaseException) -> str | None:
    return _state(entry(first(error), "C"), text(error))


def _mysql(error: BaseException) -> str | None:
    return _mysql_number(first(error), text(error))


def _mysql_number(number: Any, words: str) -> str | None:
    if not isinstance(number, int):
        return None
    texts = _MYSQL_TEXTS.get(number, ("",))
    return _MYSQL.get(number) if any(reason in words for reason in texts) else None


def _mysql_interface(error: BaseException) -> str | None:
    """Return the meaning of an InterfaceError; PyMySQL's 0 is a closed connection."""
    number = first(error)
    closed = number == 0 if isinstance(number, int) else "Not connected" in text(error)
    return _LOST if closed else _mysql(error)


# Messages of mysql-connector that come without a number.  From its sources.
_CONNECTOR_LOST = (
    "MySQL Connection not available",
    "Connection to MySQL is not available",
    "Can not reconnect to MySQL",
)


def _mysql_connector(error: BaseException) -> str | None:
    number, words = look(error, "errno"), text(error)
    if number != -1:
        return _mysql_number(number, words)
    return _LOST if any(reason in words for reason in _CONNECTOR_LOST) else None


def _sqlite(error: BaseException) -> str | None:
    code = look(error, "sqlite_errorcode")
    if not isinstance(code, int):
        return None
    busy = code & 0xFF in (_SQLITE_BUSY, _SQLITE_PROTOCOL) or code == _SQLITE_LOCKED_SHAREDCACHE
    return _CONFLICT if busy else None


def _odbc(error: BaseException) -> str | None:
    """
    Return the meaning of pyodbc's errors, by the number of the server if its driver is known.

    Their arguments are the SQLSTATE and a text such as ``[HYT00] [Microsoft][ODBC Driver 18 for
    SQL Server][SQL Server]Lock request time out period exceeded. (1222) (SQLExecDirectW)``.
    """
    state, words, *_ = arguments(error)
    number = words.rpartition(") (SQL")[0].rpartition("(")[2]
    origin = str(words.split("]")[:3])  # the state, and the first two parts of its origin
    numbers: dict[int, str] = {}
    if words.startswith(f"[{state}] ["):
        if "SQL Server" in origin:
            numbers = _SQL_SERVER
        elif "[ma-" in origin or "MySQL" in origin:  # MariaDB's driver, or MySQL's
            numbers = _MYSQL
    if number.isdecimal() and int(number) in numbers:
        return numbers[int(number)] if numbers is _SQL_SERVER else _mysql_number(int(number), words)
    if state == "08001" and _libpq_answer(words):
        return _libpq_says(words)  # psqlODBC uses this state for all of these
    if state == "HYT00" and "Login timeout expired" in words:
        return _LOST
    return _state(state, words)


def _oracle(error: BaseException) -> str | None:
    inside = first(error)
    meaning = _ORACLE.get(look(inside, "code"))
    return meaning or _ORACLE_CLIENT.get(look(inside, "full_code"))


def _mongodb(error: BaseException) -> str | None:
    """Return the meaning of pymongo's errors; as the specification has it, labels come first."""
    if _has_label(error, "UnknownTransactionCommitResult"):
        return _LOST
    if _has_label(error, "TransientTransactionError"):
        return _CONFLICT
    if known_as(error, ("pymongo.ConnectionFailure",)):
        return _LOST
    return _MONGODB.get(look(error, "code"))


def _has_label(error: BaseException, label: str) -> bool:
    has = look(error, "has_error_label")
    return callable(has) and has(label) is True


def _redis_watch(error: BaseException) -> str | None:
    """Return the meaning of a WatchError; redis-py also makes one of a connection that was lost."""
    # It was lost perhaps after EXEC, whose answer is the last that a watching client waits for.
    return _LOST if "while watching one or more keys" in text(error) else _CONFLICT


def _redis_try_again(error: BaseException) -> str | None:
    """Return the meaning of TRYAGAIN; other commands of a pipeline may have been executed."""
    return None if text(error).startswith("Command # ") else _CONFLICT


def _redis_response(error: BaseException) -> str | None:
    """Return the meaning of a reply without a class; BUSY: a script blocks the server (EVAL)."""
    return _CONFLICT if text(error).startswith("BUSY ") else None


# What redis-py says where its own pool is exhausted; newer versions have a class for the second.
_REDIS_POOL = ("No connection available.", "Too many connections")


def _redis_connection(error: BaseException) -> str | None:
    return None if text(error) in _REDIS_POOL else _LOST


def _with_text(*reasons: str) -> Callable[[BaseException], str | None]:
    """Return a reader of errors that differ only in their text."""

    def read(error: BaseException) -> str | None:
        words = text(error)
        return _LOST if any(reason in words for reason in reasons) else None

    return read


# --- by the class of an error -------------------------------------------------------------------
#
# Names have the form ``package.Class``.  Of the classes that an error derives from, the most
# specific one in any of the tables below counts.

# The class alone decides.  From the reference of each driver; what Redis means by TRYAGAIN and
# CLUSTERDOWN, which redis-py has classes for, is in its "Redis cluster specification".
_SETTLED: dict[str, str | None] = {
    **_table(
        conflict="""
            psycopg2.SerializationFailure  psycopg2.DeadlockDetected  psycopg2.LockNotAvailable
            sqlalchemy.StaleDataError
        """,
        disconnected="""
            builtins.ConnectionError  socket.gaierror
            ssl.SSLEOFError  ssl.SSLSyscallError  ssl.SSLZeroReturnError
            psycopg.ConnectionTimeout  psycopg_pool.PoolTimeout
            asyncpg.TargetServerAttributeNotMatched
            mysql.ConnectionTimeoutError  mysql.ReadTimeoutError  mysql.WriteTimeoutError
            redis.TimeoutError  redis.ClusterDownError
            sqlalchemy.DisconnectionError
        """,
    ),
    # Listed because a base class would decide otherwise: a client that is rejected has not been
    # disconnected, nor has one whose own pool is exhausted.
    **dict.fromkeys(
        (
            *("redis.AuthenticationError", "redis.AuthorizationError"),
            *("redis.ExternalAuthProviderError", "redis.MaxConnectionsError"),
            "pymongo.WaitQueueTimeoutError",
        )
    ),
}

# The code or the text decides.
_READERS: dict[str, Callable[[BaseException], str | None]] = {
    "builtins.OSError": _os_error,
    "psycopg.Error": _by_sqlstate,
    "psycopg.OperationalError": _libpq,
    "psycopg2.Error": _libpq,
    "asyncpg.PostgresError": _by_sqlstate,
    "asyncpg.InterfaceError": _with_text("connection is closed"),
    "pg8000.DatabaseError": _pg8000,
    "pg8000.InterfaceError": _with_text(
        "network error", "communication error", "connection is closed", "Can't create a connection"
    ),
    "pymysql.MySQLError": _mysql,
    "pymysql.InterfaceError": _mysql_interface,
    "MySQLdb.MySQLError": _mysql,
    "MySQLdb.InterfaceError": _mysql_interface,
    "asyncmy.MySQLError": _mysql,
    "asyncmy.InterfaceError": _mysql_interface,
    "mysql.Error": _mysql_connector,
    "sqlite3.Error": _sqlite,
    "pyodbc.Error": _odbc,
    "oracledb.Error": _oracle,
    "cx_Oracle.Error": _oracle,
    "redis.ConnectionError": _redis_connection,
    "redis.ResponseError": _redis_response,
    "redis.TryAgainError": _redis_try_again,
    "redis.WatchError": _redis_watch,
    "pymongo.PyMongoError": _mongodb,
}

# The wrapped error decides.  These attributes hold it; ``args`` is the first argument.
_WRAPPERS = {
    "redis.RedisClusterException": ("__cause__",),
    "sqlalchemy.StatementError": ("orig",),
    "sqlalchemy.Error": ("__cause__",),  # that of its own DBAPI around asyncpg
    "django.Error": ("__cause__",),
    "peewee.PeeweeException": ("orig",),
    "tortoise.BaseORMException": ("__cause__", "args"),
    # The only one whose origin is in the context alone.
    "tortoise.DBConnectionError": ("__cause__", "__context__"),
}

_KNOWN = {*_SETTLED, *_READERS, *_WRAPPERS}


def conflict(error: BaseException, /) -> bool:
    """
    Return whether the database rejected or undid work because of other transactions.

    Conflicts are serialization failures, deadlocks, locks that are unavailable or timed out,
    busy databases, and optimistic locks that failed.  The transaction has not been committed,
    so you can run it again: all of it, from its first statement, after a rollback.  Repeating only
    the statement that failed is wrong, and some servers keep the transaction open with its earlier
    writes until it is rolled back.

    An exception group is a conflict if every member is one.  An unknown error is not a conflict.
    This function never raises.

    Source:
        PostgreSQL's SQLSTATE appendix, the error references of MySQL, MariaDB, SQLite,
        SQL Server and Oracle, and the driver specifications of MongoDB; each table in the
        source names its own.

    >>> from retrying_elegant import retry
    >>> @retry(on=conflict)
    ... def transfer(): ...
    >>> class WatchError(Exception):
    ...     __module__ = "redis.exceptions"
    >>> conflict(WatchError()), disconnected(WatchError())
    (True, False)
    """
    return _meaning_of(error) == _CONFLICT


def disconnected(error: BaseException, /) -> bool:
    """
    Return whether the connection was lost, or could not be made.

    Whatever was in progress, a COMMIT above all, may or may not have happened: retry only what
    can be done twice without harm, on a new connection.  A server that is starting, stopping or
    out of connections counts; one that rejects the password or has no such database does not.

    An exception group is a disconnect if at least one member is, and every other one is a
    conflict.  An unknown error is not a disconnect.  This function never raises.

    Source:
        The same as for ``conflict``.

    >>> disconnected(ConnectionResetError()), conflict(ConnectionResetError())
    (True, False)
    >>> disconnected(TimeoutError()), disconnected(FileNotFoundError())
    (False, False)
    """
    return _meaning_of(error) == _LOST


def _meaning_of(error: BaseException) -> str | None:
    meaning: str | None = result_for(error, _judge)
    return meaning


def _judge(error: Any, judge: Judge) -> str | None:
    """Return the meaning of *error*; *judge* does the same for an error inside it."""
    if isinstance(error, BaseExceptionGroup):
        return _together([judge(leaf) for leaf in leaves(error)])
    name = known_as(error, _KNOWN)
    if name in _READERS:
        return _READERS[name](error)
    if name not in _WRAPPERS:
        return _SETTLED.get(name)
    meaning: str | None = judge(_inside(error, _WRAPPERS[name]))
    # SQLAlchemy has invalidated the connection, perhaps for a reason of its own.
    return meaning or (_LOST if look(error, "connection_invalidated") is True else None)


def _inside(error: BaseException, places: tuple[str, ...]) -> BaseException | None:
    """Return the error that *error* wraps at one of *places*, if any."""
    for place in places:
        found = first(error) if place == "args" else look(error, place)
        if isinstance(found, BaseException):
            return found
    return None


def _together(meanings: list[str | None]) -> str | None:
    """Return the meaning of a group: None unless every member has one."""
    if None in meanings:
        return None
    return _LOST if _LOST in meanings else _CONFLICT
