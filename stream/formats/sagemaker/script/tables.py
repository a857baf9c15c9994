"""Calls ``preprocess_columns`` for many records at once."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import pyarrow as pa

from stream.formats.sagemaker.script.inference_record import InferenceRecord
from stream.formats.sagemaker.script.messages import CaptureChunk, Preprocessed
from stream.formats.sagemaker.script.results import UnusableResult

RECORD: Final = "_record"
"""The column with the number of the record that a row belongs to."""
_TEXT: Final = pa.string()
SHAPE: Final = {
    "endpoint_input": _TEXT,
    "input_encoding": _TEXT,
    "endpoint_output": _TEXT,
    "output_encoding": _TEXT,
    "event_id": _TEXT,
    "inference_id": _TEXT,
    "event_time": _TEXT,
    "custom_attributes": pa.list_(_TEXT),
    RECORD: pa.int64(),
}
"""The columns that the function gets, with one entry for each record."""
Columns = dict[str, pa.Array]


class PerColumn:
    """Calls the function for all records of a chunk; where that fails, for halves of them."""

    def __init__(self, function: Any, errors: Any, draws: Any) -> None:
        self._function, self._errors, self._draws = function, errors, draws

    def run(self, chunk: CaptureChunk, called: memoryview) -> Preprocessed:
        """Return the rows of all records; ``called`` is set to the number of each call."""
        faults: dict[int, tuple[str, str]] = {}
        parts: list[pa.Table] = []
        cells = [_cells(value) for value in chunk.values]
        ranges = [(0, len(cells))]
        calls = 0
        while ranges:
            start, stop = ranges.pop()
            called[0], calls = calls, calls + 1
            self._draws.begin(chunk.values[start])
            try:
                parts.append(
                    _table(self._function(_columns(cells, start, stop)), chunk.keys, start, stop)
                )
            except BaseException as error:  # noqa: BLE001  # of any kind: it is the script's
                if stop - start > 1:
                    middle = (start + stop) // 2
                    ranges += [(middle, stop), (start, middle)]
                elif isinstance(error, UnusableResult):
                    faults[start] = error.reason, error.detail
                else:
                    faults[start] = "script_failed", self._errors.describe(error)
        return _answer(parts, faults, len(cells))


def _cells(value: bytes) -> tuple[Any, ...]:
    record = InferenceRecord(value)
    request, response, metadata = (
        record.endpoint_input,
        record.endpoint_output,
        record.event_metadata,
    )
    return (
        request and _text(request.data),
        request and _text(request.encoding),
        response and _text(response.data),
        response and _text(response.encoding),
        metadata and _text(metadata.event_id),
        metadata and _text(metadata.inference_id),
        metadata and _text(metadata.event_time),
        metadata and _texts(metadata.custom_attribute),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> list[str | None] | None:
    return list(map(_text, value)) if isinstance(value, list) else None


def _columns(cells: list[tuple[Any, ...]], start: int, stop: int) -> Columns:
    """Return the columns of some records; those that their calls may share are numbered alike."""
    by_column = [*zip(*cells[start:stop], strict=True), range(start, stop)]
    return {
        name: pa.array(list(values), kind)
        for (name, kind), values in zip(SHAPE.items(), by_column, strict=True)
    }


def _table(result: Any, keys: list[str], start: int, stop: int) -> pa.Table:
    """Return the result as a table with the columns of the model and :data:`RECORD`, sorted."""
    if not isinstance(result, dict):
        raise UnusableResult(
            "script_result", f"a value of type {type(result).__name__:.40}, not a dict"
        )
    arrays = {str(name): _array(values, str(name)) for name, values in result.items()}
    record = arrays.pop(RECORD, None)
    if record is None:
        record = pa.array(range(start, stop), pa.int64())
    record = _numbers(record, start, stop)
    for name, array in arrays.items():
        if len(array) != len(record):
            detail = f"{name!r:.40} has {len(array)} rows, {RECORD} has {len(record)}"
            raise UnusableResult("script_result", detail)
    table = pa.table({**_matched(arrays, keys, len(record)), RECORD: record})
    return table.sort_by(RECORD) if _unsorted(record) else table


def _array(values: Any, name: str) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    try:
        array = values if isinstance(values, pa.Array) else pa.array(values)
    except (pa.ArrowException, TypeError, ValueError) as error:
        detail = f"{name!r:.40} is no Arrow array: {type(error).__name__}"
        raise UnusableResult("script_result", detail) from error
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_nested(array.type) or pa.types.is_binary(array.type):
        raise UnusableResult(
            "script_result", f"{name!r:.40} holds {array.type}, not one value a row"
        )
    return array


def _numbers(record: pa.Array, start: int, stop: int) -> pa.Array:
    try:
        numbers = record.cast(pa.int64())
    except pa.ArrowException as error:
        raise UnusableResult("script_result", f"{RECORD} holds {record.type}") from error
    inside = numbers.null_count == 0 and all(
        start <= number < stop for number in numbers.to_pylist()
    )
    if not inside:
        raise UnusableResult("script_result", f"{RECORD} holds other numbers than it was given")
    return numbers


def _unsorted(record: pa.Array) -> bool:
    numbers = record.to_pylist()
    return any(a > b for a, b in pairwise(numbers))


def _matched(arrays: Columns, keys: list[str], rows: int) -> Columns:
    """Return the columns of the model by name; by position if none has its name."""
    if not set(keys).isdisjoint(arrays):
        return {key: arrays[key] if key in arrays else pa.nulls(rows) for key in keys}
    if len(arrays) != len(keys):
        reason = "too_few_columns" if len(arrays) < len(keys) else "too_many_columns"
        detail = f"the script returned {len(arrays)} columns, the model has {len(keys)}"
        raise UnusableResult(reason, detail)
    return {key: arrays[name] for key, name in zip(keys, sorted(arrays), strict=True)}


def _answer(
    parts: list[pa.Table], faults: dict[int, tuple[str, str]], records: int
) -> Preprocessed:
    counts = [0] * records
    for part in parts:
        for number in part[RECORD].to_pylist():
            counts[number] += 1
    tables = [_encoded(part.drop_columns([RECORD])) for part in parts if len(part)]
    return Preprocessed(counts, faults, tables=tables)


def _encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded
