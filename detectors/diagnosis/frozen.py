"""Diagnosis of numeric features: a number that does not vary any more."""

from __future__ import annotations

from detectors.statistics.distances.base import Pair


def frozen(pair: Pair, i: int) -> str:
    """``frozen: a single value`` if only the baseline of feature ``i`` varies; else empty."""
    baseline, window = pair.baseline, pair.window
    if window.low[i] == window.high[i] and baseline.low[i] < baseline.high[i]:
        return "frozen: a single value"
    return ""
