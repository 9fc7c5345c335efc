"""Give-up: the record and the note of a call that ended without success.

Owns ``GiveUp`` and ``given_up``, how record and note are stored on the user's exception, and
how notes and logs describe a failure.  Leaves deciding when to give up to ``decision``.  Times
are float seconds since the start of the call.
"""

from __future__ import annotations

from ._text import one_line
from ._value import Value, frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Reason = Literal[
        "attempts", "timeout", "budget", "stopped", "wait", "not retryable", "interrupted"
    ]

_DESCRIBED = {
    "attempts": "no attempts left",
    "timeout": "no time left",
    "budget": "no budget left",
    "wait": "wait allows no further attempt",
}
NOT_ACCEPTED = "result not accepted"
_NAME = 100  # characters of the name of a class, at most

# Only built-in values, under one attribute, so that the exception can be unpickled where this
# package is not installed.
_RECORD = "__retrying_elegant__"


@frozen
class GiveUp(Value):
    """
    The record of one call that ended without success.

    Attributes:
        name: The name of the call, as in the log.
        attempts: How many attempts were made.
        elapsed: Seconds from the start to the decision to give up.
        reason: ``"attempts"``, ``"timeout"``, ``"budget"``, ``"stopped"``, ``"wait"``,
            ``"not retryable"`` or ``"interrupted"``.
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
        try:
            head = headline(self.name, self.attempts, self.elapsed, self.reason)
            return "\n  ".join((f"retrying_elegant: {head}", *map(_line, self.history)))
        except Exception:  # noqa: BLE001 - one made by hand may hold anything
            return f"retrying_elegant: {one_line(object.__repr__(self))}"


def headline(name: str, attempts: int, elapsed: float, reason: str) -> str:
    """Describe a give-up in one line: the beginning of the note and of the log line."""
    calls = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    why = _DESCRIBED.get(reason) or one_line(reason)
    return f"gave up on {one_line(name)} after {calls} in {elapsed:.2f} s ({why})"


def given_up(error: BaseException, /) -> GiveUp | None:
    """
    Return the record of the last policy that gave up on *error*, or None.

    As a filter, ``unless=given_up`` means "do not retry what an inner layer has already
    retried".

    >>> given_up(ValueError("fresh")) is None
    True
    """
    try:
        # This bypasses a __getattr__, which may return something for every name.
        try:
            record = object.__getattribute__(error, _RECORD)
        except AttributeError:  # the error that a client makes of a response has it on that
            response = object.__getattribute__(error, "response")
            record = object.__getattribute__(response, _RECORD)
        name, attempts, elapsed, reason, history, *_ = record
        kinds = (type(name), type(attempts), type(reason))
        if kinds != (str, int, str) or not all(type(line) is str for line in history):
            return None
        elapsed += 0.0
        return GiveUp(name, attempts, elapsed, reason, tuple(history))
    except Exception:  # noqa: BLE001 - no record, or a forged one
        return None


def sign(error: Any, record: GiveUp) -> None:
    """Attach *record* and its note to *error*, replacing an earlier note of the same name."""
    try:
        setattr(error, _RECORD, tuple(record.__dict__.values()))
        opening = f"retrying_elegant: gave up on {one_line(record.name)} after "
        notes = getattr(error, "__notes__", [])
        notes[:] = [note for note in notes if not str(note).startswith(opening)]
    except Exception:  # noqa: BLE001, S110 - it is raised without a record then
        pass
    add_note(error, str(record))


def add_note(error: Any, note: str) -> None:
    """Add *note* to *error*, if it accepts one."""
    try:
        error.add_note(note)
    except Exception:  # noqa: BLE001, S110 - it is raised without a note then
        pass


def text_of(error: BaseException) -> str:
    """Return the beginning of the text of *error*; the whole text may be megabytes long."""
    try:
        text = str(error)
        if type(text) is str and len(text) <= 400:
            return text
        return str.__getitem__(str.lstrip(text), slice(400))  # a str proper, also of a subclass
    except Exception as trouble:  # noqa: BLE001 - a broken __str__ must not hide the error
        return f"<its text raised {class_name(type(trouble))}>"


def describe(kind: type[BaseException] | None, text: str) -> str:
    """Describe a failure in one line: class and text of the error, or a rejected result."""
    if kind is None:
        return NOT_ACCEPTED
    text = one_line(text)
    return f"{class_name(kind)}: {text}" if text else class_name(kind)


def brief(error: BaseException) -> str:
    """Describe *error* in one line."""
    return describe(type(error), text_of(error))


def entry(number: int, elapsed: float, kind: type[BaseException] | None, text: str) -> str:
    """Describe a failed attempt as a line of the history."""
    return f"attempt {number} at {elapsed:.2f} s: {describe(kind, text)}"


def class_name(kind: type[BaseException]) -> str:
    """Return the name of the class of an error, folded and cut."""
    return one_line(type.__dict__["__name__"].__get__(kind), _NAME)  # bypasses the metaclass


def _line(text: str) -> str:
    return one_line(text, 2 * _NAME + 200)
