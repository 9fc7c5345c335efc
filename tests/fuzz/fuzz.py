"""Coverage-guided fuzzing of ``web`` and ``db``, for so many seconds.

    python tests/fuzz/fuzz.py [web|db] [SECONDS] [options of libFuzzer]

Both, and 60 seconds, unless said otherwise.  Exit status 0: nothing was found.  What is found is
printed with its traceback and kept in build/fuzz; ``python tests/fuzz/fuzz.py [web|db] FILE`` plays
it again, and belongs into tests/unit as an example of its own once it is understood.  Needs the
extra ``fuzz``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["retrying_elegant", "fuzz_cases", "fuzz_db_cases", "fuzz_oracle"]
):
    import fuzz_cases
    import fuzz_db_cases

FOUND = Path(__file__).parents[2] / "build" / "fuzz"


def check_both(data: bytes) -> None:
    """A case of ``db`` if the first byte is even, of ``web`` otherwise."""
    if data[:1] and data[0] % 2 == 0:
        fuzz_db_cases.check(data[1:])
    else:
        fuzz_cases.check(data[1:])


CHECKS = {"web": fuzz_cases.check, "db": fuzz_db_cases.check}


def main(arguments: list[str]) -> None:
    FOUND.mkdir(parents=True, exist_ok=True)
    check = check_both
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
