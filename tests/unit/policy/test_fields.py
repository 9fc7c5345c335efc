"""Every place that lists the fields of a policy lists all of them.

``Policy.__init__`` defines them.  A field that a place forgets is named by the test of that place.
A place that leaves a field out on purpose says why, in ``EXEMPT``.
"""

from __future__ import annotations

import ast
import inspect
import re

import documents
import pytest
from map_parts import PACKAGE
from policy_parts import BAD, CHANGED

from retrying_elegant import Policy, _policy
from retrying_elegant.cli.main import main

NO_OPTION = "a command has an exit status, not errors, results, hooks or other calls"

# By place: the fields that it leaves out, and why.
EXEMPT = {
    "the table of changed values": {
        "budget": "a copy of a policy has a budget of its own: its tests are in test_policy_copies",
        "stop": "a policy with an event does not pickle: its tests are in test_stop",
    },
    "the options of the command line": {
        **dict.fromkeys(["on", "unless", "until", "budget"], NO_OPTION),
        **dict.fromkeys(["before_attempt", "on_retry", "on_success", "on_give_up"], NO_OPTION),
        "name": "it is that of the command",
        "stop": "a signal ends the waits of a command",
        "log_level": "--quiet and --json say how retries are reported",
    },
}


def signature():
    """The fields, as ``Policy.__init__`` takes them."""
    parameters = inspect.signature(Policy).parameters.values()
    return [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]


def typed_dicts():
    """The keywords that ``retry``, ``retrying`` and ``replace`` take, for type checkers."""
    tree = ast.parse((PACKAGE / "_policy.py").read_text(encoding="utf-8"))
    keywords = {
        node.name: [each.target.id for each in node.body if isinstance(each, ast.AnnAssign)]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and node.name in ("Fields", "AllFields")
    }
    assert keywords["AllFields"] == ["attempts"]  # beside those it inherits
    return [*keywords["AllFields"], *keywords["Fields"]]


def annotations():
    """The attributes of a policy, for type checkers."""
    return [name for name in Policy.__annotations__ if not name.startswith("_")]


def docstring():
    """The entries under ``Args:``."""
    args = re.search(r"^Args:\n(.*?)\n\n", inspect.getdoc(Policy), re.DOTALL | re.MULTILINE)[1]
    return re.findall(r"^    (\w+): ", args, re.MULTILINE)


def attributes():
    """What a policy says of itself by ``vars``, as notebooks and debuggers show it."""
    return [name for name in vars(Policy()) if not name.startswith("_")]


def contract():
    """The first column of the table in section 2 of the contract."""
    page = (documents.ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    section = re.search(r"^## 2\. .*?(?=^## )", page, re.DOTALL | re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]


def options(capsys):
    """The options of ``retrying-elegant run`` that are named for a field."""
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    names = re.findall(r"^ +--([\w-]+)", capsys.readouterr().out, re.MULTILINE)
    return [name.replace("-", "_") for name in names if name.replace("-", "_") in signature()]


PLACES = {
    "the keywords for type checkers": typed_dicts,
    "the annotations": annotations,
    "the docstring": docstring,
    "the attributes": attributes,
    "the checks": lambda: list(_policy._CHECKS),
    "the contract": contract,
    "the table of changed values": lambda: list(CHANGED),
    "the table of bad values": lambda: list(BAD),
}


COMPARED = ["the keywords for type checkers", "the annotations", "the docstring"]


def compare(place, listed):
    """Fail with the names of the fields that *place* forgets or invents."""
    fields = [name for name in signature() if name not in EXEMPT.get(place, {})]
    forgotten = [name for name in fields if name not in listed]
    invented = [name for name in listed if name not in fields]
    assert not forgotten, f"{place}: {forgotten} forgotten"
    assert not invented, f"{place}: {invented} not a field, or exempt"


class TestFields:
    """A field is either in every place, or there is a reason why it is not."""

    @pytest.mark.parametrize("place", PLACES)
    def test_none_is_forgotten(self, place):
        """And none is listed that is not a field, or is exempt."""
        compare(place, PLACES[place]())

    def test_none_is_forgotten_by_the_command_line(self, capsys):
        """Where an option is named for each."""
        compare("the options of the command line", options(capsys))

    @pytest.mark.parametrize("place", COMPARED)
    def test_the_order_is_that_of_the_signature(self, place):
        """In what is read side by side."""
        assert PLACES[place]() == signature()

    def test_what_is_exempt_is_a_field(self):
        """A reason whose field is gone is out of date."""
        named = {name for reasons in EXEMPT.values() for name in reasons}
        assert named <= set(signature())
