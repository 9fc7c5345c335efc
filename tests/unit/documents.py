"""The code blocks of a Markdown page, to be run from top to bottom in one namespace.

A block of ``python`` is run; one with ``>>>`` is a doctest.  A block that shows what only goes
with packages outside the test extra says so on the line above it, as
``<!-- needs: requests, httpx -->``; it is run by the integration tests.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

_BLOCK = re.compile(
    r"(?:^<!-- needs: (?P<needs>[^>]+) -->\n)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    line: int
    code: str
    needs: list[str]


def blocks(page: Path) -> list[Block]:
    """The blocks of *page* in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            line=text.count("\n", 0, match.start("code")) + 1,
            code=match["code"],
            needs=(match["needs"] or "").replace(",", " ").split(),
        )
        for match in _BLOCK.finditer(text)
    ]


def run(page: Path, *, have: bool) -> int:
    """Run the blocks of *page*, those that need packages too if we *have* them; count them."""
    namespace: dict[str, object] = {"__name__": page.stem}
    chosen = [block for block in blocks(page) if have or not block.needs]
    for block in chosen:
        if ">>>" in block.code:
            _doctest(page, block, namespace)
        else:
            # Padded, so that a traceback tells the line of the page.
            source = "\n" * (block.line - 1) + block.code
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            code = compile(source, str(page), "exec", flags=flags)
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, namespace))
            else:
                exec(code, namespace)
    return len(chosen)


def _doctest(page: Path, block: Block, namespace: dict[str, object]) -> None:
    test = doctest.DocTestParser().get_doctest(
        block.code, namespace, page.name, str(page), block.line - 1
    )
    doctest.DebugRunner(optionflags=doctest.ELLIPSIS).run(test, clear_globs=False)
    namespace.update(test.globs)
