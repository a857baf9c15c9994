"""The texts that a text feature knows: its values in every spelling, and its missing markers."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.arrays import Ints
from detectors.profiles.columns import written_types
from detectors.profiles.hashing import bins_beyond
from detectors.profiles.layout import Feature
from detectors.profiles.reading import BLANKS, hold_blanks, spellings

NO_BIN = -1
"""The bin of a text that counts as missing."""


class KnownTexts(NamedTuple):
    """Texts with the bin (:data:`NO_BIN` for a marker) and the written type of each."""

    texts: list[str]
    bins: Ints
    types: NDArray[np.uint8]


def known_texts(feature: Feature) -> KnownTexts:
    """The texts that a text feature knows.

    A spelling has the bin and the type of the value that it stands for; a value that the vocabulary
    does not have in any spelling is not among them. A feature of 0.1.0 knows its vocabulary alone.
    """
    bin_of = {value: b for b, value in enumerate(feature.vocabulary)}
    known: dict[str, str | None] = dict(zip(bin_of, bin_of, strict=True))
    if trims(feature):
        known = spellings(feature.cell_reading, feature.vocabulary)
    read = {text: value for text, value in known.items() if value is None or value in bin_of}
    return KnownTexts(
        list(read),
        np.array([NO_BIN if value is None else bin_of[value] for value in read.values()], np.int64),
        written_types(pa.array(read.values(), pa.string())),
    )


def trims(feature: Feature) -> bool:
    """Return whether blanks around a text do not matter: in every feature since 0.2.0."""
    return feature.reading is not msgspec.UNSET


class VocabularyIndex:
    """The known texts of one feature, prepared for look-ups.

    A text that is not known is looked up again without the blanks around it.
    """

    def __init__(self, feature: Feature) -> None:
        known = known_texts(feature)
        self._texts = pa.array(known.texts, pa.string())
        # A marker has the bin after the last one.
        self._bins = np.where(known.bins == NO_BIN, feature.bins, known.bins)
        self._types = known.types
        self._feature = feature
        self._words = pa.array(feature.vocabulary, pa.string())
        self._trims = trims(feature)

    def look_up(
        self, values: pa.StringArray
    ) -> tuple[Ints, NDArray[np.uint8], pa.StringArray, NDArray[np.bool_]]:
        """Bin and written type of each value, the values without blanks, and which are known.

        The bin of a missing marker is the one after the last. Unknown values go to hashed bins;
        rare values are known.
        """
        index = pc.index_in(values, value_set=self._texts)
        if index.null_count and self._trims and hold_blanks(values):
            values = pc.utf8_trim(values, characters=BLANKS)
            index = pc.index_in(values, value_set=self._texts)
        if not index.null_count:
            at = index.to_numpy()
            return self._bins[at], self._types[at], values, np.ones(len(values), bool)
        known = index.is_valid().to_numpy(zero_copy_only=False)
        bins, types = np.empty(len(values), np.int64), np.empty(len(values), np.uint8)
        at = index.drop_null().to_numpy()
        bins[known], types[known] = self._bins[at], self._types[at]
        rest = values.filter(pa.array(~known))
        bins[~known], types[~known] = bins_beyond(self._feature, rest), written_types(rest)
        if self._feature.rare_bin is not None:
            known |= bins >= self._feature.rare_bin
        return bins, types, values, known

    def as_counted(self, values: pa.StringArray, bins: Ints) -> pa.StringArray:
        """The values in the spelling of the vocabulary; ``values`` and ``bins`` are looked up."""
        words = self._feature.vocabulary
        if not words:
            return values
        spelled = self._words.take(pa.array(np.minimum(bins, len(words) - 1)))
        return pc.if_else(pa.array(bins < len(words)), spelled, values)
