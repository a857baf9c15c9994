"""A spike: part of the rows have one value, and the others are as in the baseline."""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

import numpy as np

from detectors.diagnosis.goodness import FITS, FITS_ROUGHLY, goodness
from detectors.diagnosis.number_sides import NumberSides
from detectors.statistics.laws import beta_binomial_tail

CHANCE: Final = 1e-8
"""The highest probability of a chance excess in one bin."""
FEWEST_OTHERS: Final = 5
"""The least number of other bins with counts that show whether the others are as before."""
MOMENT_ERRORS: Final = 3.5
"""The difference of a moment that chance explains, in standard errors."""
WIDE: Final = 0.25
"""Half the width of a bin that is too wide for a value that is not known, in half widths of the
baseline's middle."""
FEWEST_ROWS: Final = 30
"""The least number of other rows that show it."""
SHORT: Final = 2
"""The number of digits up to which a fractional number is likely to stand for many rows."""


class Spike(NamedTuple):
    """The ``share`` of rows that were replaced by one value, ``at`` if that is known.

    ``outside``: beyond the smallest and the largest number of the baseline. ``bin`` holds it.
    ``estimated``: of ``at`` no more is known than the bin.
    """

    share: float
    at: float | None
    outside: bool
    bin: int
    estimated: bool = False


def spike(sides: NumberSides) -> Spike | None:
    """The spike in the bin that gained most, if one value in it explains the whole window.

    The other bins must have the baseline's shares, and the mean and the mean square must be those
    of the baseline and the spike together.
    """
    n, m = sides.window.n, sides.baseline.n
    if not n or not m or np.count_nonzero(sides.before) <= FEWEST_OTHERS:
        return None
    b = int(np.argmax(sides.after / n - sides.before / m))
    k, usual = int(sides.after[b]), int(sides.before[b])
    share = (k / n - usual / m) / (1.0 - usual / m)
    if share <= 0 or beta_binomial_tail(k, n, usual + 0.5, m - usual + 0.5) > CHANCE:
        return None
    others = np.arange(len(sides.after)) != b
    # Few other rows show little, and what was replaced may be all of them.
    per_row = sides.per_row if n == k else 1.0 / (n - k) + sides.per_row - 1.0 / n
    rest = sides.before[others].astype(float), sides.after[others].astype(float)
    if n - k < FEWEST_ROWS or goodness(*rest, per_row) < FITS_ROUGHLY or _one_sided(sides, b):
        return None
    return _located(sides, b, share)


def _one_sided(sides: NumberSides, b: int) -> bool:
    """Whether the rows of bin ``b`` come from one side of it, as of values that were clipped.

    A value that replaces others, whatever they were, leaves the same part of those on either side.
    A loss on one side is spread over many bins, each of which shows little of it.
    """
    below = int(sides.after[:b].sum()), int(sides.before[:b].sum())
    above = int(sides.after[b + 1 :].sum()), int(sides.before[b + 1 :].sum())
    return any(
        beta_binomial_tail(kept[0], kept[0] + lost[0], kept[1] + 1, max(lost[1], 1)) < FITS
        for kept, lost in ((below, above), (above, below))
    )


def _located(sides: NumberSides, b: int, share: float) -> Spike | None:
    """The spike with its value, if the moments agree with one in bin ``b``."""
    usual = float(sides.before[b]) / sides.baseline.n
    edges, baseline, window = sides.edges, sides.baseline, sides.window
    low = float(edges[b - 1]) if b else -np.inf
    high = float(edges[b]) if b < len(edges) else np.inf
    singles = sides.feature.single_values
    if b in singles:
        at = singles[b]
        return Spike(share, at, not baseline.low <= at <= baseline.high, b)
    ends = [x for x in _candidates(sides) if low <= x < high and _explains(sides, share, usual, x)]
    outside = low >= baseline.high or high <= baseline.low
    if ends and (outside or not baseline.low <= ends[0] <= baseline.high):
        return Spike(share, ends[0], outside=True, bin=b)
    inside_low, inside_high = max(low, baseline.low), min(high, baseline.high)
    if outside or not inside_low <= inside_high or (not ends and _beyond(sides, low, high)):
        return None
    middle = (inside_low + inside_high) / 2.0
    width = (inside_high - inside_low) / 2.0
    # In a wide bin the moments hardly tell one value from many: it must be one that is likely.
    if not ends and width > WIDE * sides.half_width:
        return None
    if not _explains(sides, share, usual, middle, width):
        return None
    zero = low <= 0.0 < high and window.low <= 0.0 <= window.high
    known = 0.0 if zero else ends[0] if ends else None
    at = _shortest(inside_low, inside_high) if known is None else known
    return Spike(share, at, outside=False, bin=b, estimated=known is None)


def _shortest(low: float, high: float) -> float:
    """The number between both with the fewest digits, near the middle: a default is often short."""
    middle = (low + high) / 2.0
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 6))
    return next((value for value in rounded if low <= value < high), middle)


def _candidates(sides: NumberSides) -> list[float]:
    """The values outside of the usual range that a spike may have, the likely ones first.

    An extreme that is a whole number, then 0 if it lies between the extremes (beside a default of 0
    an ordinary value may be a little smaller), then the extremes that are short to write, as 0.5 or
    -99.9. One with many digits is that of many values: a part of the rows in another unit, all of
    them in one bin.
    """
    window = sides.window
    ends = [window.low, window.high]
    short = [x for x in ends if not x.is_integer() and not sides.is_whole and _is_short(x)]
    zero = [0.0] if window.low <= 0.0 <= window.high else []
    return [*(x for x in ends if x.is_integer()), *zero, *short]


def is_likely(sides: NumberSides, value: float) -> bool:
    """Whether an extreme is a whole number, or short to write: likely to stand for many rows."""
    return value.is_integer() or (not sides.is_whole and _is_short(value))


def _is_short(value: float) -> bool:
    """Whether a number has at most two digits, or nines only."""
    digits = f"{abs(value):.15e}".partition("e")[0].replace(".", "").strip("0")
    return len(digits) <= SHORT or set(digits) == {"9"}


def _beyond(sides: NumberSides, low: float, high: float) -> bool:
    """Whether a bin at an end holds numbers beyond the baseline's range: the spike is none there.

    Its rows may be many such numbers then.
    """
    baseline, window = sides.baseline, sides.window
    below = low <= window.low < high and window.low < baseline.low
    above = low <= window.high < high and window.high > baseline.high
    return below or above


def _explains(
    sides: NumberSides, share: float, usual: float, at: float, width: float = 0.0
) -> bool:
    """Whether a spike ``at`` a value, within a ``width``, gives mean and mean square.

    ``usual`` is the baseline's share in its bin.
    """
    center = sides.baseline.mean
    std = sides.baseline.std
    error = MOMENT_ERRORS * sqrt(sides.per_row)
    gained = sides.window.mean - center
    # Other rows in the bin of the spike give its share an error, which the mean feels too.
    loose = MOMENT_ERRORS * sqrt(usual * sides.per_row)
    far = abs(at - center) + width
    if abs(gained - share * (at - center)) > error * std + share * width + loose * far:
        return False
    square = sides.window.std**2 + gained**2
    expected = (1.0 - share) * std**2 + share * (at - center) ** 2
    allowed = error * std**2 * sqrt(sides.kurtosis - 1.0) + share * width * (2 * far + width)
    return bool(abs(square - expected) <= allowed + loose * far**2)
