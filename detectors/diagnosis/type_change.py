"""Cause: values are written as another type than in the baseline."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Ints
from detectors.phrases import percent
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, NEG_INF, STRING
from detectors.statistics.distances.base import Pair
from detectors.statistics.laws import beta_binomial_tail
from detectors.violation import Cause

CHANCE: Final = 1e-4
"""The highest probability of a chance excess of one type."""
FRACTIONS: Final = "fractional numbers"
KINDS: Final = ("booleans", "strings", "whole numbers", FRACTIONS, "infinite", "NaN")
"""What values are written as, by the order of :func:`_written`."""


def type_change(pair: Pair, i: int) -> Cause | None:
    """``type_change`` if one written type is more frequent than the baseline and chance explain.

    Whole numbers in a feature of fractional ones are no change of type. In a text feature every
    type is text, and none is a change.
    """
    feature = pair.layout.features[i]
    after, before = _written(pair.window.counts, pair, i), _written(pair.baseline.counts, pair, i)
    n, m = int(after.sum()), int(before.sum())
    if not n or not m or not feature.numeric:
        return None
    gain = after / n - before / m
    if feature.type == "Fractional":
        gain[KINDS.index("whole numbers")] = 0.0
        gain[KINDS.index(FRACTIONS)] = 0.0
    kind = int(np.argmax(gain))
    k, usual = int(after[kind]), int(before[kind])
    if gain[kind] <= 0 or beta_binomial_tail(k, n, usual + 0.5, m - usual + 0.5) > CHANCE:
        return None
    written = "are" if KINDS[kind] in ("infinite", "NaN") else "are written as"
    return Cause(
        name="type_change",
        words=f"{percent(k / n)} of the values {written} {KINDS[kind]}",
        action="repair_pipeline",
        numbers={"share": k / n, "share_before": usual / m, "written_as": KINDS[kind]},
    )


def _written(counts: Ints, pair: Pair, i: int) -> Ints:
    """The counts of each written type of feature ``i``, missing values left out."""
    start, stop = int(pair.layout.starts[i]), int(pair.layout.starts[i + 1])
    slots = [start + slot for slot in (BOOLEAN, STRING, INTEGRAL, FRACTIONAL, NEG_INF)]
    written = counts[[*slots, stop - 1]].copy()
    written[KINDS.index("infinite")] += counts[stop - 2]
    return written
