"""The map of the package: which module is in which layer, and who imports whom.

__init__ → decorator, retrying → loop, block, generators → sync, async → reporting → decision →
attempt → policy → backoff, budget, deadline → small units
"""

from __future__ import annotations

import ast
from pathlib import Path

import retrying_elegant

PACKAGE = Path(retrying_elegant.__file__).parent

# From the bottom up: a module imports from the layers below its own, never from its own or above.
LAYERS = [
    {"_value", "_clock", "_atomic", "_text", "_tracebacks"},
    {"_checks", "_async_backend", "_giveup"},
    {"backoff", "_budget", "_deadline", "_errors"},
    {"_policy"},
    {"_attempt"},
    {"_decision"},
    {"_reporting"},
    {"_sync"},
    {"_async"},
    {"_generators", "_loop", "_block"},
    {"_decorator", "_retrying"},
    {"__init__"},
]
# They may import what they like, and nothing inside imports them: at most a function that needs
# one does so when it is called.
LEAVES = {"web", "db", "_reading", "testing", "instrumentation", "cli", "_preview", "__main__"}
LEAVES |= {"_retry_after", "_unsent", "_web_names", "clients"}
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
PARTS = sorted(PACKAGE.glob("*/*.py"))  # of the leaves that are packages
MODULES = sorted({*(path.stem for path in PACKAGE.glob("*.py")), *(p.parent.name for p in PARTS)})
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
