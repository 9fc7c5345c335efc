"""`db.conflict` and `db.disconnected` of Redis, provoked over the wire; and its own retries."""

from __future__ import annotations

import asyncio
import functools
import socket
import threading

import pytest
import redis
import redis.asyncio
import redis.asyncio.retry
from collisions import answers_lost, ended_during, error_of
from database_servers import PATIENCE, Redis, free_port, wait_until
from db_parts import meaning
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

NEVER = Retry(NoBackoff(), 0)  # redis-py retries by itself unless it is told not to
NEVER_ASYNC = redis.asyncio.retry.Retry(NoBackoff(), 0)


class Cluster(Redis):
    """A cluster of one node, which has all slots."""

    def _create(self):
        super()._create()
        self._bus = free_port()

    def _command(self):
        return [*super()._command(), "--cluster-enabled", "yes", "--cluster-port", str(self._bus)]

    def assign(self):
        with redis.Redis(port=self.port) as node:
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            wait_until(lambda: b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO"))


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port, retry=NEVER) as client:
        client.flushall()
        yield client


@pytest.fixture
def other(redis_server):
    with redis.Redis(port=redis_server.port, retry=NEVER) as client:
        yield client


class TestConflicts:
    """Others were faster, or keep the server busy."""

    def test_watch(self, client, other):
        """A watched key has changed: nothing of the transaction has been executed."""
        with client.pipeline() as pipe:
            pipe.watch("stock")
            pipe.multi()
            pipe.set("stock", 1)
            pipe.set("sold", 1)
            other.set("stock", 5)
            assert meaning(error_of(pipe.execute)) == "conflict"
        assert (client.get("stock"), client.get("sold")) == (b"5", None)

    def test_watch_in_async_code(self, redis_server, other):
        """The same."""

        async def main():
            async with (
                redis.asyncio.Redis(port=redis_server.port) as client,
                client.pipeline() as pipe,
            ):
                await pipe.watch("stock")
                pipe.multi()
                pipe.set("stock", 1)
                other.set("stock", 5)
                await pipe.execute()

        assert meaning(error_of(asyncio.run, main())) == "conflict"

    def test_a_script_that_runs_for_ever(self, client, other):
        """BUSY, until somebody ends the script."""
        script = threading.Thread(target=error_of, args=(client.eval, "while true do end", 0))
        script.start()
        errors = []

        def refused():
            try:
                other.get("key")
            except redis.ResponseError as error:
                errors.append(error)
            return errors

        try:
            wait_until(refused)
        finally:
            other.script_kill()
            script.join()
        [error] = errors
        assert str(error).startswith("BUSY ")
        assert meaning(error) == "conflict"


class TestDisconnects:
    """The connection was lost or could not be made."""

    def test_no_server(self, redis_server):
        """Nothing listens."""
        with redis_server.down(), redis.Redis(port=redis_server.port, retry=NEVER) as client:
            assert meaning(error_of(client.ping)) == "disconnected"

    def test_killed(self, redis_server, client):
        """With -9."""
        client.ping()
        redis_server.kill()
        try:
            assert meaning(error_of(client.ping)) == "disconnected"
        finally:
            redis_server.start()

    def test_ended_in_a_command(self, client, other):
        """By an operator."""
        number = client.client_id()

        def waiting():
            [entry] = [entry for entry in other.client_list() if entry["id"] == str(number)]
            return entry["cmd"] == "blpop"

        error = ended_during(
            lambda: client.blpop("nothing", PATIENCE),
            lambda: other.client_kill_filter(_id=number),
            once=waiting,
        )
        assert meaning(error) == "disconnected"

    def test_a_timeout(self, redis_server, other):
        """Nobody knows whether the command has been executed; here it was not, for once."""
        with redis.Redis(port=redis_server.port, retry=NEVER, socket_timeout=0.1) as client:
            client.ping()
            other.client_pause(1000 * PATIENCE, all=False)  # who writes has to wait
            error = error_of(client.set, "key", 1)
        other.client_unpause()
        assert other.get("key") is None
        assert type(error) is redis.TimeoutError
        assert meaning(error) == "disconnected"

    def test_an_exec_whose_answer_was_lost(self, redis_server, other):
        """redis-py says WatchError, as of a key that has changed; but everything was executed."""
        losing = answers_lost(redis_server.port, b"EXEC", times=1)
        with (
            losing as port,
            redis.Redis(port=port, retry=NEVER) as client,
            client.pipeline() as pipe,
        ):
            pipe.watch("stock")
            pipe.multi()
            pipe.incr("sold")
            error = error_of(pipe.execute)
        assert other.getdel("sold") == b"1"
        assert type(error) is redis.WatchError
        assert meaning(error) == "disconnected"

    def test_an_exec_whose_answer_was_lost_in_async_code(self, redis_server, other):
        """The same."""

        async def main(port):
            async with (
                redis.asyncio.Redis(port=port, retry=NEVER_ASYNC) as client,
                client.pipeline() as pipe,
            ):
                await pipe.watch("stock")
                pipe.multi()
                pipe.incr("sold")
                await pipe.execute()

        with answers_lost(redis_server.port, b"EXEC", times=1) as port:
            error = error_of(asyncio.run, main(port))
        assert other.getdel("sold") == b"1"
        assert type(error) is redis.WatchError
        assert meaning(error) == "disconnected"

    def test_a_cluster(self):
        """Its client has a class of its own for nodes of which none can be reached."""

        async def connecting():
            async with redis.asyncio.RedisCluster("127.0.0.1", server.port) as client:
                await client.get("key")

        with Cluster() as server:
            server.assign()
            with RedisCluster("127.0.0.1", server.port, retry=NEVER) as client:
                client.set("key", 1)
                with server.down():
                    errors = [
                        error_of(client.get, "key"),
                        error_of(RedisCluster, "127.0.0.1", server.port),
                        error_of(asyncio.run, connecting()),
                    ]
        assert {type(error) for error in errors} == {redis.exceptions.RedisClusterException}
        assert {meaning(error) for error in errors} == {"disconnected"}

    def test_a_server_that_loads(self, redis_server, client):
        """LOADING, which is a ConnectionError."""
        with client.pipeline(transaction=False) as pipe:
            for number in range(4_000):
                pipe.set(number, number)
            pipe.execute()
        client.bgrewriteaof()  # into a snapshot, which is loaded with an eye on clients
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
        redis_server.kill()
        errors = []
        slowly = ("--key-load-delay", "200", "--loading-process-events-interval-bytes", "1024")
        redis_server.start(*slowly, wait=False)

        def loaded():
            try:
                return client.get("1")
            except redis.RedisError as error:
                errors.append(error)

        wait_until(loaded)
        assert {meaning(error) for error in errors} == {"disconnected"}
        assert redis.exceptions.BusyLoadingError in {type(error) for error in errors}

    def test_too_many_clients(self, redis_server, client, other):
        """A ConnectionError as well."""
        most = client.config_get("maxclients")["maxclients"]
        client.config_set("maxclients", 2)
        try:
            other.ping()
            with redis.Redis(port=redis_server.port, retry=NEVER) as third:
                assert meaning(error_of(third.ping)) == "disconnected"
        finally:
            client.config_set("maxclients", most)


class TestNeither:
    """What another attempt would not change."""

    def test_a_wrong_password(self, redis_server, client):
        """AuthenticationError is a ConnectionError."""
        client.config_set("requirepass", "right")
        try:
            with redis.Redis(port=redis_server.port, retry=NEVER, password="wrong") as wrong:
                error = error_of(wrong.ping)
            assert isinstance(error, redis.ConnectionError)
            assert meaning(error) == "neither"
            with redis.Redis(port=redis_server.port, retry=NEVER) as without:
                assert meaning(error_of(without.ping)) == "neither"
        finally:
            client.config_set("requirepass", "")

    @pytest.mark.parametrize(
        "kind",
        [redis.ConnectionPool, functools.partial(redis.BlockingConnectionPool, timeout=0.01)],
        ids=["raising", "waiting"],
    )
    def test_a_pool_that_is_exhausted(self, redis_server, kind):
        """MaxConnectionsError is a ConnectionError too; a pool that waits has no class for it."""
        pool = kind(port=redis_server.port, max_connections=1)
        held = pool.get_connection()
        error = error_of(pool.get_connection)
        pool.release(held)
        pool.disconnect()
        assert isinstance(error, redis.ConnectionError)
        assert meaning(error) == "neither"

    def test_wrong_commands(self, client):
        """A wrong type, a group that exists, and no such command."""
        client.set("text", "x")
        assert meaning(error_of(client.lpush, "text", 1)) == "neither"
        client.xgroup_create("stream", "group", mkstream=True)
        error = error_of(client.xgroup_create, "stream", "group")
        assert str(error).startswith("BUSYGROUP")
        assert meaning(error) == "neither"
        assert meaning(error_of(client.execute_command, "NONSENSE")) == "neither"


class TestItsOwnRetries:
    """What redis-py retries by itself multiplies what a policy does, and may be done twice."""

    def test_an_increment_whose_answer_was_lost(self, redis_server, other):
        """As it comes, the client counts three times for one call; without retries it says so."""
        losing = answers_lost(redis_server.port, b"INCR", times=2)
        with losing as port, redis.Redis(port=port) as client:
            assert client.incr("visits") == 3
        other.delete("visits")
        losing = answers_lost(redis_server.port, b"INCR", times=1)
        with losing as port, redis.Redis(port=port, retry=NEVER) as client:
            assert meaning(error_of(client.incr, "visits")) == "disconnected"
        assert other.get("visits") == b"1"

    def test_an_exec_whose_answer_was_lost(self, redis_server, other):
        """Its `transaction()` takes that for a key that has changed, even without retries."""
        other.delete("sold")

        def sell(pipe):
            pipe.multi()
            pipe.incr("sold")

        losing = answers_lost(redis_server.port, b"EXEC", times=1)
        with losing as port, redis.Redis(port=port, retry=NEVER) as client:
            client.transaction(sell, "stock")
        assert other.get("sold") == b"2"

    def attempts(self, **settings):
        """How often a client connects to a server that hangs up, for one command."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            count = 0
            listener.settimeout(PATIENCE)

            def hang_up():
                nonlocal count
                while True:
                    with listener.accept()[0] as connection:
                        if connection.recv(1) == b"":
                            return
                        count += 1

            thread = threading.Thread(target=hang_up)
            thread.start()
            port = listener.getsockname()[1]
            with redis.Redis(port=port, **settings) as client:
                error_of(client.get, "key")
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join()
        return count

    def test_more_than_one_unless_told_otherwise(self):
        """So turn them off, or leave retrying to them."""
        assert self.attempts(retry=Retry(NoBackoff(), 3)) == 4
        assert redis.Redis().get_retry().get_retries() > 0
        assert self.attempts(retry=NEVER) == 1
