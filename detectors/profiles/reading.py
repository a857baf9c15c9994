r"""The reading of a cell that depends on the feature: missing markers, and spellings of booleans.

A baseline fixes the reading of each feature, and every event is read in the same way, whatever its
format. Blanks, tabs and line ends around a text never matter. A **missing marker** counts as
missing. In a **boolean** feature the spellings of :data:`TRUE` and :data:`FALSE` are two values.

Without a list of the user's, the markers are those that the common writers use: pandas (``<NA>``,
``N/A``, ``None``), R (``NA``), Excel (``#N/A``, ``#NULL!`` and its other errors), SQL (``NULL``,
``\N``), and ``-``, ``?`` and ``.`` of other tables. In a text feature, words and signs that are
often values stay values: ``None``, ``-``, ``?``, ``.``. ``NaN`` is a marker in a text feature, and
the number NaN in a numeric one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

BLANKS: Final = " \t\r\n"
"""The characters around a text that never matter."""

_ABBREVIATIONS: Final = ("NA", "N/A", "n/a", "NULL", "Null", "null", "NaT")
_SIGNS: Final = ("<NA>", r"\N", "(null)", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
_EXCEL: Final = (
    "#N/A",
    "#N/A N/A",
    "#NA",
    "#NULL!",
    "#VALUE!",
    "#DIV/0!",
    "#REF!",
    "#NUM!",
    "#NAME?",
    "#NV",
    "#N/D",
    "#N/B",
    "#WERT!",
    "#BEZUG!",
    "#ZAHL!",
    "#VALEUR!",
)
NUMBER_MARKERS: Final = (*_ABBREVIATIONS, *_SIGNS, *_EXCEL, "None", "none", "-", "--", "?", ".")
"""The missing markers of a numeric feature, unless the user lists others."""
TEXT_MARKERS: Final = (*_ABBREVIATIONS, *_SIGNS, *_EXCEL, "NaN", "nan", "-NaN", "-nan")
"""The missing markers of a text feature, unless the user lists others."""
TRUE_WORDS: Final = ("true", "True", "TRUE")
FALSE_WORDS: Final = ("false", "False", "FALSE")
YES: Final = ("t", "T", "yes", "Yes", "YES", "y", "Y", "on", "On", "ON", "WAHR", "VRAI", "VERO")
"""Other spellings of true: those of PostgreSQL, R, YAML, and spreadsheets in other languages."""
NO: Final = ("f", "F", "no", "No", "NO", "n", "N", "off", "Off", "OFF", "FALSCH", "FAUX", "FALSO")
"""Other spellings of false."""
TRUE: Final = (*TRUE_WORDS, "1", "1.0", *YES)
"""The spellings of true in a boolean feature; the first one is its name."""
FALSE: Final = (*FALSE_WORDS, "0", "0.0", *NO)
"""The spellings of false in a boolean feature; the first one is its name."""


class CellReading(msgspec.Struct, frozen=True):
    """The reading of one feature.

    ``missing`` holds the texts that count as missing, besides empty text; in a numeric feature a
    marker that is a number stands for its value (``-999`` also for ``-999.0``). ``booleans``: the
    values are booleans. In a numeric feature, true then counts as 1 and false as 0; in a text
    feature, every spelling counts as ``true`` or ``false``.
    """

    missing: tuple[str, ...] = ()
    booleans: bool = False


PLAIN: Final = CellReading()
"""A reading without markers and booleans."""


class MarkedNumbers:
    """The reading of the cells of a numeric feature that are not plain numbers."""

    def __init__(self, reading: CellReading) -> None:
        values = [_number(marker) for marker in reading.missing]
        self._values = np.array([value for value in values if value is not None])
        self._markers = pa.array(["", *map(_trimmed, reading.missing)], pa.string())
        self._booleans = reading.booleans

    def of_texts(self, texts: pa.StringArray) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Which texts are missing, and the number that each stands for; NaN for none."""
        trimmed = pc.utf8_trim(texts, characters=BLANKS)
        numbers = np.full(len(texts), np.nan)
        if self._booleans:
            for number, spellings in ((1.0, TRUE), (0.0, FALSE)):
                numbers[_is_in(trimmed, pa.array(spellings))] = number
        return _is_in(trimmed, self._markers), numbers

    def of_values(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which numbers are markers."""
        if not len(self._values):
            return np.zeros(values.shape, bool)
        marked: NDArray[np.bool_] = np.isin(values, self._values)
        return marked | np.isnan(values) if np.isnan(self._values).any() else marked

    @cached_property
    def has_values(self) -> bool:
        """Whether a marker is a number."""
        return bool(len(self._values))


def hold_blanks(texts: pa.StringArray) -> bool:
    """Return whether any of the bytes behind these texts is a blank: most columns have none."""
    data = texts.buffers()[2]
    letters = data.to_pybytes() if data is not None else b""
    return any(blank in letters for blank in BLANKS.encode())


def spellings(reading: CellReading, vocabulary: Iterable[str]) -> dict[str, str | None]:
    """The value that each known text of a text feature stands for, ``None`` for missing.

    >>> spellings(CellReading(missing=("NA",)), ["a"])
    {'': None, 'NA': None, 'a': 'a'}
    """
    known: dict[str, str | None] = {}
    if reading.booleans:
        known |= {text: names[0] for names in (TRUE, FALSE) for text in names}
    known |= dict.fromkeys(("", *map(_trimmed, reading.missing)))
    known |= {value: value for value in vocabulary}
    return known


def _number(marker: str) -> float | None:
    try:
        return float(marker) if "_" not in marker else None
    except ValueError:
        return None


def _trimmed(text: str) -> str:
    return text.strip(BLANKS)


def _is_in(texts: pa.StringArray, of: pa.StringArray) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.array(pc.is_in(texts, value_set=of))
    return mask
