"""Cause: the values do not vary any more."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.statistics.distances.base import Pair
from detectors.violation import Cause

USUAL: Final = 0.8
"""The share of the baseline from which on a single value is a usual sight."""


def frozen(pair: Pair, i: int, expose_values: bool = False) -> Cause | None:
    """``frozen`` if only the baseline of feature ``i`` varies.

    Not for a value that most of the baseline has: on a dry day the rain is 0 all day. A text
    outside of the vocabulary is never called frozen, since many share a bin.
    """
    numeric = pair.layout.features[i].numeric
    single = _single_number(pair, i) if numeric else _single_word(pair, i)
    if not single or _is_usual(pair, i):
        return None
    numbers: dict[str, float | str] = {"share": 1.0}
    if expose_values:
        numbers["at"] = float(pair.window.low[i]) if numeric else _word(pair, i)
    return Cause(
        name="frozen",
        words="frozen: a single value",
        action="repair_pipeline",
        numbers=numbers,
    )


def _single_number(pair: Pair, i: int) -> bool:
    baseline, window = pair.baseline, pair.window
    return bool(window.low[i] == window.high[i] and baseline.low[i] < baseline.high[i])


def _single_word(pair: Pair, i: int) -> bool:
    known = _known(pair, i)
    all_known = int(pair.window.counts[pair.layout.bins(i)].sum()) == int(pair.after[known].sum())
    return all_known and int(np.count_nonzero(pair.after[known])) == 1


def _word(pair: Pair, i: int) -> str:
    return pair.layout.features[i].vocabulary[int(np.argmax(pair.after[_known(pair, i)]))]


def _known(pair: Pair, i: int) -> slice:
    start = int(pair.layout.cell_starts[i])
    return slice(start, start + len(pair.layout.features[i].vocabulary))


def _is_usual(pair: Pair, i: int) -> bool:
    """Whether most of the baseline lies in the single bin that the window fills."""
    bins = pair.layout.bins(i)
    filled = pair.window.counts[bins] > 0
    before = pair.baseline.counts[bins]
    return bool(before[filled].sum() >= USUAL * before.sum())
