"""
Timing: nanoseconds of one statement, of many contestants side by side.

Owns the loop around a statement and the order in which contestants take turns.
Each runs in batches of about a millisecond, one batch of each in every round, so
that whatever else the machine does hits them alike; the fastest batch of each
counts.  The garbage collector is off while a batch runs, and runs between rounds.
What the empty loop takes is measured with the rest and subtracted.

pyperf, which is the tool to reach for, gives each benchmark processes of its own
and so cannot let contestants take turns; on a machine that others use as well,
the drift from one minute to the next is larger than what is to be told apart.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import textwrap
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Batch = Callable[[int], float]  # from a number of repeats to the seconds they take
    Statement = tuple[str, Mapping[str, object]]  # source, and the names it uses

_TEMPLATE = """
{is_async}def batch(repeats):
    started = clock()
    for _ in repeats:
{statement}
    return clock() - started
"""


class Effort(NamedTuple):
    """How much is done for one result in one process."""

    rounds: int = 60  # batches of each statement
    batch: float = 0.001  # seconds that each takes at least half of
    imports: int = 12  # of each package, each in a process of its own
    calls: int = 500  # made before garbage is counted
    tasks: tuple[int, ...] = (10_000, 100_000)
    peers: bool = True


def nanoseconds(statements: Mapping[str, Statement], effort: Effort) -> dict[str, float]:
    """Give what each of *statements* takes, by name."""
    batches = {name: _sync_batch(*statement) for name, statement in statements.items()}
    return _least(batches, _sync_batch("pass", {}), effort)


def async_nanoseconds(statements: Mapping[str, Statement], effort: Effort) -> dict[str, float]:
    """The same for statements that await: each batch is one coroutine on one event loop."""
    loop = asyncio.new_event_loop()
    try:
        batches = {name: _async_batch(loop, *stated) for name, stated in statements.items()}
        return _least(batches, _async_batch(loop, "pass", {}), effort)
    finally:
        loop.close()


def least_seconds(batches: Mapping[str, Batch], effort: Effort) -> dict[str, float]:
    """Give the seconds of one repeat in the fastest batch of each."""
    numbers = {name: _calibrated(batch, effort.batch) for name, batch in batches.items()}
    least = dict.fromkeys(batches, float("inf"))
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    try:
        for _ in range(effort.rounds):
            for name, batch in batches.items():
                gc.disable()
                seconds = batch(numbers[name]) / numbers[name]
                least[name] = min(least[name], seconds)
            gc.collect()
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
    return least


def _least(batches: Mapping[str, Batch], empty: Batch, effort: Effort) -> dict[str, float]:
    least = least_seconds({**batches, "": empty}, effort)
    overhead = least.pop("")
    return {name: (seconds - overhead) * 1e9 for name, seconds in least.items()}


def _calibrated(batch: Batch, seconds: float) -> int:
    """The number of repeats that take at least half of *seconds*; warms up, too."""
    number = 1
    # Thrice, for a first call may import what it needs.
    while min(batch(number) for _ in range(3)) < seconds / 2:
        number *= 2
    return number


def _compiled(statement: str, names: Mapping[str, object], is_async: str) -> Callable:
    source = _TEMPLATE.format(is_async=is_async, statement=textwrap.indent(statement, " " * 8))
    namespace = {**names, "clock": time.perf_counter}
    exec(compile(source, "<statement>", "exec"), namespace)
    return namespace["batch"]


def _sync_batch(statement: str, names: Mapping[str, object]) -> Batch:
    batch = _compiled(statement, names, "")
    return lambda number: batch(itertools.repeat(None, number))


def _async_batch(
    loop: asyncio.AbstractEventLoop, statement: str, names: Mapping[str, object]
) -> Batch:
    batch = _compiled(statement, names, "async ")
    return lambda number: loop.run_until_complete(batch(itertools.repeat(None, number)))
