"""Population stability index."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.statistics.distances.base import AppliesTo, Distance, Pair, normal_shift
from detectors.statistics.laws import chi_squared_noise


class Psi(Distance):
    """PSI of each feature: ``sum((q - p) * ln(q / p))`` over its coarse cells.

    Missing and unreadable values are no part of it. Natural logarithm; 0 for equal shares, no upper
    end. PSI has no value for an empty cell, and the result depends on how empty
    cells are treated. Here all cells with an expected count ``p * n * m / (n + m)`` (p pooled over
    both sides) under 5 are first merged (those of known values into one, those of unseen values
    into another), then **one half is added to each cell on both
    sides**. Without drift, ``PSI / (1/n + 1/m)`` then follows the chi-squared law with B - 1
    degrees of freedom (B cells after merging), which is its noise. NaN without rows.

    Trap: without drift PSI is about ``(B - 1) * (1/n + 1/m)``, so fixed limits alarm in small
    windows. The far tail of its law is heavier than chi-squared in small windows: evidence is
    called overwhelming only from 500 rows on. Source: Siddiqi 2006 (the convention 0.1 and 0.25);
    Yurdakul 2018 (the law). To second order PSI is 8 times the Jensen-Shannon divergence in nats.

    >>> from detectors.statistics.distances.base import of_counts
    >>> Psi().distances(of_counts({"a": 600, "b": 400}, {"a": 300, "b": 700}))
    array([0.376])
    """

    applies_to: ClassVar[AppliesTo] = "both"
    title: ClassVar[str] = "PSI"
    formula: ClassVar[str] = "sum((q - p) * ln(q / p)) over the bins"
    decides: ClassVar[bool] = True

    def distances(self, pair: Pair) -> Floats:
        """PSI over the merged cells, one half added to each."""
        cells = pair.merged_cells
        m, n = (total + cells.left / 2.0 for total in (pair.m, pair.n))
        terms = _term(cells.before, cells.after, m[cells.feature], n[cells.feature])
        return pair.where_both(cells.total(np.where(cells.filled, terms, 0.0)))

    def noise(self, pair: Pair, alpha: float) -> Floats:
        """``(1/n + 1/m)`` times the chi-squared quantile with B - 1 degrees of freedom."""
        return chi_squared_noise(pair, alpha, pair.merged_cells.left - 1.0)

    def equivalent(self, gap: float) -> float:
        """``d**2``: PSI between two normal laws that are d deviations apart."""
        shift = normal_shift(gap)
        return shift * shift


def contributions(pair: Pair) -> Floats:
    """The part that each coarse cell adds to PSI if no cells are merged, ``float64[cells]``.

    It shows which bins moved; no verdict depends on it.
    """
    filled = pair.before + pair.after > 0
    cells = pair.total(filled)
    m, n = pair.spread(pair.m + cells / 2.0), pair.spread(pair.n + cells / 2.0)
    return np.where(filled, _term(pair.before, pair.after, m, n), 0.0)


def _term(before: Floats | Ints, after: Floats | Ints, m: Floats, n: Floats) -> Floats:
    """``(q - p) * ln(q / p)`` with half a count more in each cell; ``m`` and ``n`` include it."""
    with np.errstate(invalid="ignore", divide="ignore"):
        p, q = (before + 0.5) / m, (after + 0.5) / n
        term: Floats = (q - p) * np.log(q / p)
    return term
