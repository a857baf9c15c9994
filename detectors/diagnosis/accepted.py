"""The conversions of a baseline that a window does not contradict, as ranges of one parameter.

The window's distribution function is known at the edges of its bins, up to its sampling error; the
baseline's lies, between two edges, between its values at both. So each edge of the window accepts
a range of the parameter, and their common part is what the whole window accepts: a fit and a test
in one pass, without a search. Where too few edges lie in the body of the window, its mean and its
standard deviation are asked as well.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, isfinite, sqrt
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.number_sides import ROUNDED, STANDARD_ERRORS, NumberSide, NumberSides

ENOUGH_EDGES: Final = 5
"""The number of edges in the body of a window that show its shape without its moments."""
ROUNDING: Final = 1e-9
"""The relative error of a conversion in floating point."""


class Range(NamedTuple):
    """The accepted values of a parameter, from ``low`` to ``high``; none if ``low > high``."""

    low: float
    high: float

    def __bool__(self) -> bool:
        return self.low <= self.high

    def __contains__(self, value: object) -> bool:
        return isinstance(value, float) and self.low <= value <= self.high

    @property
    def middle(self) -> float:
        """The middle of the range; the geometric one of positive numbers."""
        if self.low > 0:
            return sqrt(self.low) * sqrt(self.high)
        return (self.low + self.high) / 2.0


NONE: Final = Range(1.0, 0.0)


def accepted_factors(sides: NumberSides, center: float = 0.0, sign: float = 1.0) -> Range:
    """The factors ``f > 0`` for which ``center + sign * f * (x - center)`` fits the window."""
    return sides.once(("factors", center, sign), lambda: _accepted_factors(sides, center, sign))


def _accepted_factors(sides: NumberSides, center: float, sign: float) -> Range:
    reference = sides.baseline if sign > 0 else sides.baseline.mirrored()
    origin = center * sign
    at, first, last = _points(sides, reference)
    points = at - center, first - origin, last - origin
    mean = reference.mean - origin
    error = STANDARD_ERRORS * reference.std * sqrt(sides.per_row)
    spread = exp(min(STANDARD_ERRORS * sides.std_error, 50.0))
    moments = (
        np.array([sides.window.mean - center, sides.window.std]),
        np.array([mean - error, reference.std / spread]),
        np.array([mean + error, reference.std * spread]),
    )
    return _with_moments(sides, _factors(*points), _factors(*moments))


def accepted_shifts(sides: NumberSides, factor: float = 1.0) -> Range:
    """The offsets ``b`` for which ``factor * x + b`` fits the window; ``factor`` is positive."""
    return sides.once(("shifts", factor), lambda: _accepted_shifts(sides, factor))


def _accepted_shifts(sides: NumberSides, factor: float) -> Range:
    at, first, last = _points(sides, sides.baseline)
    found = Range(float((at - factor * last).max()), float((at - factor * first).min()))
    expected = factor * sides.baseline.std
    middle = sides.window.mean - factor * sides.baseline.mean
    error = STANDARD_ERRORS * expected * sqrt(sides.per_row)
    misfit = abs(np.log(sides.window.std / expected)) if sides.window.std > 0 else np.inf
    spread_fits = misfit <= STANDARD_ERRORS * sides.std_error
    return _with_moments(
        sides, found, Range(middle - error, middle + error) if spread_fits else NONE
    )


def accepts(sides: NumberSides, inverse: Callable[[Floats], Floats]) -> bool:
    """Whether the window accepts a rising conversion, given by its ``inverse``."""
    at, first, last = _points(sides, sides.baseline)
    with np.errstate(all="ignore"):
        converted = inverse(at)
    slack = ROUNDING * np.abs(converted)
    return bool(np.all((converted >= first - slack) & (converted <= last + slack)))


def accepts_linear(sides: NumberSides, factor: float, offset: float) -> bool:
    """Whether ``factor * x + offset`` fits the window, its moments included."""
    return offset in accepted_shifts(sides, factor)


def accepts_other(reference: NumberSide, window: NumberSides) -> bool:
    """Whether the window has the distribution of another feature's baseline."""
    at, lower, upper = window.points
    first, last = reach(reference, lower, upper)
    return bool(np.all((at >= first) & (at <= last)))


def _points(sides: NumberSides, reference: NumberSide) -> tuple[Floats, Floats, Floats]:
    """Numbers of the window, and the numbers of the baseline that each may come from."""
    at, lower, upper = sides.points
    first, last = reach(reference, lower, upper)
    slack = ROUNDED * sides.half_width
    return at, first - slack, last + slack


def reach(reference: NumberSide, lower: Floats, upper: Floats) -> tuple[Floats, Floats]:
    """The numbers between which a share of the reference between two bounds may lie below."""
    start = np.searchsorted(reference.below, lower, side="left")
    stop = np.searchsorted(reference.below, upper, side="right")
    at = np.concatenate(([-np.inf], reference.at, [np.inf]))
    return at[start], at[stop + 1]


def _factors(at: Floats, first: Floats, last: Floats) -> Range:
    """The common factors ``f > 0`` with ``first <= at / f <= last`` for all numbers."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # Each number asks for first * f <= at and at <= last * f, which divides by the sign.
        least = np.concatenate((_least(at, last), _least(-at, -first)))
        most = np.concatenate((_most(at, first), _most(-at, -last)))
    return Range(float(least.max()) * (1.0 - ROUNDING), float(most.min()) * (1.0 + ROUNDING))


def _least(at: Floats, last: Floats) -> Floats:
    """The least ``f > 0`` with ``at <= last * f``: a positive number needs a positive end."""
    return np.where(at > 0, np.where(last > 0, at / last, np.inf), 0.0)


def _most(at: Floats, first: Floats) -> Floats:
    """The largest ``f`` with ``first * f <= at`` where both are positive."""
    negative = at <= 0
    limit = np.where(first > 0, np.where(negative, -np.inf, at / first), np.inf)
    return np.where(negative & (first <= 0), np.inf, limit)


def _with_moments(sides: NumberSides, by_shape: Range, by_moments: Range) -> Range:
    """The range by shape and moments; a shape that is seen well may do without the moments.

    A single absurd value spoils them.
    """
    both = Range(max(by_shape.low, by_moments.low), min(by_shape.high, by_moments.high))
    if both and isfinite(both.high):
        return both
    return by_shape if sides.informative >= ENOUGH_EDGES else NONE
