"""Text: text from outside, on one line that a log or a terminal can show safely.

Owns folding, cutting and escaping.  Error texts, and the names of classes, functions, files
and policies, are chosen by servers, peers and users: a line break in one would forge a log
line, an escape sequence would write into an operator's terminal, and a bidirectional control
would reorder what is read.
"""

from __future__ import annotations

_LONGEST = 200  # characters


def one_line(text: str, most: int = _LONGEST) -> str:
    r"""
    Return *text* on one line of at most *most* characters, without control characters.

    Runs of white space become one space.  Characters that are not printable are escaped as in a
    Python string literal.

    >>> one_line("two\nlines \x1b[31mred")
    'two lines \\x1b[31mred'
    """
    # The beginning is enough, however long the text is: only white space shrinks.
    text = " ".join(str.split(text[: 4 * most + 100]))[:most]
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)[:most]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
