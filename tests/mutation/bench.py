"""Bench: where the tests meet a mutant.

Owns one copy of the repository per process, in which a module is replaced by its mutants, and
running tests there.  Leaves which tests, and what their outcome means, to ``__main__``.

What every run needs (pytest, hypothesis, the event loop) is imported once, and each mutant is met
by a fork of that process: most of a short test run is imports.
"""

from __future__ import annotations

import asyncio  # noqa: F401 - here and below: for the forks
import gc
import importlib
import itertools
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
from collections import deque
from pathlib import Path
from typing import Any

import freezegun  # noqa: F401
import pytest
import reach
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parents[2]
NOT_NEEDED = (".git", ".venv*", "build", "dist", "_build", "__pycache__", ".hypothesis", ".*_cache")
PACKAGE = Path("src/retrying_elegant")
PASSED, LATE = "passed", "timed out"
CLIENTS = "requests", "httpx", "httpx2", "aiohttp", "trio", "h2"  # slow to import
MOST_MEMORY = 2 << 30  # bytes; a mutant that never ends should not take the machine with it
ROUNDS = 40, 300, 1000  # a mutant meets the first tests, then those up to here
PYTEST = [
    *("-q", "--no-header", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"),
    *("--hypothesis-profile=mutation", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
]
# An example that fails is enough: none is made smaller, and none is kept.
settings.register_profile(
    "mutation",
    max_examples=200 if os.environ.get("TESTS") == "thorough" else 30,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
killers: deque[str] = deque(maxlen=20)  # the tests that have killed, the latest first


def path_of(module: str) -> Path:
    """Return where *module* is, whose name is dotted if it is in a package inside."""
    return (PACKAGE / module.replace(".", "/")).with_suffix(".py")


def set_up(parent: str, folders: list[str]) -> None:
    """Make a copy of the repository under *parent*, and stand in it; *folders* have the tests."""
    os.nice(10)
    bench = Path(parent) / str(os.getpid())
    shutil.copytree(ROOT, bench, ignore=shutil.ignore_patterns(*NOT_NEEDED))
    os.chdir(bench)
    os.environ["PYTHONPATH"] = str(bench / "src")
    sys.path.insert(0, str(bench / "src"))
    # Write the bytecode of everything.  No later run writes any: of a mutant it would be taken
    # for that of the next, which is as long and of the same second.
    sys.dont_write_bytecode = False
    run([*folders, "--collect-only"], patience=600)
    if "tests/integration/clients" in folders:
        for client in CLIENTS:
            importlib.import_module(client)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    gc.freeze()  # what has been imported: no fork need look through it


def measure(tests: list[str]) -> dict[str, Any]:
    """Run files of *tests* without a mutant, and return what ``reach.Measuring`` finds of each."""
    outcome = run(tests, 3600, reach.Measuring, PACKAGE.resolve())
    measured = json.loads(Path("reach.json").read_text(encoding="utf-8"))
    if outcome not in (PASSED, *measured["failed"]):  # not even collected
        raise RuntimeError(f"without any mutant, the tests do not run: {outcome}")
    for test in measured["failed"]:  # because they are being measured?
        outcome = run([test], 3600)
        if outcome != PASSED:
            raise RuntimeError(f"without any mutant, {test} fails: {outcome}")
    return measured["files"]


def meet(
    module: str, mutant: str, seconds: dict[str, float], *, all_of_them: bool
) -> tuple[str, float]:
    """
    Run tests with *mutant* in the place of *module*, a few at first.

    Args:
        seconds: What each of the tests takes without it; the likeliest to fail comes first.
        all_of_them: Not only the first 1000.

    Returns:
        ``PASSED``, ``LATE``, or the name of the test that failed; and the seconds it took.
    """
    began = time.monotonic()
    path = path_of(module)
    original = path.read_text(encoding="utf-8")
    for bytecode in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        bytecode.unlink()
    likely = [test for test in killers if test in seconds]
    tests = list(dict.fromkeys([*likely, *seconds]))
    outcome = PASSED
    try:
        path.write_text(mutant, encoding="utf-8")
        for begin, end in itertools.pairwise((0, *ROUNDS, len(tests) * all_of_them)):
            chosen = tests[begin:end]
            if chosen and outcome == PASSED:
                files = list(dict.fromkeys(test.partition("::")[0] for test in chosen))
                patience = 5 + 2 * sum(map(seconds.__getitem__, chosen))
                outcome = run(["-x", *files], patience, Chosen, chosen)
    finally:
        path.write_text(original, encoding="utf-8")
    if outcome in seconds:
        if outcome in killers:
            killers.remove(outcome)
        killers.appendleft(outcome)
    return outcome, time.monotonic() - began


class Chosen:
    """A pytest plugin that runs only the tests of these names, in their order."""

    def __init__(self, names: list[str]) -> None:
        self.order = {name: number for number, name in enumerate(names)}
        self.functions = {name.partition("[")[0] for name in names}

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str, obj: object) -> Any:
        """Leave out other functions before their parameters are multiplied."""
        is_other = callable(obj) and not isinstance(obj, type)
        return [] if is_other and f"{collector.nodeid}::{name}" not in self.functions else None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])


class _Failure:
    """A pytest plugin that writes down the name of what failed first."""

    file = Path("failure.txt")

    def __init__(self) -> None:
        self.path = self.file.resolve()  # a test may be in another folder when it fails

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._note(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed and not self.path.exists():
            self.path.write_text(report.nodeid, encoding="utf-8")


def run(arguments: list[str], patience: float, plugin: Any = None, *of_plugin: Any) -> str:
    """
    Run pytest in a fork, with a *plugin* made there.

    Args:
        patience: The seconds of CPU time that it may take; a run that does nothing may take
            longer, because other processes may be what it waits for.

    Returns:
        ``PASSED``, ``LATE``, or the name of the test that failed.
    """
    _Failure.file.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        _run_and_exit(arguments, int(patience) + 1, plugin, of_plugin)
    limit = time.monotonic() + 20 + 4 * patience
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > limit:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return LATE
        time.sleep(0.01)  # for real: no virtual clock moves another process
    exit_code = os.waitstatus_to_exitcode(status)
    if exit_code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return PASSED
    if exit_code == -signal.SIGXCPU:
        return LATE
    failed = _Failure.file.exists()
    return _Failure.file.read_text(encoding="utf-8") if failed else f"status {exit_code}"


def _run_and_exit(arguments: list[str], seconds: int, plugin: Any, of_plugin: Any) -> None:
    status = 70
    try:
        os.setsid()  # so that what the tests start ends with them
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
        file = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        plugins = [_Failure(), *([plugin(*of_plugin)] if plugin else [])]
        status = int(pytest.main([*PYTEST, *arguments], plugins))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
