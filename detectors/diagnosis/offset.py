"""Cause: one number was added to all values."""

from __future__ import annotations

from detectors.diagnosis.accepted import accepted_factors, accepted_shifts
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import SHIFT, agrees, is_ordinary
from detectors.phrases import number
from detectors.violation import Cause


def offset(sides: NumberSides) -> Cause | None:
    """``offset`` if all values moved by the same amount, farther than 5 baseline deviations.

    A shorter way is a shift of the mean, which needs no fault of the pipeline. Not where a factor
    explains the window as well.
    """
    if not sides.comparable or is_ordinary(sides):
        return None
    shifts = accepted_shifts(sides)
    std = sides.baseline.std
    far = shifts and (shifts.low > SHIFT * std or shifts.high < -SHIFT * std)
    if not far or accepted_factors(sides):
        return None
    moved = sides.window.mean - sides.baseline.mean
    found = moved if moved in shifts else shifts.middle
    if not agrees(sides, 1.0, found):
        return None  # Of a long tail, the moments exclude little.
    return Cause(
        name="offset",
        words=(
            f"about {number(abs(found), 3)} was {'added to' if found > 0 else 'taken from'} all"
            f" values: {number(abs(found) / std)} deviations"
        ),
        action="repair_pipeline",
        numbers={
            "offset": found,
            "offset_low": shifts.low,
            "offset_high": shifts.high,
            "shift_deviations": found / std,
        },
    )
