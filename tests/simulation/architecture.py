"""Architecture: which module imports which, read from the modules.

Owns the places of the boxes and the ways of the arrows.  Leaves the layers, and
reading the imports, to ``tests/unit/map_parts.py``; ``test_map`` holds the arrows to
pointing down.  An arrow that follows from others (A imports B imports C, so A
may as well import C) is left out.

    python tests/simulation/architecture.py
"""

from __future__ import annotations

import sys
from math import fsum
from pathlib import Path
from typing import NamedTuple

import charts
import report

sys.path.append(str(Path(__file__).parents[1] / "unit"))

from map_parts import LAYERS, LEAVES, imports

# What each layer is for, from the top down.
ROOMS = (
    "the package",
    "forms",
    "iterations, calls",
    "async",
    "sync",
    "reporting",
    "decision",
    "attempt",
    "settings",
    "rules, budget, errors",
    "checks, async library",
    "small units",
)
LEFT, RIGHT, STEP, HIGH, TOP = 168, 636, 64, 26, 66  # of the layers, in pixels
COLUMN = 700  # where the leaves stand
APART, ASIDE = 18, 12  # between two boxes, and what an arrow that passes a layer takes up


class Spot(NamedTuple):
    """One place of a layer: a module's box, or a gap where an arrow passes."""

    row: int
    name: str = ""
    arrow: tuple[str, str] | None = None

    @property
    def width(self) -> float:
        return ASIDE if self.arrow else 7.2 * len(self.name) + 16


def arrows() -> list[tuple[str, str]]:
    """The imports within the layers, but for those that follow from others."""
    inside = set().union(*LAYERS)
    direct = {name: imports(name) & inside for name in inside}

    def reached(name: str) -> set[str]:
        return direct[name].union(*map(reached, direct[name]))

    return sorted(
        (name, other)
        for name, others in direct.items()
        for other in others
        if not any(other in reached(between) for between in others)
    )


def rows(
    found: list[tuple[str, str]],
) -> tuple[list[list[Spot]], list[tuple[Spot, Spot]]]:
    """
    The spots of each layer from the top down, in an order that has few arrows cross.

    With them, the pieces of all arrows, each from one layer to the next.
    """
    level = {name: row for row, layer in enumerate(reversed(LAYERS)) for name in layer}
    boxes = {name: Spot(row, name) for name, row in level.items()}
    spots = [[boxes[name] for name in sorted(layer)] for layer in reversed(LAYERS)]
    links: list[tuple[Spot, Spot]] = []
    for arrow in found:
        above = boxes[arrow[0]]
        for row in range(level[arrow[0]] + 1, level[arrow[1]]):
            spots[row].append(Spot(row, arrow=arrow))
            links.append((above, spots[row][-1]))
            above = spots[row][-1]
        links.append((above, boxes[arrow[1]]))
    best, fewest = spots, sys.maxsize
    for sweep in range(40):
        upward = sweep % 2 == 0
        for row in sorted(range(len(spots)), reverse=upward):
            neighbour = row + 1 if upward else row - 1
            if 0 <= neighbour < len(spots):
                place = {spot: i for i, spot in enumerate(spots[neighbour])}
                spots[row] = _near(spots[row], place, links, upward=upward)
        crossings = _crossings(spots, links)
        if crossings < fewest:
            best, fewest = [list(row) for row in spots], crossings
    return best, links


def _near(
    row: list[Spot], place: dict[Spot, int], links: list[tuple[Spot, Spot]], *, upward: bool
) -> list[Spot]:
    """Order *row* by where its neighbours stand in the row beside it."""
    mean = {}
    for i, spot in enumerate(row):
        pairs = [(a, b) if upward else (b, a) for a, b in links]
        beside = [place[other] for this, other in pairs if this == spot]
        mean[spot] = sum(beside) / len(beside) if beside else i
    return sorted(row, key=mean.__getitem__)


def _crossings(spots: list[list[Spot]], links: list[tuple[Spot, Spot]]) -> int:
    place = {spot: i for row in spots for i, spot in enumerate(row)}
    return sum(
        a.row == c.row and (place[a] - place[c]) * (place[b] - place[d]) < 0
        for i, (a, b) in enumerate(links)
        for c, d in links[:i]
    )


def _middles(
    spots: list[list[Spot]], links: list[tuple[Spot, Spot]]
) -> dict[Spot, tuple[float, float]]:
    """The middle of each spot: as straight below its neighbours as the layer has room."""
    middle = {spot: 0.0 for row in spots for spot in row}
    beside: dict[Spot, list[Spot]] = {spot: [] for spot in middle}
    for a, b in links:
        beside[a].append(b)
        beside[b].append(a)
    for _ in range(60):
        for row in spots:
            # A little less than the mean, which draws everything towards the middle.
            wanted = [
                0.9 * fsum(middle[other] for other in beside[s]) / max(len(beside[s]), 1)
                for s in row
            ]
            rightmost = _apart(row, wanted)
            leftmost = [-x for x in reversed(_apart(row[::-1], [-x for x in reversed(wanted)]))]
            for spot, left, right in zip(row, leftmost, rightmost, strict=True):
                middle[spot] = (left + right) / 2
    move = (LEFT + RIGHT) / 2 - (min(middle.values()) + max(middle.values())) / 2
    return {spot: (x + move, TOP + STEP * spot.row + HIGH / 2) for spot, x in middle.items()}


def _apart(row: list[Spot], wanted: list[float]) -> list[float]:
    """The *wanted* places from the left, each moved right as far as the one before it asks."""
    places: list[float] = []
    for i, (spot, x) in enumerate(zip(row, wanted, strict=True)):
        if i:
            x = max(x, places[-1] + (row[i - 1].width + spot.width) / 2 + APART)
        places.append(x)
    return places


def _box(name: str, x: float, y: float, width: float) -> list[str]:
    corner = f'x="{x - width / 2:.1f}" y="{y - HIGH / 2:.1f}"'
    return [
        f'<rect class="room" {corner} width="{width:.1f}" height="{HIGH}" rx="4"/>',
        f'<text class="code" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{name}</text>',
    ]


def _arrow(points: list[tuple[float, float]]) -> str:
    (x, y), *rest = points
    path = f"M{x:.1f} {y + HIGH / 2:.1f}"
    y += HIGH / 2
    for end, (right, down) in enumerate(rest, 1):
        stop = down - (HIGH / 2 + 5 if end == len(rest) else 0)
        half = (y + stop) / 2
        path += f"C{x:.1f} {half:.1f} {right:.1f} {half:.1f} {right:.1f} {stop:.1f}"
        x, y = right, stop
    return f'<path class="arrow" d="{path}" marker-end="url(#head)"/>'


def svg() -> str:
    """Give the text of the figure."""
    found = arrows()
    spots, links = rows(found)
    middles = _middles(spots, links)
    parts = [
        '<marker id="head" markerWidth="6" markerHeight="6" refX="3" refY="3" orient="auto">',
        '<path class="tip" d="M0 0L6 3L0 6z"/></marker>',
    ]
    boxes = {spot.name: spot for row in spots for spot in row}
    for arrow in found:
        above, below = boxes[arrow[0]], boxes[arrow[1]]
        passed = [spot for row in spots for spot in row if spot.arrow == arrow]
        parts.append(_arrow([middles[spot] for spot in (above, *passed, below)]))
    for number, (row, room) in enumerate(zip(spots, ROOMS, strict=True)):
        y = TOP + STEP * number + HIGH / 2
        parts.append(f'<text x="{24}" y="{y + 4:.1f}">{room}</text>')
        for spot in row:
            if not spot.arrow:
                parts += _box(spot.name, *middles[spot], spot.width)
    parts.append(f'<text x="{COLUMN}" y="{TOP - 14}" text-anchor="middle">leaves</text>')
    for number, name in enumerate(sorted(LEAVES, key=lambda name: name.lstrip("_"))):
        parts += _box(name, COLUMN, TOP + HIGH / 2 + 40 * number, Spot(number, name).width)
    return charts.page("What imports what: down only", TOP + STEP * len(ROOMS), parts)


def main() -> None:
    """Draw the figure."""
    report.save("architecture", svg())


if __name__ == "__main__":
    main()
