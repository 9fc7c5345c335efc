"""Names: what the public ones are, where the guides explain them, and how prose mentions them.

Owns the two directions between guides and reference: a name in a guide leads to its entry, and
an entry names the guides.  Leaves making links of that to ``links``; knows no Sphinx, so that
the unit tests can hold it to the library.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import retrying_elegant

# Where each name of the package is explained, the most thorough page first.
GUIDES = {
    "retry": ("start", "choosing", "timeouts", "async"),
    "retrying": ("start", "tutorial", "timeouts", "long-lived", "async"),
    "Policy": ("start", "choosing", "timeouts", "long-lived", "libraries", "at-scale"),
    "Attempt": ("observing", "timeouts", "testing"),
    "given_up": ("start", "layers", "testing"),
    "GiveUp": ("start",),
    "RetryError": ("choosing",),
    "TryAgain": ("choosing",),
    "RetryBudget": ("budgets", "at-scale"),
    "backoff": ("backoff",),
    "web": ("web", "choosing", "recipes"),
    "db": ("databases",),
    "clients": ("clients", "coming-from"),
    "deadline": ("timeouts", "layers", "libraries"),
    "testing": ("testing",),
    "instrumentation": ("observing", "at-scale"),
}
# What pages call an object of these classes; what they write after a mere dot is of a policy.
CALLED = {
    "": "Policy",
    "a": "Attempt",
    "attempt": "Attempt",
    "budget": "RetryBudget",
    "current": "deadline",
    "NET": "Policy",
    "policy": "Policy",
}
# Whose names these pages write alone: `constant(2)` on the page about backoff.
ALONE = {"backoff": "backoff", "budgets": "RetryBudget", "observing": "instrumentation"}

# What these pages call by the name of ours is of another library or program.
NOT_OURS = {
    "clients": {"RetryError"},
    "coming-from": {"RetryError"},
    "observing": {"retrying"},
    "web": {"RetryError"},
    "command-line": {"retry"},
    "performance": {"retrying"},
}

_DOTTED = re.compile(
    r"(?:@|raise |[a-z_]+=)?(?P<name>(?:[A-Za-z_]\w*)?(?:\.[A-Za-z_]\w*)?)(?:\(.*\)|\[.*\])?",
    re.DOTALL,
)


def public() -> dict[str, object]:
    """Return every public name as users write it, in the order of the reference."""
    reference = (Path(__file__).parents[1] / "reference.md").read_text(encoding="utf-8")
    order = re.findall(r"[\w.]+", reference.replace("retrying_elegant.", ""))
    found: dict[str, object] = {}
    for name in retrying_elegant.__all__:
        value = getattr(retrying_elegant, name)
        if isinstance(value, ModuleType):
            found |= {f"{name}.{inner}": getattr(value, inner) for inner in value.__all__}
        else:
            found[name] = value
        if inspect.isclass(value) and not issubclass(value, BaseException):
            found |= {
                f"{name}.{inner}": member
                for inner, member in vars(value).items()
                if inner in order
                and inner[0] != "_"
                and (callable(member) or isinstance(member, property))
            }

    def place(name: str) -> int:
        found = [each for each in (name, name.rpartition(".")[2]) if each in order]
        return order.index(found[0]) if found else len(order)

    def owner(name: str) -> str:
        first = name.partition(".")[0]
        return first if first in found else name

    return {
        name: found[name]
        for name in sorted(
            found, key=lambda name: (place(owner(name)), name != owner(name), place(name))
        )
    }


def mentioned(text: str, names: dict[str, object], page: str = "") -> str | None:
    """Return which of *names* the code *text* on *page* is about, if any: ``policy.preview()``."""
    match = _DOTTED.fullmatch(text.strip())
    if match is None:
        return None
    name = match["name"]
    first, dot, rest = name.partition(".")
    if dot and first in CALLED:
        name = f"{CALLED[first]}.{rest}"
    for each in (f"{ALONE.get(page)}.{name}", name):
        if each in names and each not in NOT_OURS.get(page, ()):
            return each
    return None


def guides(name: str) -> tuple[str, ...]:
    """Return the guides for the public *name*: those of its own, or of its module."""
    return GUIDES.get(name) or GUIDES.get(name.partition(".")[0], ())
