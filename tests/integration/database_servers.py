"""Private database servers: each in a directory of its own, on a port of the loopback.

Owns starting, stopping and killing PostgreSQL, PgBouncer, MariaDB, Redis and RabbitMQ.  What is
asked of them is left to the tests.  Debian has them: ``postgresql``, ``pgbouncer``,
``mariadb-server``, ``redis-server``, ``rabbitmq-server``; the system's own instances are not
touched.  Durations are seconds.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

PATIENCE = 300  # seconds, and only where something would hang: a busy machine takes its time
MET: set[str] = set()  # the versions of the servers that have been started here


def free_port() -> int:
    """
    A port of the loopback for a server of this process's, listening or not; nobody else gets it.

    While a server is down, somebody else's might start there.  A client might get the port, or even
    connect to itself there: so it is not one that the system gives to them, where it has the usual
    range.
    """
    for port in random.sample(range(12_000, 32_000), 100):
        with socket.socket() as holder, contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", port))
            # Only where both have this option, and one does not listen, two get the same address.
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.detach()  # held until this process ends
            return port
    raise AssertionError("no port is free")


def wait_until(
    ready: Callable[[], object], *, patience: float = PATIENCE, why: Callable[[], str] = str
) -> None:
    """Return when *ready* is true; AssertionError after *patience* seconds, saying *why* not."""
    end = time.monotonic() + patience
    while not ready():
        assert time.monotonic() < end, f"{ready} is not true after {patience} s\n{why()}"
        time.sleep(0.02)


def _program(name: str, *folders: str) -> str:
    """The path of a program; an error that names it where it is not installed."""
    found = shutil.which(name, path=os.pathsep.join((*folders, os.environ.get("PATH", ""))))
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: see .ci/services")
    return found


class Server:
    """
    A context manager around a server that has been started, and is gone afterwards.

    Attributes:
        port: Where it listens, on 127.0.0.1; the same after every restart.
        version: What the program says of itself.
    """

    account = "nobody"  # whom to run as where we are root
    version: str

    def __init__(self) -> None:
        self._root = hasattr(os, "geteuid") and os.geteuid() == 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="retrying-db-", dir="/tmp")).resolve()
        if self._root:
            shutil.chown(self.folder, self.account)
        try:
            self._create()
            self.start()
            MET.add(self.version)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._end()
        finally:
            self.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process that was started, the parent of all others."""
        assert self._process is not None
        return self._process.pid

    def start(self, *more: str, wait: bool = True) -> None:
        """Start it, with *more* options, and return when it answers, if told to *wait*."""
        # A session of its own, so that Ctrl-C for the tests is none for it.
        command = [*self._command(), *more]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, **self._options()
            )
        if wait:
            wait_until(self._is_up, why=self._log)

    def stop(self, how: signal.Signals | None = None) -> None:
        """Ask it to stop, with a signal, and return when it has; clients are not waited for."""
        process = self._process
        assert process is not None
        process.send_signal(how or self._stop_signal)
        wait_until(lambda: process.poll() is not None, why=self._log)
        self._process = None

    def kill(self) -> None:
        """``kill -9`` for all its processes, wherever they are just then; none is left."""
        parent, self._process = self._process, None
        wait_until(self._all_killed, why=self._log)
        if parent is not None:
            parent.kill()  # where there is no /proc
            parent.wait()

    def _all_killed(self) -> bool:
        # More than once: one that was started meanwhile, or has lost its parent, may wait for a
        # lock of one that is dead, for ever, and no new server would start beside it.
        left = _processes(self.folder)
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return not left

    def restart(self) -> None:
        """Kill it, and start it again."""
        self.kill()
        self.start()

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Stopped for as long as the block runs."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    _stop_signal = signal.SIGTERM

    def _create(self) -> None:
        """Make what the server needs on disk."""

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self._process.args} has ended\n{self._log()}"
        return self._answers()

    def _answers(self) -> bool:
        raise NotImplementedError

    def _end(self) -> None:
        """Do what is better done before it is killed."""

    def _options(self) -> dict[str, Any]:
        as_whom = {}
        if self._root:
            entry = pwd.getpwnam(self.account)
            as_whom = {"user": self.account, "group": entry.pw_gid, "extra_groups": []}
        return {"cwd": self.folder, "stdin": subprocess.DEVNULL, **as_whom}

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, **self._options()
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def _log(self) -> str:
        """The end of what it has said, and which processes it has."""
        said = [
            path.read_text(errors="replace")[-8_000:]
            for path in (self.folder / "log", *self.folder.glob("log-files/*.log"))
            if path.exists()
        ]
        return "\n".join([*said, f"its processes: {_processes(self.folder)}"])


def _processes(folder: Path) -> list[int]:
    """Those that are at work in *folder*, also if they have lost their parent."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if place.readlink().is_relative_to(folder):
                found.append(int(place.parent.name))
    return found


class PostgreSQL(Server):
    """User ``tester`` without a password, database ``postgres``; user ``secret`` has one."""

    account = "postgres"
    _stop_signal = signal.SIGINT  # "fast": without waiting for clients

    def _create(self) -> None:
        folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
        self._bin = [str(folder) for folder in folders]
        self.version = self._run(_program("postgres", *self._bin), "--version").strip()
        # Nothing has to survive the machine: no fsync.
        self._data = self.folder / "data"
        self._run(
            *(_program("initdb", *self._bin), "--no-sync", "--auth=trust"),
            *("--username=tester", "--no-locale", "-E", "UTF8", "-D", str(self._data)),
        )
        rules = self._data / "pg_hba.conf"
        rules.write_text("host all secret all scram-sha-256\n" + rules.read_text())

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": "off",
            "dynamic_shared_memory_type": "mmap",  # files in its folder
            "deadlock_timeout": "100ms",
            "statement_timeout": f"{PATIENCE}s",  # a test that waits for ever should say where
            "max_connections": "40",
            # No such standby exists: with synchronous_commit = on, a COMMIT waits for ever.
            "synchronous_standby_names": "nobody",
            "synchronous_commit": "local",
        }
        options = [word for name in settings for word in ("-c", f"{name}={settings[name]}")]
        return [_program("postgres", *self._bin), "-D", str(self._data), *options]

    def _answers(self) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.address).close()
            return True
        return False

    def kill(self) -> None:
        super().kill()
        # It names a process.  Its number may soon be that of another server of the same account,
        # as of one that is started beside this one, which would then be taken for this one.
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def _end(self) -> None:
        if self._process is not None:
            self.stop(signal.SIGQUIT)  # "immediate": if it is killed, it leaves a shared memory

    @property
    def address(self) -> str:
        """For libpq."""
        where = f"host=127.0.0.1 port={self.port} user=tester dbname=postgres"
        return f"{where} connect_timeout={PATIENCE}"

    @property
    def url(self) -> str:
        """Of the database, without the scheme."""
        return f"tester@127.0.0.1:{self.port}/postgres"

    @property
    def dsn(self) -> str:
        """The same with it."""
        return f"postgresql://{self.url}"


class PgBouncer(Server):
    """
    Before a PostgreSQL server, with the same users and the same database.

    Here, user ``secret`` has the password ``right``.  Database ``missing`` is known here, and not
    to the server.  Settings are those of its own manual; a change counts from the next start on.
    """

    account = "postgres"
    _stop_signal = signal.SIGTERM  # without waiting for clients; SIGINT would

    def __init__(self, behind: PostgreSQL, **settings: str | int) -> None:
        super().__init__()
        self._behind = behind
        self.settings: dict[str, str | int] = {
            "pool_mode": "transaction",
            # What asyncpg, psycopg2 and JDBC ask for at the start.
            "ignore_startup_parameters": "extra_float_digits",
            "auth_type": "hba",
            "server_login_retry": 1,
            **settings,
        }

    def _create(self) -> None:
        said = self._run(_program("pgbouncer", "/usr/sbin"), "--version")
        self.version = said.splitlines()[0]
        (self.folder / "users").write_text('"tester" ""\n"secret" "right"\n')
        everyone = "127.0.0.1/32"
        rules = f"host all secret {everyone} md5\nhost all all {everyone} trust\n"
        (self.folder / "hba").write_text(rules)

    def _command(self) -> list[str]:
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_file": self.folder / "users",
            "auth_hba_file": self.folder / "hba",
            **self.settings,
        }
        lines = [f"{name} = {settings[name]}" for name in settings]
        there = f"host=127.0.0.1 port={self._behind.port}"
        names = [f"{name} = {there}" for name in ("postgres", "missing")]
        file = self.folder / "pgbouncer.ini"
        file.write_text("\n".join(["[databases]", *names, "[pgbouncer]", *lines, ""]))
        return [_program("pgbouncer", "/usr/sbin"), str(file)]

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    @property
    def address(self) -> str:
        """For libpq."""
        return self._behind.address.replace(f"port={self._behind.port} ", f"port={self.port} ")

    @property
    def url(self) -> str:
        """Of the database, without the scheme."""
        return f"tester@127.0.0.1:{self.port}/postgres"


class MariaDB(Server):
    """User ``tester`` with the password ``pw``, database ``test``."""

    account = "mysql"

    def _create(self) -> None:
        daemon = _program("mariadbd", "/usr/sbin")
        self.version = self._run(daemon, "--version").strip()
        self._data = self.folder / "data"
        self._run(
            *(_program("mariadb-install-db"), "--no-defaults", f"--datadir={self._data}"),
            *("--auth-root-authentication-method=normal", "--skip-test-db"),
            # Where others have theirs, each that starts removes the temporary tables of all.
            f"--tmpdir={self.folder}",
        )
        self._setup = self.folder / "setup.sql"
        self._setup.write_text(
            "CREATE DATABASE IF NOT EXISTS test;\n"
            "CREATE USER IF NOT EXISTS tester IDENTIFIED BY 'pw';\n"
            "GRANT ALL ON *.* TO tester;\n"
        )

    def _command(self) -> list[str]:
        return [
            *(_program("mariadbd", "/usr/sbin"), "--no-defaults", f"--datadir={self._data}"),
            *("--bind-address=127.0.0.1", f"--port={self.port}", f"--init-file={self._setup}"),
            *(f"--socket={self.folder}/socket", f"--pid-file={self.folder}/pid"),
            f"--tmpdir={self.folder}",
            # Nothing has to survive the machine, but everything a kill.
            *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M"),
            "--innodb-lock-wait-timeout=1",
        ]

    def _answers(self) -> bool:
        import pymysql

        with contextlib.suppress(pymysql.MySQLError):
            pymysql.connect(**self.address).close()
            return True
        return False

    @property
    def address(self) -> dict[str, Any]:
        """The keywords of every driver's ``connect``."""
        where = {"host": "127.0.0.1", "port": self.port, "database": "test"}
        return {**where, "user": "tester", "password": "pw"}

    @property
    def url(self) -> str:
        """Of the database, without the scheme."""
        return f"tester:pw@127.0.0.1:{self.port}/test"


class Redis(Server):
    """Without a password; what was acknowledged survives a kill."""

    account = "redis"

    def _create(self) -> None:
        self.version = self._run(_program("redis-server"), "--version").strip()

    def _command(self) -> list[str]:
        return [
            *(_program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--dir", str(self.folder), "--save", "", "--appendonly", "yes"),
            # "everysec" would acknowledge before it has written anything while an fsync is running.
            *("--appendfsync", "always", "--busy-reply-threshold", "100"),
        ]

    def _answers(self) -> bool:
        import redis

        with contextlib.suppress(redis.ConnectionError), redis.Redis(port=self.port) as client:
            return bool(client.ping())
        return False


class RabbitMQ(Server):
    """User ``guest`` with the password ``guest``, as it comes."""

    account = "rabbitmq"

    def _create(self) -> None:
        self._script = _program("rabbitmq-server", "/usr/lib/rabbitmq/bin")
        self.version = f"RabbitMQ {self._package_version()}"
        (self.folder / "plugins").write_text("[].\n")
        self._between = free_port()  # for the nodes of a cluster, of which there is one

    def _package_version(self) -> str:
        folders = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
        return folders[-1].name.partition("-")[2] if folders else "of unknown version"

    def _command(self) -> list[str]:
        return [self._script]

    def _options(self) -> dict[str, Any]:
        folder = str(self.folder)
        # The node's own port instead of epmd, a daemon that would outlive it.
        arguments = f"+S 1:1 -start_epmd false -erl_epmd_port {self._between}"
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": f"retrying{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._between),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log-files",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
        }
        return {**super()._options(), "env": variables}

    def _answers(self) -> bool:
        import pika
        from pika.exceptions import AMQPError

        with contextlib.suppress(AMQPError):
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
            return True
        return False

    @property
    def url(self) -> str:
        """Of the broker."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"
