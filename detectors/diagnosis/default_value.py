"""Causes of one value in part of the rows: a default, a sentinel, or frozen in part."""

from __future__ import annotations

from typing import Final

from detectors.diagnosis.clipped import cut_ends
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.spike import Spike, spike
from detectors.phrases import number, percent
from detectors.violation import Cause

MOSTLY: Final = 0.5
"""The share of rows from which on one value is called frozen in part."""


def default_value(sides: NumberSides) -> Cause | None:
    """``sentinel``, ``default_value`` or ``partly_frozen``, if a spike explains the whole window.

    A value outside of the baseline's range is a sentinel, unless it is 0. Half of the rows or more
    with one value are frozen in part.
    """
    found = spike(sides)
    if found is None or any(end.bin == found.bin for end in cut_ends(sides)):
        return None  # At a limit, values were clipped, or nothing is known.
    name = _name(found)
    shown = ""
    if sides.expose_values and found.at is not None:
        shown = f" ({'about ' if found.estimated else ''}{number(found.at, 4)})"
    share = percent(found.share)
    words = {
        "sentinel": f"{share} of the values are one outside of the usual range{shown}",
        "default_value": f"{share} of the values were replaced by one value{shown}",
        "partly_frozen": f"frozen in {share} of the rows: a single value{shown}",
    }
    numbers: dict[str, float | str] = {"share": found.share}
    if sides.expose_values and found.at is not None:
        numbers["at"] = found.at
    return Cause(name=name, words=words[name], action="repair_pipeline", numbers=numbers)


def _name(found: Spike) -> str:
    if found.outside and found.at != 0.0:
        return "sentinel"
    return "partly_frozen" if found.share >= MOSTLY else "default_value"
