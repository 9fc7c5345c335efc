"""Output: what the sub-commands share about writing.

Owns the name of the program, writing so that a failure is one of the output and of nothing
else, and how durations and wide characters are shown.  Widths are terminal columns.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

PROGRAM = "retrying-elegant"


class OutputError(Exception):
    """
    Standard output cannot be written.

    Attributes:
        has_no_reader: It is a pipe that is no longer read.
    """

    def __init__(self, reason: str, *, has_no_reader: bool = False) -> None:
        super().__init__(reason)
        self.has_no_reader = has_no_reader


def write(stream: TextIO | None, text: str) -> None:
    """
    Write *text* to *stream*, standard output, at once.

    Raises:
        OutputError: it is closed, full, or no longer read.
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


def brief(seconds: float) -> str:
    """
    Return *seconds* with three digits or more, and without an exponent where people write none.

    >>> brief(0.1), brief(2.5), brief(3600.0)
    ('0.1', '2.5', '3600')
    """
    return f"{seconds:.0f}" if 999.5 <= seconds < 1e15 else f"{seconds:.3g}"
