"""Diagnosis of text features: values that are new, or that vanished."""

from __future__ import annotations

from math import log, sqrt
from typing import Final

import numpy as np

from detectors.phrases import percent
from detectors.profiles.layout import HASHED_BINS
from detectors.statistics.distances.base import Pair

NOTICEABLE: Final = 0.02
"""The share of rows that new values must gain, or that a vanished one must have had."""
STANDARD_ERRORS: Final = 4.0
"""The gain of new values that chance does not explain, in standard errors."""
CHANCE: Final = 1e-4
"""The highest probability of a chance absence of a value that has vanished."""


def category_values(pair: Pair, i: int) -> str:
    """The change of the vocabulary of text feature ``i``: new values, else vanished ones.

    Only what chance does not explain: a value of 2 % is absent from many windows of 100 rows. The
    share of new values before is the share that the baseline leads one to expect.
    """
    start = int(pair.layout.cell_starts[i])
    known = slice(start, start + len(pair.layout.features[i].vocabulary))
    hashed = slice(known.stop, known.stop + HASHED_BINS)
    after = float(pair.q[hashed].sum())
    before = after - float(pair.unseen_gain[i])
    if after - before > NOTICEABLE + _chance_gain(pair, i, after):
        return f"new category values rose from {percent(before)} to {percent(after)}"
    return "a known value has vanished" if _has_vanished(pair, i, known) else ""


def _chance_gain(pair: Pair, i: int, share: float) -> float:
    """The gain of a share that chance explains; ``share`` is the larger one, of the window."""
    n, m = float(pair.n[i]), float(pair.m[i])
    return STANDARD_ERRORS * sqrt(share * (1.0 - share) * (1.0 / n + 1.0 / m))


def _has_vanished(pair: Pair, i: int, known: slice) -> bool:
    """Whether a known value is absent; by chance that has the probability ``(m/(n+m))**k``."""
    n, m = float(pair.n[i]), float(pair.m[i])
    absent = (pair.p[known] > NOTICEABLE) & (pair.after[known] == 0)
    beyond_chance = pair.before[known] * log(m / (n + m)) < log(CHANCE)
    return bool(np.any(absent & beyond_chance))
