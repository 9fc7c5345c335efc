"""What is fed to records, notes and log lines: names and texts from outside, and forged records.

Every line that the library makes of them is one line, printable and of bounded length, and
nothing raises.
"""

from __future__ import annotations

import logging
from typing import Any

from fuzz_cases import Choices

from retrying_elegant import GiveUp, given_up, retry

_RECORD = "__retrying_elegant__"
_PARTS = (
    "\x1b[31m",
    "\u202e",
    "\u2028",
    "\r\n",
    "\x00",
    "\ud800",
    "e\u0301",
    "\U0001f600",
    " " * 50,
    "x" * 500,
    "retrying_elegant: gave up on f after 9 attempts",
)
LONGEST = 1000  # characters of a line; that of a name and of a text are cut well before


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.lines += [
            str(v) for k, v in vars(record).items() if k in ("retry_name", "retry_error")
        ]


def a_text(choices: Choices) -> str:
    """A few hostile parts, and characters as they come."""
    return "".join(
        choices.one_of(_PARTS) if choices.number(2) else chr(choices.number(0x110000))
        for _ in range(choices.number(6))
    )


def a_value(choices: Choices) -> Any:
    """A field of a forged record."""
    kinds = (
        None,
        True,
        -1,
        1e400,
        float("nan"),
        b"bytes",
        (),
        ("line",),
        ["line", 3],
        {},
        object(),
    )
    return a_text(choices) if choices.number(2) else choices.one_of(kinds)


def check_line(line: str) -> None:
    """One line, printable, not endless."""
    assert line.isprintable(), line
    assert len(line) <= LONGEST, len(line)


def check_report(choices: Choices) -> None:
    """A call that fails: note, record, history and log lines."""
    # A class takes no name with a surrogate or a null character in it.
    kind = type(
        a_text(choices).encode("utf-8", "ignore").decode().replace("\0", "") or "E",
        (Exception,),
        {},
    )
    text, label = a_text(choices), a_text(choices) or "call"
    lines = Lines()
    logger = logging.getLogger("retrying_elegant")
    logger.addHandler(lines)
    logger.propagate = False

    def fail() -> None:
        raise kind(text)

    fail.__qualname__ = label
    try:
        retry(2, wait=0, name=label if choices.number(2) else None)(fail)()
    except Exception as error:
        assert type(error) is kind
        record = given_up(error)
        assert record is not None
        notes = error.__notes__
    finally:
        logger.removeHandler(lines)
        logger.propagate = True
    assert [str(record)] == notes
    for line in (*notes[0].split("\n"), *record.history, *lines.lines):
        check_line(line)
    assert len(notes[0].split("\n")) == 3


def check_forged(choices: Choices) -> None:
    """A record that this library has not made."""
    error = Exception("forged")
    length = choices.number(9)
    record: Any = tuple(a_value(choices) for _ in range(length))
    if choices.number(2):
        record = ("fetch", 2, 1.5, a_value(choices), (a_value(choices),))
    setattr(error, _RECORD, record)
    found = given_up(error)
    if found is not None:
        for line in str(found).split("\n"):
            check_line(line)
    made = GiveUp(*(a_value(choices) for _ in range(5)))
    assert isinstance(str(made), str)


def check(data: bytes) -> None:
    """One case of either."""
    choices = Choices(data)
    (check_report if choices.number(2) else check_forged)(choices)
