"""Mixtures of a baseline and of it in another unit, by the likelihood of the share and the factor.

Each factor has its most likely share: the likelihood of the window's bins is concave in it. A
factor is accepted if its likelihood is near the highest one, and the mean, the deviation and the
extremes of the window do not contradict it. Far from the baseline all rows may lie in one bin: the
mean and the extremes are what is left there.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.accepted import Range
from detectors.diagnosis.goodness import FITS, converted_shares, goodness
from detectors.diagnosis.number_sides import STANDARD_ERRORS, NumberSides

DROP: Final = STANDARD_ERRORS**2
"""The drop of twice the logarithm of the likelihood, below its maximum, that is accepted."""
TENSION: Final = 4.0
"""The drop that the moments may cost: more than 2 standard errors are a misfit."""
FEWEST_ROWS: Final = 8
"""The least number of rows in either unit."""
SHARES: Final = (1e-4, 1.0 - 1e-4)
"""The shares that are searched."""
HALVINGS: Final = 18
"""The steps of a search for a share: ``2 ** -18`` is no difference."""
FACTORS: Final = (1e-7, 1e7)
"""The factors that are searched."""
STEP: Final = 0.05
"""The distance of two factors that are tried, in logarithms, for values that spread widely."""
STEPS: Final = 400
"""The largest number of factors that are tried at once."""
FINE: Final = 101
"""The number of factors in the accepted range that are tried to find its ends."""
ROUNDS: Final = 2
"""How often they are tried again, between the ends that were found."""
MOST_BELOW: Final = 8.0
"""The expected number of rows below the smallest one that chance explains: ``exp(-8)`` is 3e-4."""
SKEW: Final = (STANDARD_ERRORS**2 - 1.0) / 6.0
"""How far skewness moves a quantile of a mean (Cornish and Fisher 1938), times its root of rows."""
APART: Final = 0.3
"""The largest share of the baseline among the rows in another unit, over that of these rows."""


class Mixture(NamedTuple):
    """A ``share`` of the rows as ``factor * x + offset``, with what the window accepts of both.

    ``likelihood`` is the logarithm of the one at ``factor``, the most likely one.
    """

    factor: float
    offset: float
    share: float
    factors: Range
    shares: Range
    likelihood: float


class LikelyShares(NamedTuple):
    """Conversions with their most likely shares: one entry each."""

    factors: Floats
    offset: float
    shares: Floats
    likelihoods: Floats
    share_errors: Floats


def fitted_factor(sides: NumberSides, least: float = -np.inf) -> Mixture | None:
    """The mixture with the most likely factor above 0, and the range of factors.

    ``None`` if none is accepted, or if none has the likelihood ``least``.
    """
    grid = _grid(sides)
    if not len(grid):
        return None
    coarse = profile(sides, grid, 0.0)
    top = float(coarse.likelihoods.max())
    loss = _loss_between(coarse)
    if top + loss / 2.0 < least:
        return None
    near = grid[2.0 * (top - coarse.likelihoods) <= DROP + loss]
    gap = float(np.diff(np.log(grid)).max())
    found = fitted(sides, _between(near[0] * exp(-gap), near[-1] * exp(gap), near), 0.0, top)
    for _ in range(ROUNDS):
        if found is not None:
            found = fitted(sides, _between(*found.factors, near[:0]), 0.0, top)
    return found


def _between(low: float, high: float, tried: Floats) -> Floats:
    """Factors between two, closer than those that were tried, which are among them."""
    count = FINE + 2 * len(tried)
    return np.union1d(np.exp(np.linspace(log(low), log(high), count)), tried)


def fitted(
    sides: NumberSides, factors: Floats, offset: float, top: float = -np.inf
) -> Mixture | None:
    """The most likely one of these conversions; ``None`` if none is accepted.

    The range of factors reaches to the next ones that are not accepted. ``top`` is the highest
    likelihood of others.
    """
    found = profile(sides, factors, offset)
    top = max(top, float(found.likelihoods.max()))
    near = np.flatnonzero(2.0 * (top - found.likelihoods) <= DROP)
    accepted = [k for k in near.tolist() if _agrees(sides, found, k)]
    if not accepted:
        return None
    best = max(accepted, key=lambda k: float(found.likelihoods[k]))
    share = float(found.shares[best])
    # Counts and moments that hardly agree leave a range that is too short.
    if 2.0 * (top - float(found.likelihoods[best])) > TENSION:
        return None
    # Of the most likely one alone: the range of factors ends where the window ends it.
    if min(share, 1.0 - share) * sides.window.n < FEWEST_ROWS:
        return None
    return Mixture(
        factor=float(factors[best]),
        offset=offset,
        share=share,
        factors=Range(
            float(factors[max(accepted[0] - 1, 0)]),
            float(factors[min(accepted[-1] + 1, len(factors) - 1)]),
        ),
        shares=_share_range(sides, found, accepted, top),
        likelihood=float(found.likelihoods[best]),
    )


def profile(sides: NumberSides, factors: Floats, offset: float) -> LikelyShares:
    """The most likely share of each conversion, by halving where its derivative is."""
    counts, before, moved = _bins(sides, factors, offset)
    low = np.full(len(factors), SHARES[0])
    high = np.full(len(factors), SHARES[1])
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        rises = (counts * moved / (before + middle[:, None] * moved)).sum(axis=1) > 0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    mixed = before + low[:, None] * moved
    information = (counts * (moved / mixed) ** 2).sum(axis=1)
    return LikelyShares(
        factors=factors,
        offset=offset,
        shares=low,
        likelihoods=(counts * np.log(mixed)).sum(axis=1),
        share_errors=1.0 / np.maximum(information, 1e-300),
    )


def _bins(sides: NumberSides, factors: Floats, offset: float) -> tuple[Floats, Floats, Floats]:
    """Counts and baseline shares of the bins with rows, and what each conversion adds to a share.

    The counts are as many as the rows of the window and the baseline are worth together. A bin in
    which the baseline has none has a part of one row.
    """
    used = sides.after > 0
    counts = sides.after[used] / (sides.window.n * sides.per_row)
    least = 0.5 / (sides.baseline.n * len(sides.after))
    before = sides.before[used] / sides.baseline.n + least
    converted = [converted_shares(sides, factor, offset)[used] for factor in factors.tolist()]
    return counts, before, np.array(converted) + least - before


def likelihood(sides: NumberSides, factor: float, offset: float) -> float:
    """The logarithm of the likelihood if all rows are ``factor * x + offset``."""
    counts, before, moved = _bins(sides, np.array([factor]), offset)
    return float((counts * np.log(before + moved[0])).sum())


def _grid(sides: NumberSides) -> Floats:
    """The factors for which some share gives the mean, as close as the values spread.

    Of ``1 + gained / (share * mean)`` none is below that of all rows, nor above that of the fewest.
    """
    mean, std = sides.baseline.mean, sides.baseline.std
    gained = sides.window.mean - mean
    error = STANDARD_ERRORS * max(std, sides.window.std) * sqrt(sides.per_row)
    if abs(mean) * 2.0 < error or mean == 0:
        low, high = FACTORS
    else:
        ends = sorted(((gained - error) / mean, (gained + error) / mean))
        fewest = min(FEWEST_ROWS / sides.window.n, 1.0)
        low = max(1.0 + min(ends[0], ends[0] / fewest), FACTORS[0])
        high = min(1.0 + max(ends[1], ends[1] / fewest), FACTORS[1])
    if not low < high:
        return np.empty(0)
    step = min(STEP, std / (2.0 * abs(mean))) if mean else STEP
    count = int(min(max(log(high / low) / step, 2.0), STEPS)) + 1
    even = np.exp(np.linspace(log(low), log(high), count))
    # What both extremes lead one to expect, where values hardly spread.
    likely = [
        sides.window.low / sides.baseline.low if sides.baseline.low else 0.0,
        sides.window.high / sides.baseline.high if sides.baseline.high else 0.0,
    ]
    return np.unique([*even, *(factor for factor in likely if low < factor < high)])


def _loss_between(coarse: LikelyShares) -> float:
    """How much the likelihood may fall from its maximum to the nearest factor that was tried."""
    steps = np.abs(np.diff(coarse.likelihoods))
    top = int(np.argmax(coarse.likelihoods))
    return float(2.0 * steps[max(top - 1, 0) : top + 1].max(initial=0.0))


def _share_range(sides: NumberSides, found: LikelyShares, accepted: list[int], top: float) -> Range:
    """The shares that some accepted conversion has with an accepted likelihood."""
    at = np.array(accepted)
    counts, before, moved = _bins(sides, found.factors[at], found.offset)
    best = found.shares[at]
    ends = []
    for end in SHARES:
        near, far = best.copy(), np.full(len(at), end)
        for _ in range(HALVINGS):
            middle = (near + far) / 2.0
            likelihoods = (counts * np.log(before + middle[:, None] * moved)).sum(axis=1)
            inside = 2.0 * (top - likelihoods) <= DROP
            near, far = np.where(inside, middle, near), np.where(inside, far, middle)
        ends.append(near)
    return Range(float(ends[0].min()), float(ends[1].max()))


def _agrees(sides: NumberSides, found: LikelyShares, k: int) -> bool:
    """Whether the mean, the deviation and the extremes are those of one of the mixtures."""
    factor, share = float(found.factors[k]), float(found.shares[k])
    if not _moments(sides, factor, found.offset, share, float(found.share_errors[k])):
        return False
    return _has_lowest(sides, factor, found.offset, share) and _has_lowest(
        sides, factor, found.offset, share, mirrored=True
    )


def _moments(
    sides: NumberSides, factor: float, offset: float, share: float, share_error: float
) -> bool:
    """Whether the window has the mean and the mean square of the mixture.

    ``share_error`` is the variance of the share; the part of it that is the chance of the rows
    themselves is none of the mean, which is of the same rows.
    """
    mean, std = sides.baseline.mean, sides.baseline.std
    gap = factor * mean + offset - mean
    inside = ((1.0 - share) + share * factor**2) * std**2
    chance = share * (1.0 - share)
    unsure = max(share_error - chance * sides.per_row, 0.0)
    error = sqrt(inside * sides.per_row + gap**2 * unsure)
    rare = min(share, 1.0 - share)
    skewness = sqrt(sides.kurtosis - 1.0)
    errors = STANDARD_ERRORS + SKEW * skewness * sqrt(sides.per_row / rare)
    if abs(sides.window.mean - mean - share * gap) > errors * error:
        return False
    variance = inside + chance * gap**2
    ratio = sides.window.std / sqrt(variance) if variance > 0 else 0.0
    # The deviation is that of few rows.
    log_error = errors * sqrt((1.0 + sides.kurtosis) / rare / 4.0 * sides.per_row)
    return ratio > 0 and abs(log(ratio)) <= log_error


def _has_lowest(
    sides: NumberSides, factor: float, offset: float, share: float, mirrored: bool = False
) -> bool:
    """Whether the mixture may have the window's smallest number; ``mirrored``: the largest.

    Rows that all fall into one bin show no shape, and a factor that makes them small shows in no
    moment: the extremes are what is left.
    """
    baseline, window = sides.baseline, sides.window
    if mirrored:
        baseline, window, offset = baseline.mirrored(), window.mirrored(), -offset
    converted = baseline if factor > 0 else baseline.mirrored()
    parts = (
        (baseline, window.low, (1.0 - share) * window.n),
        (converted, (window.low - offset) / abs(factor), share * window.n),
    )
    below = sum(
        rows * float(np.interp(at, side.at, side.below, left=0.0, right=1.0))
        for side, at, rows in parts
    )
    in_reach = any(at >= side.low - side.spacing(rows) for side, at, rows in parts)
    return below <= MOST_BELOW and in_reach


def fits(sides: NumberSides, found: Mixture) -> bool:
    """Whether the counts agree with the mixture: of all rows, and of those in either unit alone.

    The rows in another unit must lie where the baseline has few: elsewhere, known values with other
    shares explain them as well.
    """
    before = (1.0 - found.share) * sides.before / sides.baseline.n
    other = found.share * converted_shares(sides, found.factor, found.offset)
    after = sides.after.astype(float)
    part = other > before
    if before[part].sum() > APART * other[part].sum():
        return False
    return all(
        goodness((before + other)[bins], after[bins], _per_row(sides, after[bins].sum())) >= FITS
        for bins in (np.ones_like(part), part, ~part)
    )


def _per_row(sides: NumberSides, rows: float) -> float:
    """``1/n + 1/m`` of a part of the window with this many rows."""
    return sides.per_row * sides.window.n / max(rows, 1.0)
