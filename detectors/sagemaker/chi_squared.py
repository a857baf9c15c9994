"""The chi-squared test of text features as deequ, and so SageMaker Model Monitor, does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from detectors.statistics.laws import upper_tail

SMALL: Final = 5.0
"""An expected count below this is small; of more than two categories one in five may be."""
SMALL_OF_TWO: Final = 10.0
"""An expected count below this is small where there are two categories; none may be."""
SMALL_SHARE: Final = 0.2


def p_value(window: Mapping[str, float], baseline: Mapping[str, float]) -> float | None:
    """The p-value of a window's counts by category against those of the baseline.

    The baseline's counts, scaled to the window's total, are what is expected; categories that the
    baseline does not have are left out. While too many expected counts are small, the smallest
    category is merged into the second smallest. Then it is the upper tail of
    ``sum((count - expected)**2 / expected)`` with one degree of freedom less than categories.
    ``None`` where fewer than two categories are left, or the window has none of them.

    >>> p_value({"a": 50, "b": 50}, {"a": 10, "b": 10}), p_value({"a": 9}, {"a": 1, "b": 1})
    (1.0, None)
    """
    known = sum(window.get(key, 0.0) for key in baseline)
    scale = known / sum(baseline.values()) if baseline else 0.0
    if not scale:
        return None
    cells = [(count * scale, window.get(key, 0.0)) for key, count in baseline.items() if count]
    cells = _merged(cells)
    if len(cells) < 2:
        return None
    statistic = sum((count - expected) ** 2 / expected for expected, count in cells)
    return upper_tail(statistic, len(cells) - 1)


def _merged(cells: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The cells (expected count, count), small ones merged until few enough are left."""
    cells = sorted(cells)
    while len(cells) > 1:
        small, allowed = SMALL_OF_TWO, 0
        if len(cells) > 2:
            small, allowed = SMALL, int(SMALL_SHARE * len(cells))
        if sum(expected < small for expected, _ in cells) <= allowed:
            break
        (first, count), (second, other), *rest = cells
        cells = sorted([(first + second, count + other), *rest])
    return cells
