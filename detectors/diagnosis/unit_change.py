"""Cause: another unit, which scales and shifts all values."""

from __future__ import annotations

from math import inf, log, pi, sqrt
from typing import Final, NamedTuple

from detectors.diagnosis.accepted import (
    Range,
    accepted_factors,
    accepted_shifts,
    accepts_linear,
)
from detectors.diagnosis.ends import ends_fit
from detectors.diagnosis.number_sides import NumberSides
from detectors.diagnosis.ordinary import agrees, is_ordinary
from detectors.phrases import number
from detectors.violation import Cause


class Conversion(NamedTuple):
    """A change from ``x`` to ``factor * x + offset``, and an ``example`` of where it occurs.

    ``most`` is the largest size of values that it is met with.
    """

    factor: float
    offset: float
    example: str
    most: float = inf


CONVERSIONS: Final = (
    Conversion(60.0, 0.0, "as from minutes to seconds"),
    Conversion(1 / 60.0, 0.0, "as from seconds to minutes"),
    Conversion(3600.0, 0.0, "as from hours to seconds"),
    Conversion(1 / 3600.0, 0.0, "as from seconds to hours"),
    Conversion(1000.0, 0.0, "as from kilo to units"),
    Conversion(0.001, 0.0, "as from units to kilo"),
    Conversion(1024.0, 0.0, "as from kibi to units"),
    Conversion(1 / 1024.0, 0.0, "as from units to kibi"),
    Conversion(1e6, 0.0, "as from mega to units"),
    Conversion(1e-6, 0.0, "as from units to mega"),
    Conversion(100.0, 0.0, "as from shares to percent"),
    Conversion(0.01, 0.0, "as from percent to shares"),
    Conversion(10.0, 0.0, "as from centimetres to millimetres"),
    Conversion(0.1, 0.0, "as from millimetres to centimetres"),
    Conversion(5 / 9.0, -160 / 9.0, "as from Fahrenheit to Celsius"),
    Conversion(1.8, 32.0, "as from Celsius to Fahrenheit"),
    Conversion(1.0, 273.15, "as from Celsius to kelvin"),
    Conversion(1.0, -273.15, "as from kelvin to Celsius"),
    Conversion(1.8, -459.67, "as from kelvin to Fahrenheit"),
    Conversion(5 / 9.0, 459.67 * 5 / 9.0, "as from Fahrenheit to kelvin"),
    Conversion(1.609344, 0.0, "as from miles to kilometres"),
    Conversion(1 / 1.609344, 0.0, "as from kilometres to miles"),
    Conversion(2.20462262, 0.0, "as from kilograms to pounds"),
    Conversion(0.45359237, 0.0, "as from pounds to kilograms"),
    Conversion(2.54, 0.0, "as from inches to centimetres"),
    Conversion(1 / 2.54, 0.0, "as from centimetres to inches"),
    Conversion(3.28084, 0.0, "as from metres to feet"),
    Conversion(0.3048, 0.0, "as from feet to metres"),
    Conversion(pi / 180.0, 0.0, "as from degrees to radians", most=360.0),
    Conversion(180.0 / pi, 0.0, "as from radians to degrees", most=2.0 * pi),
    Conversion(-1.0, 0.0, "with the sign changed"),
)
GROWTH: Final = 5.0
"""The factor up to which values may grow or shrink without a change of unit."""
MODERATE: Final = tuple(
    known for known in CONVERSIONS if not known.offset and 1.0 / GROWTH < known.factor < GROWTH
)
"""The known conversions whose factor growth may have as well."""
NARROW: Final = 1.25
"""The largest ratio of both ends of a range that still names a moderate factor."""
WIDE: Final = 2.0
"""The same for a change of the sign, which no other explanation is close to."""
NEAR: Final = 3.0
"""The largest distance of the ratio of both means from a moderate factor, in standard errors."""
COINCIDENCE: Final = 0.15
"""The highest chance that a growth by any moderate factor is near that of a known conversion."""
NAMED: Final = 0.35
"""The width of a range of shifts, in deviations, that still names a conversion with an offset."""
FAR: Final = 5.0
"""The shift, in baseline deviations, that values do not make without a change of unit."""


def unit_change(sides: NumberSides) -> Cause | None:
    """``unit_change`` if a factor, a sign or a known conversion alone explains the whole window.

    Not where an ordinary change, as a shift or a wider distribution, explains it too. A factor
    beyond 5 either way is named whatever it is, a moderate one only if it is that of a known
    conversion and the window leaves little doubt, also that it is not a growth by about as much.
    """
    if not sides.comparable or is_ordinary(sides):
        return None
    return _scaled(sides) or _with_offset(sides)


def _scaled(sides: NumberSides) -> Cause | None:
    for sign in (1.0, -1.0):
        factors = accepted_factors(sides, sign=sign)
        if not factors:
            continue
        known = _within(factors, sign, sides)
        if factors.low > GROWTH or factors.high < 1.0 / GROWTH:
            return _factor_cause(factors, sign, known)
        near = [conversion for conversion in known if _near(conversion, factors, sign, sides)]
        if near:
            return _factor_cause(factors, sign, near)
    return None


def _near(known: Conversion, factors: Range, sign: float, sides: NumberSides) -> bool:
    """Whether the ratio of both means is close to a moderate factor, and no other is.

    And the counts and both ends agree with it, as they do not where rows are lost.
    """
    if sign < 0:
        return factors.high / factors.low < WIDE
    ratio = sides.window.mean / (known.factor * sides.baseline.mean)
    error = sides.baseline.std / abs(sides.baseline.mean) * sqrt(sides.per_row)
    if not factors.high / factors.low < NARROW or not abs(ratio - 1.0) < NEAR * error:
        return False
    if _coincidence(error) > COINCIDENCE or not ends_fit(sides, known.factor, 0.0):
        return False
    return agrees(sides, known.factor, 0.0)


def _coincidence(error: float) -> float:
    """The chance that one of all moderate factors, as growth has them, is near a known one.

    A window that does not know its factor to within a part of the distances between the known ones
    cannot tell a growth from a conversion.
    """
    return 2.0 * NEAR * error * len(MODERATE) / (2.0 * log(GROWTH))


def _within(factors: Range, sign: float, sides: NumberSides) -> list[Conversion]:
    """The known conversions whose factor is in the range."""
    return [
        known
        for known in CONVERSIONS
        if not known.offset
        and known.factor * sign in factors
        and is_met(known, sides)
        and _written_alike(sides, known.factor, known.offset)
    ]


def is_met(known: Conversion, sides: NumberSides) -> bool:
    """Whether values of this size are met with a conversion: angles are within a turn."""
    return max(abs(sides.baseline.low), abs(sides.baseline.high)) <= known.most


def _factor_cause(factors: Range, sign: float, known: list[Conversion]) -> Cause:
    # In a wide range there are units that are not known: bits to bytes beside a tenth.
    is_one = len(known) == 1 and (sign < 0 or factors.high / factors.low <= NARROW)
    one = known[0].factor * sign if is_one else factors.middle
    numbers: dict[str, float | str] = {
        "factor": sign * one,
        "factor_low": sign * factors.low,
        "factor_high": sign * factors.high,
    }
    examples = ", or ".join(conversion.example for conversion in known)
    if is_one:
        return _cause(numbers, _formula(sign * one, 0.0) + f", {examples}")
    between = f"with a factor between {number(factors.low, 3)} and {number(factors.high, 3)}"
    return _cause(
        numbers, f"{_formula(sign * one, 0.0)}, {between}" + (f": {examples}" if examples else "")
    )


def _with_offset(sides: NumberSides) -> Cause | None:
    """A known conversion with an offset, where the window leaves little doubt about the offset."""
    found = []
    for known in CONVERSIONS:
        if not known.offset or not accepts_linear(sides, known.factor, known.offset):
            continue
        shifts = accepted_shifts(sides, known.factor)
        wide = (shifts.high - shifts.low) / 2.0 > NAMED * known.factor * sides.baseline.std
        is_far = abs(sides.shift) > FAR
        if (wide and not is_far) or not agrees(sides, known.factor, known.offset):
            continue
        if _written_alike(sides, known.factor, known.offset):
            found.append(known)
    # A known conversion that a factor explains as well is not the only explanation.
    if not found or accepted_factors(sides):
        return None
    numbers: dict[str, float | str] = {"factor": found[0].factor, "offset": found[0].offset}
    formula = _formula(found[0].factor, found[0].offset)
    return _cause(numbers, f"{formula}, {', or '.join(known.example for known in found)}")


def _cause(numbers: dict[str, float | str], words: str) -> Cause:
    return Cause(
        name="unit_change",
        words=f"unit change: values are about {words}",
        action="repair_pipeline",
        numbers=numbers,
    )


def _formula(factor: float, offset: float) -> str:
    """``0.556 x - 17.8``."""
    scaled = "x" if factor == 1.0 else f"{number(factor, 3)} x"
    if not offset:
        return scaled
    return f"{scaled} {'+' if offset > 0 else '-'} {number(abs(offset), 3)}"


def _written_alike(sides: NumberSides, factor: float, offset: float) -> bool:
    """Whether the window's values are written as the conversion would write them.

    Whole numbers that grow a little stay whole; those that are multiplied by 1.609 do not.
    """
    stays_whole = sides.baseline.integral > 0.5 and sides.window.integral > 0.5
    is_whole = float(factor).is_integer() and float(offset).is_integer()
    return not stays_whole or is_whole or abs(log(abs(factor))) > log(GROWTH)
