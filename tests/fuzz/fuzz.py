"""Coverage-guided fuzzing of ``web``, ``db`` and what is reported, for so many seconds.

    python tests/fuzz/fuzz.py [web|db|records] [SECONDS] [options of libFuzzer]

All, and 60 seconds, unless said otherwise.  Exit status 0: nothing was found.  What is found is
printed with its traceback and kept in build/fuzz; the same command with that FILE in place of
SECONDS plays it again, and it belongs into tests/unit as an example of its own once it is
understood.  Needs the extra ``fuzz``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["retrying_elegant", "fuzz_cases", "fuzz_db_cases", "fuzz_oracle", "fuzz_record_cases"]
):
    import fuzz_cases
    import fuzz_db_cases
    import fuzz_record_cases

FOUND = Path(__file__).parents[2] / "build" / "fuzz"


CHECKS = {
    "web": fuzz_cases.check,
    "db": fuzz_db_cases.check,
    "records": fuzz_record_cases.check,
}


def check_any(data: bytes) -> None:
    """A case of the one that the first byte chooses."""
    chosen = [*CHECKS.values()][data[0] % len(CHECKS)] if data else fuzz_cases.check
    chosen(data[1:])


def main(arguments: list[str]) -> None:
    FOUND.mkdir(parents=True, exist_ok=True)
    check = check_any
    if arguments and arguments[0] in CHECKS:
        check, arguments = CHECKS[arguments[0]], arguments[1:]
    options = [f"-artifact_prefix={FOUND}/", "-max_len=400", "-timeout=10"]
    if not arguments or arguments[0].startswith("-"):
        arguments = ["60", *arguments]
    if not Path(arguments[0]).exists():
        arguments[0] = f"-max_total_time={int(arguments[0])}"
    atheris.Setup([sys.argv[0], *options, *arguments], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
