"""The design effect of dependent rows that all features show in the first windows of a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.dependence import freedom, seasonal_gaps, squared_gaps
from detectors.statistics.evidence.references import Expected, TallyReference
from detectors.statistics.evidence.tallies import TallyLayout
from detectors.statistics.laws import binomial_tail, upper_quantile, upper_tails

LEAST_FEATURES: Final = 5
"""The number of features from which on those that drift are taken for fewer than half of all."""
SUSPECT: Final = 0.01
"""The chance of taking independent rows for dependent ones, by each quantity: that hides a small
drift for a few windows, and raises no false alarm."""
MOST_OF_ROWS: Final = 3.0
"""The squared gap, over the number of rows and its median, that dependence does not explain: rows
that are all alike say as much as one, and a gap of so many deviations of one value is a break."""


def first_factor(
    layout: TallyLayout,
    windows: Sequence[Ints],
    expected: Expected | None = None,
    first: TallyReference | None = None,
) -> Floats:
    """The design effect that the first windows of a stream show, the same for all features.

    ``windows`` are the tallies of those before the one that is judged, and its own.
    ``expected``: what each should look like where that differs by season, and ``first`` what the
    first one is compared with.

    One feature alone cannot tell dependence from drift in a few windows. All together can: rows
    depend on each other by their order, which is that of all columns, while a drift is seldom one
    of most columns at once. So the factor is the median of the squared gaps of all features, those
    of the first window to the baseline and those of each window to the one before, over its
    expectation. It counts where independent rows reach it with a chance of at most
    :data:`SUSPECT`, for any of the quantities that are compared; 1 with fewer than
    :data:`LEAST_FEATURES` features.
    """
    tallies = np.stack(windows)
    gaps = _gaps(layout, tallies, expected, first)
    dof = np.broadcast_to(freedom(layout)[:, None], gaps.shape)
    rows = layout.named(tallies, "rows").astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = gaps / upper_quantile(0.5, dof)
    explained = np.isfinite(ratio) & (dof > 0.0) & ~(ratio > MOST_OF_ROWS * rows)
    tails = upper_tails(gaps, dof)
    common = [
        _median(ratio[k][each], tails[k][each])
        for k, each in enumerate(explained)
        if each.any(axis=0).sum() >= LEAST_FEATURES
    ]
    return np.full(layout.features, max(common, default=1.0))


def _median(ratios: Floats, tails: Floats) -> float:
    """The median of the ratios if it is certain by the chances of the gaps, else 1.

    Half of all chances are at most x as often as at least half of as many draws are, each with the
    probability x.
    """
    half = len(tails) // 2 + 1
    reached = float(np.partition(tails, half - 1)[half - 1])
    certain = binomial_tail(half, len(tails), reached) <= SUSPECT
    return max(float(np.median(ratios)), 1.0) if certain else 1.0


def _gaps(
    layout: TallyLayout, tallies: Ints, expected: Expected | None, reference: TallyReference | None
) -> Floats:
    """The squared gaps of each window to the one before, of the first one to what it is compared
    with: ``[quantities, windows, features]``.
    """
    before = layout.baseline if reference is None else reference.tallies[0]
    first = squared_gaps(layout, tallies[:1], before[None])
    if len(tallies) == 1:
        return first
    if expected is None:
        later = squared_gaps(layout, tallies[1:], tallies[:-1])
    else:
        later = seasonal_gaps(layout, tallies, expected)
    return np.concatenate([first, later], axis=1)
