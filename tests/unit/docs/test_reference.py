"""The reference names everything that is public, and nothing that is not there."""

from __future__ import annotations

import importlib
import re

import documents
import pytest

import retrying_elegant
from retrying_elegant import backoff, clients, db, instrumentation, testing, web

PAGE = (documents.ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
# What its autodoc directives name, without the package and without arguments.
NAMED = re.findall(r"^ *\.\. auto\w+:: (?:retrying_elegant\.)?([\w.]+)", PAGE, re.MULTILINE)
MODULES = [backoff, clients, db, instrumentation, testing, web]
PUBLIC = [
    *(name for name in retrying_elegant.__all__ if getattr(retrying_elegant, name) not in MODULES),
    *(f"{m.__name__.partition('.')[2]}.{name}" for m in MODULES for name in m.__all__),
]


class TestReference:
    """Whoever looks a name up finds it there."""

    def test_every_public_name_is_there(self):
        """Once, by the name it is imported by."""
        assert len(PUBLIC) > 30
        assert [name for name in PUBLIC if NAMED.count(name) != 1] == []

    @pytest.mark.parametrize("cls", [retrying_elegant.Attempt, retrying_elegant.RetryBudget])
    def test_every_property_is_there(self, cls):
        """Those are listed one by one, in an order to be read in."""
        properties = {name for name, value in vars(cls).items() if isinstance(value, property)}
        assert properties <= set(NAMED)
        assert len(properties) >= 3

    def test_every_name_on_it_exists(self):
        """Those of classes are looked for in the class that they stand below."""
        within: object = retrying_elegant
        for indent, dotted in re.findall(
            r"^( *)\.\. auto\w+:: (?:retrying_elegant\.)?([\w.]+)", PAGE, re.MULTILINE
        ):
            first, *rest = dotted.split(".")
            if indent:
                assert hasattr(within, dotted), dotted
                continue
            within = (
                importlib.import_module(f"retrying_elegant.{first}")
                if rest
                else getattr(retrying_elegant, first)
            )
            for name in rest:
                within = getattr(within, name)
