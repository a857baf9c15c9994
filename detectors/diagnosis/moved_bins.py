"""The bins that contribute most to a distance."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.diagnosis.new_values import new_value_labels
from detectors.statistics.distances.base import Pair
from detectors.violation import BinShift

MAX_BINS: Final = 5
"""The largest number of bins that a violation lists."""


def top_contributors(pair: Pair, i: int, contributions: Floats) -> tuple[BinShift, ...]:
    """The coarse cells of feature ``i`` that contribute most to PSI, largest first, at most five.

    ``contributions`` holds the part that each cell of the layout adds, see
    :func:`detectors.statistics.distances.psi.contributions`. Cells that add nothing are left out.
    A cell of new values is labelled with those that the window names. Where a side has no value
    there are no shares, and nothing has moved between bins.
    """
    if not pair.m[i] or not pair.n[i]:
        return ()
    start, stop = int(pair.layout.cell_starts[i]), int(pair.layout.cell_starts[i + 1])
    labels, named = pair.layout.cell_labels(i), new_value_labels(pair.window, i)
    largest = np.argsort(-contributions[start:stop], kind="stable")[:MAX_BINS]
    return tuple(
        BinShift(
            label=named.get(k, labels[k]),
            before=float(pair.p[start + k]),
            after=float(pair.q[start + k]),
            before_count=int(pair.before[start + k]),
            after_count=int(pair.after[start + k]),
            contribution=float(contributions[start + k]),
        )
        for k in largest.tolist()
        if contributions[start + k] > 0
    )
