"""Scores of the fine bins of a numeric feature, by the ranks of the baseline's values."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.profiles.layout import Layout
from detectors.statistics.laws import normal_quantile

SCALE: Final = 1 << 20
"""Scores are whole multiples of ``1 / SCALE``, so that their sums are exact in any order."""


def scores_of(layout: Layout, i: int, counts: Ints) -> dict[str, tuple[Ints, float]]:
    """The scores of the fine bins of feature ``i``, times ``SCALE``, with their variance.

    With r the share of the baseline's values before the middle of a bin: ``location`` is r - 1/2,
    ``spread`` is |2r - 1|, and ``normal`` is the normal quantile of r. All have mean 0 over the
    baseline. The variance is NaN for text, where the baseline has no value, and where values do not
    return; no bin is scored there.

    Source: Wilcoxon 1945 and Ansari and Bradley 1960 with mid-ranks; van der Waerden 1952.
    """
    bins = counts[layout.bins(i)].astype(np.float64)
    total = bins.sum()
    feature = layout.features[i]
    if not feature.numeric or not feature.compared or not total:
        empty = np.zeros(len(bins), np.int64)
        return dict.fromkeys(("location", "spread", "normal"), (empty, np.nan))
    ranks = (np.cumsum(bins) - bins / 2.0) / total
    least = 1.0 / (4.0 * total)
    return {
        "location": _centred(ranks - 0.5, bins),
        "spread": _centred(np.abs(2.0 * ranks - 1.0), bins),
        "normal": _centred(normal_quantile(np.clip(ranks, least, 1.0 - least)), bins),
    }


def _centred(scores: Floats, bins: Floats) -> tuple[Ints, float]:
    total = bins.sum()
    rounded = np.rint((scores - (scores * bins).sum() / total) * SCALE)
    mean = (rounded * bins).sum() / total
    variance = (((rounded - mean) / SCALE) ** 2 * bins).sum() / total
    return rounded.astype(np.int64), float(variance) if variance > 0 else np.nan
