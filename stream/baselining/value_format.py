"""The format of the values of a column that do not return, which later values are judged by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from detectors.profiles.layout import Feature, Nature
from detectors.profiles.magnitude import with_magnitude
from detectors.profiles.text_patterns import MOST_PATTERNS, TextPatterns
from detectors.profiles.vocabulary_choice import LEAST_COUNT, LEAST_SHARE, certain_words
from stream.baselining.column_scan import ColumnScan

ODD: Final = 0.0005
"""The share of the values whose length or number of digits may be another than the usual one."""


def with_format(feature: Feature, scan: ColumnScan, nature: Nature | None) -> Feature:
    """The feature of a column with the nature of its values, and how they are written.

    Times that are texts have no vocabulary: what returns of them says nothing.
    """
    if nature is None:
        return feature
    feature = structs.replace(feature, nature=nature)
    if nature == "sequence":
        return feature
    if feature.kind == "grid":
        return with_magnitude(feature, *usual_extremes(scan))
    if feature.kind == "text":
        if nature == "time":
            feature = structs.replace(feature, vocabulary=(), rare=msgspec.UNSET)
        return structs.replace(feature, patterns=patterns_of(scan.values, nature))
    return feature


def usual_extremes(scan: ColumnScan) -> tuple[float, float]:
    """The smallest and the largest number of a column, without the odd ones."""
    ordered = np.sort(scan.sample)
    odd = int(ODD * len(ordered))
    return float(ordered[odd]), float(ordered[-odd - 1])


def patterns_of(values: Mapping[str, int], nature: Nature) -> TextPatterns:
    """The patterns of values with counts; those that chance did not choose have their own bins."""
    texts = pa.array(values, pa.string())
    counts = np.fromiter(values.values(), np.int64, len(values))
    lengths = _usual_lengths(texts, counts) if nature == "identifier" else None
    found: Counter[str] = Counter()
    patterns, which = TextPatterns((), lengths).of(texts)
    rows = np.bincount(which, weights=counts, minlength=len(patterns)).astype(np.int64)
    for pattern, count in zip(patterns.to_pylist(), rows.tolist(), strict=True):
        found[pattern] += count
    ordered = sorted(found, key=lambda pattern: (-found[pattern], pattern))
    times = np.array([found[pattern] for pattern in ordered], np.int64)
    least = max(float(LEAST_COUNT), LEAST_SHARE * float(times.sum()))
    known = min(certain_words(times, least), MOST_PATTERNS)
    return TextPatterns(tuple(ordered[:known]), lengths)


def _usual_lengths(texts: pa.StringArray, counts: np.ndarray) -> tuple[int, int]:
    """The smallest and the largest length, without the odd ones."""
    lengths = pc.utf8_length(texts).to_numpy()
    rows = np.bincount(lengths, weights=counts)
    odd = ODD * rows.sum()
    shortest = int(np.searchsorted(np.cumsum(rows), odd, side="right"))
    longest = len(rows) - 1 - int(np.searchsorted(np.cumsum(rows[::-1]), odd, side="right"))
    return shortest, longest
