"""The English of pages, docstrings and comments: phrases that readers stumble over stay out.

Each of these has crept in before.  All have a plain equivalent in the vocabulary of the field,
which is named beside them.  Code and quotations are not counted.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from functools import cache
from pathlib import Path

import documents
import pytest

import retrying_elegant

# What is written, and what to write instead.  Matched regardless of case.
PHRASES = {
    r"(errors?|exceptions?|failures?) (then |also |always )?leaves?": "is raised, propagates",
    r"leaves (at once|as it came|unretried)|it (then leaves|left)": "is raised unchanged",
    r"(?<!connection )(is|are|be) refused|refuses?": "is rejected, raises TypeError",
    r"plain (functions?|code|loops?|for|clients?)": "synchronous function, regular for",
    r"(?<!there )(is|are) no (?!longer\b)[a-z]+": "is not a",
    r"nobody|nothing (has|looks|wants|sees|asks|waits|knows|would)": "the passive",
    r"(is|are|be|been) asked": "is called, is evaluated",
    r"(is|are|be|been) told|tells": "is notified, says",
    r"stands?(?![-\w]| still)": "is in, appears in",
    r", for (it|they|the|that|what|an?|its) [a-z]+ (is|are|has|have|may|can|does|was)": "because",
    r"(each|a|next|every|one|first|last) pass(es)?": "iteration, attempt",
    r"(the )?other side": "the server, the service",
    r"verdicts?": "result, classification",
    r"(goes|go) on|comes? (round|again)": "continues, repeats",
    r"(in|into|put into) words": "formatted, described",
    r"mend(s|ed)?|cures?|cured|heed(s|ed)?": "fix, resolve, honor",
    r"may pass|pass(es)? by (itself|themselves)|fares? better": "is transient, may succeed",
    r"carr(y|ies|ied) out": "execute, process",
    r"lets? go of": "releases",
    r"anew|afresh": "again",
    r"(six|all|every|other) ways? in": "entry points",
    r"the (books|rooms?|house)": "state, modules, architecture",
    r"at hand|in earnest|to the letter": "available, in production, exactly",
    r"being kind|kind to": "protecting",
    r"whoever|somebody": "you, someone",
    r"likewise|meanwhile": "the same applies, as above; in the meantime",
}
ALL = re.compile("|".join(rf"\b(?:{phrase})\b" for phrase in PHRASES), re.IGNORECASE)
# How many are accepted.  There are sentences in which one of these is the right word.
IN_PAGES, IN_SOURCE = 1, 1

PAGES = [page for page in documents.PAGES if ".zh" not in page.name and page.parent.name != "zh"]
SOURCES = sorted(Path(retrying_elegant.__file__).parent.rglob("*.py"))

BRITISH = re.compile(
    r"\b(behaviour|colour|favour|honour|neighbour|cancell(ed|ing)|labelled|signalled|licence|grey"
    r"|(recogn|normal|serial|optim|initial|synchron|final)is(e[ds]?|ing|ation))\w*",
    re.IGNORECASE,
)

_NOT_PROSE = re.compile(
    r"^```.*?^```$"  # blocks of code
    r"|^( *)(>>>|\.\.\. ).*$"  # doctests
    r"|``[^`]+``|`[^`\n]+`"  # code in a line
    r"|\"[^\"\n]{1,200}\"|\u201c[^\u201d]*\u201d"  # quotations
    r"|\]\([^)\s]+\)|https?://\S+",  # targets of links
    re.DOTALL | re.MULTILINE,
)


@cache
def prose(text):
    """What of *text* is read as English: no code, no quotations, no targets of links."""
    return " ".join(_NOT_PROSE.sub(" ", text).split())


@cache
def written_in(path):
    """The docstrings and comments of a Python file."""
    source = path.read_text(encoding="utf-8")
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(n) for n in ast.walk(ast.parse(source)) if isinstance(n, kinds)]
    comments = [
        token.string.lstrip("# ")
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    ]
    return "\n\n".join([*filter(None, found), *comments])


def phrases(text):
    """The phrases in *text*, with how often each is there."""
    return Counter(match.group().lower() for match in ALL.finditer(prose(text)))


def report(texts):
    """All phrases in *texts*, and where they are."""
    found = {path: phrases(text) for path, text in texts.items()}
    lines = [f"{path.name}: {dict(counted)}" for path, counted in found.items() if counted]
    return sum(counted.total() for counted in found.values()), "\n".join(lines)


class TestEnglish:
    """Pages and source are written in the vocabulary of the field."""

    def test_pages(self):
        """A handful of exceptions in all pages together."""
        count, where = report({page: page.read_text(encoding="utf-8") for page in PAGES})
        assert count <= IN_PAGES, where

    def test_docstrings_and_comments(self):
        """Likewise in the source."""
        count, where = report({path: written_in(path) for path in SOURCES})
        assert count <= IN_SOURCE, where

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_american_spelling(self, page):
        """As in the names of Python itself: serialize, behavior, canceled."""
        text = prose(page.read_text(encoding="utf-8"))
        assert [match.group() for match in BRITISH.finditer(text)] == []

    def test_there_is_something_to_read(self):
        """Looking in the wrong place would find nothing wrong."""
        assert len(PAGES) > 20
        assert len(SOURCES) > 20
        assert sum(len(prose(page.read_text(encoding="utf-8")).split()) for page in PAGES) > 15_000
        assert sum(len(prose(written_in(path)).split()) for path in SOURCES) > 5_000


class TestTheCount:
    """It sees phrases in prose, and only there."""

    @pytest.mark.parametrize(
        "text",
        [
            "Your own exception leaves, with a note.",
            "The error\nthen leaves.",
            "A class of that kind is refused at definition.",
            "It is no HTTP.",
            "Nobody sees it.",
            "Hints of the other side",
            "as long as it stands here",
        ],
    )
    def test_a_phrase_is_counted(self, text):
        """Once, over the end of a line too."""
        assert phrases(text).total() == 1

    @pytest.mark.parametrize(
        "text",
        [
            "`the error leaves`",
            'The log says "is refused".',
            "```python\nstands = 1  # it stands here\n```",
            ">>> stands",
            "[budgets](the-other-side.md)",
            "The error is raised, and a standalone server continues.",
            "There is no retry; the connection was refused, and is no longer used.",
        ],
    )
    def test_code_and_quotations_are_not(self, text):
        """Nor words that merely contain one."""
        assert phrases(text).total() == 0
