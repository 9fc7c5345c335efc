"""Garbage: objects that a call leaves for the cyclic collector to find."""

from __future__ import annotations

import asyncio
import gc
import inspect
import textwrap
from typing import TYPE_CHECKING, Any

import by_hand
import contestants
from by_hand import awaited
from quiet import quiet
from tables import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from contestants import Contestant
    from timing import Effort

_CALL = """
{is_async}def call():
    try:
{block}
    except Exception:
        pass
"""


def tables(effort: Effort) -> Iterator[Table]:
    """Count for calls that succeed, and for calls that give up; sync and async."""
    forms = ("call", "loop", "async call", "async loop")
    columns: dict[str, dict[str, float]] = {
        f"{form} {ending}": {} for form in forms for ending in ("succeeds", "gives up")
    }
    with quiet():
        for each in contestants.installed(peers=effort.peers):
            for column, call in _calls(each):
                columns[column][each.name] = _left(call, effort.calls)
    yield Table("Objects that each leaves for the collector", columns, ratios=False, digits=1)


def _calls(each: Contestant) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Give each thing that this one can do, by the name of its column."""
    endings = {"succeeds": by_hand.succeeding()}
    if each.gives_up:
        endings["gives up"] = by_hand.lost
    for ending, work in endings.items():
        if each.decorate is not None:
            yield f"call {ending}", _call("f(1)", {"f": each.decorate(work)})
        if each.loop:
            source = next(iter(each.loop.values())).replace("BODY", "f(1)")
            yield f"loop {ending}", _call(source, {**each.names, "f": work})
        if each.decorate_async is not None:
            decorated = each.decorate_async(awaited(work))
            yield f"async call {ending}", _call("await f(1)", {"f": decorated})
        if each.async_loop:
            source = next(iter(each.async_loop.values())).replace("BODY", "await f(1)")
            yield f"async loop {ending}", _call(source, {**each.names, "f": awaited(work)})


def _call(source: str, names: Mapping[str, Any]) -> Callable[[], Any]:
    namespace = dict(names)
    is_async = "async " if "await " in source else ""
    exec(_CALL.format(is_async=is_async, block=textwrap.indent(source, " " * 8)), namespace)
    call: Callable[[], Any] = namespace["call"]
    return call


def _left(call: Callable[[], Any], calls: int) -> float:
    """The objects that the collector finds after *calls* calls, for each of them."""
    if inspect.iscoroutinefunction(call):

        async def many(number: int) -> None:
            for _ in range(number):
                await call()

        loop = asyncio.new_event_loop()
        try:
            return _found_after(lambda number: loop.run_until_complete(many(number)), calls)
        finally:
            loop.close()

    def run(number: int) -> None:
        for _ in range(number):
            call()

    return _found_after(run, calls)


def _found_after(run: Callable[[int], object], calls: int) -> float:
    run(10)  # what is made once is not counted
    gc.collect()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        run(calls)
        return gc.collect() / calls
    finally:
        if was_enabled:
            gc.enable()
