"""The README in two languages: the same commands and code, and links that lead somewhere.

Also how Chinese is set in the pages that are Chinese.
"""

from __future__ import annotations

import ast
import re

import documents
import pytest

ENGLISH = documents.ROOT / "README.md"
CHINESE = documents.ROOT / "README.zh.md"
CHINESE_PAGES = [CHINESE, *sorted(documents.ROOT.glob("docs/zh/**/*.md"))]

_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HAN = "[\u3400-\u9fff]"
_LATIN = "[A-Za-z0-9`]"


def fenced(page):
    """The blocks of *page*: pairs of language and text, without those of Python."""
    text = page.read_text(encoding="utf-8")
    found = [(match["language"], match["text"]) for match in _FENCED.finditer(text)]
    return [block for block in found if block[0] != "python"]


def links(page):
    """Where *page* leads to in this repository, without the heading."""
    prose = _FENCED.sub("", page.read_text(encoding="utf-8"))
    targets = [match["target"].split("#")[0] for match in _LINK.finditer(prose)]
    return [target for target in targets if target and "://" not in target]


class _Wordless(ast.NodeTransformer):
    """Empties strings, and leaves of an f-string what it fills in."""

    def visit_Constant(self, node):
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        filled_in = [part for part in node.values if isinstance(part, ast.FormattedValue)]
        return ast.JoinedStr([self.generic_visit(part) for part in filled_in])


def shape(code):
    """What of *code* is the same in every language: all but comments and the words in strings."""
    return ast.dump(_Wordless().visit(ast.parse(code)), indent=1)


class TestReadmes:
    """Whoever follows either README types and sees the same."""

    def test_the_commands_are_the_same(self):
        """And so is the output that is shown."""
        assert fenced(CHINESE) == fenced(ENGLISH)
        assert [language for language, _ in fenced(CHINESE)].count("sh") == 2

    def test_the_code_is_the_same(self):
        """Block by block, but for comments and the words in strings."""
        chinese, english = documents.blocks(CHINESE), documents.blocks(ENGLISH)
        assert [shape(block.code) for block in chinese] == [shape(block.code) for block in english]
        assert [block.runs_anywhere for block in chinese] == [
            block.runs_anywhere for block in english
        ]

    @pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=lambda page: page.name)
    def test_its_links_lead_to_files(self, page):
        """Relative to the README itself."""
        assert [link for link in links(page) if not (page.parent / link).is_file()] == []

    def test_each_links_the_other(self):
        """In the line below the title."""
        assert links(ENGLISH)[0] == CHINESE.name
        assert links(CHINESE)[0] == ENGLISH.name

    def test_the_chinese_one_leads_wherever_the_english_one_does(self):
        """And to the Chinese pages."""
        assert set(links(ENGLISH)) - {CHINESE.name} <= set(links(CHINESE))


class TestChineseFrontPage:
    """From its list of pages, the navigation of the Chinese pages is made."""

    def test_it_lists_every_page(self):
        """Those in Chinese, and those that exist in English only."""
        docs = documents.ROOT / "docs"
        listed = {(docs / "zh" / link).resolve() for link in links(docs / "zh" / "index.md")}
        english = {page for page in docs.glob("*.md") if not (docs / "zh" / page.name).exists()}
        assert {*(docs / "zh").glob("*.md"), *english} - listed == set()


class TestShape:
    """The comparison sees what matters, and nothing else."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("f(1)  # one", "f(1)  # eins"),
            ("print('no page')", "print('keine Seite')"),
            ("print(f'got {a} at {b}')", "print(f'{a}: {b}')"),
            ("def f():\n    '''Doc.'''", "def f():\n    '''Text.'''"),
        ],
    )
    def test_words_and_comments_may_differ(self, one, other):
        """Also those of docstrings and around the values of an f-string."""
        assert shape(one) == shape(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("f(5)", "f(4)"),
            ("f(x=1)", "f(y=1)"),
            ("print(f'{a}')", "print(f'{b}')"),
            ("print(f'{a}')", "print(f'a')"),
            ("f('a')", "f(b'a')"),
            ("f('a')", "f()"),
        ],
    )
    def test_code_may_not_differ(self, one, other):
        """Neither what is called, nor with what."""
        assert shape(one) != shape(other)


@pytest.mark.parametrize("page", CHINESE_PAGES, ids=lambda page: page.name)
class TestChinese:
    """Chinese and Latin text stand side by side in one way only."""

    @pytest.fixture
    def text(self, page):
        """The text as it is seen: no targets of links, no asterisks, code as one letter."""
        text = page.read_text(encoding="utf-8").replace("![", "[")
        return re.sub(r"`[^`\n]+`", "x", _LINK.sub("]", text)).translate(
            {ord(mark): None for mark in "[]*"}
        )

    def test_a_space_stands_between_chinese_and_latin(self, text):
        """Numbers and code are Latin."""
        assert re.findall(f".*(?:{_HAN}{_LATIN}|{_LATIN}{_HAN}).*", text) == []

    def test_no_space_stands_within_chinese(self, text):
        """Nor beside full-width punctuation."""
        full = "[\u3001-\u3011\uff01-\uff1f]"
        assert re.findall(f".*(?:{_HAN} +{_HAN}|{full} +[^ |]|[^ |#] +{full}).*", text) == []

    def test_punctuation_is_full_width(self, text):
        """Beside Chinese characters."""
        assert re.findall(f".*(?:{_HAN}[,;:!?(]|[),;:!?.]{_HAN}).*", text) == []

    def test_a_paragraph_is_one_line(self, text):
        """A line break would be shown as a space, which Chinese does not have."""
        assert re.findall(f"^.*{_HAN}.*\n{_HAN}.*$", _FENCED.sub("", text), re.MULTILINE) == []
