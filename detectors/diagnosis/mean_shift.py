"""Cause: the whole distribution has moved, by less than a fault of the pipeline would."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final

import numpy as np

from detectors.diagnosis.accepted import accepted_factors, accepted_shifts, accepts_linear
from detectors.diagnosis.ends import CHANCE, ends_fit
from detectors.diagnosis.goodness import FITS, converted_goodness, goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import SHIFT, agrees
from detectors.diagnosis.scaling import is_certain
from detectors.diagnosis.unit_change import CONVERSIONS
from detectors.phrases import number
from detectors.statistics.laws import beta_binomial_tail
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
    if not sides.comparable or not abs(sides.shift) <= SHIFT:
        return None
    if sides.feature.kind == "codes":
        return _codes_shift(sides)
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


def _codes_shift(sides: NumberSides) -> Cause | None:
    """``mean_shift`` if all codes moved by one whole number, which explains all their shares.

    It may be another way of counting, or the world: a person has to look.
    """
    by = float(np.round(sides.window.mean - sides.baseline.mean))
    codes = sides.feature.single_values
    if not by or not codes:
        return None
    moved = np.searchsorted(sides.edges, np.array(list(codes.values())) + by, side="right")
    expected = np.bincount(moved, sides.before[list(codes)], len(sides.after))
    unexpected = int(sides.after[expected == 0].sum())
    if beta_binomial_tail(unexpected, sides.window.n, 1, max(sides.baseline.n, 1)) < CHANCE:
        return None
    if goodness(expected.astype(float), sides.after.astype(float), sides.per_row) < FITS:
        return None
    way = "higher" if by > 0 else "lower"
    return Cause(
        name="mean_shift",
        words=f"all codes are {number(abs(by))} {way}, or are counted in another way",
        action="look",
        numbers={"shift_deviations": by / sides.baseline.std},
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
    if converted_goodness(sides, factor, offset) < FITS or not ends_fit(sides, factor, offset):
        return False
    known = (accepts_linear(sides, c.factor, c.offset) for c in CONVERSIONS if c.factor > 0)
    return not any(known)


def _others(sides: NumberSides) -> list[str]:
    """Other explanations of a shift."""
    found = []
    factors = accepted_factors(sides)
    if factors and agrees(sides, factors.middle, 0.0):
        low, high = number(factors.low, 3), number(factors.high, 3)
        found.append(f"all values have a factor between {low} and {high}")
    if 1.0 in accepted_factors(sides, sign=-1.0) and agrees(sides, -1.0, 0.0):
        found.append("the sign has changed")
    return found
