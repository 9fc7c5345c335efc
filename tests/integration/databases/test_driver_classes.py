"""Every class of every driver, as it is: what `db` says of it, and that its name is still known."""

from __future__ import annotations

import importlib
import socket

import asyncpg
import bson
import oracledb
import psycopg
import psycopg2.errors
import pymongo
import pymongo.errors
import pytest
from collisions import error_of
from database_servers import free_port
from db_parts import meaning

from retrying_elegant import db

STATES = {
    "conflict": {"40001", "40P01", "55P03"},
    "disconnected": {
        *("08000", "08001", "08003", "08004", "08006", "08007", "25P03", "25P04", "40003"),
        *("53300", "57P01", "57P02", "57P03", "57P04", "57P05"),
    },
}
ORACLE = importlib.import_module("oracledb.errors")  # which its package hides
# Where the classes of each package are; what is no package for Python, or is not installed here, is
# left out: cx_Oracle is the former name of oracledb.
MODULES = {
    "builtins": ["builtins"],
    "socket": ["socket"],
    "ssl": ["ssl"],
    "psycopg": ["psycopg", "psycopg.errors"],
    "psycopg_pool": ["psycopg_pool"],
    "psycopg2": ["psycopg2", "psycopg2.errors"],
    "asyncpg": ["asyncpg", "asyncpg.exceptions"],
    "pg8000": ["pg8000.exceptions"],
    "pymysql": ["pymysql.err"],
    "MySQLdb": ["MySQLdb"],
    "asyncmy": ["asyncmy.errors"],
    "mysql": ["mysql.connector.errors"],
    "sqlite3": ["sqlite3"],
    "pyodbc": ["pyodbc"],
    "oracledb": ["oracledb"],
    "redis": ["redis.exceptions"],
    "pymongo": ["pymongo.errors"],
    "sqlalchemy": ["sqlalchemy.exc", "sqlalchemy.orm.exc"],
    "django": ["django.db.utils"],
    "peewee": ["peewee"],
    "tortoise": ["tortoise.exceptions"],
}
# Of a DBAPI that SQLAlchemy makes for itself, inside a class of its dialects.
FORMER = {"sqlalchemy.Error"}


def expected(state):
    """What a SQLSTATE means."""
    return next((key for key, states in STATES.items() if state in states), "neither")


class TestNames:
    """The tables speak of classes that exist."""

    @pytest.mark.parametrize("name", sorted(db._KNOWN - FORMER - {"cx_Oracle.Error"}))
    def test_each_is_a_class_of_its_package(self, name):
        """As `package.Class`, with that package as the first part of its module."""
        package, _, plain = name.partition(".")
        modules = [importlib.import_module(module) for module in MODULES[package]]
        found = [getattr(module, plain) for module in modules if hasattr(module, plain)]
        assert found
        assert issubclass(found[0], BaseException)
        first = found[0].__module__.partition(".")[0]
        assert (first, found[0].__name__) == (package, plain)


class TestSQLSTATE:
    """Each class that stands for a SQLSTATE means what that means."""

    CLASSES = [  # noqa: RUF012
        *{cls for cls in vars(psycopg.errors).values() if getattr(cls, "sqlstate", None)},
        *{cls for cls in vars(asyncpg.exceptions).values() if getattr(cls, "sqlstate", None)},
    ]

    @pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
    def test_psycopg_and_asyncpg(self, cls):
        """All of them."""
        assert meaning(cls("why")) == expected(cls.sqlstate)

    def test_there_are_many(self):
        """So that the test above does not pass for want of any."""
        assert len(self.CLASSES) > 400

    def test_psycopg2(self):
        """Its classes have no state of their own: only what a server has sent has one."""
        conflicts = {"SerializationFailure", "DeadlockDetected", "LockNotAvailable"}
        found = {
            name
            for name, cls in vars(psycopg2.errors).items()
            if isinstance(cls, type) and cls.__module__ == "psycopg2.errors"
            if meaning(cls("why")) != "neither"
        }
        assert found == conflicts


class TestMongoDB:
    """pymongo's own classes, and its own errors of a server that is not there."""

    @pytest.mark.parametrize(
        ("error", "verdict"),
        [
            (pymongo.errors.AutoReconnect("x"), "disconnected"),
            (pymongo.errors.NetworkTimeout("x"), "disconnected"),
            (pymongo.errors.NotPrimaryError("x"), "disconnected"),
            (pymongo.errors.ServerSelectionTimeoutError("x"), "disconnected"),
            (pymongo.errors.WaitQueueTimeoutError("x"), "neither"),
            (pymongo.errors.OperationFailure("x", 112), "conflict"),
            (pymongo.errors.OperationFailure("x", 11600), "disconnected"),
            (pymongo.errors.OperationFailure("x", 18), "neither"),
            (pymongo.errors.DuplicateKeyError("x", 11000), "neither"),
            (pymongo.errors.ExecutionTimeout("x", 50), "neither"),
            (pymongo.errors.BulkWriteError({"writeErrors": []}), "neither"),
            (pymongo.errors.InvalidOperation("x"), "neither"),
            (bson.errors.InvalidDocument("x"), "neither"),
        ],
        ids=lambda value: value if isinstance(value, str) else type(value).__name__,
    )
    def test_classes_and_codes(self, error, verdict):
        """Without labels."""
        assert meaning(error) == verdict

    @pytest.mark.parametrize(
        ("label", "verdict"),
        [
            ("TransientTransactionError", "conflict"),
            ("UnknownTransactionCommitResult", "disconnected"),
        ],
    )
    def test_labels(self, label, verdict):
        """As the driver adds them, and as the server sends them."""
        network = pymongo.errors.AutoReconnect("x")
        network._add_error_label(label)
        assert meaning(network) == verdict
        details = {"errorLabels": [label], "code": 251}
        assert meaning(pymongo.errors.OperationFailure("x", 251, details)) == verdict

    def test_no_server(self):
        """Nothing listens."""
        with pymongo.MongoClient(port=free_port(), serverSelectionTimeoutMS=200) as client:
            assert meaning(error_of(client.admin.command, "ping")) == "disconnected"

    def test_a_server_that_hangs_up(self):
        """It listens, and closes what it accepts."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            with pymongo.MongoClient(
                port=port, serverSelectionTimeoutMS=200, connectTimeoutMS=100
            ) as client:
                assert meaning(error_of(client.admin.command, "ping")) == "disconnected"


class TestOracle:
    """python-oracledb's own objects, and its own errors of a server that is not there."""

    @pytest.mark.parametrize(
        ("number", "verdict"),
        [
            *((54, "conflict"), (60, "conflict"), (8177, "conflict"), (3113, "disconnected")),
            *((12514, "disconnected"), (1, "neither"), (942, "neither"), (1017, "neither")),
        ],
    )
    def test_numbers(self, number, verdict):
        """As it makes them of what the server says."""
        inside = ORACLE._Error(f"ORA-{number:05}: why", code=number)
        assert meaning(inside.exc_type(inside)) == verdict

    def test_no_server(self):
        """DPY-6005."""
        dsn = f"127.0.0.1:{free_port()}/none"
        error = error_of(lambda: oracledb.connect(user="u", password="p", dsn=dsn))
        assert meaning(error) == "disconnected"

    def test_what_it_says_of_itself(self):
        """A bind variable too many."""
        error = error_of(ORACLE._raise_err, ORACLE.ERR_MISSING_BIND_VALUE)
        assert meaning(error) == "neither"
