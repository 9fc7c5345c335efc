"""Output: how the subcommands write.

Owns the name of the program, an error of its own for output that fails, and how durations and
wide characters are shown.  Widths are terminal columns.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

PROGRAM = "retrying-elegant"


class OutputError(Exception):
    """
    Standard output cannot be written.

    Attributes:
        has_no_reader: Whether it is a pipe that is no longer being read.
    """

    def __init__(self, reason: str, *, has_no_reader: bool = False) -> None:
        super().__init__(reason)
        self.has_no_reader = has_no_reader


def write(stream: TextIO | None, text: str) -> None:
    """
    Write *text* to *stream*, standard output, and flush it.

    Raises:
        OutputError: the stream is closed, full, or no longer being read.
    """
    if stream is None:
        raise OutputError("it is closed")
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        raise OutputError("it is no longer read", has_no_reader=True) from None
    except OSError as error:
        raise OutputError(error.strerror or str(error)) from None


def complain(message: str) -> None:
    """Write a line, the name of the program and *message*, to standard error, if possible."""
    if sys.stderr is None:
        return  # for which `print` would take standard output
    try:
        print(f"{PROGRAM}{message}", file=sys.stderr)
    except OSError:
        pass  # it is full; the exit status still says that something is wrong


def brief(seconds: float) -> str:
    """
    Return *seconds* with at least three digits, and with an exponent only if that is shorter.

    >>> brief(0.1), brief(2.5), brief(3600.0)
    ('0.1', '2.5', '3600')
    """
    return f"{seconds:.0f}" if 999.5 <= seconds < 1e15 else f"{seconds:.3g}"


def width(text: str) -> int:
    """
    Return how many columns of a terminal the printable *text* takes.

    >>> width("naive"), width("\u9003\u8bd5"), width("nai\u0308ve")
    (5, 4, 5)
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """
    Return the beginning of *text* that takes at most *columns*.

    >>> cut("retry", 3), cut("\u9003\u8bd5", 3)
    ('ret', '\u9003')
    """
    if text.isascii():
        return text[: max(columns, 0)]
    for end, character in enumerate(text):
        columns -= _columns(character)
        if columns < 0:
            return text[:end]
    return text


def _columns(character: str) -> int:
    from unicodedata import category, east_asian_width

    if category(character) in ("Mn", "Me"):
        return 0  # it combines with the one before
    return 2 if east_asian_width(character) in "WF" else 1
