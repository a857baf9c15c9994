"""The likelihood-ratio test of a distribution over cells."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from detectors.arrays import Floats, Mask
from detectors.statistics.evidence.base import Outcome, Pooled, unbiased_effect
from detectors.statistics.laws import screened_tails, upper_tails

SMALL_CELL: Final = 5.0
"""Expected count, of independent rows, below which a cell is merged with the other small ones."""
CERTAIN_CELL: Final = 40.0
"""Rows of the smaller side, of independent ones, from which on a cell is no small one whatever is
expected: where 5 are, chance gives as many once in 1e22. So a value that vanishes from a window far
larger than the baseline is not left out, which expects few of it beside both."""


class LikelihoodRatio:
    """The two-sample G test: ``G = 2 * sum(count * ln(count / expected))`` over both sides.

    Expected counts follow from the share of both sides together. Small cells of a feature are
    merged, and left out if they remain small: tests of shares judge what lies there. G over
    ``factor`` is chi-squared with one degree of freedom less than there are cells; its tail is
    right from a hundred values on, where that of PSI is thirteen times too heavy.

    Source: Wilks 1938; Cochran 1954 for the small cells.
    """

    names: ClassVar[tuple[str, ...]] = ("distribution",)

    def outcome(self, pooled: Pooled) -> Outcome:
        layout = pooled.layout
        of = layout.cell_feature
        after = layout.cells(pooled.sums).astype(np.float64)
        before = layout.cells(pooled.before)
        with np.errstate(invalid="ignore", divide="ignore"):
            n, m = pooled.n.take(of, axis=1), pooled.m.take(of, axis=1)
            share = (after + before) / (n + m)
            least = (np.minimum(pooled.n, pooled.m) / pooled.factor).take(of, axis=1)
        seen = np.where(n <= m, after, before) / pooled.factor.take(of, axis=1)
        large = (share * least >= SMALL_CELL) | (seen >= CERTAIN_CELL)
        g = self._sums(pooled, np.where(large, _parts(after, before, n, m, share), 0.0))
        cells = self._sums(pooled, large.astype(np.float64))
        rest_g, rest = self._rest(pooled, after, before, ~large)
        dof = np.maximum(cells + rest - 1.0, 0.0)
        statistic = (g + rest_g) / pooled.factor
        tails = screened_tails if pooled.screened else upper_tails
        return Outcome(
            p_value=tails(statistic, dof)[None],
            effect=unbiased_effect(statistic, dof, pooled.scale)[None],
            direction=np.zeros((1, *statistic.shape)),
        )

    def _rest(
        self, pooled: Pooled, after: Floats, before: Floats, small: Mask
    ) -> tuple[Floats, Floats]:
        """G of the merged small cells of each feature, and 1 where they are large together."""
        merged_after = self._sums(pooled, np.where(small, after, 0.0))
        merged_before = self._sums(pooled, np.where(small, before, 0.0))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (merged_after + merged_before) / (pooled.n + pooled.m)
            large = share * np.minimum(pooled.n, pooled.m) / pooled.factor >= SMALL_CELL
        parts = _parts(merged_after, merged_before, pooled.n, pooled.m, share)
        return np.where(large, parts, 0.0), large.astype(np.float64)

    def _sums(self, pooled: Pooled, cells: Floats) -> Floats:
        """The sum over the cells of each feature, ``[horizons, features]``."""
        sums: Floats = np.add.reduceat(cells, pooled.layout.cell_starts, axis=1)
        return sums


def _parts(after: Floats, before: Floats, n: Floats, m: Floats, share: Floats) -> Floats:
    """The part of G that each cell adds: both of its counts against the share of both together.

    None is negative, since both counts add up to what the share expects of both sides.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        up = np.where(after > 0, after * np.log(after / (n * share)), 0.0)
        down = np.where(before > 0, before * np.log(before / (m * share)), 0.0)
    return 2.0 * (up + down)
