"""Cases for fuzzing ``db``: errors of databases made from any bytes, and what has to hold of them.

Owns the making of errors with the names of drivers, with codes, texts and wrapped errors that are
right, nearly right or hostile.  Leaves where the bytes come from to who calls: ``fuzz``
(coverage-guided) or the unit tests (hypothesis).
"""

from __future__ import annotations

import types
from typing import Any

from fuzz_cases import STUBBORN, Choices, Trap

from retrying_elegant import db

# Of each class: its module, and the names of the classes that it derives from, the last one first.
CLASSES = [
    *("psycopg.Error", "psycopg.DatabaseError psycopg.Error"),
    *("psycopg.OperationalError psycopg.Error", "psycopg.errors.X psycopg.Error"),
    *("psycopg2.Error", "psycopg2.OperationalError psycopg2.Error"),
    *("psycopg2.InterfaceError psycopg2.Error", "psycopg_pool.PoolClosed psycopg.OperationalError"),
    *("asyncpg.exceptions.X asyncpg.exceptions._base.PostgresError", "asyncpg.InterfaceError"),
    *("pg8000.exceptions.DatabaseError", "pg8000.exceptions.InterfaceError"),
    *("pymysql.err.X pymysql.err.MySQLError", "pymysql.err.InterfaceError pymysql.err.MySQLError"),
    *("MySQLdb.MySQLError", "asyncmy.errors.MySQLError", "mysql.connector.errors.Error"),
    *("sqlite3.Error", "pyodbc.Error", "oracledb.exceptions.Error", "cx_Oracle.Error"),
    *("redis.exceptions.WatchError", "redis.exceptions.ResponseError"),
    *("redis.exceptions.AuthenticationError redis.exceptions.ConnectionError",),
    *("pymongo.errors.PyMongoError", "pymongo.errors.ConnectionFailure pymongo.PyMongoError"),
    *("sqlalchemy.exc.StatementError", "sqlalchemy.exc.EmulatedDBAPIException"),
    *("sqlalchemy.orm.exc.StaleDataError", "sqlalchemy.dialects.x.Error", "django.db.utils.Error"),
    *("peewee.PeeweeException", "tortoise.exceptions.BaseORMException"),
    "tortoise.exceptions.DBConnectionError tortoise.exceptions.BaseORMException",
]
FOREIGN = ["shop.Error", "psycopg3.Error", "x.psycopg.Error", "psycopg.Mine", "redis.RedisError"]
FOREIGN += ["requests.ConnectionError", "builtins.Exception", "pymysql.x", ".Error", "sqlite3."]
BASES = [Exception, OSError, TimeoutError, ValueError, ConnectionResetError]

STATES = ["40001", "40P01", "55P03", "08006", "57P01", "53300", "40003", "HYT00", "HY000", "42601"]
NUMBERS = [0, -1, 5, 261, 262, 6, 54, 60, 3113, 64, 112, 251, 1205, 1213, 1062, 2006, 2013, 10054]
TEXTS = [
    "",
    "connection is closed",
    "connection already closed",
    "FATAL:  no",
    "BUSY x",
    "BUSYGROUP",
]
TEXTS += ["FATAL:  the database system is starting up", "network error", "(0, 'Not connected')"]
TEXTS += ["Is the server running", "x:  the database system is ", "No connection available."]
TEXTS += ["MySQL Connection not available", "Multiple exceptions: x", "certificate", "\ud800"]
ODBC = ["[HY000] [Microsoft][ODBC][SQL Server]x (1205) (SQLX)", "[HY000] [ma-3]x (2013) (SQLX)"]
ODBC += [
    "[HYT00] [Microsoft]Login timeout expired (0) (SQLX)",
    "[HY000] [MySQL][x]²) (²) (SQL",
    "][",
]
ATTRIBUTES = ["sqlstate", "pgcode", "errno", "sqlite_errorcode", "code", "has_error_label", "orig"]
ATTRIBUTES += ["connection_invalidated", "__cause__", "__context__", "args", "exceptions"]
LABELS = ["TransientTransactionError", "UnknownTransactionCommitResult", "RetryableWriteError"]


def a_value(choices: Choices, depth: int) -> Any:
    """What an attribute or an argument of an error may be."""
    kind = choices.number(10)
    match kind:
        case 0 | 1:
            return choices.one_of(STATES)
        case 2 | 3:
            return choices.one_of(NUMBERS)
        case 4:
            return choices.one_of([*TEXTS, *ODBC])
        case 5:
            return choices.one_of(STUBBORN)
        case 6:
            return choices.one_of([True, False, None, 1.5, b"40001", (), [], {}, object(), int])
        case 7:
            return {"C": choices.one_of([*STATES, None, *STUBBORN])}
        case 8:
            code, full = choices.one_of([*NUMBERS, None]), choices.one_of(["DPY-4011", "DPY-1", 7])
            return choices.one_of([types.SimpleNamespace(code=code, full_code=full), Trap()])
    if depth:
        return an_error(choices, depth - 1)
    labels = choices.one_of([LABELS, LABELS[:1], LABELS[1:], []])
    return choices.one_of([lambda label: label in labels, lambda: True, Trap()])


def a_class(choices: Choices, names: list[str]) -> Any:
    cls: Any = choices.one_of(BASES) if choices.number(4) == 3 else Exception
    for name in reversed(choices.one_of(names).split()):
        module, _, plain = name.rpartition(".")
        cls = type(plain, (cls,), {"__module__": module})
    if choices.number(4) == 3:
        cls = type("Mine", (cls,), {"__module__": choices.one_of(["shop", "psycopg", ""])})
    return cls


def an_error(choices: Choices, depth: int = 3, names: list[str] = CLASSES) -> BaseException:
    """An error of some driver, whose arguments and attributes hold or do anything."""
    if depth and choices.number(8) == 7:
        members = range(1 + choices.number(3))
        return ExceptionGroup("", [an_error(choices, depth - 1, names) for _ in members])
    cls = a_class(choices, names)
    error = cls(*(a_value(choices, depth) for _ in range(choices.number(3))))
    for _ in range(choices.number(4)):
        attribute = choices.one_of(ATTRIBUTES)
        value = error if choices.number(8) == 7 else a_value(choices, depth)
        try:
            setattr(error, attribute, value)
        except Exception:
            setattr(cls, attribute, property(lambda self: self.nothing))  # raises when looked at
    return error


def meanings(error: BaseException) -> tuple[bool, bool]:
    """Both verdicts; the same when asked again."""
    found = (db.conflict(error), db.disconnected(error))
    assert [type(verdict) for verdict in found] == [bool, bool], found
    assert (db.conflict(error), db.disconnected(error)) == found
    return found


def check(data: bytes) -> None:
    """Never both, never an error, through a wrapper the same, and nothing unknown is ever True."""
    choices = Choices(data)
    if choices.number(4) == 3:
        unknown = a_class(choices, FOREIGN)
        if issubclass(unknown, (ConnectionError, OSError)):
            unknown = type("Error", (Exception,), {"__module__": "shop"})
        error = unknown(*(a_value(choices, 1) for _ in range(choices.number(3))))
        for attribute in ATTRIBUTES[:8]:
            error.__dict__[attribute] = a_value(choices, 1)
        assert meanings(error) == (False, False), error
        return
    error = an_error(choices)
    found = meanings(error)
    assert found != (True, True), error
    wrapper = type("OperationalError", (Exception,), {"__module__": "django.db.utils"})
    wrapper = type("Error", (wrapper,), {"__module__": "django.db.utils"})()
    wrapper.__cause__ = error
    assert meanings(wrapper) == found, error
    assert meanings(ExceptionGroup("", [error])) == found, error
    assert meanings(ExceptionGroup("", [error, ValueError()])) == (False, False), error
