"""Cause: all values grew or shrank by one moderate factor."""

from __future__ import annotations

from math import floor, inf, log, sqrt
from typing import Final

from detectors.diagnosis.accepted import Range, accepted_factors
from detectors.diagnosis.ends import ends_fit
from detectors.diagnosis.goodness import FITS, converted_goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import is_ordinary
from detectors.diagnosis.unit_change import MODERATE
from detectors.phrases import number
from detectors.violation import Cause

MOMENT_ERRORS: Final = 2.5
"""The difference of the growth of mean and deviation that chance explains, in standard errors."""
LEAST: Final = log(1.15)
"""The least logarithm of a factor, either way, that is named: part of the rows that moved looks
like a smaller one."""
EVIDENCE: Final = 4.0
"""The least logarithm of a factor in its standard errors."""


def scaling(sides: NumberSides) -> Cause | None:
    """``scaling`` if one factor explains the whole window, and no shift or other spread does.

    Prices that rise and a currency that changed look alike: a person has to look.
    """
    if not sides.comparable or is_ordinary(sides):
        return None
    factors = accepted_factors(sides)
    if not factors or 1.0 in factors or not _moments_agree(sides):
        return None
    if not is_certain(sides, factors):
        return None
    if sides.is_whole and sides.window.integral > 0.5 and floor(factors.high) < factors.low:
        return None  # Whole numbers times a fraction are no whole numbers.
    if not sides.is_whole and not _fits(sides, factors):
        return None
    return Cause(
        name="scaling",
        words=(
            f"all values are about {number(factors.middle, 3)} times as large (between"
            f" {number(factors.low, 3)} and {number(factors.high, 3)})" + _known(factors)
        ),
        action="look",
        numbers={
            "factor": factors.middle,
            "factor_low": factors.low,
            "factor_high": factors.high,
        },
    )


def _known(factors: Range) -> str:
    """The known conversions that the window does not tell from a growth."""
    return "".join(f", or {known.example}" for known in MODERATE if known.factor in factors)


def _fits(sides: NumberSides, factors: Range) -> bool:
    """Whether both ends agree, and the counts by the middle or by the growth of the mean."""
    growth = sides.window.mean / sides.baseline.mean
    if not ends_fit(sides, growth, 0.0):
        return False
    tried = (factors.middle, growth)
    return any(f in factors and converted_goodness(sides, f, 0.0) >= FITS for f in tried)


def _moments_agree(sides: NumberSides) -> bool:
    """Whether the mean and the deviation have grown by the same factor."""
    ratio = sides.window.mean / sides.baseline.mean if sides.baseline.mean else 0.0
    return ratio > 0 and abs(log(ratio) - sides.spread) <= MOMENT_ERRORS * _error(sides)


def is_certain(sides: NumberSides, factors: Range) -> bool:
    """Whether a factor is so large that other shifts with another spread do not look like it.

    By the moments, or by the counts: where a long tail leaves the deviation uncertain, the rows in
    its body still exclude a shift alone and another spread alone.
    """
    size = abs(log(factors.middle))
    return size >= LEAST and (size >= EVIDENCE * _error(sides) or not is_ordinary(sides))


def _error(sides: NumberSides) -> float:
    """The standard error of the growth of the mean over that of the deviation, in logarithms."""
    relative = sides.baseline.std / sides.baseline.mean if sides.baseline.mean else inf
    return sqrt(sides.std_error**2 + relative**2 * sides.per_row)
