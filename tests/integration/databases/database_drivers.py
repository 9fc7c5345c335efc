"""One way to speak to every driver: a session that runs statements in transactions.

Owns the differences between the drivers of SQL databases, and the libraries above them: how they
connect, begin, commit and roll back.  Errors leave untouched: they are what the tests are about.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

from database_servers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from database_servers import MariaDB, PostgreSQL


class Session:
    """A connection, and the transaction in it; the first statement begins one."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def execute(self, sql: str) -> list[Any]:
        """Run a statement; the rows, if there are any."""
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            with contextlib.suppress(Exception):
                cursor.close()

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


class AsyncSession(Session):
    """The same for an async driver, on an event loop of its own."""

    def __init__(self, connecting: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._runner = asyncio.Runner()
        try:
            super().__init__(self.run(connecting))
        except BaseException:
            self._runner.close()
            raise

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call *function* on the loop, and await what it returns, if that is to be awaited."""

        async def main() -> Any:
            result = function(*args)
            return await result if inspect.isawaitable(result) else result

        return self._runner.run(main())

    def execute(self, sql: str) -> list[Any]:
        return self.run(self._execute, sql)

    async def _execute(self, sql: str) -> list[Any]:
        async with self.connection.cursor() as cursor:
            await cursor.execute(sql)
            return [tuple(row) for row in await cursor.fetchall()] if cursor.description else []

    def commit(self) -> None:
        self.run(self.connection.commit)

    def rollback(self) -> None:
        self.run(self.connection.rollback)

    def close(self) -> None:
        try:
            self.run(self.connection.close)
        finally:
            self._runner.close()


class Asyncpg(AsyncSession):
    """Its connections begin no transaction by themselves."""

    _transaction: Any = None

    async def _execute(self, sql: str) -> list[Any]:
        if self._transaction is None:
            self._transaction = self.connection.transaction()
            await self._transaction.start()
        return [tuple(row) for row in await self.connection.fetch(sql)]

    def commit(self) -> None:
        transaction, self._transaction = self._transaction, None
        self.run(transaction.commit)

    def rollback(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self.run(transaction.rollback)


class Aiosqlite(AsyncSession):
    """Its cursors come from a coroutine function."""

    async def _execute(self, sql: str) -> list[Any]:
        async with self.connection.execute(sql) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]


class SQLAlchemy(Session):
    """An engine with one connection."""

    def __init__(self, url: str, **arguments: Any) -> None:
        import sqlalchemy

        self._text = sqlalchemy.text
        engine = sqlalchemy.create_engine(url, connect_args=arguments)
        try:
            super().__init__(engine.connect())
        finally:
            self._engine = engine

    def execute(self, sql: str) -> list[Any]:
        result = self.connection.execute(self._text(sql))
        return [tuple(row) for row in result] if result.returns_rows else []

    def close(self) -> None:
        self.connection.close()
        self._engine.dispose()


class AsyncSQLAlchemy(AsyncSession):
    """The same with an async engine."""

    def __init__(self, url: str, **arguments: Any) -> None:
        import sqlalchemy
        from sqlalchemy.ext.asyncio import create_async_engine

        self._text = sqlalchemy.text
        self._engine = create_async_engine(url, connect_args=arguments)

        async def connecting() -> Any:
            return await self._engine.connect()

        super().__init__(connecting)

    async def _execute(self, sql: str) -> list[Any]:
        result = await self.connection.execute(self._text(sql))
        return [tuple(row) for row in result] if result.returns_rows else []

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.run(self.connection.close)
        self.run(self._engine.dispose)
        self._runner.close()


class Django(Session):
    """A connection wrapper of Django's, with autocommit off."""

    def __init__(self, engine: str, name: str, **settings: Any) -> None:
        import django
        from django.conf import settings as configured

        if not configured.configured:
            configured.configure(USE_TZ=True)
            django.setup()
        from django.db.utils import ConnectionHandler

        entry = {"ENGINE": f"django.db.backends.{engine}", "NAME": name, **settings}
        connection = ConnectionHandler({"default": entry})["default"]
        connection.inc_thread_sharing()  # the tests let two threads collide
        connection.set_autocommit(False)
        super().__init__(connection)


class Peewee(Session):
    """A database of peewee's."""

    def __init__(self, database: Any) -> None:
        super().__init__(database)
        database.connect()

    def execute(self, sql: str) -> list[Any]:
        if not self.connection.in_transaction():
            self._transaction = self.connection.transaction().__enter__()
        cursor = self.connection.execute_sql(sql)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def commit(self) -> None:
        # What leaving the block does; begin=False, for the next statement begins the next one.
        self._transaction.commit(False)
        self.connection.pop_transaction()

    def rollback(self) -> None:
        if self.connection.in_transaction():
            try:
                self._transaction.rollback(False)
            finally:
                self.connection.pop_transaction()

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.rollback()  # it does not close in the middle of a transaction
        super().close()


class Tortoise(AsyncSession):
    """A transaction of tortoise's, begun by the first statement."""

    def __init__(self, url: str) -> None:
        from tortoise.context import TortoiseContext

        self._library = TortoiseContext()
        self._context: Any = None

        async def connecting() -> Any:
            await self._library.__aenter__()  # entered in the context of this session's loop
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # this module has no models: SQL is enough
                await self._library.init(db_url=url, modules={"models": [__name__]})
            return self._library.connections.get("default")

        super().__init__(connecting)
        self._begin()
        self.rollback()

    def _begin(self) -> None:
        # What in_transaction() calls.
        context = self.run(self.connection._in_transaction)
        self._inside = self.run(context.__aenter__)
        self._context = context

    def execute(self, sql: str) -> list[Any]:
        if self._context is None:
            self._begin()
        return self.run(self._execute, sql)

    async def _execute(self, sql: str) -> list[Any]:
        _, rows = await self._inside.execute_query(sql)
        return [tuple(dict(row).values()) for row in rows]

    def commit(self) -> None:
        context, self._context = self._context, None
        self.run(context.__aexit__, None, None, None)

    def rollback(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            error = RuntimeError("roll back")
            self.run(context.__aexit__, RuntimeError, error, None)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.rollback()
        self.run(self._library.__aexit__, None, None, None)
        self._runner.close()


# --- PostgreSQL -------------------------------------------------------------------------------


def _psycopg(server: PostgreSQL, **more: Any) -> Session:
    import psycopg

    return Session(psycopg.connect(server.address, **more))


def _async_psycopg(server: PostgreSQL, **more: Any) -> Session:
    import psycopg

    async def connecting() -> Any:
        return await psycopg.AsyncConnection.connect(server.address, **more)

    return AsyncSession(connecting)


def _psycopg2(server: PostgreSQL, **more: Any) -> Session:
    import psycopg2

    return Session(psycopg2.connect(server.address, **more))


def _asyncpg(server: PostgreSQL, **more: Any) -> Session:
    import asyncpg

    names = {"user": "tester", "database": "postgres", "timeout": PATIENCE, **more}

    async def connecting() -> Any:
        return await asyncpg.connect(host="127.0.0.1", port=server.port, **names)

    return Asyncpg(connecting)


def _pg8000(server: PostgreSQL, **more: Any) -> Session:
    import pg8000

    names = {"user": "tester", "database": "postgres", "timeout": PATIENCE, **more}
    return Session(pg8000.connect(host="127.0.0.1", port=server.port, **names))


def _odbc_postgresql(server: PostgreSQL, **more: Any) -> Session:
    import pyodbc

    names = {"user": "tester", "password": "", "database": "postgres", **more}
    return Session(
        pyodbc.connect(
            f"Driver={{PostgreSQL Unicode}};Servername=127.0.0.1;Port={server.port};"
            f"Database={names['database']};UserName={names['user']};Password={names['password']}"
        )
    )


def _django_postgresql(server: PostgreSQL) -> Session:
    return Django("postgresql", "postgres", USER="tester", HOST="127.0.0.1", PORT=str(server.port))


def _peewee_postgresql(server: PostgreSQL) -> Session:
    import peewee

    at = {"host": "127.0.0.1", "port": server.port, "user": "tester"}
    return Peewee(peewee.PostgresqlDatabase("postgres", thread_safe=False, **at))


POSTGRESQL: dict[str, Callable[[PostgreSQL], Session]] = {
    "psycopg": _psycopg,
    "psycopg, async": _async_psycopg,
    "psycopg2": _psycopg2,
    "asyncpg": _asyncpg,
    "pg8000": _pg8000,
    "pyodbc": _odbc_postgresql,
    "SQLAlchemy, psycopg": lambda server: SQLAlchemy(f"postgresql+psycopg://{server.url}"),
    "SQLAlchemy, psycopg2": lambda server: SQLAlchemy(f"postgresql+psycopg2://{server.url}"),
    "SQLAlchemy, pg8000": lambda server: SQLAlchemy(f"postgresql+pg8000://{server.url}"),
    "SQLAlchemy, asyncpg": lambda server: AsyncSQLAlchemy(f"postgresql+asyncpg://{server.url}"),
    "Django": _django_postgresql,
    "peewee": _peewee_postgresql,
    "tortoise, asyncpg": lambda server: Tortoise(f"asyncpg://{server.url}"),
    "tortoise, psycopg": lambda server: Tortoise(f"psycopg://{server.url}?timeout=10"),
}


# --- MariaDB ----------------------------------------------------------------------------------


def _pymysql(server: MariaDB, **more: Any) -> Session:
    import pymysql

    return Session(pymysql.connect(**{**server.address, **more}))


def _mysqlclient(server: MariaDB, **more: Any) -> Session:
    import MySQLdb

    return Session(MySQLdb.connect(**{**server.address, **more}))


def _connector(server: MariaDB, **more: Any) -> Session:
    import mysql.connector

    return Session(mysql.connector.connect(**{**server.address, **more}))


def _pure_connector(server: MariaDB, **more: Any) -> Session:
    return _connector(server, use_pure=True, **more)


def _aiomysql(server: MariaDB, **more: Any) -> Session:
    import aiomysql

    names = {**server.address, **more}
    names["db"] = names.pop("database")

    async def connecting() -> Any:
        return await aiomysql.connect(**names)

    return AsyncSession(connecting)


def _asyncmy(server: MariaDB, **more: Any) -> Session:
    import asyncmy

    async def connecting() -> Any:
        return await asyncmy.connect(**{**server.address, **more})

    return AsyncSession(connecting)


def _odbc_mariadb(server: MariaDB, **more: Any) -> Session:
    import pyodbc

    names = {**server.address, **more}
    return Session(
        pyodbc.connect(
            f"Driver={{MariaDB Unicode}};Server=127.0.0.1;Port={names['port']};"
            f"Database={names['database']};User={names['user']};Password={names['password']}"
        )
    )


def _django_mariadb(server: MariaDB) -> Session:
    at = {"USER": "tester", "PASSWORD": "pw", "HOST": "127.0.0.1", "PORT": str(server.port)}
    return Django("mysql", "test", **at)


def _peewee_mariadb(server: MariaDB) -> Session:
    import peewee

    return Peewee(peewee.MySQLDatabase(thread_safe=False, **server.address))


MARIADB: dict[str, Callable[[MariaDB], Session]] = {
    "PyMySQL": _pymysql,
    "mysqlclient": _mysqlclient,
    "mysql-connector": _connector,
    "mysql-connector, pure": _pure_connector,
    "aiomysql": _aiomysql,
    "asyncmy": _asyncmy,
    "pyodbc": _odbc_mariadb,
    "SQLAlchemy, PyMySQL": lambda server: SQLAlchemy(f"mysql+pymysql://{server.url}"),
    "SQLAlchemy, mysqlclient": lambda server: SQLAlchemy(f"mysql+mysqldb://{server.url}"),
    "SQLAlchemy, mysql-connector": lambda server: SQLAlchemy(
        f"mariadb+mysqlconnector://{server.url}"
    ),
    "SQLAlchemy, aiomysql": lambda server: AsyncSQLAlchemy(f"mysql+aiomysql://{server.url}"),
    "Django": _django_mariadb,
    "peewee": _peewee_mariadb,
    "tortoise": lambda server: Tortoise(f"mysql://{server.url}"),
}


# --- SQLite -----------------------------------------------------------------------------------


def _aiosqlite(path: str) -> Session:
    import aiosqlite

    async def connecting() -> Any:
        return await aiosqlite.connect(path, timeout=0.05)

    return Aiosqlite(connecting)


def _peewee_sqlite(path: str) -> Session:
    import peewee

    return Peewee(peewee.SqliteDatabase(path, timeout=0.05))


SQLITE: dict[str, Callable[[str], Session]] = {
    "sqlite3": lambda path: Session(sqlite3.connect(path, timeout=0.05)),
    "aiosqlite": _aiosqlite,
    "SQLAlchemy": lambda path: SQLAlchemy(f"sqlite:///{path}", timeout=0.05),
    "SQLAlchemy, aiosqlite": lambda path: AsyncSQLAlchemy(
        f"sqlite+aiosqlite:///{path}", timeout=0.05
    ),
    "Django": lambda path: Django("sqlite3", path, OPTIONS={"timeout": 0.05}),
    "peewee": _peewee_sqlite,
    "tortoise": lambda path: Tortoise(f"sqlite://{path}?busy_timeout=50"),
}


@contextlib.contextmanager
def opened(connect: Callable[[Any], Session], to: Any) -> Iterator[Session]:
    """A session, closed afterwards however badly its connection has fared."""
    session = connect(to)
    try:
        yield session
    finally:
        with contextlib.suppress(Exception), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about connections that are beyond closing
            session.close()
