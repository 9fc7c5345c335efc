"""Links: between guides and reference, both ways, and between the languages.

Names in guides become links to the reference, the first time that a section mentions them, and
entries of the reference end with the guides that explain them.  So the Markdown stays readable
where no site is built.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import names
from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Pages that define or list names, rather than use them.
LEFT_ALONE = {"reference", "changelog"}
NAMES = names.public()
PACKAGE = "retrying_elegant"


class NamesInProse(SphinxTransform):
    """Make a reference of each public name in prose, once in a section."""

    default_priority = 400
    _INSIDE: ClassVar = (nodes.reference, addnodes.pending_xref, nodes.title)

    def apply(self, **_: Any) -> None:
        """Visit the literals of the page."""
        if self.env.docname in LEFT_ALONE:
            return
        seen: set[tuple[int, str]] = set()
        for literal in list(self.document.findall(nodes.literal)):
            name = names.mentioned(literal.astext(), NAMES, self.env.docname)
            section = _above(literal, (nodes.section,))
            if self.env.docname == "coming-from" and not _ours(literal):
                continue
            if name is None or _above(literal, self._INSIDE) or (id(section), name) in seen:
                continue
            seen.add((id(section), name))
            link = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=f"{PACKAGE}.{name}",
                refdoc=self.env.docname,
                refexplicit=True,
            )
            literal.replace_self(link)
            link += literal


def _above(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> nodes.Node | None:
    while (node := node.parent) is not None:
        if isinstance(node, kinds):
            return node
    return None


def _ours(literal: nodes.Node) -> bool:
    """Whether it is on our side of the page about other libraries, or below its tables."""
    entry = _above(literal, (nodes.entry,))
    if entry is not None:
        return entry.parent.index(entry) == 1
    section: nodes.Node | None = literal
    while (section := _above(section, (nodes.section,))) is not None:
        if "what-people-search-for" in section["ids"]:
            return True
    return False


def _guides(app: Sphinx, what: str, name: str, thing: object, options: Any, lines: Any) -> None:
    """End a docstring with the guides that explain the name."""
    public = name.removeprefix(f"{PACKAGE}.")
    if public not in NAMES or what in {"property", "method", "attribute"}:
        return
    pages = [page for page in names.guides(public) if page in app.env.found_docs]
    if pages:
        lines += ["", "Guides: " + ", ".join(f":doc:`/{page}`" for page in pages), ""]


def _source(app: Sphinx, module: str, name: str) -> str | None:
    """Find the module that defines a name of the package, for the link to its source."""
    first = name.partition(".")[0]
    value = getattr(sys.modules[PACKAGE], first, None)
    for found in list(sys.modules.values()):
        if module == PACKAGE and found.__name__.startswith(f"{PACKAGE}._"):
            path = getattr(found, "__file__", None)
            if path and value is not None and vars(found).get(first) is value:
                text = Path(path).read_text(encoding="utf-8")
                if re.search(rf"^(class|def) {first}\b", text, re.MULTILINE):
                    return found.__name__
    return None


def _languages(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Tell the template the same page in the other language, or else its front page."""
    known = app.env.found_docs
    chinese = page.startswith("zh/")
    other = page.removeprefix("zh/") if chinese else f"zh/{page}"
    exists = other in known
    context["other_language"] = {
        "name": "English" if chinese else "中文",
        "code": "en" if chinese else "zh-CN",
        "page": other if exists else ("index" if chinese else "zh/index"),
        "same": exists,
    }
    if chinese:
        context["language"] = "zh-CN"


def setup(app: Sphinx) -> dict[str, bool]:
    """Take part in the build."""
    app.add_transform(NamesInProse)
    app.connect("autodoc-process-docstring", _guides, priority=700)
    app.connect("viewcode-follow-imported", _source)
    app.connect("html-page-context", _languages)
    return {"parallel_read_safe": True}
