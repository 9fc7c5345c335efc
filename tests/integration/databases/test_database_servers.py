"""The servers of these tests: what the tests rely on when they kill one and start it again."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import database_servers
import psycopg
import pymysql
import pytest


class TestKills:
    """After a kill nothing is left, and the server can be started again."""

    def test_a_process_that_has_lost_its_parent_and_does_not_notice(self, postgresql):
        """It keeps the shared memory: as long as it lives, no server starts in this folder."""
        [session, *_] = set(database_servers._processes(postgresql.folder)) - {postgresql.pid}
        os.kill(session, signal.SIGSTOP)  # as if it waited for a lock of one that is dead
        os.kill(postgresql.pid, signal.SIGKILL)
        postgresql.kill()
        assert database_servers._processes(postgresql.folder) == []
        postgresql.start()
        psycopg.connect(postgresql.address).close()

    def test_why_it_does_not_start(self, postgresql):
        """Its log is part of the failure, at once."""
        postgresql.kill()
        try:
            with pytest.raises(AssertionError, match="nonsense requires a value"):
                postgresql.start("--nonsense")
        finally:
            postgresql.kill()
            postgresql.start()

    def test_a_process_id_that_is_somebody_elses_now(self, postgresql):
        """That of another process of the same account, in the file of the one that was killed."""
        with database_servers.PostgreSQL() as other:
            file = postgresql.folder / "data" / "postmaster.pid"
            _, rest = file.read_text().split("\n", 1)
            file.write_text(f"{other.pid}\n{rest}")
            postgresql.restart()

    def test_nothing_is_left_in_the_end(self):
        """A shared memory of a server that is killed stays until the machine is restarted."""
        with database_servers.PostgreSQL() as server:
            lines = (server.folder / "data" / "postmaster.pid").read_text().splitlines()
            memory = lines[6].split()[1]
            assert memory in self.memories()
        assert memory not in self.memories()
        assert not server.folder.exists()

    def memories(self):
        lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
        return {line.split()[1] for line in lines}


class TestTemporaryTables:
    """One server does not remove another's."""

    def test_they_are_in_its_own_folder(self, mariadb):
        """When it starts, it removes all that it finds, of whatever server."""
        with pymysql.connect(**mariadb.address) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT @@tmpdir")
            assert cursor.fetchone() == (str(mariadb.folder),)


class TestPorts:
    """A server's port stays its own while it is down."""

    def test_nobody_else_gets_it(self):
        """Nor would it be a client's, but the server may listen there, and again."""
        port = database_servers.free_port()
        with socket.socket() as another, pytest.raises(OSError, match="in use"):
            another.bind(("127.0.0.1", port))
        for _ in range(2):
            with socket.socket() as client, pytest.raises(ConnectionRefusedError):
                client.connect(("127.0.0.1", port))
            with socket.create_server(("127.0.0.1", port)):
                socket.create_connection(("127.0.0.1", port)).close()
