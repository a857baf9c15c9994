"""Text from data, made safe for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text with the characters that could control a terminal escaped, except line breaks.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "".join(
        char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text
    )
