"""Bench: where the tests meet a mutant.

Owns one copy of the repository per process, in which a module is replaced by its mutants, and
running tests there.  Leaves which tests, and what their outcome means, to ``__main__``.

What every run needs (pytest, hypothesis, the event loop) is imported once, and each mutant is met
by a fork of that process: most of a short test run is imports.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - here and below: for the forks
import gc
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path

import freezegun  # noqa: F401
import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parents[2]
NOT_NEEDED = (".git", ".venv*", "build", "dist", "_build", "__pycache__", ".hypothesis", ".*_cache")
PACKAGE = Path("src/retrying_elegant")
PASSED, LATE = "passed", "timed out"
MOST_MEMORY = 2 << 30  # bytes; a mutant that never ends should not take the machine with it
PYTEST = [
    *("-x", "-q", "--no-header", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"),
    *("--hypothesis-seed=0", "--hypothesis-profile=mutation"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # of the early import
]
# An example that fails is enough: none is made smaller, and none is kept.
settings.register_profile(
    "mutation",
    max_examples=200,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
os.environ["TESTS"] = "thorough"  # also the tests that a quick run leaves out


def set_up(parent: str) -> None:
    """Make a copy of the repository under *parent*, and stand in it."""
    os.nice(10)
    bench = Path(parent) / str(os.getpid())
    shutil.copytree(ROOT, bench, ignore=shutil.ignore_patterns(*NOT_NEEDED))
    os.chdir(bench)
    os.environ["PYTHONPATH"] = str(bench / "src")
    sys.path.insert(0, str(bench / "src"))
    # Write the bytecode of everything.  No later run writes any: of a mutant it would be taken
    # for that of the next, which is as long and of the same second.
    sys.dont_write_bytecode = False
    run(["tests/unit", "--collect-only"], patience=600)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    gc.freeze()  # what has been imported: no fork need look through it


def meet(module: str, mutant: str, tests: list[str], patience: float) -> tuple[str, float]:
    """Run *tests* with *mutant* in the place of *module*; give what ``run`` does, and seconds."""
    began = time.monotonic()
    path = PACKAGE / f"{module}.py"
    original = path.read_text(encoding="utf-8")
    for bytecode in PACKAGE.glob(f"__pycache__/{module}.*.pyc"):
        bytecode.unlink()
    try:
        path.write_text(mutant, encoding="utf-8")
        return run(tests, patience), time.monotonic() - began
    finally:
        path.write_text(original, encoding="utf-8")


def run(tests: list[str], patience: float) -> str:
    """Run *tests* in a fork; give ``PASSED``, ``LATE``, or the name of the test that failed."""
    output = Path("output.txt")
    child = os.fork()
    if not child:
        _run_and_exit([*PYTEST, *tests], output)
    limit = time.monotonic() + patience
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > limit:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return LATE
        time.sleep(0.01)  # for real: no virtual clock moves another process
    if status == 0:
        return PASSED
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", output.read_text(errors="replace"), re.MULTILINE)
    return failed[1] if failed else f"status {os.waitstatus_to_exitcode(status)}"


def _run_and_exit(arguments: list[str], output: Path) -> None:
    status = 70
    try:
        os.setsid()  # so that what the tests start ends with them
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        status = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
