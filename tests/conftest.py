"""What unit and integration tests share."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


THOROUGH = os.environ.get("TESTS") == "thorough"
MORE = {"slow", "crossed"}  # the marks of what a quick run leaves out


def pytest_report_header() -> str:
    return "tests: thorough" if THOROUGH else "tests: quick; for all of them, set TESTS=thorough"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Hide what is collected from the garbage collector, which would search it all the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        # From Python 3.14 on, Hypothesis finds nothing else that refers to its random numbers.
        if sys.version_info < (3, 14):
            gc.freeze()


def pytest_sessionfinish() -> None:
    """Show it again: what is imported last, such as trio's plugin for Hypothesis, looks for it."""
    gc.unfreeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a quick run what ``.ci/run`` runs."""
    if THOROUGH:
        return
    chosen, left_out = [], []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        (left_out if marks & MORE else chosen).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = chosen


def pytest_itemcollected(item: pytest.Item) -> None:
    """Reject an id with a memory address: it differs in each process, so pytest-xdist stops."""
    if re.search(r" at 0x[0-9a-f]+", item.nodeid):
        raise pytest.UsageError(f"an id that differs each time; name the parameter: {item.nodeid}")


@pytest.fixture
def no_signal_is_ignored() -> Iterator[None]:
    """Heed what a run in the background, as under nohup, has inherited as ignored."""
    names = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM")
    before = {number: signal.getsignal(number) for number in map(signal.Signals.__getitem__, names)}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt, also in a run that was started with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
