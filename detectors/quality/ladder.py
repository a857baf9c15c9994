"""A geometric ladder of bins for numbers of any size, positive and negative.

A bin is one of 32 equal parts of an octave, so it is at most 1/32 of its values wide and its
middle is within 1/64 of each of them. Zero shares its bin only with
numbers below 1e-309.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints

_DROPPED_BITS: Final = 47
"""The bits of a double below the five highest of its mantissa."""
STEPS: Final = 1 << 17
"""All steps are above ``-STEPS`` and below it."""


def steps_of(values: Floats) -> Ints:
    """Return the number of each value's bin; larger values have no smaller number.

    >>> steps_of(np.array([-1.0, 0.0, 1.0, 1.01, 2.0])) - 32736
    array([-65472, -32736,      0,      0,     32])
    """
    bits = np.abs(np.ascontiguousarray(values, np.float64)).view(np.int64) >> _DROPPED_BITS
    return np.where(values < 0, -bits, bits)


def ends_of(steps: Ints) -> tuple[Floats, Floats]:
    """Return the ends of bins, the lower ones first.

    >>> ends_of(np.array([32736, -32736]))
    (array([ 1.     , -1.03125]), array([ 1.03125, -1.     ]))
    """
    size = np.abs(steps)
    near = (size << _DROPPED_BITS).view(np.float64)
    far = np.where(size > 0, ((size + 1) << _DROPPED_BITS).view(np.float64), 0.0)
    return np.where(steps < 0, -far, near), np.where(steps < 0, -near, far)


def quantiles(steps: Ints, counts: Ints, ranks: Floats) -> Floats:
    """Return the values at shares ``ranks`` of a histogram, interpolated in their bins.

    ``steps`` are sorted, ``counts`` are above 0. The error is below the width of a bin, 1/32 of
    the value. NaN without counts.

    >>> quantiles(steps_of(np.array([0.0, 1.0])), np.array([3, 1]), np.array([0.5]))
    array([0.])
    """
    if not len(steps):
        return np.full(len(ranks), np.nan)
    until = np.cumsum(counts)
    target = np.clip(ranks, 0.0, 1.0) * until[-1]
    at = np.minimum(np.searchsorted(until, target, side="left"), len(steps) - 1)
    low, high = ends_of(steps[at])
    part = (target - (until[at] - counts[at])) / counts[at]
    found: Floats = low + (high - low) * np.clip(part, 0.0, 1.0)
    return found
