"""Sampling laws that several statistics share; ``docs/statistics.md`` describes them.

SciPy's special functions are imported where they are called: they take 20 MB and a tenth of a
second, which only the process that judges windows needs.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.statistics.distances.base import Pair


def upper_tail(x: float, dof: float) -> float:
    """``P(X > x)`` for X chi-squared with ``dof`` degrees of freedom, 1 for ``x <= 0``.

    >>> upper_tail(3.841458820694124, 1)
    0.05
    """
    from scipy.special import chdtrc

    return float(chdtrc(dof, max(x, 0.0)))


def upper_quantile(alpha: float, dof: Floats) -> Floats:
    """The x with ``P(X > x) = alpha`` for each number of degrees of freedom.

    ``0 < alpha < 1``. 0 where ``dof <= 0``: a single cell cannot vary. NaN stays NaN.

    >>> upper_quantile(0.001, np.array([0.0, 9.0]))
    array([ 0.        , 27.87716487])
    """
    from scipy.special import chdtri

    quantiles: Floats = np.where(dof <= 0.0, 0.0, chdtri(np.maximum(dof, 1e-9), alpha))
    return np.where(np.isnan(dof), np.nan, quantiles)


RANK_FACTOR: Final = 5.0
"""What the variance of a rank counts in ``1/m``: 4 where the distribution function is one half, and
more since the errors of a sketch at distant numbers are independent, unlike those of a sample."""


def sampling_scale(pair: Pair) -> Floats:
    """``1/n + 1/m`` of each feature, for n rows in the window and m in the baseline.

    Where the baseline comes from a sketch with rank error s, ``5 s**2`` is added: it knows its
    distribution function as ``1 / (1/m + 5 s**2)`` rows would. NaN where a side has no rows.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1.0 / pair.n + 1.0 / pair.m + RANK_FACTOR * pair.rank_variance
    return pair.where_both(scale)


def chi_squared_noise(pair: Pair, alpha: float, dof: Floats) -> Floats:
    """``(1/n + 1/m)`` times the upper chi-squared quantile: the law of PSI and its relatives.

    The error of a baseline's sketch in each cell is added to ``1/m``, see
    :attr:`~detectors.statistics.distances.base.Pair.cell_variance`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = pair.where_both(1.0 / pair.n + 1.0 / pair.m + pair.cell_variance)
    return scale * upper_quantile(alpha, dof)


def freedom_with_small_rests(pair: Pair) -> Floats:
    """Degrees of freedom of a statistic that adds nothing to small cells.

    Only the rests that small cells are merged into can still be small. The variance of a small cell
    is up to 1.9 times that of the chi-squared law (``4 * E(sqrt(x) - sqrt(l))**2`` for a Poisson
    count x of mean l), so each counts as two degrees of freedom.
    """
    return pair.merged_cells.left - 1.0 + pair.merged_cells.small_rests
