"""The bins of single numbers, each with a reach: rounding does not make another value of one."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nextafter
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.layout import InferredType

RELATIVE: Final = 1e-6
"""The largest relative distance at which a number counts as a known value."""
ROUNDED: Final = 1e-7
"""The largest relative error of a number that was rounded to 32 bits."""
OF_ZERO: Final = 1e-3
"""The reach of 0, in units of that of the smallest other value: what is left of a difference."""
EXACT: Final = 2.0**24
"""Whole numbers up to this stay exact when they are rounded to 32 bits."""

_LARGEST: Final = float(np.finfo(np.float64).max)


class Interval(NamedTuple):
    """The numbers ``[start, stop)`` that count as ``value``."""

    start: float
    value: float
    stop: float


def intervals(
    values: Sequence[float], kind: InferredType, among: Floats | None = None
) -> list[Interval]:
    """The intervals of rising finite values, which do not overlap.

    They reach a millionth of the value to both sides: as far as 32 bits or the rounding of an
    operation may move it. A whole number reaches a quarter at most, so that the next one is another
    value; in a feature of fractions only up to :data:`EXACT`. Values that are closer than their
    reach are divided in the middle; neighbouring floating-point numbers stay apart too. ``among``
    are other known numbers, in rising order, which limit the reach in the same way. The last
    ``stop`` is infinite if no number lies beyond.

    >>> [interval.stop for interval in intervals([0.0, 5e-324], "Fractional")][0]
    5e-324
    """
    known = np.asarray(values, dtype=float)
    reaches = _reaches(known, kind)
    if among is not None and len(among) > 1:
        reaches = np.minimum(reaches, _half_gaps(among)[np.searchsorted(among, known)])
    found = [
        Interval(max(value - reach, -_LARGEST), value, nextafter(value + reach, inf))
        for value, reach in zip(values, reaches.tolist(), strict=True)
    ]
    for k in range(1, len(found)):
        before, after = found[k - 1], found[k]
        if before.stop > after.start:
            middle = _middle(before.value, after.value)
            found[k - 1], found[k] = before._replace(stop=middle), after._replace(start=middle)
    return found


def rounded_ends(known: Floats) -> tuple[Floats, float]:
    """The smallest number that each value may be rounded to, and the end of the largest one's.

    ``known`` are different finite values in rising order; the reach of 0 follows from the smallest
    other one. None of the ends reaches further than half of the way to the next value.
    """
    sizes = np.abs(known)
    smallest = float(sizes[sizes > 0].min()) if (sizes > 0).any() else 0.0
    reaches = np.where(sizes > 0, sizes, smallest * OF_ZERO) * ROUNDED
    if len(known) > 1:
        reaches = np.minimum(reaches, _half_gaps(known))
    with np.errstate(over="ignore"):
        starts = np.maximum(known - reaches, -_LARGEST)
    return starts, nextafter(float(known[-1]) + float(reaches[-1]), inf)


def _half_gaps(known: Floats) -> Floats:
    """Half of the distance of each value from its nearest neighbour."""
    gaps = known[1:] / 2.0 - known[:-1] / 2.0
    nearest: Floats = np.minimum(np.append(gaps, np.inf), np.append(np.inf, gaps))
    return nearest


def _reaches(values: Floats, kind: InferredType) -> Floats:
    """The reach of each value; that of 0 follows from the smallest other one."""
    sizes = np.abs(values)
    smallest = float(sizes[sizes > 0].min()) if (sizes > 0).any() else 1.0
    reaches = np.where(sizes > 0, sizes * RELATIVE, smallest * RELATIVE * OF_ZERO)
    whole = (values == np.floor(values)) & ((sizes <= EXACT) | (kind == "Integral"))
    return np.where(whole, np.minimum(reaches, 0.25), reaches)


def _middle(before: float, after: float) -> float:
    """The middle of two numbers, above the first and at most the second."""
    middle = before / 2.0 + after / 2.0
    return middle if before < middle <= after else after
