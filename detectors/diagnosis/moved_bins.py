"""The bins that contribute most to a distance."""

from __future__ import annotations

import numpy as np

from detectors.arrays import Floats
from detectors.report import BinShift
from detectors.statistics.distances.base import Pair

MOST = 5


def moved(pair: Pair, i: int, contributions: Floats) -> tuple[BinShift, ...]:
    """The coarse cells of feature ``i`` with the largest contribution to PSI, largest first, at
    most five.
    """
    start, stop = int(pair.layout.cell_starts[i]), int(pair.layout.cell_starts[i + 1])
    labels = pair.layout.cell_labels(i)
    order = np.argsort(-contributions[start:stop], kind="stable")[:MOST]
    out = []
    for k in order.tolist():
        cell = start + k
        if contributions[cell] > 0:
            shares = float(pair.p[cell]), float(pair.q[cell])
            counts = int(pair.before[cell]), int(pair.after[cell])
            out.append(BinShift(labels[k], *shares, *counts, float(contributions[cell])))
    return tuple(out)
