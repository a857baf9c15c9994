"""Texts as a feature counts them: without the blanks around them, and in one spelling."""

from __future__ import annotations

from collections.abc import Iterable

from detectors.profiles.layout import Feature
from detectors.profiles.reading import BLANKS, spellings
from detectors.profiles.vocabulary import trims


def counted_texts(feature: Feature, texts: Iterable[str]) -> list[str | None]:
    """The value that each text counts as in a text feature, ``None`` for a missing marker.

    In a feature of 0.1.0 every text is a value as it stands.

    >>> from detectors.profiles.binning import text_feature
    >>> from detectors.profiles.reading import CellReading
    >>> words = text_feature("t", "feature", {"a": 2}, CellReading(missing=("NA",)))
    >>> counted_texts(words, [" a", "b ", "NA"])
    ['a', 'b', None]
    """
    if not trims(feature):
        return list(texts)
    known = spellings(feature.cell_reading, feature.vocabulary)
    bare = (text.strip(BLANKS) for text in texts)
    return [known.get(text, text) for text in bare]
