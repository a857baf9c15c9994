"""Whether a changed baseline reaches as far as the window does, at both ends of the range.

The groups of a chi-squared test do not show it: rows beyond all that is expected fill up the last
group, and those that are missing at an end are few of its group.
"""

from __future__ import annotations

from math import log, sqrt
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.diagnosis.number_sides import NumberSide, NumberSides
from detectors.statistics.laws import beta_binomial_tail

CHANCE: Final = 3e-4
"""The highest probability of an end that chance does not explain."""
ERRORS: Final = 2.5
"""The error of an end that follows from a fitted mean and deviation, in standard errors."""


def ends_fit(sides: NumberSides, factor: float, offset: float) -> bool:
    """Whether chance explains both ends of the window by ``factor * x + offset``, if positive.

    Both numbers are taken as fitted to the mean and the deviation, which gives an end an error.
    """
    return _lower_fits(
        sides, sides.baseline, factor, offset, sides.window.low, sides.edges, sides.after
    ) and _lower_fits(
        sides,
        sides.baseline.mirrored(),
        factor,
        -offset,
        -sides.window.high,
        -sides.edges[::-1],
        sides.after[::-1],
    )


def share_below(side: NumberSide, at: float) -> float:
    """The share of a side below a number: by a straight line within a bin, but the outermost.

    There a density may fall to 0, and the share below a number as its distance to the third power.
    """
    known = side.at[side.below > 0.0]
    if not len(known) or at > known[0] or not side.low < known[0]:
        return float(np.interp(at, side.at, side.below))
    first = float(side.below[side.below > 0.0][0])
    return first * max((at - side.low) / (float(known[0]) - side.low), 0.0) ** 3


def _lower_fits(
    sides: NumberSides,
    baseline: NumberSide,
    factor: float,
    offset: float,
    low: float,
    edges: Floats,
    after: Ints,
) -> bool:
    """Whether chance explains the rows below the converted baseline, and those that are missing.

    Whatever the distribution is, k of n rows lie below all m of the baseline if the first k of all
    in order are new, and all n above j of them if the first j are old (Wilks 1942).
    """
    n, m = sides.window.n, max(baseline.n, 1)
    end = factor * (baseline.low - _error(sides, baseline, baseline.low)) + offset
    k = max(int(after[: int(np.searchsorted(edges, end, side="right"))].sum()), int(low < end))
    at = (low - offset) / factor
    j = share_below(baseline, at - _error(sides, baseline, at)) * m
    return beta_binomial_tail(k, n, 1, m) >= CHANCE and j * log(m / (n + m)) >= log(CHANCE)


def _error(sides: NumberSides, baseline: NumberSide, at: float) -> float:
    """The error of a number that is converted by fitted moments, before the conversion."""
    off = (at - baseline.mean) / baseline.std
    return (
        ERRORS * baseline.std * sqrt((1.0 + off**2 * (sides.kurtosis - 1.0) / 4.0) * sides.per_row)
    )
