"""Text from data, made safe for a terminal."""

from __future__ import annotations

from detectors.phrases import escaped


def printable(text: str) -> str:
    """Return text with the characters that could control a terminal escaped, except line breaks.

    >>> printable("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return "\n".join(map(escaped, text.split("\n")))
