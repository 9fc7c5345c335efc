"""Success: a decorated call that succeeds at once, which is nearly every call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import by_hand
import contestants
from tables import Table
from timing import async_nanoseconds, nanoseconds

from retrying_elegant import Policy, RetryBudget, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from timing import Effort

WAYS = {"positional": "f(1)", "keyword": "f(a=1)", "method": "thing.f(1)"}
NET = Policy(5, on=ConnectionError)


def tables(effort: Effort) -> Iterator[Table]:
    """Measure the sync forms, then the async ones."""
    yield Table("A decorated call succeeds, ns", _sync(effort))
    yield Table("An awaited decorated call succeeds, ns", _async(effort))


def _own_variants(name: str) -> dict[str, Callable[[Any], Any]]:
    return {
        name: retry(NET),
        f"{name}, timeout=30": retry(NET.replace(timeout=30)),
        f"{name}, full budget": retry(NET.replace(budget=RetryBudget())),
    }


def _sync(effort: Effort) -> dict[str, dict[str, float]]:
    decorators = {
        "pass-through": by_hand.pass_through,
        "hand-written loop": by_hand.loop,
        "hand-written loop, timeout": by_hand.loop_with_timeout,
    }
    for contestant in contestants.installed(peers=effort.peers):
        if contestant.name == contestants.OURS:
            decorators |= _own_variants(contestant.name)
        elif contestant.decorate is not None:
            decorators[contestant.name] = contestant.decorate
    names = {name: _ways_in(decorate) for name, decorate in decorators.items()}
    return {
        way: nanoseconds({name: (call, names[name]) for name in names}, effort)
        for way, call in WAYS.items()
    }


def _async(effort: Effort) -> dict[str, dict[str, float]]:
    decorators = {
        "pass-through": by_hand.async_pass_through,
        "hand-written loop": by_hand.async_loop,
    }
    for contestant in contestants.installed(peers=effort.peers):
        if contestant.name == contestants.OURS:
            decorators |= _own_variants(contestant.name)
        elif contestant.decorate_async is not None:
            decorators[contestant.name] = contestant.decorate_async
    names = {name: _async_ways_in(decorate) for name, decorate in decorators.items()}
    return {
        way: async_nanoseconds({name: (f"await {call}", names[name]) for name in names}, effort)
        for way, call in WAYS.items()
    }


def _ways_in(decorate: Callable[[Any], Any]) -> dict[str, Any]:
    class Thing:
        @decorate
        def f(self, a: int) -> int:
            return a

    return {"f": decorate(by_hand.succeeding()), "thing": Thing()}


def _async_ways_in(decorate: Callable[[Any], Any]) -> dict[str, Any]:
    class Thing:
        @decorate
        async def f(self, a: int) -> int:
            return a

    async def f(a: int) -> int:
        return a

    return {"f": decorate(f), "thing": Thing()}
