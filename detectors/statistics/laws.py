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


def upper_tails(x: Floats, dof: Floats) -> Floats:
    """``P(X > x)`` for X chi-squared, elementwise; 1 where ``dof <= 0`` or a number is NaN.

    >>> upper_tails(np.array([3.841458820694124, np.nan]), np.array([1.0, 1.0]))
    array([0.05, 1.  ])
    """
    from scipy.special import chdtrc

    judged = (dof > 0.0) & (x > 0.0)
    tails: Floats = chdtrc(np.where(judged, dof, 1.0), np.where(judged, x, 0.0))
    return tails


def normal_quantile(p: Floats) -> Floats:
    """The x with ``P(X <= x) = p`` for X standard normal, elementwise.

    >>> normal_quantile(np.array([0.975]))
    array([1.95996398])
    """
    from scipy.special import ndtri

    quantiles: Floats = ndtri(p)
    return quantiles


def beta_binomial_tail(k: int, n: int, a: float, b: float) -> float:
    """``P(K >= k)`` for K of ``n`` draws with a probability that is Beta(a, b).

    The terms from ``k`` on are added up to the point at which they no longer change the sum. 1 for
    ``k <= 0``, 0 for ``k > n``.

    >>> beta_binomial_tail(1, 1, 1.0, 3.0)
    0.25
    """
    from scipy.special import betaln, gammaln

    if k <= 0 or k > n:
        return float(k <= 0)
    total, start, width = 0.0, k, 256
    while start <= n:
        j = np.arange(start, min(start + width, n + 1), dtype=np.float64)
        choose = gammaln(n + 1.0) - gammaln(j + 1.0) - gammaln(n - j + 1.0)
        terms = np.exp(choose + betaln(j + a, n - j + b) - betaln(a, b))
        total += float(terms.sum())
        falls = len(terms) < 2 or terms[-1] <= terms[-2]
        if falls and terms[-1] * (n - j[-1]) <= total * 1e-12:
            break
        start, width = start + width, 2 * width
    return min(total, 1.0)


def log_rising(a: Floats, x: Floats) -> Floats:
    """``ln(a (a + 1) ... (a + x - 1))`` elementwise, for ``a > 0`` and ``x >= 0``; 0 for ``x = 0``.

    ``x`` need not be whole: it is ``ln(gamma(a + x) / gamma(a))``.

    >>> np.exp(log_rising(np.array([2.0]), np.array([3.0]))).round(9)
    array([24.])
    """
    from scipy.special import gammaln

    rising: Floats = gammaln(a + x) - gammaln(a)
    return rising
