"""The code blocks of a Markdown page, to be run from top to bottom in one namespace.

A block of ``python`` is run; one with ``>>>`` is a doctest.  A block that shows what only goes
with packages outside the test extra says so on the line above it, as
``<!-- needs: requests, httpx -->``; one that calls something real, such as a server, names it as
``<!-- given: url -->``, on a line of its own after that.  Both are run by the integration tests,
which put what is given into the namespace.
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
    r"(?:^<!-- needs: (?P<needs>[^>]+) -->\n)?(?:^<!-- given: (?P<given>[^>]+) -->\n)?"
    r"^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class Block(NamedTuple):
    line: int
    code: str
    needs: list[str]
    given: list[str]

    @property
    def runs_anywhere(self) -> bool:
        """Whether it asks for nothing but the test extra."""
        return not self.needs and not self.given


def blocks(page: Path) -> list[Block]:
    """The blocks of *page* in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            line=text.count("\n", 0, match.start("code")) + 1,
            code=match["code"],
            needs=_names(match["needs"]),
            given=_names(match["given"]),
        )
        for match in _BLOCK.finditer(text)
    ]


def _names(text: str | None) -> list[str]:
    return (text or "").replace(",", " ").split()


def run(page: Path, *, have: bool, namespace: dict[str, object] | None = None) -> int:
    """
    Run the blocks of *page*, those that ask for something too if we *have* it; count them.

    *namespace* holds what is given, and afterwards the names of the page as well.
    """
    namespace = {} if namespace is None else namespace
    namespace["__name__"] = page.stem
    chosen = [block for block in blocks(page) if have or block.runs_anywhere]
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
