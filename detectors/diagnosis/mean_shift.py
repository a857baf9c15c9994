"""Cause: the whole distribution has moved, by less than a fault of the pipeline would."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final

import numpy as np

from detectors.diagnosis.accepted import accepted_factors, accepted_shifts, accepts_linear
from detectors.diagnosis.goodness import FITS, converted_goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import SHIFT, UNLIKELY
from detectors.diagnosis.scaling import is_certain
from detectors.diagnosis.unit_change import CONVERSIONS
from detectors.phrases import number
from detectors.violation import Action, Cause

EVIDENCE: Final = 5.0
"""The least shift, in its standard errors, that is called one."""
WIDEST: Final = log(3.0)
"""The largest logarithm of a ratio of deviations beside a shift."""


def mean_shift(sides: NumberSides) -> Cause | None:
    """``mean_shift`` if a shift explains the window, alone or with a moderate other spread.

    Where a factor, or a change of the sign, explains it as well, the words say so, and a person has
    to look.
    """
    if not sides.comparable or sides.feature.kind == "codes" or not abs(sides.shift) <= SHIFT:
        return None
    if abs(sides.shift) < EVIDENCE * sqrt(sides.per_row) * max(exp(sides.spread), 1.0):
        return None
    alone = _alone(sides)
    if not alone and not _with_spread(sides):
        return None
    others = _others(sides)
    action: Action = "look" if others else "retrain"
    way = "higher" if sides.shift > 0 else "lower"
    size = f"the mean is {number(abs(sides.shift))} deviations {way}"
    spread = "" if alone else f", and the deviation is {number(exp(sides.spread))} times as large"
    numbers: dict[str, float | str] = {"shift_deviations": sides.shift}
    if not alone:
        numbers["deviation_ratio"] = exp(sides.spread)
    return Cause(
        name="mean_shift",
        words=size + spread + "".join(f", or {other}" for other in others),
        action=action,
        numbers=numbers,
    )


def _alone(sides: NumberSides) -> bool:
    """Whether a shift alone fits: by the band and by the counts."""
    shifts = accepted_shifts(sides)
    moved = sides.window.mean - sides.baseline.mean
    if not shifts:
        return False
    by = {moved, shifts.middle}
    if sides.is_whole:
        by = {float(np.round(moved))}
    return any(b in shifts and converted_goodness(sides, 1.0, b) >= FITS for b in by)


def _with_spread(sides: NumberSides) -> bool:
    """Whether a shift and another spread fit, and no known conversion or certain factor."""
    if sides.is_whole or abs(sides.spread) > WIDEST:
        return False
    factor = exp(sides.spread)
    offset = sides.window.mean - factor * sides.baseline.mean
    factors = accepted_factors(sides)
    if factors and is_certain(sides, factors):
        return False
    if converted_goodness(sides, factor, offset) < FITS:
        return False
    known = (accepts_linear(sides, c.factor, c.offset) for c in CONVERSIONS if c.factor > 0)
    return not any(known)


def _others(sides: NumberSides) -> list[str]:
    """Other explanations of a shift."""
    found = []
    factors = accepted_factors(sides)
    if factors and _agrees(sides, factors.middle):
        low, high = number(factors.low, 3), number(factors.high, 3)
        found.append(f"all values have a factor between {low} and {high}")
    if 1.0 in accepted_factors(sides, sign=-1.0) and _agrees(sides, -1.0):
        found.append("the sign has changed")
    return found


def _agrees(sides: NumberSides, factor: float) -> bool:
    """Whether the counts agree with a factor; whole numbers are not compared that finely."""
    return sides.is_whole or converted_goodness(sides, factor, 0.0) >= UNLIKELY
