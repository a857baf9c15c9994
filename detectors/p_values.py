"""Statistics that are p-values: they fall as a drift grows, while distances rise."""

from __future__ import annotations

from math import inf, log, log10
from typing import Final

CHI_SQUARED: Final = "chi_squared"
"""The only p-value that may decide."""
SMALLEST: Final = 5e-324
"""The smallest number above 0; a smaller p-value is taken as this one."""


def is_p_value(statistic: str) -> bool:
    """Whether a statistic falls as the drift grows.

    >>> is_p_value("chi_squared"), is_p_value("psi")
    (True, False)
    """
    return statistic == CHI_SQUARED


def is_beyond(statistic: str, value: float, limit: float) -> bool:
    """Whether a value violates its limit: a distance above it, a p-value below it.

    >>> is_beyond("psi", 0.2, 0.1), is_beyond("chi_squared", 0.2, 0.1)
    (True, False)
    """
    return value < limit if is_p_value(statistic) else value > limit


def nearness(statistic: str, value: float, limit: float) -> float:
    """How near a value is to its limit: 0 without drift, 1 at the limit, more beyond it.

    ``value / limit`` of a distance, ``log(value) / log(limit)`` of a p-value. Where the limit
    allows nothing or everything, it is infinite for a value beyond it and else 0.

    >>> nearness("psi", 0.02, 0.1), nearness("chi_squared", 0.0001, 0.01)
    (0.2, 2.0)
    >>> nearness("chi_squared", 0.5, 1.0), nearness("psi", 0.0, 0.0)
    (inf, 0.0)
    """
    if is_p_value(statistic):
        value, limit = -log(max(value, SMALLEST)), -log(max(limit, SMALLEST))
    if limit > 0:
        return value / limit
    return inf if value > 0 else 0.0


def evidence_a_row(p_value: float, n: float) -> float:
    """The size of a drift with this p-value over ``n`` rows: ``-log10(p) / n``; 0 without rows.

    A p-value falls with the rows as well as with the drift. Divided by the rows, its decimal places
    depend, for many rows, on the drift alone.

    >>> evidence_a_row(1e-10, 1_000), evidence_a_row(1e-20, 2_000)
    (0.01, 0.01)
    """
    return -log10(max(p_value, SMALLEST)) / n if n else 0.0
