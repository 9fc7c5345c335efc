"""What every unit test stands on: no real waiting, and the ways in as fixtures."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time
from hypothesis import HealthCheck, settings
from ways import WAYS, Way, first_two

from retrying_elegant import testing

if TYPE_CHECKING:
    from collections.abc import Iterator

# How many examples of a law are tried; no test sets a number of its own.
for profile, numbers in {
    "quick": {"max_examples": 30, "derandomize": True},  # the same ones each time
    "thorough": {"max_examples": 200},
}.items():
    settings.register_profile(
        profile,
        deadline=None,  # a busy machine is not a failure
        suppress_health_check=[HealthCheck.function_scoped_fixture],  # `way`, `clock`: they keep
        **numbers,
    )
settings.load_profile(os.environ.get("TESTS", "quick"))


@pytest.hookimpl(tryfirst=True)  # before what is crossed is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a table of cases, cross only the first with all forms; the decorator takes every case.

    In the folder ``decision`` the tests of a class are such a table too: all forms decide by the
    same code, so the first test of a rule shows that they follow it.
    """
    first: dict[Any, list[Any]] = {}
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue  # this hook sees the items of other folders in the same run, too
        params = dict(item.callspec.params) if hasattr(item, "callspec") else {}
        ways = [params.pop(name) for name in ("way", "sync_way", "async_way") if name in params]
        if ways:
            case = [item.function, *map(id, params.values())]
            is_rule = item.path.parent.name == "decision"
            table = item.parent if is_rule else (item.parent, item.function)
            is_first = case == first.setdefault(table, case)
            if not is_first and ways[0].form != "decorator":
                item.add_marker("crossed")


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
    """Reference counting alone; to the collector, what exists already is out of sight."""
    gc.disable()
    gc.collect(1)
    gc.freeze()
    yield
    gc.collect()  # here, where what the test says of warnings is heeded
    if sys.version_info >= (3, 14):  # where Hypothesis asks it for what refers to something
        gc.unfreeze()
    gc.enable()


class Clock:
    """A monotonic clock that moves by ``tick`` alone."""

    def __init__(self) -> None:
        self.now = 4096.0

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float = 1.0) -> float:
        self.now += seconds
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the library, which moves by ``clock.tick(seconds)`` alone.

    The event loop of ``ways`` and the wall clock are left as they are.
    """
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock)
    return clock


@pytest.fixture
def frozen() -> Iterator[Any]:
    """Every clock that Python code can read, stopped by freezegun; it moves by ``tick`` too.

    It takes milliseconds, which ``clock`` does not.
    """
    with freeze_time("2030-01-01", real_asyncio=True, ignore=["_pytest.timing"]) as frozen:
        yield frozen


@pytest.fixture(params=WAYS, ids=repr)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(params=first_two(WAYS), ids=repr)
def some_way(request: pytest.FixtureRequest) -> Way:
    """For tables of cases of which another test sends one through every way."""
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
