"""Settings of the documentation site: ``sphinx-build --builder html docs docs/_build/html``.

Owns how the pages are put together and how the reference shows signatures and docstrings.
Leaves links between pages, the surroundings of the Chinese pages and ``llms.txt`` to the modules in
``_extensions``, and the text to the pages, which read the same where no site is built.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sphinx.domains.python import PyObject
from sphinx.util.inspect import stringify_signature

import retrying_elegant

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

project = "retrying_elegant"
version = release = retrying_elegant.__version__
copyright = "the retrying_elegant developers"  # noqa: A001 - Sphinx wants this name

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "chinese",
    "links",
    "llms",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

# References to names and headings of the project have to be right.  Names of others are not
# looked up, because the build does not use the network; those outside `builtins` are listed
# here, as are names that only type checkers see.
nitpicky = True
_OTHERS = """
    AdapterOptions AllFields BaseHandler Client ClientMiddlewareType ClientRequest Event HTTPAdapter
    Logger MeterProvider PreparedRequest Reason Registry Request timedelta
"""
nitpick_ignore = [
    *(("py:class", name) for name in _OTHERS.split()),
    ("py:attr", "GiveUp.reason"),  # listed with its class
    ("py:mod", "logging"),
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
pygments_dark_style = "monokai"  # with furo's own, names of modules look like links
viewcode_line_numbers = True
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/language.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# What users receive and do not create: its constructor is not shown.
_RECEIVED = {
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
    app: Sphinx, what: str, name: str, thing: object, options: Any, args: str | None, returns: str
) -> tuple[str | None, str]:
    if name in _RECEIVED:
        return "", ""
    if name in _PLAIN:
        return _PLAIN[name], ""
    if args:
        args = args.replace("**fields", _fields()).replace(", **unknown: Unpack[NoFields]", "")
        args = args.replace("<class 'Exception'>", "Exception").replace("= 30", "= logging.WARNING")
    return args, returns


def _fields() -> str:
    """Return the fields of a policy as `retry` and `retrying` take them: by keyword."""
    _, *fields = inspect.signature(retrying_elegant.Policy).parameters.values()
    by_keyword = [
        field.replace(kind=field.KEYWORD_ONLY)
        for field in fields
        if field.kind is not field.VAR_KEYWORD
    ]
    text = stringify_signature(inspect.Signature(by_keyword), unqualified_typehints=True)
    return text.removeprefix("(*, ").removesuffix(")")


class _Prose:
    """
    Keep the docstrings of properties and data from napoleon.

    It takes the text before their first colon for a type; ours are prose.
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
    """Find a name of the package from its modules too, as their code does."""
    name = node.get("reftarget", "")
    if node.get("refdomain") != "py" or name.split(".")[0] not in retrying_elegant.__all__:
        return None
    return env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], f"retrying_elegant.{name}", node, content
    )


def setup(app: Sphinx) -> None:
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", _signature)
    prose = _Prose()
    app.connect("autodoc-process-docstring", prose.keep, priority=400)  # napoleon's is 500
    app.connect("autodoc-process-docstring", prose.give_back, priority=600)
    app.connect("missing-reference", _top_level)
