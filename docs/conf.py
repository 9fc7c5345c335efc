"""Settings of the documentation site: ``sphinx-build --builder html docs docs/_build/html``.

Owns how the pages are put together and how the reference shows signatures and docstrings.
Leaves the words to the pages, which read the same where no site is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sphinx.domains.python import PyObject

import retrying_elegant

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

project = "retrying_elegant"
version = release = retrying_elegant.__version__
copyright = "the retrying_elegant developers"  # noqa: A001 - Sphinx wants this name

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]

# References to names and headings of the project have to be right.  Names of others are not
# looked up, for the build asks nobody on the network; those that are not of `builtins` stand
# here, and so do names that only type checkers see.
nitpicky = True
nitpick_ignore = [
    ("py:class", name)
    for name in ("AllFields", "Logger", "MeterProvider", "Reason", "Registry", "timedelta")
]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
python_maximum_signature_line_length = 88
python_trailing_comma_in_multi_line_signatures = False
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]

html_theme = "furo"
html_title = "retrying_elegant"
pygments_dark_style = "monokai"  # of furo's own, the names of modules look like links
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# What users are given and do not make: how it is made is none of their business.
_GIVEN = {
    "retrying_elegant.Attempt",
    "retrying_elegant._block.AsyncBlock",
    "retrying_elegant._block.Block",
    "retrying_elegant._preview.Preview",
    "retrying_elegant.instrumentation.Handle",
}
# Signatures whose annotations are for type checkers rather than for readers.
_PLAIN = {
    "retrying_elegant._block.AsyncBlock.__call__": "(fn, /, *args, **kwargs)",
    "retrying_elegant._block.Block.__call__": "(fn, /, *args, **kwargs)",
    "retrying_elegant.Policy.replace": "(**changes)",
}


def _signature(
    app: Sphinx, what: str, name: str, thing: object, options: Any, args: str | None, gives: str
) -> tuple[str | None, str]:
    if name in _GIVEN:
        return "", ""
    if name in _PLAIN:
        return _PLAIN[name], ""
    return args and args.replace("<class 'Exception'>", "Exception"), gives


class _Prose:
    """
    Keeps the docstrings of properties and data from napoleon.

    It takes what stands before their first colon for a type; ours are prose.
    """

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, app: Sphinx, what: str, *rest: Any) -> None:
        lines: list[str] = rest[-1]
        if what in {"attribute", "data", "property"}:
            self._kept, lines[:] = lines[:], []

    def give_back(self, app: Sphinx, what: str, *rest: Any) -> None:
        lines: list[str] = rest[-1]
        if what in {"attribute", "data", "property"}:
            lines[:] = self._kept


def _top_level(app: Sphinx, env: Any, node: pending_xref, content: Any) -> Any:
    """A name of the package itself is found from its modules too, as in their code."""
    name = node.get("reftarget", "")
    if node.get("refdomain") != "py" or name.split(".")[0] not in retrying_elegant.__all__:
        return None
    return env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], f"retrying_elegant.{name}", node, content
    )


def _language(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Say of each page in which language it is, which browsers choose the punctuation by."""
    if page.startswith("zh/"):
        context["language"] = "zh-CN"


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _language)
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", _signature)
    prose = _Prose()
    app.connect("autodoc-process-docstring", prose.keep, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-docstring", prose.give_back, priority=600)
    app.connect("missing-reference", _top_level)
