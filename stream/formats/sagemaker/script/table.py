"""Builds batches of what a script makes of captures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.profiles.columns import (
    Column,
    Texts,
    numbers_from_array,
    numbers_from_text,
)
from stream.events import EventBatch
from stream.formats.base import ColumnType, Schema
from stream.formats.faults import RecordFault
from stream.formats.rows import column_of
from stream.formats.sagemaker.envelope import Event
from stream.formats.sagemaker.script.messages import Preprocessed
from stream.formats.sagemaker.script.runner import Script
from stream.outcomes import DROPPED_BY_SCRIPT

_DROPPED: Final = RecordFault(DROPPED_BY_SCRIPT)


class ScriptTable:
    """Builds batches from the records of one schema with a script."""

    def __init__(self, number: int, schema: Schema, paths: dict[str, str], script: Script) -> None:
        self._number = number
        self._schema = schema
        self._names = [*schema.outputs, *schema.inputs]
        self._keys = [paths.get(name, name) for name in self._names]
        self._script = script

    def read(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, RecordFault],
    ) -> list[EventBatch]:
        """Return batches of the ``members``; adds to ``rejects``."""
        numbers = members.tolist()
        answers, faults = self._script.run(self._keys, [values[i] or b"" for i in numbers])
        rejects.update((numbers[k], fault) for k, fault in faults.items())
        counts = np.zeros(len(members), np.int64)
        for start, made in answers:
            counts[start : start + len(made.rows)] = made.rows
        dropped = np.flatnonzero(counts == 0).tolist()
        rejects.update((numbers[k], _DROPPED) for k in dropped if k not in faults)
        if not counts.any():
            return []
        made_in_order = [made for _, made in sorted(answers, key=itemgetter(0))]
        columns = self._columns([made for made in made_in_order if any(made.rows)])
        return [EventBatch(self._number, np.repeat(members, counts), columns)]

    def _columns(self, parts: Sequence[Preprocessed]) -> dict[str, Column]:
        """Return the columns of parts that have rows."""
        types = [self._schema.types[name] for name in self._names]
        columns: Iterable[Column]
        tables = [pa.ipc.open_stream(table).read_all() for part in parts for table in part.tables]
        if tables:
            chunks = [[c for table in tables for c in table[key].chunks] for key in self._keys]
            columns = map(_column_of_chunks, chunks, types)
        else:
            cells = zip(*(part.columns for part in parts), strict=True)
            columns = map(column_of, map(list, map(chain.from_iterable, cells)), types)
        return dict(zip(self._names, columns, strict=True))


def _column_of_chunks(chunks: Sequence[pa.Array], column: ColumnType) -> Column:
    """Return a column of arrays, which may have different types."""
    if len({chunk.type for chunk in chunks}) == 1:
        return column_of_array(pa.concat_arrays(chunks), column)
    return column_of([cell for chunk in chunks for cell in _cells(chunk)], column)


def column_of_array(array: pa.Array, column: ColumnType) -> Column:
    """Return a column of an Arrow array; it equals that of the cells as Python objects."""
    kind, reading = column
    if pa.types.is_large_string(array.type):
        array = array.cast(pa.string())
    if pa.types.is_string(array.type):
        if kind in ("text", "raw"):
            return Texts(pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array))
        return numbers_from_text(array, kind == "int", reading)
    if kind == "float" and pa.types.is_floating(array.type):
        return numbers_from_array(array.cast(pa.float64()), False, reading)
    if kind in ("int", "float") and pa.types.is_signed_integer(array.type):
        return numbers_from_array(array.cast(pa.int64()), kind == "int", reading)
    return column_of(_cells(array), column)


def _cells(array: pa.Array) -> list[Any]:
    """Return the cells of an array as numbers, booleans and ``None``; all others as text."""
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return list(array.to_pylist())
    return list(array.cast(pa.string()).to_pylist())
