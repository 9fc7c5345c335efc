"""Construction: what a policy, a loop object and a decoration cost to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import by_hand
import contestants
from by_hand import awaited
from tables import Table
from timing import nanoseconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timing import Effort, Statement


def tables(effort: Effort) -> Iterator[Table]:
    """Measure each of the things there are to make; no baseline, for by hand there is none."""
    work = by_hand.succeeding()
    statements: dict[str, Statement] = {}
    for each in contestants.installed(peers=effort.peers):
        names = {**each.names, "f": work, "g": awaited(work)}
        for what, source in each.construction.items():
            statements[f"{each.name}: {what}"] = source, names
    yield Table("Construction", {"ns": nanoseconds(statements, effort)}, ratios=False)
