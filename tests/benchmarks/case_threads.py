"""Threads: eight of them calling one decorated function that succeeds."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import by_hand
import contestants
from tables import Table
from timing import least_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from timing import Batch, Effort

THREADS = 8


def tables(effort: Effort) -> Iterator[Table]:
    """Measure the time from the start of the threads to their end."""
    decorators = {"pass-through": by_hand.pass_through}
    decorators |= {
        each.name: each.decorate
        for each in contestants.installed(peers=effort.peers)
        if each.decorate is not None
    }
    batches = {
        name: _batch(decorate(by_hand.succeeding())) for name, decorate in decorators.items()
    }
    # Long enough for threads to take turns many times.
    longer = effort._replace(rounds=max(effort.rounds // 3, 2), batch=effort.batch * 30)
    seconds = least_seconds(batches, longer)
    yield Table(
        f"{THREADS} threads, a decorated call succeeds",
        {"ns by call": {name: each / THREADS * 1e9 for name, each in seconds.items()}},
    )


def _batch(fn: Callable[[int], Any]) -> Batch:
    def calls(number: int) -> None:
        for _ in itertools.repeat(None, number):
            fn(1)

    def batch(number: int) -> float:
        threads = [threading.Thread(target=calls, args=(number,)) for _ in range(THREADS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - started

    return batch
