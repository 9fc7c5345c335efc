"""Guides and reference lead to each other, and llms.txt has the whole library on one page."""

from __future__ import annotations

import builtins
import re
import sys

import documents
import pytest

import retrying_elegant
from retrying_elegant import testing

sys.path.append(str(documents.ROOT / "docs" / "_extensions"))

import llms
import names

NAMES = names.public()
PAGE = llms.text()
_EXAMPLE = re.compile(
    r"(?:^Wrong(?: \(raises (?P<raises>\w+)\))?:\n\n)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


class TestGuides:
    """Each name of the package has guides that explain it."""

    def test_each_has_one_that_mentions_it(self):
        """And every guide that is listed exists."""
        assert [name for name in retrying_elegant.__all__ if not names.guides(name)] == []
        for name in retrying_elegant.__all__:
            for page in names.guides(name):
                text = (documents.ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
                assert re.search(rf"\b{name}\b", text, re.IGNORECASE), (name, page)


class TestMentions:
    """Code in prose that is about a public name leads to it."""

    @pytest.mark.parametrize(
        ("code", "name"),
        [
            ("retry", "retry"),
            ("@retry", "retry"),
            ("given_up(error)", "given_up"),
            ("attempt.timeout", "Attempt.timeout"),
            ("policy.preview()", "Policy.preview"),
            ("on=web.transient", "web.transient"),
            ("raise TryAgain", "TryAgain"),
            ("backoff.exponential(0.1, cap=5)", "backoff.exponential"),
            ("budget.tokens", "RetryBudget.tokens"),
        ],
    )
    def test_found(self, code, name):
        """With or without arguments, also as the value of a keyword."""
        assert names.mentioned(code, NAMES) == name

    @pytest.mark.parametrize("code", ["timeout", "Retry-After", "asyncio.timeout", "attempts=3"])
    def test_not_found(self, code):
        """Other code is left alone."""
        assert names.mentioned(code, NAMES) is None

    @pytest.mark.parametrize(
        ("code", "page", "name"),
        [
            ("constant(2)", "backoff", "backoff.constant"),
            ("constant(2)", "choosing", None),
            ("capacity", "budgets", "RetryBudget.capacity"),
            (".replace", "libraries", "Policy.replace"),
            ("attempt.args[0]", "clients", "Attempt.args"),
            ("retry", "start", "retry"),
            ("retry", "command-line", None),
        ],
    )
    def test_on_a_page(self, code, page, name):
        """A page writes its own names without their module; some are not ours there."""
        assert names.mentioned(code, NAMES, page) == name

    def test_every_name_is_mentioned(self):
        """In the prose of a guide, so that a guide leads to each entry of the reference."""
        found = set()
        for path in (documents.ROOT / "docs").glob("*.md"):
            if path.stem not in {"reference", "contract", "changelog", "coming-from"}:
                text = re.sub(
                    r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M
                )
                codes = re.findall(r"`([^`]+)`", text)
                found |= {names.mentioned(code, NAMES, path.stem) for code in codes}
        assert set(NAMES) - found == set()


class TestLlms:
    """llms.txt: everything public, examples that run, and equivalents for other libraries."""

    def test_every_public_name_is_there(self):
        """With what its docstring says."""
        assert len(NAMES) > 50
        for name in NAMES:
            entry = PAGE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
            assert name.rpartition(".")[2] in entry, name
            assert len(entry.split()) > 5, name

    def test_its_examples_run(self):
        """From top to bottom; those that are wrong raise what the page says, or run."""
        examples = list(_EXAMPLE.finditer(PAGE))
        assert len(examples) > 30
        namespace = {"__name__": "llms", "print": lambda *_: None}
        for example in examples:
            code, error = example["code"], example["raises"]
            expected = namespace.get(error) or getattr(builtins, error or "", None)
            with testing.instant():
                if error:
                    with pytest.raises(expected):
                        exec(code, namespace)
                else:
                    exec(code, namespace)

    def test_every_other_library_has_its_table(self):
        """As many rows with code of ours as the page for those who come from there."""
        ours = (documents.ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
        wanted = [line for line in ours.splitlines() if re.match(r"\| .*`.* \| .*`.* \|$", line)]
        rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
        assert len(wanted) > 200
        assert len(rows) >= 0.9 * len(wanted)
        for library in ("tenacity", "stamina", "backoff", "retrying", "opnieuw"):
            assert f"\n### {library}\n" in PAGE

    def test_nothing_of_another_notation_is_left(self):
        """It is Markdown: no roles of reStructuredText, no double backticks, no line breaks."""
        assert not re.search(r":(class|func|meth|mod|exc|attr):`", PAGE)
        assert "``" not in PAGE.replace("```", "")
        assert "<br>" not in PAGE
