"""Reading: what an error of another library says, however it behaves.

Owns reading attributes, texts and class names of objects that this package does not know, and
looking through errors that hold others.  Whatever such an object does when it is read, no exception
propagates from here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Any

    Judge = Callable[[Any], Any]

# Packages whose classes have the names and meanings of another's.
_SAME_AS = {
    "httpx2": "httpx",
    "httpcore2": "httpcore",
    "niquests": "requests",
    "urllib3_future": "urllib3",
}
_arguments_of: Any = vars(BaseException)["args"].__get__


def result_for(error: Any, judge: Callable[[Any, Judge], Any]) -> Any:
    """
    Return what *judge* returns for *error*, or None if it raises.

    *judge* is called with an error, and with a function that returns the result for an error inside
    it.  It is called once for each error, however often that occurs.  An error that contains itself
    is unknown, and so is one with more layers than the stack has room for.
    """
    try:
        return _Once(judge)(error)
    except Exception:  # noqa: BLE001 - an error that cannot be read is unknown
        return None


class _Once:
    # An object, because a function that calls itself would keep the errors alive in a cycle.
    def __init__(self, judge: Callable[[Any, Judge], Any]) -> None:
        self.judge = judge
        # With the error itself, because an id is unique only while it lives.
        self.results: dict[int, tuple[Any, Any]] = {}

    def __call__(self, error: Any) -> Any:
        if id(error) not in self.results:
            self.results[id(error)] = (error, None)
            self.results[id(error)] = (error, self.judge(error, self))
        return self.results[id(error)][1]


def look(thing: Any, path: str) -> Any:
    """Return the attribute of *thing* at the dotted *path*; None if it is missing or raises."""
    for name in path.split("."):
        try:
            thing = getattr(thing, name, None)
        except Exception:  # noqa: BLE001 - a foreign property may raise anything
            return None
    return thing


def entry(thing: Any, *keys: str) -> Any:
    """Return the value under *keys* in the nested dicts of *thing*, or None."""
    for key in keys:
        if not issubclass(type(thing), dict):  # isinstance would read __class__, which may raise
            return None
        thing = dict.get(thing, key)  # bypasses methods of subclasses
    return thing


def text(error: BaseException) -> str:
    """Return ``str(error)``, or an empty string if that raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ has no text
        return ""


def arguments(error: BaseException) -> tuple[Any, ...]:
    """Return the arguments of *error*, past any attribute of a subclass."""
    found: tuple[Any, ...] = _arguments_of(error)
    return found


def first(error: BaseException) -> Any:
    """Return the first of its arguments, or None."""
    return next(iter(arguments(error)), None)


def known_as(error: object, known: Container[str]) -> str:
    """
    Return the name in *known* that describes *error* best, or an empty string.

    Names have the form ``package.Class``; the most specific class wins.  The package is only the
    first part of the module's name, because libraries move classes between their modules; of
    ``google``, which many packages share, it is the first two.

    >>> known_as(ConnectionResetError(), {"builtins.OSError", "builtins.ConnectionError"})
    'builtins.ConnectionError'
    """
    for cls in type(error).__mro__:
        parts = str(cls.__module__).split(".")
        package = ".".join(parts[: 2 if parts[0] == "google" else 1])
        name = f"{_SAME_AS.get(package, package)}.{cls.__name__}"
        if name in known:
            return name
    return ""
