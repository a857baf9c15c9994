"""Rows of data that pandas took for the header of a file, and wrote back as its names.

Names of columns must differ, so pandas counts equal ones: ``0,1,0,0`` becomes ``0,1,0.1,0.2``. If a
file without a header is read as one with a header, its first row is changed in this way, and is
sent later as if it were data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.arrays import Ints

COPIES: Final = 11
"""The number of equal values, besides the first, from which on a row is recognised.

With fewer, the row may be one of data. From the tenth on it cannot be: ``0.1`` and ``0.10`` are one
number, and no writer of numbers spells it in both ways within a row.
"""
_COPIES: Final = [f".{k}" for k in range(1, COPIES + 1)]
_BYTES: Final = [copy.encode() for copy in _COPIES]
_TENTH: Final = re.compile(rb'\.10[,"]')


def is_mangled(cells: Sequence[str]) -> bool:
    """Return whether a row is one of data that pandas took for a header.

    All cells differ, and of some text ``x`` there are ``x.1`` to ``x.11`` at least, in this order.
    ``x`` itself may be missing: a column may have been removed since.

    >>> is_mangled(["7", "0", *(f"0.{k}" for k in range(1, 12))])
    True
    >>> is_mangled(["7", "0", *(f"0.{k}" for k in range(1, 11))])
    False
    """
    place = {cell: j for j, cell in enumerate(cells)}
    if len(place) < len(cells):
        return False
    last = _COPIES[-1]
    bases = [cell.removesuffix(last) for cell in cells if cell.endswith(last)]
    return any(_counts_copies(place, base) for base in bases)


def _holds(data: bytes, word: bytes) -> bool:
    """Return whether a word of three or four bytes occurs before the last byte.

    That is ``word in data``. Comparing numbers of four bytes takes a fifth of the time.

    >>> _holds(b"0,0.10,1", b".10,"), _holds(b"0.10", b".10,"), _holds(b"1.1,0", b".1,")
    (True, False, True)
    """
    number = np.frombuffer(word.ljust(4, b"\0"), np.uint32)
    mask = np.frombuffer(b"\xff" * len(word) + b"\0" * (4 - len(word)), np.uint32)
    for start in range(min(4, len(data) - 3)):
        numbers = np.frombuffer(data, np.uint32, (len(data) - start) // 4, start)
        if ((numbers if len(word) == 4 else numbers & mask) == number).any():
            return True
    return False


def _counts_copies(place: dict[str, int], base: str) -> bool:
    """Return whether the copies of a text are at rising places."""
    places = [place.get(base + copy, -1) for copy in _COPIES]
    return places[0] >= 0 and places == sorted(places)


def mangled_lines(data: bytes, ends: Ints, quoted: bool) -> list[int]:
    """Return the lines of CSV that may be such rows; ``ends`` are the ends of all lines.

    Data with cells that end in ``.1`` and others that end in ``.10`` is rare: mostly, nothing more
    is looked at. ``quoted``: some cells are in quotes.
    """
    if not quoted and not (_holds(data, b".10,") and _holds(data, b".1,")):
        return []
    hits = [match.start() for match in _TENTH.finditer(data)]
    lines = []
    for k in np.unique(np.searchsorted(ends, hits)).tolist():
        line = data[ends[k - 1] + 1 if k else 0 : ends[k]]
        if all(copy in line for copy in _BYTES):
            lines.append(k)
    return lines
