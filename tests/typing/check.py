"""
Run mypy, pyright, pyrefly and ty over the files beside this one, each as strict as it can be.

``passes.py`` must have no error.  In ``fails.py`` a line with ``# error: mypy ty`` must have an
error of these checkers, and none of the others; every other line must have none.  A statement
with ``# refused at definition`` must raise, which is tried by running it::

    python tests/typing/check.py                     # the package in src
    python tests/typing/check.py --python PYTHON     # the one that this interpreter imports

The checkers are those of the environment that runs this.  The exit status is 1 if anything is
not as the files say.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Place = tuple[str, int]  # the name of a file and a line
    Found = tuple[str, int, str]  # and what is said of it
    Checker = Callable[[str, list[str], Path], Iterator[Found]]

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent.parent / "src"
PASSES, FAILS = FILES = [HERE / "passes.py", HERE / "fails.py"]
OLDEST = "3.11"  # the oldest Python that is supported

ERROR = re.compile(r"# error: ([a-z ]*[a-z])")
REFUSED = "# refused at definition"


# Each checker is told where to look for the package, and has a folder for its settings: those of
# the project are not for these files.


def mypy(python: str, search: list[str], _: Path) -> Iterator[Found]:
    options = ["--strict", "--warn-unreachable", "--enable-error-code=possibly-undefined"]
    options += [f"--python-executable={python}", f"--python-version={OLDEST}", "--no-incremental"]
    options += ["--config-file=", "--follow-imports=silent", "--no-pretty"]
    text = run(sys.executable, "-m", "mypy", *options, *FILES, MYPYPATH=os.pathsep.join(search))
    return parsed(text, r"(.+?):(\d+): error: (.*)")


def pyright(python: str, search: list[str], folder: Path) -> Iterator[Found]:
    settings = {
        "include": [os.path.relpath(file, folder) for file in FILES],
        "extraPaths": search,
        "pythonVersion": OLDEST,
        "typeCheckingMode": "strict",
    }
    project = folder / "pyrightconfig.json"
    project.write_text(json.dumps(settings))
    options = ["--project", project, "--pythonpath", python, "--outputjson"]
    text = run(sys.executable, "-m", "pyright", *options)
    answer = json.loads(text[text.index("{") :])
    if answer["summary"]["filesAnalyzed"] < len(FILES):
        raise RuntimeError("it has not found the files")
    for item in answer["generalDiagnostics"]:
        yield item["file"], item["range"]["start"]["line"] + 1, item["message"]


def pyrefly(python: str, search: list[str], folder: Path) -> Iterator[Found]:
    project = folder / "pyrefly.toml"
    project.write_text(f'preset = "strict"\npython-version = "{OLDEST}"\n')
    options = [f"--search-path={path}" for path in search]
    options += [f"--config={project}", f"--python-interpreter-path={python}"]
    options += ["--output-format=json", "--summary=none"]
    text = run(sys.executable, "-m", "pyrefly", "check", *options, *FILES)
    for item in json.loads(text)["errors"]:
        yield item["path"], item["line"], item["description"]


def ty(python: str, search: list[str], folder: Path) -> Iterator[Found]:
    project = folder / "ty.toml"
    project.touch()
    options = [f"--extra-search-path={path}" for path in search]
    options += [f"--config-file={project}", f"--python={python}", f"--python-version={OLDEST}"]
    options += ["--output-format=concise", "--no-progress", "--color=never"]
    options += ["--error=possibly-unresolved-reference"]  # not among the defaults
    text = run(sys.executable, "-m", "ty", "check", *options, *FILES)
    return parsed(text, r"(.+?):(\d+):\d+: (?:error|warning)(.*)")


def definition(python: str, search: list[str], _: Path) -> Iterator[Found]:
    """Not a checker, but the package itself: what it refuses when it is given it."""
    text = run(python, __file__, "--refused", PYTHONPATH=os.pathsep.join(search))
    for line, message in json.loads(text):
        yield FAILS.name, line, message


def run(*command: object, **environment: str) -> str:
    """Give what *command* writes.  Its status is 1 where it finds errors, which it is to do."""
    done = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise RuntimeError(f"status {done.returncode}\n{done.stdout}{done.stderr}".strip())
    return done.stdout


def parsed(text: str, pattern: str) -> Iterator[Found]:
    for match in map(re.compile(pattern).match, text.splitlines()):
        if match is not None:
            file, line, message = match.groups()
            yield file, int(line), message


def refused() -> Iterator[tuple[int, str]]:
    """Run ``fails.py`` but for what only checkers reject; give which statements raise, and what."""
    text = FAILS.read_text()
    lines = text.splitlines()
    names: dict[str, object] = {"__name__": FAILS.stem}
    for statement in ast.parse(text).body:
        decorators = getattr(statement, "decorator_list", [])
        first = min(node.lineno for node in (statement, *decorators))
        numbers = range(first, (statement.end_lineno or first) + 1)
        marked = [number for number in numbers if REFUSED in lines[number - 1]]
        if not marked and any(ERROR.search(lines[number - 1]) for number in numbers):
            continue
        try:
            exec(compile(ast.Module([statement], []), FAILS.name, "exec"), names)
        except (AttributeError, TypeError, ValueError) as error:
            yield (marked or [first])[0], f"{type(error).__name__}: {error}"


def marks() -> dict[str, set[Place]]:
    """Give where each checker, and the definition, is to reject what stands there."""
    names = {checker.__name__: set[tuple[str, int]]() for checker in CHECKERS}
    for file in FILES:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            match = ERROR.search(line)
            rejecting = match[1].split() if match else []
            if REFUSED in line and not line.startswith('"""'):
                rejecting.append(definition.__name__)
            for name in rejecting:
                names[name].add((file.name, number))
    return names


def asserted() -> set[Place]:
    """Give where a type is asserted, which is checked by having no error."""
    lines = enumerate(PASSES.read_text().splitlines(), 1)
    return {(PASSES.name, number) for number, line in lines if "assert_type(" in line}


def differences(found: Iterable[Found], wanted: set[Place]) -> dict[Place, str]:
    """Give each place that has an error and should not, or the other way round."""
    said = {(Path(file).name, line): message for file, line, message in found}
    wrong = dict.fromkeys(wanted - said.keys(), "no error")
    wrong |= {place: said[place] for place in said.keys() - wanted}
    return wrong


CHECKERS: list[Checker] = [mypy, pyright, pyrefly, ty, definition]


def main() -> int:
    """Print a line for each checker, after what is not as the files say."""
    parser = argparse.ArgumentParser(description="Check what type checkers see of the package.")
    parser.add_argument("--python", help="the interpreter that imports the package")
    parser.add_argument("--refused", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.refused:
        print(json.dumps(list(refused())))
        return 0
    python = options.python or sys.executable
    search = [] if options.python else [str(SOURCE)]
    wanted = marks()
    rejected = set[tuple[str, int]]().union(*(wanted[each.__name__] for each in CHECKERS[:-1]))
    passed = failed = 0
    for checker in CHECKERS:
        name = checker.__name__
        checks = wanted[name] if checker is definition else rejected | asserted()
        try:
            with tempfile.TemporaryDirectory() as folder:
                wrong = differences(checker(python, search, Path(folder)), wanted[name])
        except (OSError, RuntimeError, ValueError) as error:
            print(f"{name}: {error}")
            wrong = dict.fromkeys(checks, "")
        else:
            for (file, line), message in sorted(wrong.items()):
                print(f"{name}: {file}:{line}: {message}")
        right = len(checks - wrong.keys())
        print(f"{name}: {right} passed, {len(wrong)} failed")
        passed, failed = passed + right, failed + len(wrong)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
