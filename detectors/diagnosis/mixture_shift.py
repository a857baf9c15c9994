"""Cause: part of the rows is in another unit, as if one of several clients had changed it."""

from __future__ import annotations

from math import exp
from typing import Final

import numpy as np

from detectors.diagnosis.accepted import accepted_factors, accepted_shifts
from detectors.diagnosis.mixture_fit import (
    DROP,
    Mixture,
    fits,
    fitted,
    fitted_factor,
    likelihood,
)
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.unit_change import CONVERSIONS, GROWTH, NARROW, Conversion, is_met
from detectors.phrases import number, percent
from detectors.violation import Cause

MIXTURE: Final = "mixture_shift"
"""The name of the cause."""
MARGIN: Final = 50.0
"""How much higher twice the log-likelihood must be than that of any change of all rows."""
WIDEST: Final = 20.0
"""The largest ratio of both ends of a range of factors that says something."""
MIRRORED: Final = 20
"""The least number of rows with a changed sign, or in a unit with an offset."""
NAMED: Final = 1.05
"""The largest ratio of both ends of a range that names a unit: others are hardly nearer."""


def mixture_shift(sides: NumberSides) -> Cause | None:
    """``mixture_shift`` if the window is a mixture of the baseline and of it in another unit.

    Share and factor are free, and said as the ranges that the window accepts; an offset is one of
    a known conversion. A conversion is named only if no other known one is accepted.
    """
    if not sides.comparable or sides.is_whole:
        return None
    least = _likelihood_alike(sides) + MARGIN / 2.0
    found = _accepted(sides, least)
    if len(found) != 1 or not _is_certain(sides, found[0]) or found[0].likelihood < least:
        return None
    return _cause(found[0], _known(sides, found[0]))


def _likelihood_alike(sides: NumberSides) -> float:
    """The highest logarithm of the likelihood of no change, or one of all rows alike.

    One factor, a shift, or another spread.
    """
    factors, shifts = accepted_factors(sides), accepted_shifts(sides)
    spreads = accepted_factors(sides, center=sides.baseline.mean)
    moved, spread = sides.window.mean - sides.baseline.mean, exp(sides.spread)
    alike = [(1.0, 0.0), (1.0, moved), (spread, sides.window.mean - spread * sides.baseline.mean)]
    if factors:
        alike.append((factors.middle, 0.0))
    if shifts:
        alike.append((1.0, shifts.middle))
    if spreads:
        alike.append((spreads.middle, sides.baseline.mean * (1.0 - spreads.middle)))
    return max(likelihood(sides, *conversion) for conversion in alike)


def _accepted(sides: NumberSides, least: float) -> list[Mixture]:
    """The mixtures that explain the window: with a free factor, and with each known offset.

    A free factor is looked for only where some factor may have the likelihood ``least``.
    """
    others = [c for c in CONVERSIONS if c.offset or c.factor < 0]
    tried = [fitted(sides, np.array([c.factor]), c.offset) for c in others]
    found = [each for each in (fitted_factor(sides, least), *tried) if each is not None]
    found = [each for each in found if fits(sides, each)]
    top = max((each.likelihood for each in found), default=0.0)
    return [each for each in found if 2.0 * (top - each.likelihood) <= DROP]


def _is_certain(sides: NumberSides, found: Mixture) -> bool:
    """Whether the range says something; a factor that growth may have asks for a narrower one.

    A changed sign has no range: more rows must have it, as an overflow looks like it.
    """
    if found.offset or found.factor < 0:
        return bool(found.share * sides.window.n >= MIRRORED)
    low, high = found.factors
    return high / low <= (WIDEST if _is_large(found) else NARROW)


def _is_large(found: Mixture) -> bool:
    """Whether the factor is beyond what growth is."""
    return found.factors.low > GROWTH or found.factors.high < 1.0 / GROWTH


def _known(sides: NumberSides, found: Mixture) -> Conversion | None:
    """The known conversion, if it is the only one in a range that is too narrow for others."""
    low, high = found.factors
    known = [
        c
        for c in CONVERSIONS
        if c.offset == found.offset and c.factor in found.factors and is_met(c, sides)
    ]
    return known[0] if len(known) == 1 and high / low <= NAMED else None


def _cause(found: Mixture, known: Conversion | None) -> Cause:
    factors, shares = found.factors, found.shares
    between = percent(shares.low).removesuffix(" %"), percent(shares.high)
    rows = f"about {percent(round(found.share, 3))} of the rows ({between[0]} to {between[1]}) are"
    if known is None:
        words = f"{rows} {number(factors.low, 3)} to {number(factors.high, 3)} x"
    else:
        words = f"{rows} in another unit: about {_formula(known)}, {known.example}"
    return Cause(
        name=MIXTURE,
        words=words,
        action="repair_pipeline" if known or _is_large(found) else "look",
        numbers={
            "share": found.share,
            "share_low": shares.low,
            "share_high": shares.high,
            "factor": found.factor if known is None else known.factor,
            "factor_low": factors.low,
            "factor_high": factors.high,
            "offset": found.offset,
        },
    )


def _formula(known: Conversion) -> str:
    scaled = "x" if known.factor == 1.0 else f"{number(known.factor, 3)} x"
    offset = f" {'+' if known.offset > 0 else '-'} {number(abs(known.offset), 3)}"
    return scaled + (offset if known.offset else "")
