"""What unit and integration tests share."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


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
