"""Texts as a feature counts them: without the blanks around them, and in one spelling."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from detectors.profiles.distinct import shortened
from detectors.profiles.layout import Feature
from detectors.profiles.reading import BLANKS, spellings
from detectors.profiles.vocabulary import trims


def counted_texts(feature: Feature, texts: Iterable[str]) -> list[str | None]:
    """The value as which each text is kept of a text feature, ``None`` for a missing marker.

    A long value is cut (:func:`detectors.profiles.distinct.shortened`). In a feature of 0.1.0 every
    text is a value as it stands.

    >>> from detectors.profiles.binning import text_feature
    >>> from detectors.profiles.reading import CellReading
    >>> words = text_feature("t", "feature", {"a": 2}, CellReading(missing=("NA",)))
    >>> counted_texts(words, [" a", "b ", "NA"])
    ['a', 'b', None]
    """
    if not trims(feature):
        return _shortened(list(texts))
    known = spellings(feature.cell_reading, feature.vocabulary)
    bare = (text.strip(BLANKS) for text in texts)
    return _shortened([known.get(text, text) for text in bare])


def _shortened(values: list[str | None]) -> list[str | None]:
    kept = iter(shortened(pa.array([v for v in values if v is not None], pa.string())).to_pylist())
    return [None if value is None else next(kept) for value in values]
