"""Cause: values that the baseline does not know."""

from __future__ import annotations

from typing import Final

from detectors.diagnosis.categories import Categories
from detectors.diagnosis.goodness import FITS
from detectors.diagnosis.new_values import new_values_in_words
from detectors.phrases import percent
from detectors.violation import Cause

MOST: Final = 0.5
"""The part of the moved rows that new values must be."""


def new_value(sides: Categories) -> Cause | None:
    """``new_value`` if new values are more than expected, and explain the window.

    The known values must have the shares of the baseline among themselves, or new ones be at least
    half of what moved.
    """
    after = sides.new_rows / sides.n
    most = after - sides.new_before >= MOST * sides.moved
    if not sides.has_new or not (most or sides.fits(sides.after) >= FITS):
        return None
    names = ""
    if sides.expose_values and sides.words:
        names = new_values_in_words(sides.pair.window, sides.i)
    rose = f"new category values rose from {percent(sides.new_before)} to {percent(after)}"
    numbers: dict[str, float | str] = {"share": after, "share_before": sides.new_before}
    if names:
        numbers["values"] = names
    return Cause(
        name="new_value",
        words=f"{rose}: {names}" if names else rose,
        action="repair_pipeline",
        numbers=numbers,
    )
