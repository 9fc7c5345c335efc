"""What every unit test stands on: no real waiting, and the ways in as fixtures."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time
from hypothesis import settings
from ways import WAYS, Way

from retrying_elegant import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

settings.register_profile("unhurried", deadline=None)  # a busy machine is no failure
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def instant(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Every test runs inside ``testing.instant()``, but for those that ask for ``own_waits``."""
    if "own_waits" in request.fixturenames:
        yield None
        return
    with testing.instant() as instant:
        yield instant


@pytest.fixture
def waits(instant: Any) -> list[float]:
    """The waits of the test, in seconds."""
    return instant.waits


@pytest.fixture
def own_waits(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The library waits by itself; still no test sleeps, for time.sleep does nothing.

    Async waits are skipped by the event loop of ``ways``.
    """
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return monkeypatch


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Reference counting alone."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def clock() -> Iterator[Any]:
    """A clock that moves by ``clock.tick(seconds)`` alone."""
    with freeze_time("2030-01-01", real_asyncio=True, ignore=["_pytest.timing"]) as clock:
        yield clock


@pytest.fixture(params=WAYS, ids=repr)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


def _some(**wanted: str) -> list[Way]:
    return [way for way in WAYS if wanted.items() <= vars(way).items()]


@pytest.fixture(params=_some(colour="sync"), ids=repr)
def sync_way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(params=_some(colour="async"), ids=repr)
def async_way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(params=_some(form="loop"), ids=repr)
def loop_way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(params=_some(form="decorator"), ids=repr)
def decorator_way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(params=_some(form="block"), ids=repr)
def block_way(request: pytest.FixtureRequest) -> Way:
    return request.param
