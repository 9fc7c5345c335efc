"""Who may write the state of a call: the table in the header of `_attempt`, held to the letter."""

from __future__ import annotations

import ast
import re

from map_parts import PACKAGE

from retrying_elegant import _attempt

FILES = sorted(PACKAGE.rglob("*.py"))
ROW = re.compile(r"^ {4}(_\w+(?:, _\w+)*) {2,}(.*(?:\n {8,}.*)*)", re.MULTILINE)


def module_of(path):
    """The name of a module, or of the package inside this one that it is part of."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py").removeprefix("_")


def allowed():
    """By slot, the modules that the header names."""
    return {
        slot: set(re.findall(r"``(\w+)``", text))
        for slots, text in ROW.findall(_attempt.__doc__)
        for slot in slots.split(", ")
    }


def is_attempt(node, class_name):
    """Whether *node* is an attempt: by its name, or as `self` in a class of attempts."""
    written = ast.unparse(node)
    if written == "self":
        return class_name.endswith("Attempt")
    return written != "block" and not written.endswith("_block")


def writes(node, class_name=""):
    """The slots of attempts that are assigned or deleted in *node*."""
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.Attribute)
            and isinstance(child.ctx, (ast.Store, ast.Del))
            and child.attr in _attempt.Attempt.__slots__
            and is_attempt(child.value, class_name)
        ):
            yield child.attr
        yield from writes(child, child.name if isinstance(child, ast.ClassDef) else class_name)


class TestWriters:
    """Each slot of an Attempt is written by the modules that the header of `_attempt` names."""

    def test_no_others_write_it_and_each_of_them_does(self):
        """In the whole package: the table is neither too short nor too long."""
        found = {}
        for path in FILES:
            for slot in writes(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(slot, set()).add(module_of(path))
        own = {slot for slot, modules in found.items() if modules == {"attempt"}}
        assert own == {"_policy", "_label", "_args", "_kwargs"}
        assert {slot: found[slot] - {"attempt"} for slot in found if slot not in own} == allowed()

    def test_every_slot_has_a_writer(self):
        """So that the test above sees all of them."""
        tree = ast.parse((PACKAGE / "_attempt.py").read_text(encoding="utf-8"))
        assert set(writes(tree)) == set(_attempt.Attempt.__slots__)

    def test_none_is_written_by_name(self):
        """By `setattr` or `object.__setattr__`, which the tests above do not see."""
        slots = "|".join(_attempt.Attempt.__slots__)
        by_name = re.compile(rf"setattr(?:__)?\([^)]*[\"'](?:{slots})[\"']")
        assert [path for path in FILES if by_name.search(path.read_text(encoding="utf-8"))] == []
