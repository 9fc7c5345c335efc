"""
Import: what ``import retrying_elegant`` costs, by ``-X importtime`` in fresh interpreters.

Counted is what a bare interpreter has not imported at its start.  Bytecode is
there already, as it is in all runs of a program but the first.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import contestants
from tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from timing import Effort

HERE = str(Path(__file__).parent)
MARK = "-- measured from here"


def tables(effort: Effort) -> Iterator[Table]:
    """Measure each package on its own, and where httpx has been imported before."""
    modules = {contestants.OURS: contestants.OURS}
    if effort.peers:
        modules |= {
            name: module for name, (module, _) in contestants.PEERS.items() if _is_there(module)
        }
    columns = {"alone": _milliseconds(modules, "pass", effort)}
    if _is_there("httpx"):
        columns["after httpx"] = _milliseconds(modules, "import httpx", effort)
    brought = [name for name in _brought() if name.partition(".")[0] != contestants.OURS]
    yield Table(
        "Import, ms",
        columns,
        ratios=False,
        digits=1,
        note=f"Besides its own modules, {contestants.OURS} brings: {', '.join(sorted(brought))}.",
    )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:  # its parent is not there
        return False


def _milliseconds(modules: Mapping[str, str], before: str, effort: Effort) -> dict[str, float]:
    """Give the fastest import of each of *modules*, by name; they take turns."""
    least = dict.fromkeys(modules, float("inf"))
    for module in modules.values():
        _run(f"{before}\nimport {module}")  # compiles what has not been compiled yet
    for _ in range(effort.imports):
        for name, module in modules.items():
            least[name] = min(least[name], _once(module, before))
    return least


def _once(module: str, before: str) -> float:
    """The sum over all modules that the import of *module* brings after *before*."""
    code = f"{before}\nsys.stderr.write('{MARK}\\n')\nimport {module}"
    lines = _run(code, "-X", "importtime").stderr.partition(f"{MARK}\n")[2].splitlines()
    # import time: self [us] | cumulative | imported package
    own = [line.removeprefix("import time:").split("|")[0] for line in lines]
    return sum(int(field) for field in own) / 1000


def _brought() -> list[str]:
    """The modules that are there after the import and were not before."""
    code = (
        "before = set(sys.modules)\n"
        f"import {contestants.OURS}\n"
        "print(*set(sys.modules) - before, sep='\\n')"
    )
    return _run(code).stdout.split()


def _run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    # Where site has a say, the environment may import half of what is to be measured.
    path = [entry for entry in sys.path if entry not in ("", HERE)]
    program = f"import sys, site\nsys.path[:] = {path!r}\n{code}"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, "-s", "-S", *options, "-c", program],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
