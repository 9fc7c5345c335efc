"""Errors: what the library raises, and what an attempt raises to request another.

Owns ``RetryError`` and ``TryAgain``.  Leaves the record of a call that gave up to ``giveup``.
"""

from __future__ import annotations

from ._checks import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any


class RetryError(Exception):
    """
    Raised when a call gives up and has no exception of its own to raise.

    This is the case when ``until`` accepted no result.

    Attributes:
        result: The last result, which was not accepted.

    >>> raise RetryError("no answer accepted", result=404)
    Traceback (most recent call last):
        ...
    retrying_elegant.RetryError: no answer accepted
    """

    # On the class for subclasses that do not call __init__.  At run time it has no annotation,
    # because tools that read those of a subclass read these as well, and there is no `Any`.
    if TYPE_CHECKING:
        result: Any
    else:
        result = None

    def __init__(self, *args: object, result: Any = None) -> None:
        super().__init__(*args)
        self.result = result


class TryAgain(RetryError):  # noqa: N818 - it reads as a request: `raise TryAgain(after=2)`
    """
    Raise it inside an attempt to request another, whatever ``on`` and ``unless`` say.

    It is subject to ``attempts``, ``timeout`` and ``budget``.  After a policy has given up on
    it, it is an ordinary error to all others, so raise a new one each time.  A predicate given as
    ``on`` or ``until`` may return one to say "retry, but not before *after* seconds have
    passed".

    Args:
        after: A hint: the next attempt starts no earlier than this many seconds from now. At
            least 0. It is added to the wait of the backoff.

    Raises:
        TypeError: *after* is not a number of seconds.
        ValueError: *after* is negative or not finite.

    >>> TryAgain(after=2.5).after
    2.5
    """

    after: float | None = None  # on the class for the same reason

    def __init__(
        self, *args: object, after: float | timedelta | None = None, result: Any = None
    ) -> None:
        super().__init__(*args, result=result)
        self.after = None if after is None else seconds("after", after)

    def __repr__(self) -> str:
        if self.after is None:
            return super().__repr__()
        parts = [*map(repr, self.args), f"after={self.after!r}"]
        return f"{type(self).__name__}({', '.join(parts)})"


def hint_of(request: TryAgain) -> float | None:
    """
    Return the hint of *request* in seconds, or None.

    It is checked when it is read, because a subclass, a later assignment or a pickle may have set
    it to anything.

    Raises:
        TypeError, ValueError: as for ``TryAgain(after=...)``.
    """
    return None if request.after is None else seconds("after", request.after)
