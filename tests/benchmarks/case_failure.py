"""Failure: a decorated call that fails some times, and then succeeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import by_hand
import contestants
from by_hand import awaited, failing
from quiet import quiet
from tables import Table
from timing import async_nanoseconds, nanoseconds

from retrying_elegant import Policy, retry, retrying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timing import Effort, Statement

GROWTH = (0, 1, 2, 4, 8, 16)
MANY = Policy(GROWTH[-1] + 1, on=ConnectionError)

LOOP = """\
for attempt in retrying(NET):
    with attempt:
        f(1)"""


def tables(effort: Effort) -> Iterator[Table]:
    """Measure two failures, sync and async, then how the cost grows with their number."""
    with quiet():
        yield Table("A decorated call fails twice, then succeeds", {"ns": _sync(effort)})
        yield Table("An awaited decorated call fails twice, then succeeds", {"ns": _async(effort)})
        yield Table(
            "By the number of failures before a success, ns",
            {f"{times}": nanoseconds(_growing(times), effort) for times in GROWTH},
        )


def _sync(effort: Effort) -> dict[str, float]:
    decorators = {"hand-written loop": by_hand.loop}
    decorators |= {
        contestant.name: contestant.decorate
        for contestant in contestants.installed(peers=effort.peers)
        if contestant.decorate is not None
    }
    calls: dict[str, Statement] = {
        name: ("f(1)", {"f": decorate(failing(2))}) for name, decorate in decorators.items()
    }
    return nanoseconds(calls, effort)


def _async(effort: Effort) -> dict[str, float]:
    decorators = {"hand-written loop": by_hand.async_loop}
    decorators |= {
        contestant.name: contestant.decorate_async
        for contestant in contestants.installed(peers=effort.peers)
        if contestant.decorate_async is not None
    }
    calls: dict[str, Statement] = {
        name: ("await f(1)", {"f": decorate(awaited(failing(2)))})
        for name, decorate in decorators.items()
    }
    return async_nanoseconds(calls, effort)


def _growing(times: int) -> dict[str, Statement]:
    return {
        "hand-written loop": ("f(1)", {"f": by_hand.loop(failing(times), MANY.attempts)}),
        "retry": ("f(1)", {"f": retry(MANY)(failing(times))}),
        "retrying": (LOOP, {"f": failing(times), "retrying": retrying, "NET": MANY}),
    }
