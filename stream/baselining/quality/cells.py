"""Columns of a table of answers and labels: cells become numbers, or codes of classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Floats
from detectors.profiles.columns import numbers_from_text
from detectors.profiles.layout import BOOLEAN, STRING
from detectors.profiles.reading import BLANKS, NUMBER_MARKERS, TEXT_MARKERS, CellReading
from detectors.quality.classes import class_name
from stream.errors import DataError

MOST_CLASSES: Final = 1_000
"""The largest number of classes of a baseline."""


class NumberCells:
    """A column of numbers, NaN where a cell is missing; an infinite number is one too.

    Raises :class:`~stream.errors.DataError` for a text and for a boolean.
    """

    def __init__(self, name: str, missing: Sequence[str] | None) -> None:
        self._name = name
        self._reading = CellReading(NUMBER_MARKERS if missing is None else tuple(missing))
        self._parts: list[Floats] = []
        self._rows = 0

    def add(self, cells: pa.StringArray) -> None:
        """Read the next cells."""
        numbers = numbers_from_text(cells, False, self._reading)
        if numbers.slots is not None:
            wrong = np.flatnonzero(np.isin(numbers.slots, (BOOLEAN, STRING)))
            if len(wrong):
                where = f"column {self._name!r}, row {self._rows + wrong[0] + 1:,}"
                found = cells[int(wrong[0])].as_py()[:80]
                raise DataError(where, f"expected a number, found {found!r}")
        self._parts.append(np.where(np.isfinite(numbers.values), numbers.values, np.nan))
        self._rows += len(cells)

    def values(self) -> Floats:
        """Return all numbers."""
        return np.concatenate(self._parts) if self._parts else np.empty(0)


class ClassCells:
    """A column of classes: codes into ``names``, NaN where a cell is missing.

    Several columns may share one table of ``names``, which grows by the names that they find.
    Spellings of one number are one class. Raises :class:`~stream.errors.DataError` for more than
    1,000 classes.
    """

    def __init__(self, name: str, missing: Sequence[str] | None, names: dict[str, int]) -> None:
        self._name = name
        self._missing = {"", *(TEXT_MARKERS if missing is None else missing)}
        self._names = names
        self._parts: list[Floats] = []

    def add(self, cells: pa.StringArray) -> None:
        """Read the next cells."""
        encoded = pc.dictionary_encode(cells)
        codes = np.array([self._code(text) for text in encoded.dictionary.to_pylist()] + [np.nan])
        positions = pc.fill_null(encoded.indices, len(codes) - 1).to_numpy(zero_copy_only=False)
        self._parts.append(codes[positions])

    def values(self) -> Floats:
        """Return all codes."""
        return np.concatenate(self._parts) if self._parts else np.empty(0)

    def _code(self, text: str) -> float:
        text = text.strip(BLANKS)
        if text in self._missing:
            return float("nan")
        code = self._names.setdefault(class_name(text), len(self._names))
        if code >= MOST_CLASSES:
            reason = (
                f"more than {MOST_CLASSES:,} different values, among them {text[:80]!r}: expected"
                " classes; for numbers give --quality regression"
            )
            raise DataError(f"column {self._name!r}", reason)
        return float(code)


def text_cells(table: pa.Table, name: str) -> pa.StringArray:
    """Return a column of a table of texts; nulls if the table does not have it."""
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    return table[name].combine_chunks()


def shown_classes(names: Iterable[str], most: int = 8) -> str:
    """Return class names for a message.

    >>> shown_classes(["1", "0"]), shown_classes(map(str, range(9)), 2)
    ("'0', '1'", "'0', '1' and 7 more")
    """
    ordered = sorted(names)
    more = len(ordered) - most
    text = ", ".join(repr(name[:40]) for name in ordered[:most])
    return text + (f" and {more:,} more" if more > 0 else "")
