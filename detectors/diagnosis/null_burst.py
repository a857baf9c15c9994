"""Cause: values are missing that the baseline had."""

from __future__ import annotations

from typing import Final

from detectors.phrases import percent
from detectors.statistics.distances.base import Pair
from detectors.statistics.laws import beta_binomial_tail
from detectors.violation import Cause

CHANCE: Final = 1e-4
"""The highest probability of a chance excess of missing values."""


def null_burst(pair: Pair, i: int) -> Cause | None:
    """``null_burst`` if more values are missing than the baseline's share and chance explain.

    The chance is the beta-binomial tail with ``Beta(k + 1/2, m - k + 1/2)`` for ``k`` missing of
    ``m`` values in the baseline (Jeffreys 1946).
    """
    n, m = int(pair.window.feature_rows[i]), int(pair.baseline.feature_rows[i])
    after, before = int(pair.window.missing[i]), int(pair.baseline.missing[i])
    if not n or not m or after / n <= before / m:
        return None
    if beta_binomial_tail(after, n, before + 0.5, m - before + 0.5) > CHANCE:
        return None
    return nulls(pair, i)


def nulls(pair: Pair, i: int) -> Cause:
    """``null_burst`` with the shares of missing values, for a feature that is known to have one."""
    n, m = int(pair.window.feature_rows[i]), int(pair.baseline.feature_rows[i])
    after, before = int(pair.window.missing[i]), int(pair.baseline.missing[i])
    shares = after / max(n, 1), before / max(m, 1)
    rose = f"nulls rose from {percent(shares[1])} to {percent(shares[0])}"
    return Cause(
        name="null_burst",
        words="all values are null" if after == n else rose,
        action="repair_pipeline",
        numbers={"share": shares[0], "share_before": shares[1]},
    )
