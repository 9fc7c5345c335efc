"""What the package claims to support, it says alike everywhere, and claims nothing untested."""

from __future__ import annotations

import re
import tomllib

import documents
import pytest

PROJECT = tomllib.loads((documents.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SUPPORT = (documents.ROOT / "docs" / "support.md").read_text(encoding="utf-8")
CLASSIFIED = [
    text.rpartition(" :: ")[2]
    for text in PROJECT["classifiers"]
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", text)
]


class TestVersions:
    """The versions of Python are the same wherever they are named."""

    def test_the_support_policy_lists_them(self):
        """All of them, in order."""
        section = SUPPORT.partition("## Python versions")[2].partition("\n## ")[0]
        assert re.findall(r"3\.\d+", section.splitlines()[2]) == CLASSIFIED

    def test_the_first_one_is_what_is_required(self):
        """An older one would not install it."""
        assert PROJECT["requires-python"] == f">={CLASSIFIED[0]}"

    @pytest.mark.parametrize("page", ["README.md", "README.zh.md", "docs/index.md"])
    def test_pages_name_the_first_and_the_last(self, page):
        """Where they say which Pythons it runs on."""
        text = (documents.ROOT / page).read_text(encoding="utf-8")
        assert CLASSIFIED[0] in text
        assert CLASSIFIED[-1] in text


class TestPlatforms:
    """Only what the checks run on is claimed."""

    def test_the_operating_system(self):
        """Linux, and nothing else."""
        claimed = [text for text in PROJECT["classifiers"] if text.startswith("Operating System")]
        assert claimed == ["Operating System :: POSIX :: Linux"]

    @pytest.mark.parametrize("page", ["docs/support.md", "docs/promises.md"])
    def test_what_is_not_tested_is_said(self, page):
        """Plainly."""
        text = (documents.ROOT / page).read_text(encoding="utf-8")
        assert re.search(r"Windows\s+and\s+macOS.{0,20}not\s+tested", text, re.DOTALL)


class TestSecurity:
    """How to report a vulnerability is where people look for it."""

    def test_it_is_at_the_top_of_the_repository(self):
        """And the site shows the same."""
        assert (documents.ROOT / "SECURITY.md").is_file()
        page = (documents.ROOT / "docs" / "security.md").read_text(encoding="utf-8")
        assert "{include} ../SECURITY.md" in page
