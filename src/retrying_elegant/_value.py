"""Value: the base class of this package's frozen settings.

Owns equality, hash, ``repr`` and immutability of objects whose fields are the entries of their
``__dict__``.  Leaves checking the fields to each class, which writes them into ``__dict__``
once, in ``__init__``.  Pickling and copying need no code: they restore ``__dict__``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn, TypeVar, dataclass_transform

    T = TypeVar("T")

else:

    def dataclass_transform(**_: Any) -> Any:
        """Replace typing.dataclass_transform, without importing typing."""
        return lambda cls: cls


# A decorator of each class, not of the base class, from which type checkers would derive an
# `__init__` for every subclass of a user's own.
@dataclass_transform(frozen_default=True, kw_only_default=True)
def frozen(cls: type[T]) -> type[T]:
    """Mark the fields of *cls* as read-only for type checkers."""
    return cls


class Value:
    """A frozen value, equal to another one of the same class with equal fields."""

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name!r}")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self.__dict__.items())))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={show(value)}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


def show(value: Any) -> str:
    """Return *value* as you would write it: classes and functions by name, the rest by ``repr``."""
    if isinstance(value, tuple):
        inner = ", ".join(show(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    # What is not callable may have the name of something else: a coroutine that of its function.
    name = getattr(value, "__qualname__", None) if callable(value) else None
    return name if isinstance(name, str) else repr(value)
