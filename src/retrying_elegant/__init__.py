"""
Retries for Python that read like the code they protect.

One frozen :class:`Policy` serves three forms, each sync and async: :func:`retry` decorates
a function, and :class:`retrying` is a ``for`` loop around a block of code or a ``with``
block around several calls.

>>> from retrying_elegant import retrying
>>> for attempt in retrying(5, raises=False, wait=0):
...     with attempt:
...         risky
>>> attempt.succeeded
False
"""

from __future__ import annotations

from . import backoff
from ._attempt import Attempt
from ._budget import RetryBudget
from ._deadline import deadline
from ._decorator import retry
from ._errors import RetryError, TryAgain
from ._giveup import GiveUp, given_up
from ._policy import Policy
from ._retrying import retrying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from . import clients, db, instrumentation, testing, web

else:  # hidden from type checkers, for which it would make every name valid

    def __getattr__(name: str) -> ModuleType:
        """Import a module that not every program needs when it is first used."""
        if name in {"clients", "db", "instrumentation", "testing", "web"}:
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> set[str]:
        """List those modules too, for the completion of names."""
        return {*globals(), *__all__}


__version__ = "1.1.0"

__all__ = [
    "Attempt",
    "GiveUp",
    "Policy",
    "RetryBudget",
    "RetryError",
    "TryAgain",
    "backoff",
    "clients",
    "db",
    "deadline",
    "given_up",
    "instrumentation",
    "retry",
    "retrying",
    "testing",
    "web",
]

# Tracebacks, pickles and reprs show the public names, not the modules that define them.
for _public in (Attempt, GiveUp, Policy, RetryBudget, RetryError, TryAgain, given_up, retry):
    _public.__module__ = __name__
retrying.__module__ = deadline.__module__ = __name__
del _public
