"""The test suite keeps rules of its own, which CONTRIBUTING states."""

from __future__ import annotations

import collections
import re

import documents

TESTS = documents.ROOT / "tests"


class TestSuite:
    """It stays quick, and runs as a whole."""

    def test_profiles_alone_say_how_many_examples_a_law_has(self):
        """So that a quick run is quick, and a thorough one thorough."""
        setting = re.compile(r"\bmax_examples\s*=")
        files = sorted(TESTS.glob("unit/**/test_*.py"))
        assert len(files) > 50
        assert [path.name for path in files if setting.search(path.read_text("utf-8"))] == []

    def test_names_of_files_are_unique(self):
        """Two test modules of one name cannot be imported in one run."""
        names = collections.Counter(path.name for path in TESTS.rglob("test_*.py"))
        assert [name for name, count in names.items() if count > 1] == []
