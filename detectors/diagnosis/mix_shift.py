"""Cause: known values have other shares."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.diagnosis.categories import Categories
from detectors.diagnosis.goodness import goodness
from detectors.diagnosis.new_values import quoted
from detectors.phrases import percent
from detectors.violation import Cause

CHANCE: Final = 1e-4
"""The highest probability of a chance difference of the shares."""
EXPECTED: Final = 5.0
"""The expected rows of a value from which on its absence is news."""
LEAST: Final = 0.3
"""The part of the moved rows that absent values may have had in the baseline."""
MOST: Final = 0.7
"""The part of the moved rows that must have moved between known values."""


def mix_shift(sides: Categories) -> Cause | None:
    """``mix_shift`` if the rows moved between known values, more than chance explains.

    Neither new values nor vanished ones are a noticeable part of it. Where the same shares, given
    to other values, explain the window, as of hours in another time zone or codes in another order,
    the words say so, and a person has to look.
    """
    if sides.has_new or not sides.after.any():
        return None
    # Values that are absent though some rows were expected may have vanished: then the others must
    # have moved among themselves, or their absence alone is what makes the shares differ.
    absent = (sides.after == 0) & (sides.before * sides.n > EXPECTED * sides.m)
    if sides.fits(sides.after, without=np.flatnonzero(absent)) > CHANCE:
        return None
    if sides.before[absent].sum() > LEAST * sides.moved * sides.m:
        return None
    gaps = sides.after / sides.n - sides.before / sides.m
    between = float(np.minimum(gaps[gaps > 0].sum(), -gaps[gaps < 0].sum()))
    if between < MOST * sides.moved:
        return None
    k = int(np.argmax(np.abs(gaps)))
    before, after = float(sides.before[k]) / sides.m, float(sides.after[k]) / sides.n
    name = quoted(sides.label(k)) if sides.expose_values else "one of them"
    changed_places = _changed_places(sides)
    return Cause(
        name="mix_shift",
        words=(
            f"{percent(round(sides.moved, 3))} of the rows moved between known values: {name} from"
            f" {percent(before)} to {percent(after)}"
            + (", or values changed places" if changed_places else "")
        ),
        action="look" if changed_places else "retrain",
        numbers={
            "moved_share": sides.moved,
            "share_before": before,
            "share": after,
            **({"value": sides.label(k)} if sides.expose_values else {}),
        },
    )


def _changed_places(sides: Categories) -> bool:
    """Whether the window has the shares of the baseline, but other values have them."""
    before, after = np.sort(sides.before)[::-1], np.sort(sides.after)[::-1]
    p_value = goodness(before.astype(float), after.astype(float), 1.0 / sides.n + 1.0 / sides.m)
    return p_value > CHANCE
