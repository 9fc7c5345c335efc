"""The architecture as a test: arrows point down only, and nothing inside imports a leaf.

The map is in ``map_parts``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap

import documents
import pytest
from map_parts import INSIDE, LEAVES, LEVEL, MODULES, PACKAGE, imports

from retrying_elegant import _decision


class TestMap:
    """Arrows point down only, and this test holds the map."""

    def test_every_module_is_on_it(self):
        """A new module finds its layer first."""
        assert set(MODULES) <= {*LEVEL, *LEAVES}
        assert set(LEVEL) <= set(MODULES)

    @pytest.mark.parametrize("module", INSIDE)
    def test_arrows_point_down(self, module):
        """To a lower layer, and to no leaf."""
        upward = {
            other for other in imports(module) if other in LEAVES or LEVEL[other] >= LEVEL[module]
        }
        assert upward == set()

    def test_the_map_is_of_these_arrows(self):
        """So that the test above does not pass for want of any."""
        assert {"_checks", "_attempt", "_errors"} <= imports("_decision")
        assert {"_sync", "_async", "_policy"} <= imports("_decorator")
        assert "_decision" in imports("_sync")
        assert {"backoff", "_policy", "_decorator", "_retrying"} <= imports("__init__")

    def test_the_library_comes_without_its_leaves(self):
        """In a process that has imported nothing else."""
        loaded = f"sorted({{*{LEAVES!r}}} & {{name[17:] for name in sys.modules}})"
        code = f"import sys, retrying_elegant; print({loaded})"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == "[]"


class TestSansIO:
    """The decision knows no clock, no sleep, no asyncio, no hook and no log."""

    @pytest.mark.parametrize("module", ["_decision", "_policy", "backoff", "_budget", "_errors"])
    def test_it_imports_none_of_them(self, module):
        """Neither of the package's own nor of the standard library's, also not in a function."""
        tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
        names = {
            name
            for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
        }
        assert not names & {
            "time",
            "_clock",
            "asyncio",
            "_async_backend",
            "threading",
            "logging",
            "_reporting",
        }


class TestDesign:
    """The page on the design shows what the code says of itself."""

    def test_the_states_of_a_call(self):
        """The same diagram as at the top of `_decision`, further to the left."""
        page = (documents.ROOT / "docs" / "design.md").read_text(encoding="utf-8")
        shown = re.search(r"```text\n(.*?)\n```", page, re.DOTALL)[1]
        assert "NEW ────" in shown
        assert textwrap.indent(shown, " " * 6) in _decision.__doc__
