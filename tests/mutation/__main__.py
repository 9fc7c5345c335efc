"""
Mutation testing of the core: break it on purpose, one small change at a time, and see a test fail.

    python tests/mutation                  # everything
    python tests/mutation backoff web      # these modules only
    python tests/mutation --quick          # only with the tests of plan.toml; RESULTS.md stays
    python tests/mutation --thorough       # all survivors meet all unit tests
    python tests/mutation --again          # forget what earlier runs have killed

It needs the extras ``test`` and ``mutation``, and a system that can fork.  What becomes of the
mutants is kept under ``build/mutation``, so that a run goes on where an earlier one stopped, and
written to ``RESULTS.md`` for every module that has been tried to the end as it is now; how long
that takes stands there.

A mutant (``mutants.py`` says what they are) meets the tests that ``plan.toml`` names for its
module, and if it survives those, all unit tests.  It is killed when one fails, or when they take
several times as long as without it.  One that survives must behave as the original does, and
``equivalent.toml`` must say why; those with a reason there meet all unit tests only if asked to,
for each takes as long as the whole suite.  The exit status is 1 if one survives without a reason,
or if a reason is given for one that does not survive.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import platform
import shlex
import sys
import tempfile
import tomllib
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bench
from bench import LATE, PASSED
from mutants import Change, Mutant, mutants_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HERE = Path(__file__).resolve().parent
KEPT = bench.ROOT / "build" / "mutation"
ALL_TESTS = ["tests/unit"]


def main() -> int:
    """Run the command line."""
    plan = _toml("plan.toml")
    assert __doc__ is not None
    parser = argparse.ArgumentParser("python tests/mutation", description=__doc__.split("\n")[1])
    parser.add_argument("modules", nargs="*", choices=[[], *plan], metavar="MODULE")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: all)")
    parser.add_argument("--quick", action="store_true", help="only the tests of plan.toml")
    parser.add_argument("--thorough", action="store_true", help="all tests for all survivors")
    parser.add_argument("--again", action="store_true", help="forget what earlier runs have killed")
    options = parser.parse_args()

    trials = [Trial(module) for module in plan]
    chosen = [trial for trial in trials if trial.module in (options.modules or plan)]
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        benches = ProcessPoolExecutor(
            options.jobs, multiprocessing.get_context("spawn"), bench.set_up, (folder,)
        )
        with benches:
            for trial in chosen:
                if options.again:
                    trial.forget()
                tests = [f"tests/unit/{name}" for name in plan[trial.module]]
                trial.meet(benches, tests, trial.survivors())
                if options.thorough:
                    trial.meet(benches, ALL_TESTS, trial.survivors())
                elif not options.quick:
                    trial.meet(benches, ALL_TESTS, trial.unexplained())
                if not options.quick:
                    trial.end()

    if not options.quick:
        ended = [trial for trial in trials if trial.has_ended()]
        (HERE / "RESULTS.md").write_text(_page(ended), encoding="utf-8")
    print(_table(chosen))
    complaints = [text for trial in chosen for text in trial.complaints()]
    print(*complaints, sep="\n\n")
    return bool(complaints)


class Trial:
    """The mutants of one *module*: what has become of them, and why some survive."""

    def __init__(self, module: str) -> None:
        self.module = module
        self.source = (bench.ROOT / bench.PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        self.reasons = [
            (entry["why"].strip(), list(_changes(entry["changes"])))
            for entry in _toml("equivalent.toml").get(module, ())
        ]
        self.file = KEPT / f"{module}.json"
        self.forget()
        if self.file.exists():
            kept = json.loads(self.file.read_text(encoding="utf-8"))
            if kept["source"] == self.kept["source"]:
                self.kept = kept

    @cached_property
    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the lines they change."""
        return mutants_of(self.source)

    def forget(self) -> None:
        """Begin anew."""
        # What has become of each mutant that has met a test; the time it took, in all processes.
        self.kept: dict[str, Any] = {"source": _digest(self.source), "seconds": 0, "outcomes": {}}

    def end(self) -> None:
        """Keep that the survivors have met all that they had to."""
        for mutant in self.survivors():
            self.kept["outcomes"][_digest(mutant.source)] = "survived"
        self._keep()

    def has_ended(self) -> bool:
        """Whether that is so of all."""
        outcomes = self.kept["outcomes"]
        return bool(outcomes) and all(_digest(one.source) in outcomes for one in self.mutants)

    def survivors(self) -> list[Mutant]:
        """Those that no test has killed yet."""
        outcomes = self.kept["outcomes"]
        alive = {None, "survived"}
        return [one for one in self.mutants if outcomes.get(_digest(one.source)) in alive]

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
        outcomes = self.kept["outcomes"]
        late = {one.change for one in self.mutants if outcomes.get(_digest(one.source)) == LATE}
        spared = late | {mutant.change for mutant in self.survivors()}
        for _, changes in self.reasons:
            for change in changes:
                if change not in spared:
                    yield f"has a reason but does not survive: {self.module}.py\n{change}"

    def meet(self, benches: ProcessPoolExecutor, tests: list[str], mutants: list[Mutant]) -> None:
        """Let *mutants* meet *tests*."""
        if not mutants:
            return
        print(f"{self.module}: {len(mutants)} mutants meet {shlex.join(tests)}", flush=True)
        outcome, seconds = benches.submit(
            bench.meet, self.module, self.source, tests, 3600.0
        ).result()
        if outcome != PASSED:
            raise SystemExit(f"{self.module}: without any mutant, this fails: {outcome}")
        patience = 5 + 4 * seconds
        meetings = {
            benches.submit(bench.meet, self.module, mutant.source, tests, patience): mutant
            for mutant in mutants
        }
        for meeting in as_completed(meetings):
            outcome, seconds = meeting.result()
            self.kept["seconds"] += seconds
            if outcome != PASSED:
                self.kept["outcomes"][_digest(meetings[meeting].source)] = outcome
            self._keep()
        print(f"{self.module}: {len(self.survivors())} survive", flush=True)

    def _keep(self) -> None:
        KEPT.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps(self.kept), encoding="utf-8")

    def numbers(self) -> list[int]:
        """How many there are, were killed, timed out, survived, and that with a reason; minutes."""
        outcomes = [self.kept["outcomes"].get(_digest(mutant.source)) for mutant in self.mutants]
        late, alive = outcomes.count(LATE), len(self.survivors())
        killed = len(outcomes) - late - alive
        equivalent = alive - len(self.unexplained())
        return [len(outcomes), killed, late, alive, equivalent, round(self.kept["seconds"] / 60)]


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _page(trials: list[Trial]) -> str:
    """RESULTS.md."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    unexplained = [(trial, mutant) for trial in trials for mutant in trial.unexplained()]
    parts = [
        "# Results of mutation testing",
        f"""\
Written by `python tests/mutation`, whose header says what is done and when a mutant is killed:
cosmic-ray {version("cosmic-ray")}, {python} on {platform.system()} {platform.machine()} with
{os.cpu_count()} processors, {datetime.now(UTC):%Y-%m-%d}.
The minutes are those of one process; the source is known by the beginning of its SHA-256.""",
        _table(trials),
        *(["## Survivors that a test should kill"] if unexplained else []),
        *(f"`{trial.module}.py`\n\n{_diff([mutant.change])}" for trial, mutant in unexplained),
        "## Survivors that change nothing",
    ]
    for trial in trials:
        if trial.reasons:
            parts.append(f"### `{trial.module}.py`")
        for why, changes in trial.reasons:
            parts += [why, _diff(changes)]
    return "\n\n".join(parts) + "\n"


def _table(trials: list[Trial]) -> str:
    """The numbers, in Markdown."""
    counts = ["mutants", "killed", "timed out", "survived", "of these equivalent", "minutes"]
    head = ["module", "source", *counts]
    rows = [trial.numbers() for trial in trials]
    lines = [
        [f"`{trial.module}.py`", trial.kept["source"][:8], *map(str, row)]
        for trial, row in zip(trials, rows, strict=True)
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


def _diff(changes: Iterable[Change]) -> str:
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
