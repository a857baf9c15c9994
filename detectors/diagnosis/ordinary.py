"""Changes that happen without a fault of the pipeline: a shift, or another spread."""

from __future__ import annotations

from math import exp
from typing import Final

from detectors.diagnosis.accepted import accepted_factors, accepted_shifts
from detectors.diagnosis.goodness import converted_goodness
from detectors.diagnosis.number_sides import NumberSides

SHIFT: Final = 5.0
"""The shift, in baseline deviations, that values may make without a change of unit."""
UNLIKELY: Final = 1e-4
"""A p-value below which the counts exclude an ordinary change."""
WIDENING: Final = 10.0
"""The factor by which values may spread without a change of unit."""


def is_ordinary(sides: NumberSides) -> bool:
    """Whether no change, a shift, or another spread around the mean explains the whole window.

    By the band of each edge and, unless the baseline has whole numbers, by the counts together.
    """
    return sides.once("ordinary", lambda: _is_shift(sides) or _is_spread(sides))


def _is_shift(sides: NumberSides) -> bool:
    shifts = accepted_shifts(sides)
    limit = SHIFT * sides.baseline.std
    if not shifts or shifts.low > limit or shifts.high < -limit:
        return False
    moved = sides.window.mean - sides.baseline.mean
    return _fits(sides, [(1.0, 0.0), (1.0, moved), (1.0, shifts.middle)])


def _is_spread(sides: NumberSides) -> bool:
    mean = sides.baseline.mean
    spreads = accepted_factors(sides, center=mean)
    if not spreads or spreads.low > WIDENING or spreads.high < 1.0 / WIDENING:
        return False
    factors = (spreads.middle, exp(sides.spread))
    return _fits(sides, [(factor, mean * (1.0 - factor)) for factor in factors])


def _fits(sides: NumberSides, conversions: list[tuple[float, float]]) -> bool:
    """Whether the counts agree with one of these."""
    return any(agrees(sides, factor, offset) for factor, offset in conversions)


def agrees(sides: NumberSides, factor: float, offset: float) -> bool:
    """Whether the counts agree with ``factor * x + offset``.

    Whole numbers are not compared that finely.
    """
    return sides.is_whole or converted_goodness(sides, factor, offset) >= UNLIKELY
