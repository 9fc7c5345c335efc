"""The architecture as a test: arrows point down only, and nothing inside imports a leaf.

__init__ → decorator, loop and block → sync driver, async driver → events → decision → policy
→ backoff, budget → small units
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import retrying_elegant

PACKAGE = Path(retrying_elegant.__file__).parent

# From the bottom up: a module imports from the layers below its own, never from its own or above.
LAYERS = [
    {"_value", "_clock", "_locks"},
    {"_checks", "_aio"},
    {"backoff", "_budget", "_errors"},
    {"_attempt", "_policy"},
    {"_decision"},
    {"_events"},
    {"_sync_driver", "_async_driver"},
    {"_generators", "_loop", "_block"},
    {"_decorator", "_retrying"},
    {"__init__"},
]
# They may import what they like, and nothing inside imports them: at most a function that needs
# one does so when it is called.
LEAVES = {"web", "testing", "instrumentation", "_cli", "_demo", "_run", "__main__"}
LEAVES |= {"_preview", "_preview_html"}
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py"))
INSIDE = [name for name in MODULES if name in LEVEL]


def is_type_checking(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements that run when the module is imported."""
    found = []
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        found.append(node)
        for part in ("body", "orelse", "finalbody"):
            if not (part == "body" and is_type_checking(node)):
                found += statements(getattr(node, part, []))
    return found


def named(node: ast.stmt) -> set[str]:
    """The modules of the package that an import statement names."""
    if isinstance(node, ast.Import):
        whole = [alias.name for alias in node.names]
        return {name.split(".")[1] for name in whole if name.startswith("retrying_elegant.")}
    if not isinstance(node, ast.ImportFrom):
        return set()
    if node.level == 0 and (node.module or "").split(".")[0] != "retrying_elegant":
        return set()
    inside = (node.module or "").removeprefix("retrying_elegant").strip(".")
    if inside:
        return {inside.split(".")[0]}
    return {alias.name if alias.name in MODULES else "__init__" for alias in node.names}


def imports(module: str) -> set[str]:
    """The modules of the package that *module* imports when it is imported itself."""
    tree = ast.parse((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    return set().union(*map(named, statements(tree.body)))


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
        assert {"_sync_driver", "_async_driver", "_policy"} <= imports("_decorator")
        assert "_decision" in imports("_sync_driver")
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
        assert not names & {"time", "_clock", "asyncio", "_aio", "threading", "logging", "_events"}
