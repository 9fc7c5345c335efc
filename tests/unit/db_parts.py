"""Errors of database drivers that are not at hand: stand-ins with the right names, bases and codes.

What the real classes do is the subject of ``tests/integration/databases``.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

from retrying_elegant import db


def meaning(error: Any) -> str:
    """``"conflict"``, ``"disconnected"`` or ``"neither"``; both at once fail the test."""
    conflict, disconnected = db.conflict(error), db.disconnected(error)
    assert type(conflict) is type(disconnected) is bool
    assert not (conflict and disconnected)
    return "conflict" if conflict else "disconnected" if disconnected else "neither"


@functools.cache  # some tests make every error from 0 to 60 000
def _class(names: tuple[str, ...], base: type[BaseException]) -> type[BaseException]:
    cls = base
    for name in names:
        module, _, plain = name.rpartition(".")
        cls = type(plain, (cls,), {"__module__": module})
    return cls


def made(
    *names: str,
    args: tuple[Any, ...] = (),
    cause: BaseException | None = None,
    base: type[BaseException] = Exception,
    **attributes: Any,
) -> BaseException:
    """An error of the last of *names*, each a class that derives from the one before it."""
    error = _class(names, base)(*args)
    for name, value in attributes.items():
        setattr(error, name, value)
    error.__cause__ = cause
    return error


def psycopg(state: str | None = None, text: str = "", kind: str = "OperationalError") -> Any:
    names = ("psycopg.Error", f"psycopg.{kind}")
    return made(*names, args=(text,), sqlstate=state)


def psycopg2(state: str | None = None, text: str = "", kind: str = "OperationalError") -> Any:
    names = ("psycopg2.Error", f"psycopg2.{kind}")
    return made(*names, args=(text,), pgcode=state)


def asyncpg(state: str, text: str = "") -> Any:
    names = ("asyncpg.exceptions._base.PostgresError", "asyncpg.exceptions.SomeError")
    return made(*names, args=(text,), sqlstate=state)


def pg8000(state: str, text: str = "why") -> Any:
    fields = {"S": "ERROR", "C": state, "M": text}
    return made("pg8000.exceptions.DatabaseError", args=(fields,))


def odbc(state: str, text: str = "") -> Any:
    return made("pyodbc.Error", "pyodbc.OperationalError", args=(state, f"[{state}] {text}"))


def mysql_text(number: int) -> str:
    """Where a number has more than one meaning, that of a lost connection, or of one too many."""
    texts = {
        1047: "WSREP has not yet prepared node for application use",
        1226: "User 'u' has exceeded the 'max_user_connections' resource (current value: 1)",
        2026: "TLS/SSL error: unexpected eof while reading",
        4031: "The client was disconnected by the server because of inactivity",
    }
    return texts.get(number, "why")


def odbc_sql_server(number: int, state: str = "42000", of: str = "[SQL Server]") -> Any:
    driver = f"[Microsoft][ODBC Driver 18 for SQL Server]{of}"
    return odbc(state, f"{driver}The text of it. ({number}) (SQLExecDirectW)")


def odbc_mariadb(number: int, state: str = "HY000") -> Any:
    return odbc(
        state, f"[ma-3.1.15][10.11.19-MariaDB]{mysql_text(number)} ({number}) (SQLExecDirectW)"
    )


def odbc_mysql(number: int, state: str = "HY000") -> Any:
    driver = "[MySQL][ODBC 8.0(w) Driver][mysqld-8.0.33]"
    return odbc(state, f"{driver}{mysql_text(number)} ({number}) (SQLExecDirectW)")


def pymysql(number: int, kind: str = "OperationalError", package: str = "pymysql.err") -> Any:
    return made(f"{package}.MySQLError", f"{package}.{kind}", args=(number, mysql_text(number)))


def mysql_connector(number: int, text: str | None = None, kind: str = "InternalError") -> Any:
    package = "mysql.connector.errors"
    args = (number, mysql_text(number) if text is None else text)
    return made(f"{package}.Error", f"{package}.{kind}", args=args, errno=number)


def sqlite(code: int, text: str = "database is locked") -> Any:
    names = ("sqlite3.Error", "sqlite3.OperationalError")
    return made(*names, args=(text,), sqlite_errorcode=code)


def oracle(code: int = 0, full_code: str = "", package: str = "oracledb.exceptions") -> Any:
    inside = SimpleNamespace(code=code, full_code=full_code or f"ORA-{code:05}")
    return made(f"{package}.Error", f"{package}.DatabaseError", args=(inside,))


def redis(kind: str, text: str = "") -> Any:
    return made("redis.exceptions.RedisError", f"redis.exceptions.{kind}", args=(text,))


def pymongo(*kinds: str, code: int | None = None, labels: tuple[str, ...] = ()) -> Any:
    names = ("pymongo.errors.PyMongoError", *(f"pymongo.errors.{kind}" for kind in kinds))
    return made(*names, code=code, has_error_label=lambda label: label in labels)


def sqlalchemy(orig: BaseException | None, *, invalidated: bool = False) -> Any:
    names = ("sqlalchemy.exc.StatementError", "sqlalchemy.exc.DBAPIError")
    return made(*names, orig=orig, connection_invalidated=invalidated, cause=orig)


def through_sqlalchemy_asyncpg(inside: BaseException) -> Any:
    """SQLAlchemy's own asyncpg, since 2.1, in SQLAlchemy's wrapper."""
    dialect = "sqlalchemy.dialects.postgresql.asyncpg"
    names = ("sqlalchemy.exc.EmulatedDBAPIException", f"{dialect}.Error", f"{dialect}.DataError")
    return sqlalchemy(made(*names, orig=inside, cause=inside))


def through_old_sqlalchemy_asyncpg(inside: BaseException) -> Any:
    """The same before 2.1."""
    dialect = "sqlalchemy.dialects.postgresql.asyncpg"
    return sqlalchemy(made(f"{dialect}.Error", f"{dialect}.DataError", cause=inside))


def django(cause: BaseException | None) -> Any:
    names = ("django.db.utils.Error", "django.db.utils.OperationalError")
    return made(*names, cause=cause)


def peewee(orig: BaseException | None) -> Any:
    return made("peewee.PeeweeException", "peewee.OperationalError", orig=orig)


def tortoise(inside: BaseException | None) -> Any:
    names = ("tortoise.exceptions.BaseORMException", "tortoise.exceptions.OperationalError")
    return made(*names, args=(inside,))


def tortoise_from(inside: BaseException | None) -> Any:
    names = ("tortoise.exceptions.BaseORMException", "tortoise.exceptions.OperationalError")
    return made(*names, args=("why",), cause=inside)


WRAPPERS = [
    sqlalchemy,
    through_sqlalchemy_asyncpg,
    through_old_sqlalchemy_asyncpg,
    django,
    peewee,
    tortoise,
    tortoise_from,
]
