"""The benchmarks run, and their contestants do what they are compared at; nothing is timed."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from pathlib import Path
from unittest import mock

import by_hand
import compare
import contestants
import process
import pytest
import tables
from by_hand import ATTEMPTS, awaited, failing
from timing import Effort

BY_HAND, WAITING = "by hand", "waiting"
TINY = Effort(rounds=2, batch=0.0001, imports=1, calls=5, tasks=(20,))

# Of other people's code, which may be older than the interpreter that runs it.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("case", process.CASES)
def test_case(case):
    """Each case runs from start to end, and this library has a figure wherever it competes."""
    found = process.fresh(case, TINY)
    assert found
    for table in found:
        printed = tables.markdown(table)
        assert "retrying" in printed
        for figures in table.columns.values():
            assert figures
            assert any(name.startswith("retry") for name in figures)
            for figure in figures.values():
                assert math.isfinite(figure)
                assert figure >= 0 if case == "garbage" else figure > 0


class Counted:
    """A function, and how often it has been called."""

    def __init__(self, fn):
        self.fn = fn
        self.calls = 0

    def make(self):
        """Give it as a plain function, for which some ask."""

        def work(a):
            self.calls += 1
            return self.fn(a)

        return work


@pytest.fixture(params=[BY_HAND, contestants.OURS, *contestants.PEERS])
def contestant(request):
    """Each that is installed, and the loops by hand."""
    if request.param == BY_HAND:
        return contestants.Contestant(
            BY_HAND,
            {},
            by_hand.loop,
            by_hand.async_loop,
            lambda fn: by_hand.async_constant_loop(fn, contestants.WAIT),
        )
    try:
        return contestants.named(request.param)
    except ImportError:
        return pytest.skip("not installed")


def in_every_way(contestant, work):
    """Give (name, thunk) of each way in which *contestant* protects work(1); all are sync."""

    def run(source, names):
        is_async = "await" in source
        indented = source.replace("\n", "\n    ")
        namespace = dict(names)
        exec(f"{'async ' if is_async else ''}def block():\n    {indented}", namespace)
        block = namespace["block"]
        return (lambda: asyncio.run(block())) if is_async else block

    names = {**contestant.names, "f": work, "g": awaited(work)}
    if contestant.decorate is not None:
        yield "decorated", run("f(1)", {"f": contestant.decorate(work)})
    if contestant.decorate_async is not None:
        yield "async", run("await f(1)", {"f": contestant.decorate_async(awaited(work))})
    if contestant.decorate_waiting is not None:
        yield WAITING, run("await f(1)", {"f": contestant.decorate_waiting(awaited(work))})
    for form, source in contestant.loop.items():
        yield form, run(source.replace("BODY", "f(1)"), names)
    for form, source in contestant.async_loop.items():
        yield f"async {form}", run(source.replace("BODY", "await g(1)"), names)


@pytest.fixture
def waits():
    """The seconds that are slept, in no time."""
    slept = []

    async def sleep(seconds, result=None):
        slept.append(seconds)

    with mock.patch("time.sleep", slept.append), mock.patch("asyncio.sleep", sleep):
        yield slept


class TestContestants:
    """All do the same work, and none knows a shorter way."""

    def test_two_failures_take_three_calls_and_two_waits(self, waits, contestant):
        """In every form; the waits are as long as they should be."""
        for way, call in in_every_way(contestant, (counted := Counted(failing(2))).make()):
            waits.clear()
            counted.calls = 0
            call()
            assert counted.calls == 3, way
            assert len(waits) == 2, way
            longest = 3 * contestants.WAIT if way == WAITING else 2
            assert all(0 <= seconds <= longest for seconds in waits), way

    def test_the_last_failure_ends_it(self, waits, contestant):
        """Five calls and an exception, in every form; redo's loop only ends."""
        if not contestant.gives_up:
            pytest.skip("it has no limit of attempts")
        for way, call in in_every_way(contestant, (counted := Counted(by_hand.lost)).make()):
            counted.calls = 0
            if way == WAITING:  # in which nothing fails more than twice
                continue
            if contestant.name == "redo" and way == "in place":
                call()
            else:
                with pytest.raises(Exception):  # noqa: B017, PT011 - hyx has one of its own
                    call()
            assert counted.calls == ATTEMPTS, way


class TestTables:
    """Medians over processes, and ratios to the first row."""

    def test_the_median_is_taken_of_each_figure(self):
        """Not of the runs as a whole."""
        runs = [tables.Table("t", {"c": {"x": x, "y": y}}) for x, y in [(1, 30), (2, 10), (3, 20)]]
        assert tables.median(runs).columns == {"c": {"x": 2, "y": 20}}

    def test_markdown(self):
        """A row that a column does not have stays empty."""
        table = tables.Table("t", {"a": {"x": 1000.0, "y": 2500.0}, "b": {"x": 4.0}})
        assert tables.markdown(table).splitlines() == [
            "### t",
            "",
            "|     |     a | ratio |   b | ratio |",
            "| :-- | ----: | ----: | --: | ----: |",
            "| x   | 1 000 |  1.00 |   4 |  1.00 |",
            "| y   | 2 500 |  2.50 |     |       |",
        ]

    def test_there_and_back(self):
        """As one process tells another."""
        table = tables.Table("t", {"a": {"x": 1.5}}, ratios=False, digits=1, note="n")
        assert tables.from_json(tables.to_json([table])) == [table]


def command(*arguments):
    """Run the command."""
    folder = str(Path(__file__).parent)
    return subprocess.run([sys.executable, folder, *arguments], capture_output=True, text=True)


class TestCommand:
    """It says with what it was measured, and refuses what it does not know."""

    def test_it_prints_a_table(self):
        """Below what it was made with."""
        done = command("--quick", "--no-peers", "--processes", "1", "--only", "construction")
        assert done.returncode == 0, done.stderr
        assert "retrying_elegant" in done.stdout
        assert "| :-" in done.stdout
        assert "tenacity" not in done.stdout

    @pytest.mark.parametrize("wrong", [("--only", "nothing"), ("--processes", "0")])
    def test_refused(self, wrong):
        """As every command refuses what it does not know."""
        assert command(*wrong).returncode == 2


class TestComparison:
    """The table in the README is that of ``compare.py``."""

    def test_what_each_library_does(self):
        """Attempts, waits, error, note, frames, forms: cell by cell. Costs are not compared."""
        readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
        lines = [line[1:-1].split("|") for line in readme.splitlines() if line[:2] == "| "]
        (_, *names), *rows = [[cell.strip() for cell in cells] for cells in lines]
        shown = {label: dict(zip(names, cells, strict=True)) for label, *cells in rows}
        for name, call in compare.CALLS.items():
            for label, found in (compare.behavior(call) | compare.forms(name, call)).items():
                assert shown[label][name] == found, (name, label)
