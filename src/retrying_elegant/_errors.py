"""Errors and records: what a call that gave up leaves behind.

Owns ``RetryError`` and ``TryAgain``, the record ``GiveUp``, and how record and
note travel on the user's own exception.  Leaves deciding when to give up to
``decision``.  Times are float seconds since the start of the call.
"""

from __future__ import annotations

from ._checks import seconds
from ._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import timedelta
    from typing import Any, Literal

    Reason = Literal["attempts", "timeout", "budget", "not retryable"]

_IN_WORDS = {
    "attempts": "no attempts left",
    "timeout": "no time left",
    "budget": "no budget left",
    "not retryable": "not retryable",
}
NOT_ACCEPTED = "result not accepted"

# Plain built-in values under one attribute, so that the exception can be
# unpickled where this package is not installed.
_RECORD = "__retrying_elegant__"


class RetryError(Exception):
    """
    Raised where a call gave up and there is no exception of its own to raise.

    That is the case when ``until`` was satisfied by no result.

    Attributes:
        result: The last result, the one that was not accepted.

    >>> raise RetryError("no answer accepted", result=404)
    Traceback (most recent call last):
        ...
    retrying_elegant.RetryError: no answer accepted
    """

    def __init__(self, *args: object, result: Any = None) -> None:
        super().__init__(*args)
        self.result = result


class TryAgain(RetryError):  # noqa: N818 - it reads as a request: `raise TryAgain(after=2)`
    """
    Raise it inside an attempt to ask for another, whatever ``on`` and ``unless`` say.

    It obeys ``attempts``, ``timeout`` and ``budget``.  A policy that has given up
    on it lets it leave as an ordinary error, which it stays: raise a new one each time.
    A predicate given as ``on`` may return one to say "retry, but not before *after*
    seconds".

    Args:
        after: A hint: the next attempt starts no earlier than this many seconds
            from now.  At least 0; it is added to the wait of the backoff.

    Raises:
        TypeError: *after* is no number of seconds.
        ValueError: *after* is negative or not finite.

    >>> TryAgain(after=2.5).after
    2.5
    """

    def __init__(
        self, *args: object, after: float | timedelta | None = None, result: Any = None
    ) -> None:
        super().__init__(*args, result=result)
        self.after = None if after is None else seconds("after", after)


class GiveUp(Value):
    """
    The record of one call that ended without success.

    Attributes:
        name: What was called, as logs name it.
        attempts: How many attempts were made.
        elapsed: Seconds from the start to the decision to give up.
        reason: ``"attempts"``, ``"timeout"``, ``"budget"`` or ``"not retryable"``.
        history: One line for each of the last ten failed attempts, the oldest first.

    >>> print(GiveUp("fetch", 2, 1.5, "attempts", ("attempt 1 at 0.00 s: OSError",)))
    retrying_elegant: gave up on fetch after 2 attempts in 1.50 s (no attempts left)
      attempt 1 at 0.00 s: OSError
    """

    name: str
    attempts: int
    elapsed: float
    reason: Reason
    history: tuple[str, ...]

    def __init__(
        self, name: str, attempts: int, elapsed: float, reason: Reason, history: tuple[str, ...]
    ) -> None:
        self.__dict__.update(
            name=name, attempts=attempts, elapsed=elapsed, reason=reason, history=history
        )

    def __str__(self) -> str:
        head = headline(self.name, self.attempts, self.elapsed, self.reason)
        return "\n  ".join((f"retrying_elegant: {head}", *self.history))


def headline(name: str, attempts: int, elapsed: float, reason: Reason) -> str:
    """Put a give-up into one line, as note and log begin."""
    calls = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    return f"gave up on {name} after {calls} in {elapsed:.2f} s ({_IN_WORDS[reason]})"


def given_up(error: BaseException, /) -> GiveUp | None:
    """
    Tell whether a policy has given up on *error*: the last one's record, or None.

    As a filter, ``unless=given_up`` means "do not retry again what an inner layer
    has already retried".

    >>> given_up(ValueError("fresh")) is None
    True
    """
    try:
        # Past any __getattr__: it may answer to every name with something of its own.
        record = object.__getattribute__(error, _RECORD)
    except AttributeError:
        return None
    return GiveUp(*record)


def sign(error: BaseException, record: GiveUp) -> None:
    """Leave *record* and its note on *error*, in place of an earlier note of the same name."""
    try:
        setattr(error, _RECORD, tuple(record.__dict__.values()))
        opening = f"retrying_elegant: gave up on {record.name} after "
        notes = getattr(error, "__notes__", [])
        notes[:] = [note for note in notes if not str(note).startswith(opening)]
    except Exception:  # noqa: BLE001, S110 - an error that takes no record leaves all the same
        pass
    add_note(error, str(record))


def add_note(error: BaseException, note: str) -> None:
    """Add *note* to *error*, if that can be done."""
    try:
        error.add_note(note)
    except Exception:  # noqa: BLE001, S110 - an error that takes no note leaves all the same
        pass


class context_kept:  # noqa: N801 - read as a word of the `with` it stands in
    """
    Keep the ``__context__`` of *error*, which is raised again inside.

    Raising an error where the caller handles another would put that one in its place.
    A context manager, for a function would add its own frame to the traceback.
    """

    __slots__ = ("_context", "_error")

    def __init__(self, error: BaseException) -> None:
        self._error = error
        self._context = error.__context__

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        # Past any __setattr__ of the user's class.
        BaseException.__setattr__(self._error, "__context__", self._context)


def text_of(error: BaseException) -> str:
    """The beginning of the text of *error*, which may be megabytes."""
    try:
        text = str(error)
        if type(text) is str and len(text) <= 400:
            return text
        return str.lstrip(text)[:400]  # a plain one, even of a subclass
    except Exception as trouble:  # noqa: BLE001 - a broken __str__ must not hide the error
        return f"<its text raised {_name_of(type(trouble))}>"


def words(kind: type[BaseException], text: str) -> str:
    """The kind of an error and its text on one line, the text cut at 200 characters."""
    text = " ".join(text.split())[:200]
    return f"{_name_of(kind)}: {text}" if text else _name_of(kind)


def _name_of(kind: type[BaseException]) -> str:
    name: str = type.__dict__["__name__"].__get__(kind)  # which no metaclass can break
    return name


def in_words(number: int, elapsed: float, kind: type[BaseException] | None, text: str) -> str:
    """Put a failed attempt into a line of the history; without *kind* its result was refused."""
    failure = NOT_ACCEPTED if kind is None else words(kind, text)
    return f"attempt {number} at {elapsed:.2f} s: {failure}"


def describe(error: BaseException | None) -> str:
    """Put the failure of an attempt into a line: its error, or that its result was refused."""
    return NOT_ACCEPTED if error is None else brief(error)


def brief(error: BaseException) -> str:
    """The type of *error* and its text on one line, cut at 200 characters."""
    return words(type(error), text_of(error))
