"""
Process: one case in a fresh process.

Owns the way there and back.  Each process has its own layout of memory and its own
hashes, which make more of a difference than what a benchmark is to tell apart;
so each case is run in several.

    python tests/benchmarks/process.py CASE EFFORT
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import tables
from timing import Effort

if TYPE_CHECKING:
    from tables import Table

CASES = ("success", "failure", "loop", "construction", "import", "tasks", "threads", "garbage")


def fresh(case: str, effort: Effort) -> list[Table]:
    """Run *case* in a process of its own, and give its tables."""
    command = [sys.executable, __file__, case, json.dumps(effort._asdict())]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return tables.from_json(done.stdout)


def _run(case: str, effort: str) -> None:
    found = importlib.import_module(f"case_{case}").tables(Effort(**json.loads(effort)))
    print(tables.to_json(list(found)))


if __name__ == "__main__":
    _run(*sys.argv[1:])
