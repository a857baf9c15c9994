"""Cause: values arrive standardised, as a model that was trained on raw ones does not expect."""

from __future__ import annotations

from detectors.diagnosis.accepted import accepted_factors, accepts_linear
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import is_ordinary
from detectors.violation import Cause


def standardised(sides: NumberSides) -> Cause | None:
    """``standardised`` if ``(x - mean) / deviation`` of the baseline explains the whole window.

    Or the inverse, where the baseline is standardised (that cannot be told from other shifts and
    spreads, and is not looked for). Not where an ordinary change or a factor explains it too.
    """
    if not sides.comparable or is_ordinary(sides):
        return None
    mean, std = sides.baseline.mean, sides.baseline.std
    if not accepts_linear(sides, 1.0 / std, -mean / std) or accepted_factors(sides):
        return None
    return Cause(
        name="standardised",
        words="values arrive standardised: with mean 0 and deviation 1",
        action="repair_pipeline",
        numbers={"mean": sides.window.mean, "deviation": sides.window.std},
    )
