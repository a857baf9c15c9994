"""Cause, over a whole window: columns that hold each other's values."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.accepted import accepts_other
from detectors.diagnosis.goodness import FITS_ROUGHLY, goodness
from detectors.diagnosis.new_values import new_values
from detectors.diagnosis.number_sides import NumberSides, number_side
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause

MOST_PAIRS: Final = 400
"""The largest number of pairs of columns that are compared in full, those of closest means."""
NEAR: Final = 6.0
"""The difference of a mean from the other column's, in standard errors, that is no match."""
SPREAD: Final = log(1.6)
"""The largest difference of the logarithms of two deviations that are compared in full."""
NEARLY_ALL: Final = 0.95
"""The share of new texts that must be known to the other column."""


def swapped_columns(pair: Pair, drifting: Sequence[int]) -> dict[int, Cause]:
    """``swapped_columns`` for drifting features whose window has another one's baseline.

    Features form a cycle in which each has the values of the next: two that are swapped, or more
    that moved on, as where a column is missing in a file. A feature that fits more than one, or
    its own baseline too, is left out: columns of the same distribution cannot be told apart. Work
    grows with the number of drifting features, and at most 400 pairs are compared in full.
    """
    numbers = [i for i in drifting if pair.layout.features[i].numeric]
    texts = [i for i in drifting if not pair.layout.features[i].numeric]
    source = _single(_numbers_like(pair, numbers)) | _single(_texts_like(pair, texts))
    found: dict[int, Cause] = {}
    for first in source:
        cycle = _cycle(source, first)
        if len(cycle) > 1:
            found[first] = _cause(pair, cycle)
    return found


def _single(matches: list[tuple[int, int]]) -> dict[int, int]:
    """The feature that each one matches, of those that match exactly one."""
    sources: dict[int, list[int]] = {}
    for i, j in matches:
        sources.setdefault(i, []).append(j)
    return {i: found[0] for i, found in sources.items() if len(found) == 1}


def _cycle(source: dict[int, int], first: int) -> list[int]:
    """The features from ``first`` on until it comes again; empty if it does not."""
    cycle = [first]
    while (following := source.get(cycle[-1])) is not None:
        if following == first:
            return cycle
        if following in cycle:
            return []
        cycle.append(following)
    return []


def _numbers_like(pair: Pair, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs ``(i, j)``: the window of numeric feature ``i`` has the baseline of feature ``j``."""
    sides = {i: NumberSides(pair, i) for i in numbers}
    usable = [i for i in numbers if sides[i].comparable and sides[i].window.std > 0]
    if len(usable) < 2:
        return []
    distance = _distances(usable, sides)
    order = np.argsort(distance, axis=None)[:MOST_PAIRS]
    near = order[distance.ravel()[order] <= NEAR]
    pairs = [(usable[k // len(usable)], usable[k % len(usable)]) for k in near.tolist()]
    return [(i, j) for i, j in pairs if _has_baseline(pair, sides[i], j)]


def _distances(usable: list[int], sides: dict[int, NumberSides]) -> Floats:
    """The difference of each mean from each baseline's, in standard errors; ``inf`` for no match.

    Rows are windows, columns baselines. A feature that matches itself too is not swapped.
    """
    mean, std = (np.array([getattr(sides[i].window, name) for i in usable]) for name in _MOMENTS)
    means, stds = (
        np.array([getattr(sides[i].baseline, name) for i in usable]) for name in _MOMENTS
    )
    per_row = np.array([sides[i].per_row for i in usable])
    with np.errstate(over="ignore", invalid="ignore"):
        off = np.abs(mean[:, None] - means) / (stds * np.sqrt(per_row)[:, None])
        alike = np.abs(np.log(std[:, None] / stds)) <= SPREAD
    return np.where(alike & np.isfinite(off), off, np.inf)


_MOMENTS: Final = ("mean", "std")


def _has_baseline(pair: Pair, sides: NumberSides, j: int) -> bool:
    other = number_side(pair.baseline, j)
    if not accepts_other(other, sides):
        return False
    if sides.is_whole or other.integral > 0:
        return True
    below = np.interp(sides.edges, other.at, other.below, left=0.0, right=1.0)
    shares = np.diff(below, prepend=0.0, append=1.0)
    return goodness(shares, sides.after.astype(float), sides.per_row) >= FITS_ROUGHLY


def _texts_like(pair: Pair, texts: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs ``(i, j)``: nearly all new texts of feature ``i`` are known to feature ``j``."""
    words = {i: frozenset(pair.layout.features[i].vocabulary) for i in texts}
    found = []
    for i in texts:
        named = new_values(pair.window, i)
        total = sum(value.rows for value in named)
        # At least half of the rows are new: a value that two columns share says nothing.
        if 2 * total < NEARLY_ALL * float(pair.n[i]):
            continue
        for j in texts:
            rows = sum(value.rows for value in named if value.name in words[j])
            if j != i and rows >= NEARLY_ALL * total:
                found.append((i, j))
    return found


def _cause(pair: Pair, cycle: list[int]) -> Cause:
    names = [pair.layout.features[i].name for i in cycle]
    if len(cycle) == 2:
        words = f"swapped with the column {names[1]}"
    else:
        words = f"holds the values of the column {names[1]}: {len(cycle)} columns changed places"
    return Cause(
        name="swapped_columns",
        words=words,
        action="repair_pipeline",
        numbers={"column": names[1], "columns": float(len(cycle))},
    )
