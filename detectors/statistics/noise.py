"""How large a distance gets by chance alone: the sampling law of each statistic that may decide."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt

import numpy as np

from detectors.arrays import Floats
from detectors.profiles.fine_bins import fine_bins
from detectors.statistics.chi2 import quantile
from detectors.statistics.measures import Measures


def noise(statistic: str, measures: Measures, alpha: float) -> Floats:
    """The value that ``statistic`` exceeds with probability of at most about ``alpha`` while
    nothing drifts, a feature each.

    With ``s = 1/n + 1/m``:

    * ``psi``: ``s`` times the chi-squared quantile with B - 1 degrees of freedom (B cells after
      merging).
    * ``hellinger``: ``sqrt(s * quantile / 8)``; ``jensen_shannon``: ``sqrt(s * quantile / (8 ln
      2))``: to second order all three are one quantity. But these two are summed over small cells
      too, each of which varies up to 1.9 times as much as the law says (``4 * E(sqrt(x) -
      sqrt(l))**2`` for a Poisson count x with mean l): it counts as two degrees of freedom.
    * ``ks``: ``sqrt(s * ln(2 / alpha) / 2)``; ``l_infinity``: the same with ``alpha`` divided by
      the number of cells.
    * ``wasserstein``: ``J * sqrt(s) * (sqrt(2 / pi) + sqrt(2 * ln(1 / alpha)))`` with ``J =
      integral sqrt(F (1 - F)) dx`` in baseline standard deviations (Gaussian concentration around
      the mean of an integrated Brownian bridge).

    NaN where a side has no rows. The PSI law has heavier far tails in small windows: see section 0,
    fact 6 of the statistics notes.
    """
    return _LAWS[statistic](measures, alpha)


def statistics() -> list[str]:
    """Names of the statistics that may decide."""
    return sorted(_LAWS)


def _scale(measures: Measures) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return measures.pair.where_both(1.0 / measures.pair.n + 1.0 / measures.pair.m)


def _psi(measures: Measures, alpha: float) -> Floats:
    return _law(measures, alpha, measures.psi_cells - 1.0)


def _jensen_shannon(measures: Measures, alpha: float) -> Floats:
    return np.sqrt(_law(measures, alpha, _unmerged(measures)) / (8.0 * log(2.0)))


def _hellinger(measures: Measures, alpha: float) -> Floats:
    return np.sqrt(_law(measures, alpha, _unmerged(measures)) / 8.0)


def _law(measures: Measures, alpha: float, dof: Floats) -> Floats:
    limit: Floats = _scale(measures) * np.array([quantile(alpha, one) for one in dof.tolist()])
    return limit


def _unmerged(measures: Measures) -> Floats:
    """Degrees of freedom where small cells stay apart: the cell that they would make is replaced by
    two for each.
    """
    small = measures.small_cells
    return measures.psi_cells - 1.0 + np.where(small > 0, 2.0 * small - 1.0, 0.0)


def _ks(measures: Measures, alpha: float) -> Floats:
    return np.sqrt(_scale(measures) * log(2.0 / alpha) / 2.0)


def _l_infinity(measures: Measures, alpha: float) -> Floats:
    limit: Floats = np.sqrt(_scale(measures) * np.log(2.0 * measures.pair.widths / alpha) / 2.0)
    return limit


def _wasserstein(measures: Measures, alpha: float) -> Floats:
    layout, out = measures.layout, np.full(len(measures.layout.features), np.nan)
    fine = fine_bins(layout)
    if len(fine.features):
        shares = np.nan_to_num(measures.pair.f)
        bridge = np.sqrt(np.maximum(shares * (1.0 - shares), 0.0))
        for k, i in enumerate(fine.features.tolist()):
            inside = bridge[fine.starts[k] : fine.starts[k] + fine.widths[k] - 1]
            edges = np.array(layout.features[i].edges)
            integral = float((inside[:-1] * np.diff(edges)).sum())
            out[i] = integral / layout.features[i].scale if layout.features[i].scale > 0 else np.nan
    return out * np.sqrt(_scale(measures)) * (sqrt(2.0 / pi) + sqrt(2.0 * log(1.0 / alpha)))


_LAWS: dict[str, Callable[[Measures, float], Floats]] = {
    "psi": _psi,
    "jensen_shannon": _jensen_shannon,
    "hellinger": _hellinger,
    "ks": _ks,
    "l_infinity": _l_infinity,
    "wasserstein": _wasserstein,
}
