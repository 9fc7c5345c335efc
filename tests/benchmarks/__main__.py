"""
Benchmarks: what a retry costs, beside code written by hand and beside other libraries.

Every figure is the median over several fresh processes of the fastest batch in
each.  Ratios are to the first row of the same table that has the column.

    pip install --editable '.[benchmark]'
    python tests/benchmarks
    python tests/benchmarks --quick --only success,loop --no-peers
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import machine
import process
import tables
from timing import Effort

QUICK = Effort(rounds=15, imports=3, calls=100, tasks=(10_000,))

# Where objects are counted, or each process starts many more.
FEWER = {"garbage": 1, "import": 3, "tasks": 3}


def main(arguments: list[str] | None = None) -> None:
    """Measure what is asked for, and print it."""
    options = _parser().parse_args(arguments)
    effort = (QUICK if options.quick else Effort())._replace(peers=options.peers)
    processes = options.processes or (3 if options.quick else 7)
    print("\n".join(f"- {line}" for line in machine.lines(peers=options.peers)))
    print(f"- The median over processes, of the fastest of {effort.rounds} batches in each;")
    print("  contestants take turns, and the garbage collector is off while a batch runs")
    for case in options.only:
        times = min(processes, FEWER.get(case, processes))
        try:
            runs = [process.fresh(case, effort) for _ in range(times)]
        except subprocess.CalledProcessError:
            sys.exit(f"{case}: failed, for the reason above")
        for found in zip(*runs, strict=True):
            print(f"\n{tables.markdown(tables.median(found))}\n\nProcesses: {times}.", flush=True)


def _parser() -> argparse.ArgumentParser:
    summary, _, rest = str(__doc__).strip().partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks",
        description=f"{summary}\n\n{rest}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="fewer processes and shorter runs")
    parser.add_argument("--processes", type=_positive, metavar="N", help="default 7, quick 3")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="only this library")
    parser.add_argument(
        "--only",
        type=_cases,
        metavar="CASE,...",
        default=process.CASES,
        help=f"of {', '.join(process.CASES)}",
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number}: expected 1 or more")
    return number


def _cases(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in process.CASES:
            raise argparse.ArgumentTypeError(f"{name}: expected one of {', '.join(process.CASES)}")
    return names


if __name__ == "__main__":
    main()
