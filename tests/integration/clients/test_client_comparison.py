"""The comparison with other libraries: the page shows what the command prints."""

from __future__ import annotations

from pathlib import Path

import compare
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "clients.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").partition("<!-- comparison")[2].splitlines()
    if line.startswith("|") and not line.startswith("|---")
]
HEAD, *BODY = ROWS
OURS = [name for name in compare.CONTESTANTS if name.startswith("ours")]


class TestThePage:
    """Our columns are those of today; the other libraries' are of the date below the table."""

    def test_its_rows(self):
        """Every fault, and every contestant."""
        assert [row[0] for row in BODY] == [*compare.ROWS]
        assert len(HEAD) == 1 + len(compare.CONTESTANTS)
        assert [name for name in HEAD if name.startswith("ours")] == OURS

    @pytest.mark.parametrize("row", BODY, ids=[row[0] for row in BODY])
    def test_its_cells(self, row):
        """Played again."""
        for name in OURS:
            cell = compare.play(row[0], compare.CONTESTANTS[name])
            assert cell == row[HEAD.index(name)], name
