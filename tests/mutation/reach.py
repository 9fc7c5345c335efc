"""Reach: which tests execute which lines, and how long each of them takes.

Owns measuring that, keeping it under ``build/mutation`` for as long as sources and tests stay the
same, and putting the tests of one mutant in order.  Leaves running them to ``bench.py``.

A test that does not execute a line cannot tell whether it has changed, unless it reads the source
or starts another process: those are not counted on.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IMPORTED = ""  # in the place of a test: a line that runs when the module is imported


class Measuring:
    """A pytest plugin that writes down what the tests of each file execute, and in what time."""

    clock = staticmethod(time.perf_counter)  # kept here, where no test replaces it

    def __init__(self, package: Path) -> None:
        self.package = package
        self.output = Path("reach.json").resolve()
        self.coverage = coverage.Coverage(
            data_file=None, config_file=False, source_pkgs=[package.name]
        )
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []
        self.coverage.start()

    def pytest_collection_finish(self) -> None:
        self.coverage.stop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        began = self.clock()
        self.coverage.start()
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.coverage.stop()
            self.seconds[item.nodeid] = self.clock() - began

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        files: dict[str, dict[str, Any]] = {IMPORTED: {"tests": {IMPORTED: 0}, "lines": {}}}
        for test, seconds in self.seconds.items():
            file = files.setdefault(_file(test), {"tests": {}, "lines": {}})
            file["tests"][test] = seconds
        numbers = {
            test: number for file in files.values() for number, test in enumerate(file["tests"])
        }
        data = self.coverage.get_data()
        for path in map(Path, data.measured_files()):
            if path.is_relative_to(self.package):
                module = ".".join(path.relative_to(self.package).with_suffix("").parts)
                for line, tests in data.contexts_by_lineno(str(path)).items():
                    for test in tests:
                        lines = files[_file(test)]["lines"].setdefault(module, {})
                        lines.setdefault(line, []).append(numbers[test])
        found = {"files": files, "failed": self.failed}
        self.output.write_text(json.dumps(found), encoding="utf-8")


class Measured:
    """What has been measured: of each file of tests, for as long as it stays the same."""

    def __init__(self, kept: Path, root: Path, package: Path, folders: list[str]) -> None:
        self.kept = kept
        files = {file for top in (package, *folders) for file in (root / top).rglob("*.py")}
        files.add(root / "tests" / "conftest.py")
        tests = {file for top in folders for file in (root / top).rglob("test_*.py")}
        self.digests = {str(file.relative_to(root)): _digest([file]) for file in sorted(tests)}
        self.shared = _digest(sorted(files - tests))
        self.files: dict[str, Any] = {}
        if kept.exists():
            found = json.loads(kept.read_text(encoding="utf-8"))
            if found["shared"] == self.shared:
                self.files = found["files"]

    def missing(self) -> list[str]:
        """Return the files that have to be measured."""
        self.files = {
            file: found
            for file, found in self.files.items()
            if file == IMPORTED or found["digest"] == self.digests.get(file)
        }
        return [file for file in self.digests if file not in self.files]

    def add(self, files: dict[str, Any]) -> None:
        """Keep what has been measured of *files*."""
        none = {"tests": {}, "lines": {}}  # where all tests of a file are left out
        for file in self.missing():
            self.files[file] = files.get(file, none) | {"digest": self.digests[file]}
        self.files.setdefault(IMPORTED, files[IMPORTED])
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        found = {"shared": self.shared, "files": self.files}
        self.kept.write_text(json.dumps(found), encoding="utf-8")


class Reach:
    """What has been measured of the tests of one *module*."""

    def __init__(self, measured: Measured, module: str, source: str) -> None:
        self.seconds: dict[str, float] = {}
        self.lines: dict[int, set[str]] = {}
        for file in measured.files.values():
            self.seconds |= file["tests"]
            tests = list(file["tests"])
            for line, numbers in file["lines"].get(module, {}).items():
                self.lines.setdefault(int(line), set()).update(map(tests.__getitem__, numbers))
        del self.seconds[IMPORTED]
        self.tree = ast.parse(source)
        # First those that execute the least of the module, as what they are about may be this
        # line; but the more of one function have come, the later the next.
        reached = Counter(test for tests in self.lines.values() for test in tests)
        seen: Counter[str] = Counter()
        self.rank = {}
        for test in sorted(self.seconds, key=lambda test: (reached[test], self.seconds[test])):
            function = test.partition("[")[0]
            self.rank[test] = (reached[test] + seen[function], self.seconds[test])
            seen[function] += 1

    def of(self, line: int) -> dict[str, float]:
        """
        Return the tests that execute the statement at *line*, the likeliest to fail first.

        With each come the seconds it takes.

        If it runs at import, those are the tests that execute any line of the module: first the
        ones that execute what is in the same statement, as the body of a function whose default
        has changed, then the ones that execute a line with one of its names.
        """
        statement, block, names = self._around(line)
        groups = [self._tests(statement)]
        if not groups[0] or IMPORTED in groups[0]:
            named = {node.lineno for node in ast.walk(self.tree) if names & _names(node)}
            groups = [self._tests(block), self._tests(named), self._tests(self.lines)]
        found: dict[str, float] = {}
        for group in groups:
            ordered = sorted(group - {IMPORTED}, key=self.rank.__getitem__)
            found |= {test: self.seconds[test] for test in ordered}
        return found

    def _tests(self, lines: Iterable[int]) -> set[str]:
        return set().union(*(self.lines.get(line, ()) for line in lines))

    def _around(self, line: int) -> tuple[range, range, set[str]]:
        """Return the lines of the statement at *line*, also with what is inside; its names."""
        own = whole = range(line, line + 1)
        names: set[str] = set()
        for node in ast.walk(self.tree):  # from the outside to the inside
            if not isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
                continue
            parts = [part for part in ast.walk(node) if hasattr(part, "lineno")]
            first = min(part.lineno for part in parts)
            last = max(part.end_lineno for part in parts)
            if first <= line <= last:
                whole = range(first, last + 1)
                body = getattr(node, "body", None)
                own = range(first, max(body[0].lineno, first + 1)) if body else whole
                names = set() if body else set().union(*map(_names, parts))
        if line not in own:  # `else:`, `finally:`
            own = whole
        return own, whole, names


def _names(node: ast.AST) -> set[str]:
    """Return the name that *node* is."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return {name}
    return set()


def _file(test: str) -> str:
    return test.partition("::")[0]


def _digest(files: list[Path]) -> str:
    total = hashlib.sha256(os.environ.get("TESTS", "").encode())
    for file in files:
        total.update(file.read_bytes())
    return total.hexdigest()
