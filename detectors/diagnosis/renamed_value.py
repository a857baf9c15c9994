"""Cause: a known value has a new name."""

from __future__ import annotations

from math import sqrt
from typing import Final

from detectors.diagnosis.categories import Categories
from detectors.diagnosis.goodness import FITS_ROUGHLY
from detectors.diagnosis.new_values import quoted
from detectors.phrases import percent
from detectors.violation import Cause

STANDARD_ERRORS: Final = 2.5
"""The difference of both shares that chance explains, in standard errors."""
CERTAIN: Final = 5.0
"""The least share of the known value, in these errors, that is told from another one."""


def renamed_value(sides: Categories) -> Cause | None:
    """``renamed_value`` if one known value has vanished and one new value has its share.

    And all other values have the shares of the baseline. Named only if a single new value makes up
    all new rows.
    """
    if not sides.has_new or len(sides.vanished) != 1 or not _one_new_value(sides):
        return None
    k = int(sides.vanished[0])
    before, after = int(sides.before[k]) / sides.m, sides.new_rows / sides.n
    pooled = (int(sides.before[k]) + sides.new_rows) / (sides.n + sides.m)
    error = sqrt(pooled * (1.0 - pooled) * (1.0 / sides.n + 1.0 / sides.m))
    counts = sides.after.copy()
    counts[k] += sides.new_rows
    if before < CERTAIN * error or abs(after - before) > STANDARD_ERRORS * error:
        return None
    if sides.fits(counts) < FITS_ROUGHLY:
        return None
    numbers: dict[str, float | str] = {"share": after, "share_before": before}
    known, new = "a known value", "a new one"
    if sides.expose_values and sides.words:
        numbers |= {"value_before": sides.label(k), "value": sides.named[0].name}
        known, new = quoted(sides.label(k)), quoted(sides.named[0].name)
    return Cause(
        name="renamed_value",
        words=f"renamed: {known} ({percent(before)}) is now {new} ({percent(after)})",
        action="repair_pipeline",
        numbers=numbers,
    )


def _one_new_value(sides: Categories) -> bool:
    """Whether all new rows have one value; of codes that is not known, and taken as false."""
    return sides.words and len(sides.named) == 1 and sides.named[0].rows == sides.new_rows
