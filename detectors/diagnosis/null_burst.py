"""Cause: values are missing that the baseline had."""

from __future__ import annotations

from detectors.phrases import percent
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause


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
