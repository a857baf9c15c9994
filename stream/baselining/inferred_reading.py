"""Infers how the cells of a training column are read: its missing markers, and booleans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from detectors.profiles.reading import (
    BLANKS,
    FALSE,
    NUMBER_MARKERS,
    TEXT_MARKERS,
    TRUE,
    CellReading,
    spellings,
)

NUMBER_SHARE: Final = 0.95
"""The share of numbers among the values from which on a column is numeric."""
_CODE: Final = re.compile("[A-Z]{2}")
"""Codes among which ``NA`` is a value: those of countries, states and continents."""


def number_markers(markers: Sequence[str] | None) -> tuple[str, ...]:
    """The missing markers of a numeric column: the user's, or those of the common writers."""
    return NUMBER_MARKERS if markers is None else tuple(markers)


def text_markers(markers: Sequence[str] | None, texts: Iterable[str]) -> tuple[str, ...]:
    """The missing markers of a text column with these values.

    Without a list of the user's, ``NA`` is a value where at least half of the other different
    values are two capital letters, as the codes of countries are.

    >>> "NA" in text_markers(None, ["DE", "NA", "ZA"]), "NA" in text_markers(None, ["red", "NA"])
    (False, True)
    """
    if markers is not None:
        return tuple(markers)
    others = {text.strip(BLANKS) for text in texts} - {*TEXT_MARKERS, ""}
    codes = sum(_CODE.fullmatch(text) is not None for text in others)
    is_code = bool(others) and codes >= len(others) / 2
    return tuple(marker for marker in TEXT_MARKERS if not (is_code and marker == "NA"))


def hold_booleans(missing: Sequence[str], texts: Mapping[str, int]) -> bool:
    """Return whether all values of a text column are spellings of booleans, some of them words."""
    absent = spellings(CellReading(tuple(missing)), ())
    values = {text.strip(BLANKS) for text in texts} - set(absent)
    return values <= {*TRUE, *FALSE} and any(value[0].isalpha() for value in values)
