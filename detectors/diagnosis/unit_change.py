"""Diagnosis of numeric features: a change of unit, which scales and shifts all values."""

from __future__ import annotations

from math import isfinite, log
from typing import Final, NamedTuple

import numpy as np

from detectors.diagnosis.shape_fit import Linear, ShapeFit
from detectors.phrases import number
from detectors.statistics.distances.base import Pair


class Conversion(NamedTuple):
    """A change from ``x`` to ``factor * x + offset``, and an ``example`` of where it occurs."""

    factor: float
    offset: float
    example: str


CONVERSIONS: Final = (
    Conversion(60.0, 0.0, "as from minutes to seconds"),
    Conversion(1 / 60.0, 0.0, "as from seconds to minutes"),
    Conversion(3600.0, 0.0, "as from hours to seconds"),
    Conversion(1 / 3600.0, 0.0, "as from seconds to hours"),
    Conversion(1000.0, 0.0, "as from kilo to units"),
    Conversion(0.001, 0.0, "as from units to kilo"),
    Conversion(100.0, 0.0, "as from shares to percent"),
    Conversion(0.01, 0.0, "as from percent to shares"),
    Conversion(10.0, 0.0, "as from centimetres to millimetres"),
    Conversion(0.1, 0.0, "as from millimetres to centimetres"),
    Conversion(5 / 9.0, -160 / 9.0, "as from Fahrenheit to Celsius"),
    Conversion(1.8, 32.0, "as from Celsius to Fahrenheit"),
    Conversion(1.0, 273.15, "as from Celsius to kelvin"),
    Conversion(1.0, -273.15, "as from kelvin to Celsius"),
    Conversion(1.609344, 0.0, "as from miles to kilometres"),
    Conversion(1 / 1.609344, 0.0, "as from kilometres to miles"),
    Conversion(2.20462262, 0.0, "as from kilograms to pounds"),
    Conversion(0.45359237, 0.0, "as from pounds to kilograms"),
    Conversion(-1.0, 0.0, "with the sign changed"),
)
LINEAR: Final = [Linear(conversion.factor, conversion.offset) for conversion in CONVERSIONS]
LARGEST_MISFIT: Final = 3.5
"""The difference, in standard errors, that a fitting conversion nowhere exceeds."""
EVIDENCE: Final = 10.0
"""The least difference of squared misfits between the named conversion and any other explanation:
a ratio of their likelihoods of about 150.
"""
GROWTH: Final = 5.0
"""The factor up to which values may grow or shrink without a change of unit."""
FINENESS: Final = 0.08
"""A growth by a factor that differs by this share is another explanation."""
SHIFT: Final = 5.0
"""The shift, in baseline deviations, that values may make without a change of unit."""
SHIFT_FINENESS: Final = 0.2
"""For a conversion with an offset: a shift by this many deviations is another explanation."""
WIDENING: Final = 10.0
"""The factor by which values may spread without a change of unit."""


def unit_change(pair: Pair, i: int) -> str:
    """The change of unit that explains the drift of numeric feature ``i``; empty if none does.

    Named is a conversion that fits the whole shape of the window, if nothing else explains it about
    as well: no other conversion, and nothing that happens without a change of unit, as a shift, a
    distribution that is wider or narrower, or a growth by a similar factor.
    """
    fit = ShapeFit(pair, i)
    if not fit.comparable:
        return ""
    misfits = np.where(_written_alike(fit), fit.misfits(LINEAR), np.inf)
    best = int(np.argmin(misfits))
    if misfits[best] > LARGEST_MISFIT:
        return ""
    others = [*np.delete(misfits, best), *fit.misfits(_ordinary(fit, CONVERSIONS[best]))]
    if min(others) ** 2 < misfits[best] ** 2 + EVIDENCE:
        return ""
    return f"unit change: {_in_words(CONVERSIONS[best])}"


def _in_words(conversion: Conversion) -> str:
    """``values are about 0.556 x - 17.8, as from Fahrenheit to Celsius``."""
    factor = "" if conversion.factor == 1.0 else f"{number(conversion.factor, 3)} "
    scaled = f"values are about {factor}x"
    if conversion.offset:
        sign = "+" if conversion.offset > 0 else "-"
        scaled += f" {sign} {number(abs(conversion.offset), 3)}"
    return f"{scaled}, {conversion.example}"


def _written_alike(fit: ShapeFit) -> list[bool]:
    """For each conversion, whether the window's values are written as it would write them.

    Whole numbers that grow a little stay whole; those that are multiplied by 1.609 do not.
    """
    stays_whole = fit.baseline.integral > 0.5 and fit.window.integral > 0.5
    return [
        not stays_whole or _is_whole(conversion) or not _is_moderate(conversion)
        for conversion in CONVERSIONS
    ]


def _is_whole(conversion: Conversion) -> bool:
    return float(conversion.factor).is_integer() and float(conversion.offset).is_integer()


def _is_moderate(conversion: Conversion) -> bool:
    """Whether values may grow or shrink that much without a change of unit."""
    return abs(log(abs(conversion.factor))) <= log(GROWTH)


def _ordinary(fit: ShapeFit, conversion: Conversion) -> list[Linear]:
    """Other explanations of a window that the conversion fits: changes without a change of unit."""
    mean, std = fit.baseline.mean, fit.baseline.std
    factor, offset, _ = conversion
    others = [Linear(1.0, 0.0)]
    shift = fit.window.mean - mean
    if isfinite(shift) and abs(shift) <= SHIFT * std:
        others.append(Linear(1.0, shift))
    if abs(factor) <= WIDENING:
        scales = [abs(factor) * (1.0 + step) for step in (-0.1, -FINENESS, 0.0, FINENESS, 0.1)]
        others += [Linear(scale, (1.0 - scale) * mean) for scale in scales]
    if factor == -1.0 or not _is_moderate(conversion):
        return others
    if offset:
        shifts = [sign * SHIFT_FINENESS * abs(factor) * std for sign in (-1, 1)]
        return [*others, *(Linear(factor, offset + shift) for shift in shifts)]
    return [*others, *(Linear(factor * (1.0 + step), 0.0) for step in (-FINENESS, FINENESS))]
