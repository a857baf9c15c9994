"""Two sentinels, one at either end: part of the rows has one value, and another part another."""

from __future__ import annotations

from math import sqrt

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.goodness import FITS_ROUGHLY, goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.spike import CHANCE, FEWEST_OTHERS, FEWEST_ROWS, MOMENT_ERRORS, is_likely
from detectors.phrases import number, percent
from detectors.statistics.laws import beta_binomial_tail
from detectors.violation import Cause


def sentinels(sides: NumberSides) -> Cause | None:
    """``sentinel`` if the smallest and the largest number explain the whole window as two spikes.

    Both must be beyond the baseline's range and likely to stand for many rows. The bins that hold
    them have no other rows in the baseline, all other bins have its shares, and mean and mean
    square are those of the baseline and both spikes together.
    """
    n, m = sides.window.n, sides.baseline.n
    if not n or not m or np.count_nonzero(sides.before) <= FEWEST_OTHERS:
        return None
    if not (sides.window.low < sides.baseline.low and sides.window.high > sides.baseline.high):
        return None
    values = np.array([sides.window.low, sides.window.high])
    bins = np.searchsorted(sides.edges, values, side="right")
    rows = sides.after[bins]
    if sides.before[bins].any() or not all(is_likely(sides, float(x)) for x in values):
        return None
    if any(beta_binomial_tail(int(k), n, 1, m) > CHANCE for k in rows):
        return None
    others = np.ones(len(sides.after), bool)
    others[bins] = False
    left = n - int(rows.sum())
    per_row = 1.0 / max(left, 1) + sides.per_row - 1.0 / n
    before, after = sides.before[others].astype(float), sides.after[others].astype(float)
    if left < FEWEST_ROWS or goodness(before, after, per_row) < FITS_ROUGHLY:
        return None
    return _cause(sides, values, rows / n) if _explain(sides, values, rows / n) else None


def _explain(sides: NumberSides, values: Floats, shares: Floats) -> bool:
    """Whether both spikes give the mean and the mean square of the window."""
    std, rest = sides.baseline.std, 1.0 - float(shares.sum())
    off = values - sides.baseline.mean
    error = MOMENT_ERRORS * sqrt(sides.per_row)
    gained = sides.window.mean - sides.baseline.mean
    if abs(gained - float((shares * off).sum())) > error * std:
        return False
    square = sides.window.std**2 + gained**2
    expected = rest * std**2 + float((shares * off**2).sum())
    return bool(abs(square - expected) <= error * std**2 * sqrt(sides.kurtosis - 1.0))


def _cause(sides: NumberSides, values: Floats, shares: Floats) -> Cause:
    share = float(shares.sum())
    numbers: dict[str, float | str] = {"share": share}
    shown = ""
    if sides.expose_values:
        numbers["at_below"], numbers["at_above"] = float(values[0]), float(values[1])
        shown = f" ({number(float(values[0]), 4)} and {number(float(values[1]), 4)})"
    return Cause(
        name="sentinel",
        words=f"{percent(share)} of the values are two outside of the usual range{shown}",
        action="repair_pipeline",
        numbers=numbers,
    )
