"""Quantiles of the normal and of Student's distribution, for intervals.

SciPy's special functions are imported where they are called: only the process that judges windows
needs them.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=256)
def normal_quantile(confidence: float) -> float:
    """The z with ``P(-z < X < z) = confidence`` for a standard normal X.

    >>> normal_quantile(0.95)
    1.959963984540
    """
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2))


@lru_cache(maxsize=4096)
def student_quantile(confidence: float, dof: int) -> float:
    """The t with ``P(-t < T < t) = confidence`` for T of Student with ``dof >= 1``.

    >>> student_quantile(0.95, 10)
    2.2281388520
    """
    from scipy.special import stdtrit

    return float(stdtrit(dof, 0.5 + confidence / 2))
