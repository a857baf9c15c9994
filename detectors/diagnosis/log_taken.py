"""Cause: the logarithm of the values was taken, or its inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.accepted import accepted_factors, accepts
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import is_ordinary
from detectors.violation import Cause

BINNING: Final = 0.06
"""The error of moments that are computed from bins, in deviations: a logarithm bends them."""


class Transform(NamedTuple):
    """A rising function of values above ``above``, with its inverse."""

    name: str
    above: float
    forward: Callable[[Floats], Floats]
    inverse: Callable[[Floats], Floats]


def _power_of_ten(x: Floats) -> Floats:
    return np.power(10.0, x)


TRANSFORMS: Final = (
    Transform("the natural logarithm was taken", 0.0, np.log, np.exp),
    Transform("log(1 + x) was taken", -1.0, np.log1p, np.expm1),
    Transform("the logarithm to base 10 was taken", 0.0, np.log10, _power_of_ten),
    Transform("the logarithm to base 2 was taken", 0.0, np.log2, np.exp2),
    Transform("exp(x) was taken", -np.inf, np.exp, np.log),
    Transform("exp(x) - 1 was taken", -np.inf, np.expm1, np.log1p),
    Transform("10 to the power of x was taken", -np.inf, _power_of_ten, np.log10),
)


def log_taken(sides: NumberSides) -> Cause | None:
    """``log_taken`` if a logarithm, or the inverse of one, explains the whole window.

    Not where a shift, another spread or a factor explains it too.
    """
    if not sides.comparable or is_ordinary(sides):
        return None
    found = [transform for transform in TRANSFORMS if _fits(sides, transform)]
    if not found or accepted_factors(sides):
        return None
    return Cause(
        name="log_taken",
        words=", or ".join(transform.name for transform in found),
        action="repair_pipeline",
        numbers={"transform": found[0].name},
    )


def _fits(sides: NumberSides, transform: Transform) -> bool:
    if not sides.baseline.low > transform.above:
        return False
    if not accepts(sides, lambda at: _inverse(transform, at)):
        return False
    inside = (sides.weights > 0).astype(float)
    with np.errstate(all="ignore"):
        moments = sides.moments_of(lambda x: np.nan_to_num(transform.forward(x)), inside)
    return sides.has_moments(*moments, binning=BINNING)


def _inverse(transform: Transform, at: Floats) -> Floats:
    """The inverse, ``-inf`` below the smallest value that the transform has."""
    return np.nan_to_num(transform.inverse(at), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
