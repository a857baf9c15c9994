"""Cause: the values spread more widely around the same mean, or less."""

from __future__ import annotations

from math import exp, sqrt
from typing import Final

from detectors.diagnosis.ends import ends_fit
from detectors.diagnosis.goodness import FITS, converted_goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.phrases import number
from detectors.violation import Cause

EVIDENCE: Final = 5.0
"""The least change of the spread, in its standard errors, that is called one."""

SAME_MEAN: Final = 4.0
"""The difference of both means that chance explains, in standard errors."""

STEPS: Final = (0.0, -0.02, 0.02, -0.04, 0.04)
"""Changes of the ratio that are tried: the deviation has an error too."""


def variance_change(sides: NumberSides) -> Cause | None:
    """``variance_change`` if another spread around the mean explains the whole window."""
    if not sides.comparable or sides.is_whole or not sides.window.std > 0:
        return None
    if abs(sides.spread) < EVIDENCE * sides.std_error:
        return None
    factor = exp(sides.spread)
    if abs(sides.shift) > SAME_MEAN * sqrt(sides.per_row) * max(factor, 1.0):
        return None
    if not ends_fit(sides, factor, sides.window.mean - factor * sides.baseline.mean):
        return None
    if not any(_fits(sides, factor * (1.0 + step)) for step in STEPS):
        return None
    return Cause(
        name="variance_change",
        words=f"the deviation is {number(factor)} times as large, around the same mean",
        action="retrain",
        numbers={"deviation_ratio": factor},
    )


def _fits(sides: NumberSides, factor: float) -> bool:
    """Whether the counts agree with this ratio, around a mean within its error."""
    offset = sides.window.mean - factor * sides.baseline.mean
    error = sides.window.std * sqrt(sides.per_row)
    return any(
        converted_goodness(sides, factor, offset + step * error) >= FITS
        for step in (0.0, -1.0, 1.0)
    )
