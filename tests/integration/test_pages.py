"""The examples in the pages that need packages from outside, or something real to call."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))

import documents
from given import given

from retrying_elegant import testing

PAGES = [
    page
    for page in documents.PAGES
    if not all(block.runs_anywhere for block in documents.blocks(page))
]


class TestPages:
    """Every code block in a page runs, also where it shows another library."""

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_its_blocks_run_from_top_to_bottom(self, page):
        """Waits are skipped."""
        with given(documents.blocks(page)) as namespace, testing.instant():
            assert documents.run(page, have=True, namespace=namespace)
