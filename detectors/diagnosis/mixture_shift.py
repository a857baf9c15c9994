"""Cause: part of the rows is in another unit, as if one of several clients had changed it."""

from __future__ import annotations

from math import log, sqrt
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.accepted import accepted_factors
from detectors.diagnosis.goodness import FITS, converted_goodness, converted_shares, goodness
from detectors.diagnosis.number_sides import MOMENT_ERRORS, NumberSides
from detectors.diagnosis.ordinary import UNLIKELY, is_ordinary
from detectors.diagnosis.unit_change import CONVERSIONS, GROWTH, Conversion
from detectors.phrases import number, percent
from detectors.violation import Cause

LEAST_SHARE: Final = 0.03
"""The smallest part of the rows that is looked for."""
FEWEST_ROWS: Final = 20
"""The least number of rows in either unit."""
LEAST_GAP: Final = 0.03
"""The least share of rows that a conversion moves into other bins, to be looked for."""
MOST_BELOW: Final = 8.0
"""The expected number of rows below the smallest one that chance explains: ``exp(-8)`` is 3e-4."""
CHANCE: Final = 1e-4
"""The highest p-value of the unchanged baseline for a window that is asked for a mixture."""


def mixture_shift(sides: NumberSides) -> Cause | None:
    """``mixture_shift`` if the window is a mixture of the baseline and of it in another unit.

    Of the known conversions; the share of converted rows is the least-squares one.
    """
    if not sides.comparable or sides.is_whole or _as_before(sides) or _changed_alike(sides):
        return None
    fits = [(_fit(sides, known), known) for known in CONVERSIONS if _may_fit(sides, known)]
    good = sorted(
        ((p, share, known) for (p, share), known in fits if p >= FITS),
        key=lambda fit: -fit[0],
    )
    if not good:
        return None
    _, share, known = good[0]
    shares = [s for _, s, _ in good]
    offset = f" {'+' if known.offset > 0 else '-'} {number(abs(known.offset), 3)}"
    formula = f"{number(known.factor, 3)} x{offset if known.offset else ''}"
    one = len(good) == 1
    return Cause(
        name="mixture_shift",
        words=(
            f"about {percent(round(share, 3))} of the rows are in another unit: about {formula}, "
            + (known.example if one else "or a similar one")
        ),
        action="repair_pipeline",
        numbers={
            "share": share,
            "share_low": min(shares),
            "share_high": max(shares),
            "factor": known.factor,
            "offset": known.offset,
        },
    )


def _as_before(sides: NumberSides) -> bool:
    return goodness(sides.before.astype(float), sides.after.astype(float), sides.per_row) > CHANCE


def _changed_alike(sides: NumberSides) -> bool:
    """Whether one factor, a shift or another spread of all rows may explain the window."""
    factors = accepted_factors(sides)
    scaled = factors and converted_goodness(sides, factors.middle, 0.0) >= UNLIKELY
    return bool(scaled) or is_ordinary(sides)


def _is_large(known: Conversion) -> bool:
    """Whether a conversion does not look like an ordinary spread of part of the rows."""
    return bool(known.offset) or known.factor < 1.0 / GROWTH or known.factor > GROWTH


def _may_fit(sides: NumberSides, known: Conversion) -> bool:
    """Whether some share of rows in another unit may give the mean: costs less than a fit."""
    if not _is_large(known):
        return False
    mean, std = sides.baseline.mean, sides.baseline.std
    gap = known.factor * mean + known.offset - mean
    largest = std * sqrt(1.0 + known.factor**2) + abs(gap) / 2.0
    error = MOMENT_ERRORS * largest * sqrt(sides.per_row)
    gained = sides.window.mean - mean
    ends = sorted((LEAST_SHARE * gap, (1.0 - LEAST_SHARE) * gap))
    return ends[0] - error <= gained <= ends[1] + error


def _fit(sides: NumberSides, known: Conversion) -> tuple[float, float]:
    """The p-value of the mixture with the best share, and that share."""
    before = sides.before / sides.baseline.n
    after = sides.after / sides.window.n
    converted = converted_shares(sides, known.factor, known.offset)
    below = [np.cumsum(shares)[:-1] for shares in (before, converted, after)]
    moved: Floats = below[1] - below[0]
    if np.abs(moved).max(initial=0.0) < LEAST_GAP:
        return 0.0, 0.0
    share = float((moved * (below[2] - below[0])).sum() / (moved**2).sum())
    few = min(share, 1.0 - share) * sides.window.n < FEWEST_ROWS
    if few or not LEAST_SHARE <= share <= 1.0 - LEAST_SHARE or not _moments(sides, known, share):
        return 0.0, 0.0
    if not (_has_lowest(sides, known, share) and _has_lowest(sides, known, share, mirrored=True)):
        return 0.0, 0.0
    mixed = (1.0 - share) * before + share * converted
    return goodness(mixed, sides.after.astype(float), sides.per_row), share


def _has_lowest(
    sides: NumberSides, known: Conversion, share: float, mirrored: bool = False
) -> bool:
    """Whether the mixture may have the window's smallest number; ``mirrored``: the largest.

    Rows that all fall into one bin show no shape, and a factor that makes them small shows in no
    moment: the extremes are what is left.
    """
    if known.factor < 0:
        return True  # With the sign changed, one end is the other.
    baseline, window, offset = sides.baseline, sides.window, known.offset
    if mirrored:
        baseline, window, offset = baseline.mirrored(), window.mirrored(), -offset
    sizes = (1.0 - share) * window.n, share * window.n
    lowest = window.low, (window.low - offset) / known.factor
    below = sum(
        size * float(np.interp(at, baseline.at, baseline.below, left=0.0, right=1.0))
        for size, at in zip(sizes, lowest, strict=True)
    )
    spacing = [baseline.spacing(size) for size in sizes]
    in_reach = any(at >= baseline.low - gap for at, gap in zip(lowest, spacing, strict=True))
    return below <= MOST_BELOW and in_reach


def _moments(sides: NumberSides, known: Conversion, share: float) -> bool:
    """Whether the window has the mean and the mean square of the mixture.

    The share is one of ``n`` rows, and has the error of one.
    """
    mean, std = sides.baseline.mean, sides.baseline.std
    gap = known.factor * mean + known.offset - mean
    spread = (known.factor * std) ** 2
    between = share * (1.0 - share) * gap**2
    variance = (1.0 - share) * std**2 + share * spread + between
    error = MOMENT_ERRORS * sqrt(variance * sides.per_row)
    if abs(sides.window.mean - mean - share * gap) > error:
        return False
    ratio = sides.window.std / sqrt(variance) if variance > 0 else 0.0
    # The deviation is that of few rows: with the kurtosis of two points besides the baseline's.
    rare = min(share, 1.0 - share)
    log_error = MOMENT_ERRORS * sqrt((1.0 / rare + sides.kurtosis) / 4.0 * sides.per_row)
    return ratio > 0 and abs(log(ratio)) <= log_error
