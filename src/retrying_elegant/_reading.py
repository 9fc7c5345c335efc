"""Reading: what an error of another library says, without letting it act.

Owns looking at attributes, texts and class names of objects that this package does not know.
Whatever such an object does when it is looked at, it raises nothing here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any


def look(thing: Any, path: str) -> Any:
    """Return what *thing* has at the dotted *path*; None if there is nothing, or it raises."""
    for name in path.split("."):
        try:
            thing = getattr(thing, name, None)
        except Exception:  # noqa: BLE001 - a property of somebody else's may raise anything
            return None
    return thing


def text(error: BaseException) -> str:
    """Return ``str(error)``, or an empty string if that raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ says nothing
        return ""


def known_as(error: object, known: Container[str]) -> str:
    """
    Return the name in *known* that describes *error* best, or an empty string.

    Names are written ``package.Class``, of the most specific class first.  The package is the
    first part of the module's name only: libraries move their classes from module to module.

    >>> known_as(ConnectionResetError(), {"builtins.OSError", "builtins.ConnectionError"})
    'builtins.ConnectionError'
    """
    for cls in type(error).__mro__:
        name = f"{str(cls.__module__).partition('.')[0]}.{cls.__name__}"
        if name in known:
            return name
    return ""
