"""The servers of the database tests: each started once for a module, and named at the end."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1] / "unit")]

import database_servers  # noqa: E402 - it is in one of them

if TYPE_CHECKING:
    from collections.abc import Iterator


def _running(kind: type[database_servers.Server]) -> Iterator[Any]:
    with kind() as server:
        yield server


@pytest.fixture(scope="module")
def postgresql() -> Iterator[Any]:
    """A PostgreSQL server."""
    yield from _running(database_servers.PostgreSQL)


@pytest.fixture(scope="module")
def mariadb() -> Iterator[Any]:
    """A MariaDB server."""
    yield from _running(database_servers.MariaDB)


@pytest.fixture(scope="module")
def redis_server() -> Iterator[Any]:
    """A Redis server."""
    yield from _running(database_servers.Redis)


@pytest.fixture(scope="module", autouse=True)
def what_drivers_leave_behind() -> Iterator[None]:
    """Collected here, and not in the middle of somebody else's tests."""
    yield
    gc.collect()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell which servers the tests have met."""
    for version in sorted(database_servers.MET):
        terminalreporter.write_line(version)
