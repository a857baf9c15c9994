"""Sampling laws that several statistics share; ``docs/statistics.md`` describes them.

SciPy's special functions are imported where they are called: they take 20 MB and a tenth of a
second, which only the process that judges windows needs.
"""

from __future__ import annotations

from functools import cache
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


SQRT_HALF: Final = 0.7071067811865476
FIRST_TERMS: Final = 64
"""The number of terms of a tail that are added first; after that twice as many, and so on."""

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


UNSCREENED: Final = 1e-3
"""The largest p-value that is exact among :func:`screened_tails`."""


def screened_tails(x: Floats, dof: Floats) -> Floats:
    """:func:`upper_tails` where they are at most :data:`UNSCREENED`; 1 for most of the others.

    A chi-squared variable is skewed to the right: three deviations above its mean, its tail is
    larger than that of a normal one, 0.00135, for 1 degree of freedom and more.

    >>> screened_tails(np.array([3.8, 60.0]), np.array([1.0, 20.0])).round(9)
    array([1.00000e+00, 7.12...e-06])
    """
    far = np.nonzero((x > dof + 3.0 * np.sqrt(2.0 * dof)) & (dof > 0.0))
    tails = np.ones(np.shape(x))
    tails[far] = upper_tails(x[far], dof[far])
    return tails


def normal_quantile(p: Floats) -> Floats:
    """The x with ``P(X <= x) = p`` for X standard normal, elementwise.

    >>> normal_quantile(np.array([0.975]))
    array([1.95996398])
    """
    from scipy.special import ndtri

    quantiles: Floats = ndtri(p)
    return quantiles


def two_sided_tails(z: Floats) -> Floats:
    """``P(|Z| > |z|)`` for Z standard normal, elementwise.

    >>> two_sided_tails(np.array([0.0, -1.959963984540054])).round(12)
    array([1.  , 0.05])
    """
    from scipy.special import erfc

    tails: Floats = erfc(np.abs(z) * SQRT_HALF)
    return tails


def binomial_tail(k: int, n: int, share: float) -> float:
    """``P(K >= k)`` of a binomial count of ``n``; 1 for ``k`` of 0.

    >>> round(binomial_tail(2, 2, 0.1), 12)
    0.01
    """
    from scipy.special import bdtrc

    return float(bdtrc(k - 1, n, share))


def beta_binomial_tail(k: int, n: int, a: float, b: float) -> float:
    """``P(K >= k)`` for K of ``n`` draws with a probability that is Beta(a, b), a and b whole.

    1 for ``k <= 0``, 0 for ``k > n``. See :func:`beta_binomial_tails`.

    >>> round(beta_binomial_tail(1, 1, 1, 3), 12)
    0.25
    """
    numbers = np.array([[k], [n], [a], [b]], np.float64)
    return float(beta_binomial_tails(*numbers)[0])


def beta_binomial_tails(k: Floats, n: Floats, a: Floats, b: Floats) -> Floats:
    """``P(K >= k)`` for K of ``n`` draws with a probability that is Beta(a, b), elementwise.

    Vectors of one length of whole numbers, ``a`` and ``b`` at least 1. 1 for ``k <= 0``, 0 for
    ``k > n``.

    In a random order of n new and a + b - 1 old values, K is the number of new ones before the
    a-th old one (Wilks 1942): K >= k where the first ``k + a - 1`` hold fewer than a old ones. So
    this is a tail of the hypergeometric law, of at most ``a`` terms; they are added from the
    largest on, up to the point at which the rest changes no digit.

    >>> beta_binomial_tails(*np.array([[1.0, 0.0], [1.0, 5.0], [1.0, 1.0], [3.0, 1.0]])).round(12)
    array([0.25, 1.  ])
    """
    tails = (k <= 0.0).astype(np.float64)
    inside = np.flatnonzero((k > 0.0) & (k <= n))
    if len(inside):
        k, n, a, b = k[inside], n[inside], a[inside], b[inside]
        tails[inside] = _fewer_than(a, n, a + b - 1.0, k + a - 1.0)
    return np.minimum(tails, 1.0)


def _fewer_than(a: Floats, new: Floats, old: Floats, drawn: Floats) -> Floats:
    """``P(X < a)`` for the number X of old ones among ``drawn`` of new and old ones."""
    x = a - 1.0
    last = _log_choose(old, x) + _log_choose(new, drawn - x) - _log_choose(new + old, drawn)
    sums: Floats = np.exp(last)
    going, width = np.flatnonzero(x > 0.0), FIRST_TERMS
    while len(going):
        of = (going, None)
        at = np.maximum(x[of] - np.arange(width), 0.0)
        room = np.maximum((new - drawn)[of] + at, 0.0)
        ratios = at * room / ((old[of] - at + 1.0) * (drawn[of] - at + 1.0))
        with np.errstate(divide="ignore"):
            logs = last[of] + np.cumsum(np.log(ratios), axis=1)
        terms = np.exp(logs)
        sums[going] += terms.sum(axis=1)
        last[going], x[going] = logs[:, -1], x[going] - width
        rest = (terms[:, -1] * x[going] > sums[going] * 1e-12) | (ratios[:, -1] >= 1.0)
        going = going[(x[going] > 0.0) & rest]
        width *= 2
    return sums


def _log_choose(n: Floats, k: Floats) -> Floats:
    """The logarithm of the number of ways to choose k of n."""
    from scipy.special import gammaln

    ways: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return ways


def log_rising(a: Floats, x: Floats) -> Floats:
    """``ln(a (a + 1) ... (a + x - 1))`` elementwise, for ``a > 0`` and ``x >= 0``; 0 for ``x = 0``.

    ``x`` need not be whole: it is ``ln(gamma(a + x) / gamma(a))``.

    >>> np.exp(log_rising(np.array([2.0]), np.array([3.0]))).round(9)
    array([24.])
    """
    from scipy.special import gammaln

    rising: Floats = gammaln(a + x) - gammaln(a)
    return rising


SMALLEST: Final = 1e-3
"""The expected count below which a cell adds less to G than a large one on average."""
LARGEST: Final = 50.0
"""The expected count from which the first term of the series gives a cell's excess, within 2 %."""


def excess(expected: Floats) -> Floats:
    """How much more than 1 each cell adds to G on average, its count being of Poisson's law.

    0 where it adds less: cells of nearly nothing must not make up for others. From
    :data:`LARGEST` on it is the first term of its series, ``1 / (6 * expected)``.

    >>> excess(np.array([0.0, 0.1, 100.0])).round(4)
    array([0.    , 0.    , 0.0017])
    """
    at, means = _means()
    inside = np.interp(np.log(np.clip(expected, SMALLEST, LARGEST)), at, means)
    with np.errstate(divide="ignore"):
        series = 1.0 / (6.0 * expected)
    found: Floats = np.where(expected < LARGEST, np.maximum(inside, 0.0), series)
    return found


@cache
def _means() -> tuple[Floats, Floats]:
    """The mean of a cell's part of G, less 1, by the logarithm of its expected count."""
    from scipy.special import gammaln, xlogy

    at = np.linspace(np.log(SMALLEST), np.log(LARGEST), 200)
    expected, count = np.exp(at)[:, None], np.arange(200.0)
    chance = np.exp(count * at[:, None] - expected - gammaln(count + 1.0))
    part = 2.0 * (xlogy(count, count / expected) - count + expected)
    return at, (chance * part).sum(axis=1) - 1.0
