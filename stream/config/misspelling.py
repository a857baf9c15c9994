"""Tells a misspelt name of a key from the name of another one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

SHORT_NAME: Final = 5
"""The letters of a name up to which one wrong letter makes it misspelt, and no more."""
MOST_WRONG: Final = 2
"""The wrong letters up to which a longer name is misspelt."""


def is_misspelt(name: str, valid: Iterable[str]) -> bool:
    """Return whether a name differs from a valid one by a letter or two, or in its spelling alone.

    Case, dashes and underscores are no difference; a letter that is wrong, missing, additional or
    exchanged with its neighbour counts as one, and names of up to five letters may have one.

    >>> known = ["comparison_threshold", "categorical_drift_method"]
    >>> is_misspelt("comparison_treshold", known), is_misspelt("comparisonThreshold", known)
    (True, True)
    >>> is_misspelt("numerical_drift_method", known)
    False
    """
    plain = _plain(name)
    most = 1 if len(plain) <= SHORT_NAME else MOST_WRONG
    return any(_distance(plain, _plain(other), most) <= most for other in valid)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _distance(one: str, two: str, most: int) -> int:
    """The number of wrong letters (Damerau 1964); more than ``most`` if the lengths say so."""
    if abs(len(one) - len(two)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(two) + 1))
    for i, left in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(two, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and (left, one[i - 2]) == (two[j - 2], right):
                least = min(least, earlier[j - 2] + 1)
            row.append(least)
    return row[-1]
