"""Infers how the cells of a training column are read: its missing markers, and booleans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from detectors.profiles.reading import (
    BLANKS,
    FALSE,
    FALSE_WORDS,
    NO,
    NUMBER_MARKERS,
    TEXT_MARKERS,
    TRUE,
    TRUE_WORDS,
    YES,
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


def hold_booleans(missing: Sequence[str], texts: Iterable[str]) -> bool:
    """Return whether a text column with these values has booleans among them.

    It has if its values are ``true`` or ``false`` and numbers that stand for them, or are other
    spellings of both, such as ``yes`` and ``no``; and also if both ``true`` and ``false`` are
    beside values that are no spelling of either, such as ``unknown``.

    >>> hold_booleans((), ["True"]), hold_booleans((), ["F", "T"]), hold_booleans((), ["F", "M"])
    (True, True, False)
    """
    absent = spellings(CellReading(tuple(missing)), ())
    values = {text.strip(BLANKS) for text in texts} - set(absent)
    spelled = values & {*TRUE, *FALSE}
    words = spelled & {*TRUE_WORDS, *FALSE_WORDS}
    if values == spelled:
        return bool(words) or bool(spelled & set(YES) and spelled & set(NO))
    return spelled == words and bool(words & set(TRUE_WORDS)) and bool(words & set(FALSE_WORDS))
