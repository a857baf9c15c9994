"""The fine bins of all numeric features, for distances between distribution functions."""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import Layout


class FineBins(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The fine bins of the numeric features, feature after feature.

    * ``slots``: their slots in the vector of counts.
    * ``starts``: the first fine bin of each numeric feature.
    * ``features``: the positions of these features in the layout.
    * ``widths``: the number of fine bins of each.
    * ``edges``: the upper end of each fine bin, NaN for the open last ones.
    """

    slots: Ints
    starts: Ints
    features: Ints
    widths: Ints
    edges: Floats


@lru_cache(maxsize=256)
def fine_bins(layout: Layout) -> FineBins:
    """The fine bins of a layout; computed once for each."""
    numeric = [i for i, feature in enumerate(layout.features) if feature.numeric]
    slots = [np.arange(layout.bins(i).start, layout.bins(i).stop) for i in numeric]
    widths = np.array([len(bins) for bins in slots], dtype=np.int64)
    edges = [edge for i in numeric for edge in (*layout.features[i].edges, np.nan)]
    return FineBins(
        slots=np.concatenate(slots) if slots else np.empty(0, np.int64),
        starts=np.cumsum(widths) - widths,
        features=np.array(numeric, np.int64),
        widths=widths,
        edges=np.array(edges),
    )


def cumulative_shares(counts: Ints, fine: FineBins) -> Floats:
    """The distribution function at the upper end of each fine bin, over finite numbers.

    NaN for a feature without finite numbers.
    """
    inside = counts[fine.slots].astype(np.float64)
    running = np.cumsum(inside)
    before = np.repeat(running[fine.starts] - inside[fine.starts], fine.widths)
    totals = np.repeat(np.add.reduceat(inside, fine.starts), fine.widths)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = (running - before) / totals
    return shares
