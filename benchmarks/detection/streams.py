"""Baselines and folded windows of drawn columns, as training files and readers would give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from benchmarks.detection.kinds import KINDS, Kind, Random, Values, names_of
from detectors.profiles.baseline import Baseline
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import Fold
from detectors.profiles.layout import FRACTIONAL, INTEGRAL, MISSING
from detectors.profiles.profile import Profile
from stream.baselining.build import make
from stream.baselining.row_order import dependence_of

CELLS_AT_ONCE: Final = 2_000_000
"""The number of values of all features that are drawn and folded together."""
Columns = Mapping[str, Values]
Rows = Callable[[int, int], Columns]
"""The values of all features in ``count`` rows, from row ``first`` of the stream on."""
_WORDS: Final = {name: pa.array(kind.words, pa.string()) for name, kind in KINDS.items()}


def independent(kinds: Sequence[str], random: Random) -> Rows:
    """Rows that are independent of each other, as are their features."""
    named = list(zip(names_of(kinds), kinds, strict=True))
    return lambda first, count: {name: KINDS[kind].draw(random, count) for name, kind in named}


def baseline_of(kinds: Sequence[str], columns: Columns) -> Baseline:
    """The baseline of columns, as of a training file in which they are texts."""
    texts = {
        name: _text(KINDS[kind], columns[name])
        for name, kind in zip(names_of(kinds), kinds, strict=True)
    }
    table = pa.table(texts)
    baseline = make(lambda: [table]).baseline
    return baseline.depending(dependence_of([table], baseline))


def windows(
    baseline: Baseline, kinds: Sequence[str], rows: Rows, n: int, count: int
) -> Iterator[Profile]:
    """``count`` windows of ``n`` rows, many drawn and folded at a time."""
    at_once = max(1, CELLS_AT_ONCE // (n * len(kinds)))
    for first in range(0, count, at_once):
        some = min(at_once, count - first)
        yield from fold(baseline, kinds, rows(first * n, some * n), n)


def fold(
    baseline: Baseline, kinds: Sequence[str], columns: Columns, n: int, written_as: str = ""
) -> list[Profile]:
    """The profiles of consecutive windows of ``n`` rows."""
    features, index = baseline.layout.features, baseline.layout.index
    read = {
        name: _column(KINDS[kind], columns[name], features[index[name]].numeric, written_as)
        for name, kind in zip(names_of(kinds), kinds, strict=True)
        if name in index
    }
    count = len(next(iter(columns.values()))) // n
    return Fold([baseline.layout]).fold(read, [0] * count, np.arange(count + 1) * n)


def _text(kind: Kind, values: Values) -> pa.Array:
    if kind.words:
        return _WORDS[kind.name].take(pa.array(values, mask=values < 0))
    lost = np.isnan(values)
    if kind.integral:
        values = np.where(lost, 0, values).astype(np.int64)
    return pa.array(values, mask=lost).cast(pa.string())


def _column(kind: Kind, values: Values, numeric: bool, written_as: str) -> Column:
    if kind.words:
        if numeric:  # their words are numbers
            return Numbers(np.array(kind.words, np.float64)[values], None, integral=True)
        return Texts(_WORDS[kind.name].take(pa.array(values, mask=values < 0)))
    lost = np.isnan(values)
    if not lost.any() and written_as != "float":
        return Numbers(values, None, kind.integral)
    whole = (values == np.floor(values)) & (written_as != "float")
    slots = np.where(whole, np.uint8(INTEGRAL), np.uint8(FRACTIONAL))
    slots[lost] = MISSING
    return Numbers(values, slots)
