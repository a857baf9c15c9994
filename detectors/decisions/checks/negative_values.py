"""Negative values of features that had none in the baseline."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.decisions.checks.base import CheckedWindow

NEARLY_ALL: Final = 0.9
"""The part of the bin around 0 that must lie below 0 for its values to count as negative."""


def negative_share(window: CheckedWindow, i: int) -> float:
    """The share of negative values among the finite numbers of feature ``i``.

    From the bins below 0, and at least one value if the smallest number is negative. 0 for features
    that ``constraints.json`` does not call ``is_non_negative``.
    """
    finite = float(window.measures.finite[i])
    restricted = window.constraints[i].non_negative and window.layout.features[i].numeric
    if not restricted or not finite or not window.measures.low[i] < 0.0:
        return 0.0
    if window.measures.high[i] < 0.0:
        return 1.0
    counts = window.pair.window.counts[window.layout.bins(i)]
    below = float(counts[: _bins_below_zero(window, i)].sum())
    return min(max(below, 1.0) / finite, 1.0)


def too_many_negative(window: CheckedWindow, i: int) -> bool:
    """Return whether the negative values are more than ``negative_share`` and chance explain."""
    share, limit = negative_share(window, i), window.rules.negative_share
    finite = float(window.measures.finite[i])
    return share > limit and window.beyond_chance(i, share * finite, finite, limit)


def explain_drift(window: CheckedWindow, i: int) -> bool:
    """Return whether too many negative values are at least half of the rows that moved."""
    if not too_many_negative(window, i):
        return False
    start, stop = window.layout.cell_starts[i : i + 2].tolist()
    moved = float(np.abs(window.pair.q[start:stop] - window.pair.p[start:stop]).sum()) / 2.0
    rows = negative_share(window, i) * float(window.measures.finite[i])
    return rows / float(window.measures.n[i]) >= moved / 2.0


def _bins_below_zero(window: CheckedWindow, i: int) -> int:
    """The number of bins below 0, the one around 0 included if nearly all of it is below."""
    edges = np.asarray(window.layout.features[i].edges)
    below = int(np.searchsorted(edges, 0.0, side="right"))
    if 0 < below < len(edges) and edges[below] > edges[below - 1]:
        part = -edges[below - 1] / (edges[below] - edges[below - 1])
        below += int(part > NEARLY_ALL)
    return below
