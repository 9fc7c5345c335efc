"""
Mutation testing of the core: break it on purpose, one small change at a time, and see a test fail.

    python tests/mutation                  # everything but cli and clients
    python tests/mutation backoff web      # these modules only
    python tests/mutation clients._shared  # one of those
    python tests/mutation --sample 50      # of each module, 50 mutants taken at random
    python tests/mutation --again          # forget what earlier runs have killed

It needs the extras ``test`` and ``mutation``, and a system that can fork.  What becomes of the
mutants is kept under ``build/mutation``, so that a run goes on where an earlier one stopped, and
written to ``RESULTS.md`` for every module as it is now; how long that takes stands there.

A mutant (``mutants.py`` says what they are) meets the tests that execute the statement it changes,
which ``reach.py`` measures: unit tests of the quick run, or of the thorough one with
``TESTS=thorough`` in the environment; and where a module of ``clients`` is tried, those of
``tests/integration/clients``, which need the extra ``integration``.  At first it meets 1000 of
them, in a later run all.  It is killed when one fails, or when they take several times as long as
without it.  One that survives must behave as the original does, and ``equivalent.toml`` must say
why.  The exit status is 1 if one survives without a reason, or if a reason is given for one that
does not survive, or that does not exist.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import tomllib
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench
import reach
from bench import LATE, PASSED
from mutants import Change, Mutant, code_of, mutants_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = Path(__file__).resolve().parent
KEPT = bench.ROOT / "build" / "mutation"
MODULES = sorted(file.stem for file in (bench.ROOT / bench.PACKAGE).glob("[!_]*.py"))
MODULES += sorted(file.stem for file in (bench.ROOT / bench.PACKAGE).glob("_[!_]*.py"))
INSIDE = sorted(  # the modules of packages inside the package, which are tried if named
    f"{file.parent.name}.{file.stem}"
    for pattern in ("*/[!_]*.py", "*/_[!_]*.py")
    for file in (bench.ROOT / bench.PACKAGE).glob(pattern)
)


def main() -> int:
    """Run the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser("python tests/mutation", description=__doc__.split("\n")[1])
    parser.add_argument("modules", nargs="*", choices=[[], *MODULES, *INSIDE], metavar="MODULE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: all)")
    parser.add_argument("--sample", type=int, help="how many mutants of each module (default: all)")
    parser.add_argument("--again", action="store_true", help="forget what earlier runs have killed")
    options = parser.parse_args()

    modules = options.modules or MODULES
    trials = [Trial(module) for module in modules]
    folders = ["tests/unit"]
    if any(module.startswith("clients.") for module in modules):
        folders.append("tests/integration/clients")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        benches = ProcessPoolExecutor(
            options.jobs, multiprocessing.get_context("spawn"), bench.set_up, (folder, folders)
        )
        with benches:
            measured = reach.Measured(KEPT / "reach.json", bench.ROOT, bench.PACKAGE, folders)
            missing = measured.missing()
            if missing:
                print(f"{len(missing)} files of tests, without a mutant", flush=True)
                measured.add(benches.submit(bench.measure, missing).result())
            for trial in trials:
                if options.again:
                    trial.forget()
                trial.run(benches, measured, options.sample)
                (HERE / "RESULTS.md").write_text(_page(), encoding="utf-8")

    print(_table({trial.module: trial.kept["found"] for trial in trials}))
    complaints = [text for trial in trials for text in trial.complaints()]
    print(*complaints, sep="\n\n")
    return bool(complaints)


class Trial:
    """The mutants of one *module*: what has become of them, and why some survive."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.source = (bench.ROOT / bench.path_of(module)).read_text(encoding="utf-8")
        self.reasons = [
            (entry["why"].strip(), list(_changes(entry["changes"])))
            for entry in _toml("equivalent.toml").get(module, ())
        ]
        self.file = KEPT / f"{module}.json"
        self.forget()
        if self.file.exists():
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            if kept["code"] == self.kept["code"]:
                self.kept = kept

    @cached_property
    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the lines they change."""
        return mutants_of(self.source)

    def forget(self) -> None:
        """Begin anew."""
        # What has become of each mutant that has met a test; the time it took, in all processes.
        self.kept: dict[str, Any] = {"code": code_of(self.source), "seconds": 0, "outcomes": {}}

    def run(self, benches: ProcessPoolExecutor, measured: reach.Measured, most: int | None) -> None:
        """Try the mutants not tried yet, of *most* taken at random; and the unexplained again."""
        tests = reach.Reach(measured, self.module, self.source)
        drawn = sorted(self.mutants, key=lambda mutant: _random(str(mutant.change)))[:most]
        again = self.unexplained()
        meetings = {}
        for mutant in drawn:
            if self.outcome(mutant) is None or mutant in again:
                meet = partial(bench.meet, all_of_them=mutant in again)
                case = self.module, mutant.source, tests.of(mutant.line)
                meetings[benches.submit(meet, *case)] = mutant
        print(f"{self.module}: {len(meetings)} mutants", flush=True)
        for meeting in as_completed(meetings):
            mutant = meetings[meeting]
            outcome, seconds = meeting.result()
            self.kept["seconds"] += seconds
            self.kept["outcomes"][mutant.code] = outcome
            self._keep()
            if outcome == PASSED:
                print(f"{self.module}.py, line {mutant.line}\n{mutant.change}", flush=True)
        self.kept["found"] = {
            "source": hashlib.sha256(self.source.encode()).hexdigest()[:8],
            "numbers": self.numbers(),
            "unexplained": [str(mutant.change) for mutant in self.unexplained()],
        }
        self._keep()

    def _keep(self) -> None:
        self.file.write_text(json.dumps(self.kept), encoding="utf-8")

    def outcome(self, mutant: Mutant) -> str | None:
        """Return what has become of it, or None if it has not been tried."""
        return self.kept["outcomes"].get(mutant.code)

    def survivors(self) -> list[Mutant]:
        """Those that no test has killed."""
        return [mutant for mutant in self.mutants if self.outcome(mutant) == PASSED]

    def unexplained(self) -> list[Mutant]:
        """Those of them that have no reason to survive."""
        known = {change for _, changes in self.reasons for change in changes}
        return [mutant for mutant in self.survivors() if mutant.change not in known]

    def complaints(self) -> Iterator[str]:
        """What is not as it should be."""
        for mutant in self.unexplained():
            place = f"{self.module}.py, line {mutant.line}"
            yield f"survives without a reason: {place}\n{mutant.change}"
        # Some that change nothing but the time it takes are late on one machine, not on another.
        # Of several that read the same, one that survives needs the reason.
        outcomes: dict[Change, set[str | None]] = {}
        for mutant in self.mutants:
            outcomes.setdefault(mutant.change, set()).add(self.outcome(mutant))
        for _, changes in self.reasons:
            for change in changes:
                if change not in outcomes:
                    yield f"has a reason but does not exist: {self.module}.py\n{change}"
                elif outcomes[change].isdisjoint((None, PASSED, LATE)):
                    yield f"has a reason but does not survive: {self.module}.py\n{change}"

    def numbers(self) -> list[int]:
        """How many exist, were tried, killed, late, survived, and that with a reason; minutes."""
        outcomes = [self.outcome(mutant) for mutant in self.mutants]
        tried = len(outcomes) - outcomes.count(None)
        late, alive = outcomes.count(LATE), outcomes.count(PASSED)
        equivalent = alive - len(self.unexplained())
        minutes = round(self.kept["seconds"] / 60)
        return [len(outcomes), tried, tried - late - alive, late, alive, equivalent, minutes]


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def _random(text: str) -> str:
    """Return what puts texts in an order that is random, but always the same."""
    return hashlib.sha256(text.encode()).hexdigest()


_UNEXPLAINED = """\
## Survivors without a reason

A test should kill them, or be written.  In its first run, a mutant has met no more than the 1000
tests that are the likeliest to fail, so a test that kills it may exist."""


def _page() -> str:
    """RESULTS.md, of all modules whose trial has come to an end, in this run or an earlier one."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    kept = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in _kept_files()}
    found = {module: trial["found"] for module, trial in kept.items() if "found" in trial}
    unexplained = [(module, text) for module in found for text in found[module]["unexplained"]]
    parts = [
        "# Results of mutation testing",
        f"""\
Written by `python tests/mutation`, whose header says what is done and when a mutant is killed:
cosmic-ray {version("cosmic-ray")}, {python} on {platform.system()} {platform.machine()} with
{os.cpu_count()} processors, {datetime.now(UTC):%Y-%m-%d}.
The minutes are those of one process.  Where fewer mutants were tried than exist, they were taken at
random.  The source that was tried is known by the beginning of its SHA-256.""",
        _table(found),
        *([_UNEXPLAINED] if unexplained else []),
        *(f"`{module}.py`\n\n{_diff([text])}" for module, text in unexplained),
        "## Survivors that change nothing",
    ]
    for module, entries in _toml("equivalent.toml").items():
        parts.append(f"### `{module}.py`")
        for entry in entries:
            parts += [entry["why"].strip(), _diff(_changes(entry["changes"]))]
    return "\n\n".join(parts) + "\n"


def _kept_files() -> list[Path]:
    return [file for module in (*MODULES, *INSIDE) if (file := KEPT / f"{module}.json").exists()]


def _table(found: dict[str, Any]) -> str:
    """The numbers of each module, in Markdown."""
    counts = [
        "mutants",
        "tried",
        "killed",
        "timed out",
        "survived",
        "of these equivalent",
        "minutes",
    ]
    head = ["module", "source", *counts]
    rows = [trial["numbers"] for trial in found.values()]
    lines = [
        [f"`{module}.py`", trial["source"], *map(str, trial["numbers"])]
        for module, trial in found.items()
    ]
    if len(rows) > 1:
        lines.append(["all", "", *(str(sum(column)) for column in zip(*rows, strict=True))])
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    rules = ["-" * width if n < 2 else "-" * (width - 1) + ":" for n, width in enumerate(widths)]
    padded = [
        [
            cell.ljust(width) if n < 2 else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in (head, rules, *lines)
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _diff(changes: Iterable[Change | str]) -> str:
    body = "\n".join(str(change) for change in changes)
    return f"```diff\n{body}\n```"


def _changes(text: str) -> Iterator[Change]:
    """Read what ``Change`` writes: one after the other."""
    for block in text.strip().removeprefix("@ ").split("\n@ "):
        function, *lines = block.strip().split("\n")
        before = tuple(line[2:] for line in lines if line.startswith("- "))
        after = tuple(line[2:] for line in lines if line.startswith("+ "))
        yield Change(function, before, after)


if __name__ == "__main__":
    sys.exit(main())
