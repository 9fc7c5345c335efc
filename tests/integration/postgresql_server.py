"""A private PostgreSQL server: in a temporary directory, on a Unix socket, gone afterwards.

From Debian: ``apt-get install postgresql`` (its own cluster is not touched).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

PATIENCE = 60  # seconds for each of the server's own commands


def binaries() -> Path | None:
    """The directory of ``initdb`` and ``pg_ctl``, or None: no server is installed."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)]
    found = shutil.which("pg_ctl")
    if found is not None:
        places.append(Path(found).resolve().parent)
    return next((place for place in places if (place / "initdb").exists()), None)


def _version(place: Path) -> int:
    return int(place.parent.name) if place.parent.name.isdigit() else 0


def _account() -> str | None:
    """The user to run it as: PostgreSQL refuses to be root."""
    if os.name == "nt" or os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


class Server:
    """A context manager around a server, which is started and stopped in it at will."""

    def __init__(self, bin_directory: Path) -> None:
        self._bin = bin_directory
        self._user = _account()

    def __enter__(self) -> Self:
        # Not pytest's: a socket's path must be short, and another user's server get there.
        self._folder = Path(tempfile.mkdtemp(prefix="retrying-pg-", dir="/tmp"))
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        self._data = self._folder / "data"
        # Nothing needs to survive the machine: no fsync anywhere.
        self._do("initdb", "--no-sync", "--auth=trust", "--username=tester", "--no-locale")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if (self._data / "postmaster.pid").exists():
                self.stop()
        finally:
            shutil.rmtree(self._folder)

    @property
    def address(self) -> str:
        """What a client connects to."""
        return f"host={self._folder} user=tester dbname=postgres connect_timeout=5"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        options = f"-c listen_addresses='' -k {self._folder} -F"
        log = str(self._folder / "log")
        self._do("pg_ctl", "start", "-w", "-t", str(PATIENCE), "-o", options, "-l", log)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it, and return when it is down; *mode* as pg_ctl knows them."""
        self._do("pg_ctl", "stop", "-w", "-m", mode)

    def _do(self, command: str, *args: str) -> None:
        done = subprocess.run(
            [str(self._bin / command), "-D", str(self._data), *args],
            user=self._user,
            group=self._user and _group(self._user),
            extra_groups=[] if self._user else None,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            # Not pipes: the server would inherit them, and reading them would not end.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * PATIENCE,
        )
        if done.returncode:
            log = self._folder / "log"
            raise RuntimeError(f"{command} failed: {log.read_text() if log.exists() else args}")


def _group(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
