"""Tables: the rows as Markdown, and the place of each table in the page.

``python -m coming_from.tables`` writes them into the page, in place of those that stand there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from .rows import Absent, Library, Row, Table

if TYPE_CHECKING:
    from .http_playing import HttpLibrary, HttpRow, HttpTable

PAGE = Path(__file__).parents[3] / "docs" / "coming-from.md"


def libraries() -> list[Library]:
    """All of them, in the order of the page."""
    from . import (
        backoff_rows,
        google_rows,
        opnieuw_rows,
        retry_rows,
        retrying_rows,
        stamina_rows,
        tenacity_rows,
    )

    modules = (
        tenacity_rows,
        stamina_rows,
        backoff_rows,
        retrying_rows,
        retry_rows,
        opnieuw_rows,
        google_rows,
    )
    return [module.LIBRARY for module in modules]


def http_libraries() -> tuple[HttpLibrary, ...]:
    """Those that retry for an HTTP client, in the order of the page."""
    from . import http_rows

    return http_rows.LIBRARIES


def markdown(library: Library | HttpLibrary, table: Table | HttpTable) -> str:
    """Give *table* as it stands in the page."""
    lines = [f"| {library.name} | retrying_elegant |", "|---|---|"]
    lines += [f"| {theirs} | {ours} |" for theirs, ours in map(_cells, table.rows)]
    return "\n".join(lines)


def _cells(row: Row | HttpRow | Absent) -> tuple[str, str]:
    if isinstance(row, Absent):
        return row.theirs, f"*Not here.* {row.why}"
    ours = _code(row.ours)
    if row.note:
        ours = f"{ours}<br>{row.note}" if ours else row.note
    return _code(row.theirs), ours


def _code(text: str) -> str:
    return "<br>".join(f"`{line}`" for line in text.replace("|", r"\|").splitlines())


def section(text: str, name: str) -> str:
    """Give the part of the page *text* below the heading ``## name``."""
    found = re.search(rf"^## {re.escape(name)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"the page has no heading ## {name}"
    return found[1]


def found_table(text: str, title: str) -> str:
    """Give the table below the heading ``### title`` of a section."""
    start, end = _place(text, title)
    return text[start:end]


def _place(text: str, title: str) -> tuple[int, int]:
    found = re.search(rf"^### {re.escape(title)}\n[^|#]*?((?:^\|.*\n)*^\|.*$)", text, re.MULTILINE)
    assert found, f"no table below ### {title}"
    return found.span(1)


def code_spans(cells: str) -> str:
    """Give what stands in *cells* between backticks."""
    return "\n".join(re.findall(r"`([^`]*)`", cells))


def write() -> None:
    """Put all tables into the page."""
    text = PAGE.read_text(encoding="utf-8")
    for library in (*libraries(), *http_libraries()):
        old = section(text, library.name)
        new = old
        for table in library.tables:
            start, end = _place(new, table.title)
            new = new[:start] + markdown(library, table) + new[end:]
        text = text.replace(old, new)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
