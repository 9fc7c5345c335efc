"""llms.txt: the whole library on one page of text, for coding assistants.

Owns how that page is put together.  Leaves the rules, and correct beside incorrect use, to
``llms-rules.txt``, the API to the docstrings, and the table of equivalents to ``coming-from.md``.
Knows no Sphinx until it is part of a build; the unit tests run its examples.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import names

import retrying_elegant
from retrying_elegant import Policy, retry, retrying

if TYPE_CHECKING:
    from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]
# Users receive these and do not create them.
RECEIVED = {"Attempt", "GiveUp", "instrumentation.Handle"}


def _signature(name: str, value: object) -> str:
    if not callable(value) or name in RECEIVED:
        return name
    try:
        found = list(inspect.signature(value).parameters.values())
    except ValueError:
        return name
    if value is retry or value is retrying:
        own = "fallback=None" if value is retry else "raises=True"
        _, *fields = inspect.signature(Policy).parameters.values()
        by_keyword = [each.replace(kind=each.KEYWORD_ONLY) for each in fields if _shown(each)]
        return f"{name}(policy=5, /, *, {own}, {_text(by_keyword).removeprefix('(*, ')}"
    return f"{name}{_text([each for each in found if _shown(each)])}"


def _shown(parameter: inspect.Parameter) -> bool:
    # `unknown` catches keywords that are misspelled.
    return parameter.name not in {"self", "unknown"}


def _text(parameters: list[inspect.Parameter]) -> str:
    bare = [each.replace(annotation=each.empty) for each in parameters]
    text = str(inspect.Signature(bare)).replace("<class 'Exception'>", "Exception")
    return text.replace("log_level=30", "log_level=logging.WARNING")


def _docstring(value: object) -> str:
    """Return a docstring without the roles of reStructuredText."""
    text = inspect.getdoc(value) or ""
    text = re.sub(r":\w+:`~?\.?(?:[^`<]*<)?([^`>]+)>?`", r"`\1`", text)
    return text.replace("``", "`")


def _api() -> str:
    parts = ["## API\n"]
    for name, value in names.public().items():
        signature = _signature(name, value)
        parts.append(f"### {name}\n\n`{signature}`\n\n{_docstring(value)}\n")
    return "\n".join(parts)


def _equivalents() -> str:
    """Return the tables of the page for those who come from other libraries."""
    page = (DOCS / "coming-from.md").read_text(encoding="utf-8")
    start = page.index("\n## ", page.index("## What the tables use") + 1)
    end = page.index("\n## What people search for")
    helpers = re.findall(r"```python\n.*?```", page[:start], re.DOTALL)
    kept = []
    for line in page[start:end].splitlines():
        if line.startswith(("## ", "| ")) and "*Not here.*" not in line:
            kept.append(line.replace("<br>", " ; ") if line.startswith("| ") else f"\n#{line}\n")
        elif line.startswith("|---"):
            kept.append(line)
        elif line.startswith("### "):
            kept.append(f"\n#{line}\n")
    return (
        "## Equivalents for other libraries\n\n"
        "Left: theirs. Right: ours. Lines of code are separated by ` ; `. The rows use:\n\n"
        + "\n\n".join(helpers)
        + "\n"
        + re.sub(r"\n{3,}", "\n\n", "\n".join(kept))
    )


def text() -> str:
    """Return the page."""
    rules = Path(__file__).with_name("llms-rules.txt").read_text(encoding="utf-8")
    rules = rules.replace("{version}", retrying_elegant.__version__)
    return f"{rules}\n{_api()}\n{_equivalents()}\n"


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        Path(app.outdir, "llms.txt").write_text(text(), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the page beside those of the site."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}
