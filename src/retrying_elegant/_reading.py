"""Reading: what an error of another library says, however it behaves.

Owns reading attributes, texts and class names of objects that this package does not know.
Whatever such an object does when it is read, no exception propagates from here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any


def look(thing: Any, path: str) -> Any:
    """Return the attribute of *thing* at the dotted *path*; None if it is missing or raises."""
    for name in path.split("."):
        try:
            thing = getattr(thing, name, None)
        except Exception:  # noqa: BLE001 - a foreign property may raise anything
            return None
    return thing


def text(error: BaseException) -> str:
    """Return ``str(error)``, or an empty string if that raises."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - a broken __str__ has no text
        return ""


def known_as(error: object, known: Container[str]) -> str:
    """
    Return the name in *known* that describes *error* best, or an empty string.

    Names have the form ``package.Class``; the most specific class wins.  The package is only the
    first part of the module's name, because libraries move classes between their modules.

    >>> known_as(ConnectionResetError(), {"builtins.OSError", "builtins.ConnectionError"})
    'builtins.ConnectionError'
    """
    for cls in type(error).__mro__:
        name = f"{str(cls.__module__).partition('.')[0]}.{cls.__name__}"
        if name in known:
            return name
    return ""
