"""Chinese: what surrounds the Chinese pages is Chinese as well.

Owns their navigation, which is made of the list of pages on the Chinese front page, and the words
of the theme that a reader sees or hears.  Leaves the switch between the languages to ``links``.
"""

from __future__ import annotations

import posixpath
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx

FRONT = "zh/index"
# What the theme marks for translation ...
WORDS = {
    "Back to top": "回到顶部",
    "Home": "首页",
    "Index": "索引",
    "Made with ": "生成工具：",
    "Next": "下一页",
    "On this page": "本页内容",
    "Previous": "上一页",
    "Search": "搜索",
    "Skip to content": "跳到正文",
    '<a href="https://www.sphinx-doc.org/">Sphinx</a> and ': (
        '<a href="https://www.sphinx-doc.org/">Sphinx</a>，'
    ),
}
# ... and what it does not.
LABELS = {
    'title="Link to this heading"': 'title="本节链接"',
    'title="Link to this image"': 'title="图片链接"',
    'aria-label="Toggle site navigation sidebar"': 'aria-label="显示或隐藏导航"',
    'aria-label="Toggle table of contents sidebar"': 'aria-label="显示或隐藏本页目录"',
    'aria-label="Toggle Light / Dark / Auto color theme"': 'aria-label="切换浅色、深色或自动主题"',
    "<title>Contents</title>": "<title>目录</title>",
    "<title>Menu</title>": "<title>菜单</title>",
    "<title>Expand</title>": "<title>展开</title>",
    "<title>Light mode</title>": "<title>浅色</title>",
    "<title>Dark mode</title>": "<title>深色</title>",
    "<title>Auto light/dark, in light mode</title>": "<title>自动，目前为浅色</title>",
    "<title>Auto light/dark, in dark mode</title>": "<title>自动，目前为深色</title>",
}


def _chosen(app: Sphinx) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the groups of pages that the front page lists: title, and page and name of each."""
    groups = []
    for item in app.env.get_doctree(FRONT).findall(nodes.list_item):
        pages = [
            (posixpath.normpath(posixpath.join("zh", link["reftarget"])), link.astext())
            for link in item.findall(addnodes.pending_xref)
            if link.get("reftype") in {"doc", "myst"}
        ]
        pages = [(page.removesuffix(".md"), name) for page, name in pages]
        groups.append((item.astext().partition("：")[0], pages))
    return groups


def _surround(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if not page.startswith("zh/"):
        return

    def translated(text: str) -> str:
        return WORDS.get(text, text)

    context |= {"_": translated, "gettext": translated, "master_doc": FRONT}
    if page == FRONT:
        context["prev"] = None  # a page in English
    lines = []
    for title, pages in _chosen(app):
        lines.append(f'<p class="caption"><span class="caption-text">{title}</span></p><ul>')
        for other, name in pages:
            kind = "toctree-l1 current current-page" if other == page else "toctree-l1"
            target = context["pathto"](other)
            link = f'<a class="reference internal" href="{target}">{escape(name)}</a>'
            lines.append(f'<li class="{kind}">{link}</li>')
        lines.append("</ul>")
    context["furo_navigation_tree"] = "\n".join(lines)


def _label(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        for path in Path(app.outdir, "zh").glob("*.html"):
            text = path.read_text(encoding="utf-8")
            for english, chinese in LABELS.items():
                text = text.replace(english, chinese)
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Take part in the build, after the theme."""
    app.connect("html-page-context", _surround, priority=900)
    app.connect("build-finished", _label)
    return {"parallel_read_safe": True}
