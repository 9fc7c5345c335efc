"""
Tasks: many asyncio tasks at once, each failing twice with a wait of 50 ms.

Owns the processor time and the peak memory of a fresh process for each contestant.
Waits are real, and so is the garbage collector.

    python tests/benchmarks/case_tasks.py CONTESTANT TASKS
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import by_hand
import contestants
from tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from timing import Effort

BY_HAND = "hand-written coroutine"
# What ru_maxrss counts in.
_UNIT = 1 if sys.platform == "darwin" else 1024


def tables(effort: Effort) -> Iterator[Table]:
    """Measure each contestant in a process of its own, for each number of tasks."""
    names = [BY_HAND, contestants.OURS, *(contestants.PEERS if effort.peers else ())]
    for tasks in effort.tasks:
        found = {name: _in_fresh_process(name, tasks) for name in names}
        seconds = {name: one["seconds"] for name, one in found.items() if one}
        megabytes = {name: one["megabytes"] for name, one in found.items() if one}
        title = f"{tasks:,} tasks that each fail twice and wait 50 ms".replace(",", " ")
        yield Table(title, {"processor time, s": seconds, "peak memory, MB": megabytes}, digits=2)


def _in_fresh_process(name: str, tasks: int) -> dict[str, float]:
    """What *name* takes; nothing where it is not installed, or is not async."""
    # This process must stay small: its children's peak begins with its size.
    command = [sys.executable, __file__, name, f"{tasks}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measured(name: str, tasks: int) -> dict[str, float]:
    decorate = _decorator(name)
    if decorate is None:
        return {}
    failures = bytearray(tasks)

    async def work(task: int) -> int:
        if failures[task] < 2:
            failures[task] += 1
            raise ConnectionError("no answer")
        return task

    async def main() -> None:
        done = await asyncio.gather(*(call(task) for task in range(tasks)))
        assert done == list(range(tasks))

    call = decorate(work)
    started = time.process_time()
    asyncio.run(main())
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    return {"seconds": seconds, "megabytes": peak / 1e6}


def _decorator(name: str) -> Callable[[Any], Any] | None:
    if name == BY_HAND:
        return lambda fn: by_hand.async_constant_loop(fn, contestants.WAIT)
    try:
        return contestants.named(name).decorate_waiting
    except ImportError:
        return None


if __name__ == "__main__":
    logging.disable()
    print(json.dumps(_measured(sys.argv[1], int(sys.argv[2]))))
