"""Report: how the simulations show what they found.

Owns the table on standard output, in Markdown, and the file of the figure.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import charts
from virtual import SEED

if TYPE_CHECKING:
    from collections.abc import Sequence

FIGURES = Path(__file__).parents[2] / "docs" / "figures"


def table(title: str, head: Sequence[object], rows: Sequence[Sequence[object]]) -> None:
    """Print *rows* under *head*."""
    print(f"{title}:\n")
    lines = [[str(cell) for cell in line] for line in (head, *rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * (width - 1) + ":" for width in widths])
    for line in lines:
        cells = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        print(f"| {' | '.join(cells)} |")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    print(f"\nSeed {SEED}, {python}, {platform.system()} {platform.machine()}")


def figure(name: str, title: str, *panels: charts.Panel) -> None:
    """Draw *panels* into ``docs/figures/<name>.svg``."""
    save(name, charts.svg(title, panels))


def save(name: str, svg: str) -> None:
    """Write the text of a figure to ``docs/figures/<name>.svg``."""
    path = FIGURES / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg, encoding="utf-8")
    print(f"Figure: {path.relative_to(FIGURES.parents[1])}")
