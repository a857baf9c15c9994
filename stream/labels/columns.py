"""Ids, labels and times of many records at once, each record with its own fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from stream.events import Rejection
from stream.formats.base import TimeConfig
from stream.formats.faults import MalformedRecord, RecordFault, absent
from stream.formats.json_paths import value_at
from stream.formats.json_text import load_json
from stream.formats.timestamps import MISSING_MS, event_times, likely_unit
from stream.labels.base import DecodedLabels, LabelValue
from stream.labels.values import LONGEST_ID_BYTES, id_of, label_of

T = TypeVar("T")
Faults = dict[int, RecordFault]
"""The faults of records, by their index."""
_SHORT_ID: Final = LONGEST_ID_BYTES // 4
"""An id of so many characters is never too long: a character has at most four bytes."""
_NO_FLOATS: Final = (OverflowError, ValueError)


class Distinct(dict[str, T]):
    """The results of a function by its argument, which is a text that often repeats."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> T:
        result = self[text] = self._read(text)
        return result


def read_ids(values: Sequence[Any], faults: Faults) -> Sequence[str | None]:
    """Return the id of each record, ``None`` for a faulty one; adds to ``faults``."""
    if _all_usual(values):
        return values
    return each(values, id_of, faults)


def read_labels(
    values: Sequence[Any], faults: Faults
) -> Sequence[LabelValue | list[LabelValue] | None]:
    """Return the label of each record, ``None`` for a faulty one; adds to ``faults``.

    Columns of numbers and columns of texts, the usual ones, are read without a step for each.
    """
    types = set(map(type, values))
    if types and types <= {int, float}:
        try:
            numbers = np.array(values, np.float64)
        except _NO_FLOATS:
            return each(values, label_of, faults)
        if np.isfinite(numbers).all():
            labels: list[float] = numbers.tolist()
            return labels
    if types == {str}:
        return each_distinct(values, label_of, faults)
    return each(values, label_of, faults)


def read_times(values: Sequence[Any], time: TimeConfig, faults: Faults) -> list[int]:
    """Return the time that each label states, -1 where it states none; adds to ``faults``.

    Without a time a record is faulty, unless ``missing`` is ``arrival``.
    """
    times = event_times(values, TimeConfig(time.path, time.unit), np.empty(0, np.int64))
    for k in np.flatnonzero(times < 0).tolist():
        if times[k] != MISSING_MS:
            faults.setdefault(k, RecordFault("time_absurd", likely_unit(values[k], time.unit)))
        elif time.missing == "reject":
            faults.setdefault(k, RecordFault("time_missing"))
    stated: list[int] = times.tolist()
    return stated


def decoded(
    ids: Sequence[Any], labels: Sequence[Any], times_ms: Sequence[int], faults: Faults
) -> DecodedLabels:
    """Return the labels of the records that have no fault, and the rejections of the others."""
    if not faults:
        return DecodedLabels(list(range(len(ids))), list(ids), list(labels), list(times_ms), [])
    record = [k for k in range(len(ids)) if k not in faults]
    return DecodedLabels(
        record,
        [ids[k] for k in record],
        [labels[k] for k in record],
        [times_ms[k] for k in record],
        [Rejection(k, *faults[k]) for k in sorted(faults)],
    )


def explain_missing(
    faults: Faults, reason: str, path: Sequence[str], values: Sequence[bytes | None]
) -> None:
    """Add to the faults of this ``reason`` without a detail what the record has instead."""
    for k, fault in faults.items():
        if fault == (reason, ""):
            document = load_json(values[k] or b"")
            holder = value_at(document, path[:-1])
            is_null = isinstance(holder, dict) and path[-1] in holder
            detail = f"{'.'.join(path)} is empty or null" if is_null else absent(document, path)
            faults[k] = RecordFault(reason, detail)


def each(values: Sequence[Any], read: Callable[[Any], T], faults: Faults) -> list[T | None]:
    """Read values one by one; ``None`` where a record is faulty; adds to ``faults``."""
    results: list[T | None] = []
    for k, value in enumerate(values):
        result = None
        if k not in faults:
            try:
                result = read(value)
            except MalformedRecord as problem:
                faults[k] = problem.fault
        results.append(result)
    return results


def each_distinct(
    values: Sequence[Any], read: Callable[[Any], T], faults: Faults
) -> Sequence[T | None]:
    """Read texts, each distinct one once; as :func:`each`."""
    of_text: Distinct[T] = Distinct(read)
    try:
        return list(map(of_text.__getitem__, values))
    except MalformedRecord:
        return each(values, of_text.__getitem__, faults)


def _all_usual(values: Sequence[Any]) -> bool:
    """Return whether all ids are short texts in ASCII, none of them empty."""
    return (
        set(map(type, values)) == {str}
        and all(values)
        and max(map(len, values)) <= _SHORT_ID
        and "".join(values).isascii()
    )
