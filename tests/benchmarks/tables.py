"""
Tables: what was found, from one process to the Markdown on the screen.

Owns the median over processes and how figures are written.  Knows nothing of
what they mean.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Table:
    """Figures by row and column; the first row is what the others are held against."""

    title: str
    columns: dict[str, dict[str, float]]  # of each column, the figure of each row it has
    ratios: bool = True
    digits: int = 0
    note: str = ""


def to_json(tables: Sequence[Table]) -> str:
    """Write *tables* for another process."""
    return json.dumps([asdict(table) for table in tables])


def from_json(text: str) -> list[Table]:
    """Read what ``to_json`` has written."""
    return [Table(**table) for table in json.loads(text)]


def median(found: Sequence[Table]) -> Table:
    """Give the same table as each of several processes has *found* it, once."""
    columns = {
        column: {
            row: statistics.median(table.columns[column][row] for table in found) for row in figures
        }
        for column, figures in found[0].columns.items()
    }
    return Table(**{**asdict(found[0]), "columns": columns})


def markdown(table: Table) -> str:
    """Give *table* as a reader wants it."""
    rows = list(dict.fromkeys(row for figures in table.columns.values() for row in figures))
    ratio = ["ratio"] if table.ratios else []
    lines = [["", *(cell for column in table.columns for cell in (column, *ratio))]]
    for row in rows:
        line = [row]
        for figures in table.columns.values():
            line += _cells(table, figures, row)
        lines.append(line)
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    text = [_line(line, widths) for line in lines]
    rules = [f":{'-' * (widths[0] - 1)}", *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    text.insert(1, _line(rules, widths))
    note = f"\n\n{table.note}" if table.note else ""
    return f"### {table.title}\n\n" + "\n".join(text) + note


def _cells(table: Table, figures: dict[str, float], row: str) -> list[str]:
    if row not in figures:
        return ["", ""] if table.ratios else [""]
    figure = f"{figures[row]:,.{table.digits}f}".replace(",", " ")
    if not table.ratios:
        return [figure]
    base = next(iter(figures.values()))
    return [figure, f"{figures[row] / base:.2f}"]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return f"| {' | '.join(padded)} |"
