"""The recipes of docs/databases.md, as they are on the page, under collisions and kills.

The page is run once, against servers of this module.  Then its functions are called by many clients
at a time, while others interfere or the server is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sqlite3
import threading
from collections import Counter

import asyncpg
import collisions
import database_servers
import documents
import given
import kill_count
import pika
import psycopg
import pytest
import redis
from collisions import error_of

from retrying_elegant import db, retry

PAGE = documents.ROOT / "docs" / "databases.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def server():
    with given.postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def cache():
    with database_servers.Redis() as cache:
        yield cache


@pytest.fixture(scope="module")
def broker():
    with database_servers.RabbitMQ() as broker:
        yield broker


@pytest.fixture(scope="module")
def page(server, cache, broker):
    """The names of the page after it has run."""
    with given.django_database(server) as alias:
        names = {
            "dsn": server.dsn,
            "database": alias,
            "redis_port": cache.port,
            "amqp_url": broker.url,
        }
        documents.run(PAGE, have=True, namespace=names)
        yield names
        names["engine"].dispose()
        names["client"].close()


@pytest.fixture
def balances(server):
    """Read the accounts, which begin with 1000 and 0."""
    with psycopg.connect(server.address, autocommit=True) as connection:
        connection.execute("UPDATE account SET balance = CASE id WHEN 1 THEN 1000 ELSE 0 END")
        connection.execute("TRUNCATE payment")

    def read():
        with psycopg.connect(server.address) as connection:
            rows = connection.execute("SELECT balance FROM account ORDER BY id").fetchall()
        return [row[0] for row in rows]

    return read


def patient(decorated, **fields):
    """A function of the page, with as much time as a busy machine may take."""
    policy = decorated.policy.replace(timeout=database_servers.PATIENCE, **fields)
    return retry(policy)(decorated.__wrapped__)


class Clients:
    """Many calls of a decorated function at a time, with its retries counted."""

    def __init__(self, decorated):
        self.retries = Counter()
        on_retry = [*(decorated.policy.on_retry or ()), self._note]
        self.call = patient(decorated, on_retry=on_retry, attempts=None)

    def _note(self, attempt):
        self.retries["conflict" if db.conflict(attempt.error) else "disconnected"] += 1

    def run(self, function, clients=6, calls=5, *, until_they_collide=True):
        """Let each of *clients* call ``function(call)`` so many times; the number of all calls."""
        made, errors = [], []

        def client():
            try:
                for number in itertools.count(1):
                    function(self.call)
                    made.append(number)
                    if number >= calls and (self.retries["conflict"] or not until_they_collide):
                        return
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=client) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        return len(made)


class TestTransactions:
    """Whatever collides is run again as a whole: the sum is that of one call after the other."""

    def test_the_page_has_run(self, page):
        """Each recipe once."""
        assert page["transfer"].policy.on == page["withdraw"].policy.on == db.conflict

    def test_sqlalchemy(self, page, balances):
        """Thirty transfers by six clients, or more until two of them collide."""
        calls = Clients(page["transfer"]).run(lambda transfer: transfer(1, 2, 1))
        assert balances() == [1000 - calls, calls]

    def test_sqlalchemy_too_much(self, page, balances):
        """An error of the caller's own is not retried, and changes nothing."""
        with pytest.raises(LookupError):
            page["transfer"](1, 2, 1001)
        assert balances() == [1000, 0]

    def test_psycopg(self, page, server, balances):
        """The same, over connections of their own."""

        def withdraw(call):
            with psycopg.connect(server.dsn, autocommit=True) as connection:
                connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
                call(connection, 1, 1)

        calls = Clients(page["withdraw"]).run(withdraw)
        assert balances() == [1000 - calls, 0]

    def test_asyncpg(self, page, server, balances):
        """The same in one event loop."""
        clients = Clients(page["deposit"])

        async def main():
            calls = 0
            async with asyncpg.create_pool(server.dsn, min_size=1, max_size=6) as pool:
                while not clients.retries["conflict"]:
                    await asyncio.gather(*(clients.call(pool, 2, 10) for _ in range(30)))
                    calls += 30
            return calls

        calls = asyncio.run(main())
        assert balances() == [1000, 10 * calls]

    def test_django(self, page, balances):
        """The same, with a connection for each thread."""
        from django.db import connection

        def add(call):
            try:
                call(2, 10)
            finally:
                connection.close()

        calls = Clients(page["add"]).run(add)
        assert balances() == [1000, 10 * calls]

    def test_sqlite(self, page, tmp_path):
        """Writers that wait for each other in turn."""
        path = tmp_path / "file.sqlite3"
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE item (id int, name text)")
            connection.execute("INSERT INTO item VALUES (1, '')")
            connection.commit()
        clients = Clients(page["rename"])
        clients.run(lambda rename: rename(path, 1, "tea"), until_they_collide=False)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT name FROM item").fetchall() == [("tea",)]


class TestDjango:
    """What the page says of its connections."""

    @pytest.fixture(autouse=True)
    def fresh(self, page):
        from django.db import connection

        connection.close()
        yield
        connection.close()

    def attempts(self, server, *, atomic, close):
        """Read, kill the server, and read again: the attempts that it took, or its error."""
        from django.db import connection, transaction

        def read():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                return cursor.fetchone()

        numbers = []
        hooks = [lambda attempt: connection.close()] if close else []
        policy = {"on": db.disconnected, "wait": 0, "on_retry": hooks}
        policy["before_attempt"] = lambda attempt: numbers.append(attempt.number)
        call = retry(4, **policy)(transaction.atomic(read) if atomic else read)
        call()
        server.restart()
        numbers.clear()
        try:
            assert call() == (1,)
        except Exception as error:
            return type(error).__name__
        return len(numbers)

    def test_outside_atomic_every_attempt_meets_the_dead_connection(self, server):
        """Unless it is closed between them."""
        assert self.attempts(server, atomic=False, close=False) == "OperationalError"
        assert self.attempts(server, atomic=False, close=True) == 2

    def test_atomic_drops_what_it_cannot_roll_back(self, server):
        """So that the second attempt succeeds either way."""
        assert self.attempts(server, atomic=True, close=False) == 2
        assert self.attempts(server, atomic=True, close=True) == 2

    @pytest.mark.parametrize(("robust", "times"), [(False, 3), (True, 1)])
    def test_an_error_in_on_commit_repeats_what_is_committed(self, balances, robust, times):
        """Unless the callback is robust."""
        from django.db import connection, transaction

        def enqueue():
            raise ConnectionRefusedError

        @retry(3, on=db.disconnected, wait=0)
        @transaction.atomic
        def change():
            transaction.on_commit(enqueue, robust=robust)
            with connection.cursor() as cursor:
                cursor.execute("UPDATE account SET balance = balance + 1 WHERE id = 1")

        with contextlib.nullcontext() if robust else pytest.raises(ConnectionRefusedError):
            change()
        assert balances() == [1000 + times, 0]

    def test_an_inner_atomic_fixes_nothing(self, server, balances):
        """The snapshot is that of the outer one: the same conflict in every attempt."""
        from django.db import connection, transaction

        errors = []

        @retry(3, on=db.conflict, wait=0, on_retry=lambda attempt: errors.append(attempt.error))
        @transaction.atomic
        def change():
            with connection.cursor() as cursor:
                cursor.execute("UPDATE account SET balance = balance + 1 WHERE id = 1")

        with pytest.raises(Exception, match="could not serialize access"), transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                cursor.execute("SELECT balance FROM account")
            with psycopg.connect(server.address) as other:
                other.execute("UPDATE account SET balance = balance + 5 WHERE id = 1")
            change()
        assert len(errors) == 2
        assert balances() == [1005, 0]


class TestLostConnections:
    """With an operation id, nothing is lost and nothing doubled in ten kills with -9."""

    def test_payments(self, page, server, balances):
        """Table and balance agree with what clients were told."""
        pay = patient(page["pay"])
        acknowledged = kill_count.under_kills(
            server, lambda: lambda operation: pay(operation, 1, 1), clients=6, kills=10
        )
        with psycopg.connect(server.address) as connection:
            rows = connection.execute("SELECT operation::text FROM payment").fetchall()
        found = kill_count.counted(acknowledged, [row[0] for row in rows])
        assert (found.lost, found.doubled) == (0, 0)
        assert found.in_table == found.acknowledged > 50
        assert balances() == [1000 - found.acknowledged, 0]

    @pytest.mark.parametrize(
        "kind",
        [database_servers.PostgreSQL, database_servers.MariaDB],
        ids=lambda kind: kind.account,
    )
    def test_the_command_that_counts(self, kind):
        """Both ways; without an id something may be doubled, but nothing is lost."""
        with kind() as server:
            found = kill_count.count(server, with_id=True, clients=4, kills=3)
            assert (found.lost, found.doubled) == (0, 0)
            assert found.in_table == found.acknowledged > 20
            found = kill_count.count(server, with_id=False, clients=4, kills=3)
            assert found.lost == 0

    @pytest.mark.parametrize(
        ("found", "status"),
        [
            ([(9, 9, 0, 0), (9, 9, 0, 0)], 0),
            ([(9, 9, 0, 0), (9, 10, 1, 2)], 0),
            ([(9, 8, 1, 0), (9, 9, 0, 0)], 1),
            ([(9, 10, 0, 1), (9, 9, 0, 0)], 1),
        ],
        ids=["nothing", "without an id", "lost", "doubled"],
    )
    def test_what_it_prints(self, found, status, monkeypatch, capsys):
        """A table; its exit status is about the payments with an id alone."""
        rows = [kill_count.Count(*row) for row in found]
        counts = iter(rows)
        monkeypatch.setattr(kill_count, "count", lambda server, **how: next(counts))
        monkeypatch.setattr(database_servers, "MariaDB", contextlib.nullcontext)
        assert kill_count.main(["--clients", "3", "--kills", "2", "mariadb"]) == status
        expected = [
            f"| mariadb | {with_id} | 3 | 2 | {' | '.join(map(str, row))} |"
            for with_id, row in zip(("yes", "no"), found, strict=True)
        ]
        assert capsys.readouterr().out.splitlines()[2:] == expected

    def test_what_it_counts(self):
        """It can tell lost from doubled."""
        assert kill_count.counted(["a", "b", "c"], ["a", "a", "c"]) == (3, 3, 1, 1)


class TestRedis:
    """What others change is read again, and what may not be repeated has an id."""

    def test_watch(self, page, cache):
        """Six clients, and no tea sold twice, nor one that is not there."""
        client = redis.Redis(port=cache.port)
        client.set("stock:tea", 100_000)
        calls = Clients(page["take"]).run(lambda take: take("stock:tea", 2))
        left = int(client.get("stock:tea"))
        assert left == 100_000 - 2 * calls
        with pytest.raises(LookupError):
            page["take"]("stock:tea", left + 1)
        client.close()

    def test_repeated_writes(self, page, cache):
        """SET, in ten kills: each one that was acknowledged is there."""
        remember = patient(page["remember"])
        acknowledged = kill_count.under_kills(
            cache, lambda: lambda operation: remember(operation, 1), clients=4, kills=10
        )
        with redis.Redis(port=cache.port) as client:
            assert client.exists(*acknowledged) == len(acknowledged) > 50

    def test_counted_once(self, page, cache):
        """As many visits as were acknowledged, in ten kills."""
        client = redis.Redis(port=cache.port)
        client.delete("visits")
        count_once = patient(page["count_once"])
        acknowledged = kill_count.under_kills(
            cache, lambda: lambda operation: count_once(operation, "visits", 1), clients=4, kills=10
        )
        assert int(client.get("visits")) == len(acknowledged) > 50
        client.close()


class TestQueue:
    """A message that was confirmed is there after a kill, and its payment is made once."""

    def test_publishes_and_payments(self, page, server, broker, balances):
        """Two kills of the broker; some messages may be there twice."""
        publish = patient(page["publish"])
        acknowledged = kill_count.under_kills(
            broker, lambda: lambda operation: publish(operation, 1), clients=2, kills=2
        )
        with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
            channel = connection.channel()
            received = 0
            while (message := channel.basic_get("payments"))[0] is not None:
                page["consume"](channel, *message)
                received += 1
        with psycopg.connect(server.address) as connection:
            rows = connection.execute("SELECT operation::text FROM payment").fetchall()
        paid = {row[0] for row in rows}
        assert set(acknowledged) <= paid
        assert received >= len(acknowledged) > 10
        # The page itself has published one of 10.
        assert len(paid) <= len(acknowledged) + 1
        assert balances()[0] == 1000 - len(acknowledged) - 10 * (len(paid) > len(acknowledged))

    def test_a_broker_that_is_killed_during_the_handshake(self, page, broker):
        """It is as if the password were wrong, so that error has to be retried as well."""
        with socket.create_connection(("127.0.0.1", broker.port)) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            greeting = client.recv(65_536)
        with collisions.only_says(greeting) as port:
            parameters = pika.URLParameters(broker.url.replace(str(broker.port), str(port)))
            error = error_of(pika.BlockingConnection, parameters)
        assert type(error) is pika.exceptions.ProbableAuthenticationError
        policy = page["BROKER"]
        assert isinstance(error, policy.on)
        assert not isinstance(error, policy.unless)

    def test_a_message_that_reaches_no_queue(self, page, broker):
        """It is returned, and not retried."""
        calls = []

        def publish():
            calls.append(1)
            with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
                channel = connection.channel()
                channel.confirm_delivery()
                channel.basic_publish("", "no such queue", "1", mandatory=True)

        error = error_of(retry(page["BROKER"])(publish))
        assert type(error) is pika.exceptions.UnroutableError
        assert isinstance(error, pika.exceptions.AMQPError)
        assert calls == [1]
