"""The page of promises: every test that it names is there."""

from __future__ import annotations

import re
from functools import cache

import documents

PAGE = documents.ROOT / "docs" / "promises.md"
TEXT = PAGE.read_text(encoding="utf-8")

# What begins like a path in the repository, with or without `::Class::test` behind it.
NAMED = sorted(set(re.findall(r"`((?:tests|docs)/[^`]*)`", TEXT)))


@cache
def names_in(path):
    """The classes and functions of the Python file, as `Class`, `Class::method` or `function`."""
    names, outer = set(), ""
    source = (documents.ROOT / path).read_text(encoding="utf-8")
    for indent, name in re.findall(r"^( {4}|)(?:class|def|async def) (\w+)", source, re.MULTILINE):
        outer = outer if indent else name
        names.add(f"{outer}::{name}" if indent else name)
    return names


def is_there(named):
    """Whether what is *named* exists: a file or folder, and what stands in it."""
    path, _, name = named.partition("::")
    return (documents.ROOT / path).exists() and (not name or name in names_in(path))


class TestPromises:
    """Every test file, class and function that the page names exists."""

    def test_it_is_there(self):
        """By the same name, in the same place."""
        assert len(NAMED) > 200
        assert [named for named in NAMED if not is_there(named)] == []

    def test_what_is_not_there_is_missed(self):
        """A check that finds everything would find nothing out."""
        here = "tests/unit/docs/test_promises.py"
        assert is_there(f"{here}::TestPromises::test_it_is_there")
        assert not is_there(f"{here}::TestPromises::test_nothing")
        assert not is_there(f"{here}::test_it_is_there")
        assert not is_there("tests/unit/test_nothing.py")

    def test_every_promise_names_a_test(self):
        """Each row of each table."""
        rows = re.findall(r"^\| (?!Promise|Elsewhere)(.*) \|$", TEXT, re.MULTILINE)
        without = [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]]
        assert len(rows) > 50
        assert without == []

    def test_its_links_lead_to_pages(self):
        """Those to other pages of the documentation."""
        links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
        assert links
        assert [link for link in links if not (PAGE.parent / link).exists()] == []
