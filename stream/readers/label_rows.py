"""Turns decoded labels into rows of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from stream.labels.base import LabelValue
from stream.labels.rows import LABEL, MOST_TEXTS, NUMBER, UNTIMED_MS, Rows
from stream.readers.lateness import NO_MARK


class LabelColumns(NamedTuple):
    """The labels of some records, one entry for each row of their events.

    ``lengths`` has the number of rows of each record. ``codes`` are indices into ``texts``, or
    :data:`~stream.labels.rows.NUMBER` for a label that is the number in ``numbers``. ``overfull``
    marks the records with a text for which ``texts`` has no room.
    """

    lengths: Ints
    codes: Ints
    numbers: Floats
    texts: tuple[str, ...]
    overfull: NDArray[np.bool_]


def label_columns(values: Sequence[LabelValue | list[LabelValue]]) -> LabelColumns:
    """Return labels as columns; true and false are texts."""
    lengths, flat = _flat(values)
    codes = np.full(len(flat), NUMBER, np.int64)
    numbers = np.full(len(flat), np.nan)
    texts: dict[str, int] = {}
    types = set(map(type, flat))
    if types <= {float, int}:
        numbers = np.array(flat, np.float64)
    elif types == {str}:
        codes = np.array([texts.setdefault(text, len(texts)) for text in flat], np.int64)  # type: ignore[arg-type]
    else:
        for k, value in enumerate(flat):
            if isinstance(value, (str, bool)):
                text = value if isinstance(value, str) else str(value).lower()
                codes[k] = texts.setdefault(text, len(texts))
            else:
                numbers[k] = value
    overfull = np.zeros(len(values), bool)
    if len(texts) > MOST_TEXTS:
        overfull[np.repeat(np.arange(len(values)), lengths)[codes >= MOST_TEXTS]] = True
    return LabelColumns(lengths, codes, numbers, tuple(texts)[:MOST_TEXTS], overfull)


def label_rows(ids: NDArray[np.uint64], records: Ints, marks: Ints, columns: LabelColumns) -> Rows:
    """Return the rows of labels with these ids, sequence numbers, and marks after reading them.

    All have one entry for each record in ``columns``; the ``overfull`` ones have no rows.
    """
    kept = ~columns.overfull
    rows_kept = np.repeat(kept, columns.lengths)
    lengths = columns.lengths[kept]
    rows = np.zeros(int(rows_kept.sum()), LABEL)
    rows["id"] = np.repeat(ids[kept], lengths)
    rows["sequence"] = np.repeat(records[kept], lengths)
    rows["time_ms"] = np.repeat(np.where(marks == NO_MARK, UNTIMED_MS, marks)[kept], lengths)
    rows["rows"] = np.repeat(lengths, lengths)
    rows["row"] = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows["code"] = columns.codes[rows_kept]
    rows["value"] = columns.numbers[rows_kept]
    return rows


def _flat(
    values: Sequence[LabelValue | list[LabelValue]],
) -> tuple[Ints, list[LabelValue]]:
    """Return the number of labels of each record, and all labels in order."""
    if list not in set(map(type, values)):
        return np.ones(len(values), np.int64), list(values)  # type: ignore[arg-type]  # no lists
    lists = [value if isinstance(value, list) else [value] for value in values]
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    return lengths, [value for of_record in lists for value in of_record]
