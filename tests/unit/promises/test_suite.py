"""The test suite keeps rules of its own, which CONTRIBUTING states."""

from __future__ import annotations

import collections
import re

import documents
import pytest
from ways import THOROUGH, Way

TESTS = documents.ROOT / "tests"


class TestSuite:
    """It stays quick, and runs as a whole."""

    def test_profiles_alone_say_how_many_examples_a_law_has(self):
        """So that a quick run is quick, and a thorough one thorough."""
        setting = re.compile(r"\bmax_examples\s*=")
        files = sorted(TESTS.glob("unit/**/test_*.py"))
        assert len(files) > 50
        assert [path.name for path in files if setting.search(path.read_text("utf-8"))] == []

    @pytest.mark.skipif(THOROUGH, reason="only a quick run has to be quick")
    def test_a_quick_run_has_no_more_tests_than_it_needs(self, request):
        """They are counted, because times depend on the machine; of a part it says nothing.

        If there is one too many, test edges against `_decision`, or mark it as CONTRIBUTING says.
        """
        items = [item for item in request.session.items if item.path.is_relative_to(TESTS / "unit")]
        params = [item.callspec.params.values() for item in items if hasattr(item, "callspec")]
        ways = [value for values in params for value in values if type(value) is Way]
        assert len(items) <= 9_700
        assert sum(way.form != "decorator" for way in ways) <= 1_700
        assert sum("frozen" in item.fixturenames for item in items) <= 25  # milliseconds each

    def test_names_of_files_are_unique(self):
        """Two test modules of one name cannot be imported in one run."""
        names = collections.Counter(path.name for path in TESTS.rglob("test_*.py"))
        assert [name for name, count in names.items() if count > 1] == []
