"""Loop: a block of code in place that succeeds at once, left by its end or by ``return``."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import by_hand
import contestants
from by_hand import awaited
from tables import Table
from timing import async_nanoseconds, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from timing import Effort, Statement

BY_HAND = """\
for _ in range(5):
    try:
        BODY
        break
    except ConnectionError:
        pass"""


def tables(effort: Effort) -> Iterator[Table]:
    """Measure the loops, then the async ones."""
    work = by_hand.succeeding()
    found = list(contestants.installed(peers=effort.peers))
    loops: dict[str, Statement] = {"hand-written loop": (BY_HAND, {})}
    async_loops = dict(loops)
    for each in found:
        for form, source in each.loop.items():
            loops[f"{each.name}, {form}"] = source, each.names
        for form, source in each.async_loop.items():
            async_loops[f"{each.name}, {form}"] = source, each.names
    yield Table(
        "A loop around a block that succeeds, ns",
        _ways_out(loops, "f(1)", {"f": work}, nanoseconds, effort),
    )
    yield Table(
        "An async loop around a block that succeeds, ns",
        _ways_out(async_loops, "await f(1)", {"f": awaited(work)}, async_nanoseconds, effort),
    )


def _ways_out(
    loops: Mapping[str, Statement],
    body: str,
    names: Mapping[str, object],
    measure: Callable[[Mapping[str, Statement], Effort], dict[str, float]],
    effort: Effort,
) -> dict[str, dict[str, float]]:
    ends, returns = {}, {}
    is_async = body.startswith("await")
    for name, (source, own) in loops.items():
        ends[name] = source.replace("BODY", body), {**own, **names}
        block = textwrap.indent(source.replace("BODY", f"return {body}"), "    ")
        namespace = {**own, **names}
        exec(f"{'async ' if is_async else ''}def block():\n{block}", namespace)
        returns[name] = f"{'await ' if is_async else ''}block()", namespace
    return {"to the end": measure(ends, effort), "return inside": measure(returns, effort)}
