"""Cause: known values do not occur any more."""

from __future__ import annotations

from typing import Final

from detectors.diagnosis.categories import Categories
from detectors.diagnosis.goodness import FITS_ROUGHLY
from detectors.diagnosis.new_values import SHOWN, quoted
from detectors.violation import Cause

MOST: Final = 0.5
"""The part of the moved rows that vanished values must be, where the others moved as well."""


def vanished_value(sides: Categories) -> Cause | None:
    """``vanished_value`` if chance does not explain the absence of known values.

    The other values must have the shares of the baseline, or be at most half of what moved.
    """
    gone = sides.vanished
    if not len(gone) or sides.has_new or len(gone) >= len(sides.before):
        return None
    share = float(sides.before[gone].sum()) / sides.m
    if sides.fits(sides.after, without=gone) < FITS_ROUGHLY and share < MOST * sides.moved:
        return None
    numbers: dict[str, float | str] = {"share_before": share, "values": float(len(gone))}
    words = "a known value has vanished" if len(gone) == 1 else f"{len(gone)} known values vanished"
    if sides.expose_values:
        names = ", ".join(quoted(sides.label(int(k))) for k in gone[:SHOWN])
        numbers["value"] = names
        words += f": {names}" + (" and others" if len(gone) > SHOWN else "")
    return Cause(name="vanished_value", words=words, action="repair_pipeline", numbers=numbers)
