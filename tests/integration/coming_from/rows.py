"""Rows: what a table of the page says, and on what script of failures both sides are played."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What the page has to mention; a pair is a parameter and whose it is.
Names = set[str | tuple[str, str]]


class Raises(NamedTuple):
    """An attempt that raises a new *kind* with *text*, caused by a *cause*."""

    kind: type[BaseException]
    text: str = "down"
    cause: type[BaseException] | None = None


class Takes(NamedTuple):
    """An attempt that takes *seconds*, and then is *then*."""

    seconds: float
    then: Any


LOST = Raises(OSError)
LATE = Raises(TimeoutError, "late")  # an OSError too
WRONG = Raises(ValueError, "wrong")
BUSY = Raises(OSError, "busy")

# The last of a script is repeated for ever.
FAILS = (LOST,)
RECOVERS = (LOST, LOST, "page")
SLOW = (Takes(5, LOST),)
PENDING = (None,)
BECOMES_READY = (None, None, "page")


@dataclass(frozen=True)
class Row:
    """
    One line of a table: the same thing said to their library and to ours.

    A side is keywords of the decorator, a decorator that begins with ``@``, or statements that
    leave their result in ``page``; in a table of ``details``, an expression.

    Attributes:
        note: What the page says after our code.
        script: What the attempts do, one after the other.
        default: Their keywords say what holds without them.
        sync_only: Not to be tried with a coroutine function as well.
        also: Keywords that the page does not show, theirs and ours.
        setup, after: Statements that the page does not show, theirs and ours.
        loggers: The names of the loggers whose records are compared.
        differ: What is not alike, by the name of a field of ``Trace``: theirs and ours.
        ignored: Fields of ``Trace`` that say nothing here.
    """

    theirs: str
    ours: str
    note: str = ""
    script: tuple[Any, ...] = FAILS
    default: bool = False
    sync_only: bool = False
    also: tuple[str, str] = ("", "")
    setup: tuple[str, str] = ("", "")
    after: tuple[str, str] = ("", "")
    loggers: tuple[str, str] = ("shop", "shop")
    differ: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()


class Absent(NamedTuple):
    """One line of a table: what is theirs (as Markdown), and why there is no such thing here."""

    theirs: str
    why: str


@dataclass(frozen=True)
class Table:
    """
    A table of the page, below the heading *title*.

    Attributes:
        details: Each side is an expression on what a hook is given: theirs and ours are the
            keywords that take the hook, to be filled in.
    """

    title: str
    rows: tuple[Row | Absent, ...]
    details: tuple[str, str] | None = None


@dataclass(frozen=True)
class Library:
    """
    A library, and all that is said of it.

    Attributes:
        name: The heading of its section.
        modules: What has to be installed, by the names of imports.
        imports: Statements that give its names.
        decorator: The expression that takes keywords.
        base: Keywords that every row of keywords has besides, theirs and ours.
        load: Expressions for the decorated ``load`` that statements find.
        hook: What ``hook`` notes of what it is given there.
        has_async: Whether its decorator takes coroutine functions.
        reset: Puts back what rows change in it for the whole process.
        public: Gives all names that its section has to mention on their side.
    """

    name: str
    modules: tuple[str, ...]
    imports: str
    decorator: str
    base: tuple[str, str]
    load: tuple[str, str]
    hook: Callable[[Any], Any]
    tables: tuple[Table, ...]
    has_async: bool = True
    reset: Callable[[], None] = lambda: None
    public: Callable[[], Names] = set


def attributes(thing: Any) -> Names:
    """Give the public attributes of *thing*."""
    return {name for name in dir(thing) if not name.startswith("_")}


def parameters(owner: str, thing: Any) -> Names:
    """Give the parameters of *thing* with its name, where it has more than one."""
    if not callable(thing):
        return set()
    found = inspect.signature(thing).parameters.values()
    named = [
        each.name for each in found if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if len(named) < 2:
        return set()
    return {(name, owner) for name in named}
