"""The fine bins of all numeric features side by side, for distances between distribution functions."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import Layout


class FineBins(NamedTuple):
    """``slots`` of all fine bins, feature after feature; ``starts`` of each numeric feature among
    them; which ``features``.

    ``widths`` is the number of bins a feature; ``edges`` holds the upper end of each fine bin, NaN
    for the open last ones.
    """

    slots: Ints
    starts: Ints
    features: Ints
    widths: Ints
    edges: Floats


@lru_cache(maxsize=256)
def fine_bins(layout: Layout) -> FineBins:
    """Where the fine bins of the numeric features lie in the vector of counts."""
    numeric = [i for i, feature in enumerate(layout.features) if feature.numeric]
    slots = [np.arange(layout.bins(i).start, layout.bins(i).stop) for i in numeric]
    widths = np.array([len(part) for part in slots], dtype=np.int64)
    starts = (
        np.concatenate(([0], np.cumsum(widths)[:-1])).astype(np.int64) if len(widths) else widths
    )
    edges = np.array([edge for i in numeric for edge in (*layout.features[i].edges, np.nan)])
    return FineBins(
        np.concatenate(slots) if slots else np.empty(0, np.int64),
        starts,
        np.array(numeric, np.int64),
        widths,
        edges,
    )


def cumulative_shares(counts: Ints, fine: FineBins) -> Floats:
    """The distribution function at the upper end of each fine bin, over finite numbers; NaN for a
    feature without any.
    """
    inside = counts[fine.slots].astype(np.float64)
    running = np.cumsum(inside)
    before = np.repeat(running[fine.starts] - inside[fine.starts], fine.widths)
    totals = np.repeat(np.add.reduceat(inside, fine.starts), fine.widths)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = (running - before) / totals
    return shares
