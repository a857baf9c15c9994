"""Cause: values are rounded more coarsely than in the baseline."""

from __future__ import annotations

from math import floor, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.diagnosis.accepted import ROUNDING, reach
from detectors.diagnosis.goodness import FITS_ROUGHLY, goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.phrases import number
from detectors.violation import Cause

EXPECTED: Final = 12.0
"""The count that must be expected in the bins without a round value: ``exp(-12)`` is 6e-6."""
MULTIPLES: Final = (5.0, 2.5, 2.0, 1.0)
"""The steps that are tried, times powers of 10."""
POWERS: Final = 4
"""The number of powers of 10 that are tried."""


def rounded(sides: NumberSides) -> Cause | None:
    """``rounded`` if only bins with a multiple of a step have counts, in the shape of the baseline.

    The largest such step, of 1, 2, 2.5 and 5 times a power of 10. Seen where bins are narrower than
    the step; the baseline must not have been rounded to it. Rounding down or up is rounding too.
    """
    if not sides.comparable or sides.feature.kind == "codes":
        return None
    for step in _steps(sides):
        round_bins = _with_a_multiple(sides, step)
        expected = float(sides.before[~round_bins].sum()) / sides.baseline.n * sides.window.n
        if expected < EXPECTED or sides.after[~round_bins].any():
            continue
        if _has_the_shape(sides, step) and _has_the_shares(sides, step):
            return Cause(
                name="rounded",
                words=f"values are rounded to multiples of {number(step)}",
                action="repair_pipeline",
                numbers={"step": step},
            )
    return None


def _steps(sides: NumberSides) -> list[float]:
    """Steps from the largest on, about as wide as the middle of the baseline at most."""
    if not sides.half_width > 0:
        return []
    top = floor(log10(sides.half_width)) + 1
    steps = [m * 10.0**p for p in range(top, top - POWERS, -1) for m in MULTIPLES]
    return [step for step in steps if step <= 2.0 * sides.half_width]


def _with_a_multiple(sides: NumberSides, step: float) -> NDArray[np.bool_]:
    """Whether each bin holds a multiple of the step; the open ones do."""
    lower, upper = sides.edges[:-1], sides.edges[1:]
    first = np.ceil(lower / step - ROUNDING) * step
    inside = first < upper - ROUNDING * step
    return np.concatenate(([True], inside, [True]))


def _has_the_shape(sides: NumberSides, step: float) -> bool:
    """Whether no share below an edge is off by more than values that move by a step explain."""
    at, lower, upper = sides.points
    first, last = reach(sides.baseline, lower, upper)
    return bool(np.all((at >= first - step) & (at <= last + step)))


def _has_the_shares(sides: NumberSides, step: float) -> bool:
    """Whether the shares are those of values rounded down, up or to the nearest, by the counts.

    A few rows that are sent again and again fill few bins too, and those by chance.
    """
    at, below = sides.baseline.at, sides.baseline.below
    multiples = np.arange(floor(at[0] / step) - 1.0, floor(at[-1] / step) + 3.0) * step
    bins = np.searchsorted(sides.edges, multiples + ROUNDING * step, side="right")
    for start in (-0.5, 0.0, -1.0):
        shares = np.diff(
            np.interp(np.append(multiples, multiples[-1] + step) + start * step, at, below)
        )
        expected = np.bincount(bins, shares, len(sides.after))
        if (
            goodness(expected.astype(float), sides.after.astype(float), sides.per_row)
            >= FITS_ROUGHLY
        ):
            return True
    return False
