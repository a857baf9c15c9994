"""Decodes one payload at a time; this is the definition of the rows of a payload."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Final, NamedTuple, NoReturn, cast

import msgspec
import numpy as np
import pyarrow as pa

from detectors.profiles.columns import (
    Column,
    Numbers,
    Texts,
    numbers_from_array,
    numbers_from_text,
    with_reading,
)
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING
from detectors.profiles.reading import PLAIN, Reading
from stream.formats.base import ColumnType
from stream.formats.json_paths import (
    LEAF_TYPES,
    Path,
    PathReader,
    find_column,
    unique_path,
    value_at,
)

Cell = str | int | float | None
Row = Sequence[Cell]

csv.field_size_limit(sys.maxsize)
_LONGEST_INTEGER: Final = 4300
"""The number of digits of the longest integer that Python parses; longer ones become floats."""

TOO_NARROW: Final = "too_few_columns"
TOO_WIDE: Final = "too_many_columns"


class MalformedRecord(Exception):
    """A record that cannot be decoded; ``reason`` is the reason in its dead letter."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RowShape(NamedTuple):
    """The content of one side of an event.

    ``names`` are its columns, ``rows`` is the path of the rows in a JSON document, and ``paths``
    are the dotted paths, in a row, of columns that are not under their own name. ``header``: the
    first row of a CSV payload names the columns.
    """

    names: tuple[str, ...]
    rows: Path
    paths: dict[str, str]
    header: bool

    def reader(self, types: dict[str, ColumnType]) -> PathReader:
        """Return a reader of a payload that is one row, as an object."""
        paths = [unique_path(name, self.paths) for name in self.names]
        return PathReader(paths, [LEAF_TYPES[types[name].kind] for name in self.names])


def width_mismatch(cells: int, width: int) -> str:
    """Return the reason for rejecting a row of ``cells`` instead of ``width``."""
    return TOO_NARROW if cells < width else TOO_WIDE


def decode_payload(text: str, encoding: str, content_type: str | None) -> tuple[str, str]:
    """Return the payload as text, and its kind: ``CSV`` or ``JSON``.

    The kind of base64 follows the content type. Raises :class:`MalformedRecord`:
    ``unknown_encoding``, or ``undecodable``.
    """
    if encoding in ("CSV", "JSON"):
        return text, encoding
    kind = _kind(content_type or "") if encoding == "BASE64" else None
    if kind is None:
        raise MalformedRecord("unknown_encoding")
    try:
        return b64decode(text, validate=True).decode(), kind
    except (Base64Error, ValueError) as error:
        raise MalformedRecord("undecodable") from error


def rows_of(text: str, kind: str, shape: RowShape) -> list[Row]:
    """Return the rows of a payload, each with a cell for every column of the shape.

    Raises :class:`MalformedRecord`: ``undecodable``, ``too_few_columns``, ``too_many_columns``,
    ``wrong_type``, or ``row_count`` if there is no row.
    """
    rows = _csv_rows(text, shape) if kind == "CSV" else _json_rows(text, shape)
    if not rows:
        raise MalformedRecord("row_count")
    return rows


def columns_of_rows(
    rows: Sequence[Row], names: Sequence[str], types: dict[str, ColumnType]
) -> dict[str, Column]:
    """Return the columns of rows that have a cell for each name."""
    return {
        name: column_of(cells, types[name])
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }


def column_of(cells: Sequence[Cell], column: ColumnType) -> Column:
    """Return a column of cells by the grammar of :mod:`detectors.profiles.columns`.

    A cell is text, a number, a boolean, or ``None``.
    """
    kind, reading = column
    types = set(map(type, cells)) - {type(None)}
    if kind in ("text", "raw"):
        strings = cells if types <= {str} and "" not in cells else [_string(cell) for cell in cells]
        return Texts(pa.array(strings, pa.string()))
    integral = kind == "int"
    if types <= {str}:
        return numbers_from_text(pa.array(cells, pa.string()), integral, reading)
    if types <= ({int} if integral else {int, float}):
        try:
            array = pa.array(cells, pa.int64() if integral else pa.float64())
            return numbers_from_array(array, integral, reading)
        except (pa.ArrowInvalid, OverflowError):
            pass
    return _mixed_numbers(cells, integral, reading)


def _mixed_numbers(cells: Sequence[Cell], integral: bool, reading: Reading) -> Numbers:
    values = np.array([_value(cell) for cell in cells], np.float64)
    slots = np.array([_slot(cell, integral) for cell in cells], np.uint8)
    texts = [k for k, cell in enumerate(cells) if isinstance(cell, str)]
    if texts:
        parsed = numbers_from_text(pa.array([cells[k] for k in texts], pa.string()), integral)
        values[texts] = parsed.values
        slots[texts] = MISSING if parsed.slots is None else parsed.slots
    numbers = Numbers(values, slots, integral)
    return numbers if reading == PLAIN else with_reading(numbers, _texts(cells), reading)


def _texts(cells: Sequence[Cell]) -> pa.StringArray:
    """The cells that are texts or booleans, as they are written; null for all others."""
    return pa.array(
        [_string(cell) if isinstance(cell, (str, bool)) else None for cell in cells], pa.string()
    )


def _value(cell: Cell) -> float:
    if isinstance(cell, (str, bool)) or cell is None:
        return math.nan
    try:
        return float(cell)
    except OverflowError:
        return math.inf if cell > 0 else -math.inf


def _slot(cell: Cell, integral: bool) -> int:
    if isinstance(cell, bool):
        return BOOLEAN
    if cell is None or isinstance(cell, str):
        return MISSING
    whole = isinstance(cell, int) if integral else float(_value(cell)).is_integer()
    return INTEGRAL if whole and math.isfinite(_value(cell)) else FRACTIONAL


def _string(cell: Cell) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return None if cell is None or cell == "" else str(cell)


def _kind(content_type: str) -> str | None:
    if "json" in content_type.lower():
        return "JSON"
    return "CSV" if "csv" in content_type.lower() else None


def _csv_rows(text: str, shape: RowShape) -> list[Row]:
    try:
        parsed = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise MalformedRecord("undecodable") from error
    rows: list[Row] = [row or [""] for row in parsed or [[]]]
    width = len(rows[0]) if shape.header else len(shape.names)
    wrong = next((len(row) for row in rows if len(row) != width), None)
    if wrong is not None:
        raise MalformedRecord(width_mismatch(wrong, width))
    return _by_header(rows, shape.names) if shape.header else rows


def _by_header(rows: list[Row], names: Sequence[str]) -> list[Row]:
    index = {name: j for j, name in enumerate(rows[0])}
    return [[row[index[name]] if name in index else None for name in names] for row in rows[1:]]


def _json_rows(text: str, shape: RowShape) -> list[Row]:
    return [
        row
        for document in _documents(text)
        for row in _rows_at(value_at(document, shape.rows), shape)
    ]


def _documents(text: str) -> list[object]:
    """Parse one document, or one per line."""
    try:
        return [load_json(text)]
    except MalformedRecord:
        lines = [line for line in text.split("\n") if line.strip(" \t\r")]
        if len(lines) < 2:
            raise
        return [load_json(line) for line in lines]


def _rows_at(value: object, shape: RowShape) -> list[Row]:
    """Return the rows in a value: those of a list of lists or objects, else a single one.

    For a side of one column, each entry of a list of plain values is a row.
    """
    if not isinstance(value, list):
        return [_row(value if isinstance(value, dict) else [value], shape)]
    nested = [isinstance(entry, (list, dict)) for entry in value]
    if all(nested):
        return [_row(entry, shape) for entry in value]
    if any(nested):
        raise MalformedRecord("wrong_type")
    if len(shape.names) == 1:
        return [[cell_of(cell)] for cell in value]
    return [_row(value, shape)]


def _row(entry: list[object] | dict[str, object], shape: RowShape) -> Row:
    if isinstance(entry, dict):
        cells = [find_column(entry, name, shape.paths) for name in shape.names]
    else:
        cells = entry
        if len(cells) != len(shape.names):
            raise MalformedRecord(width_mismatch(len(cells), len(shape.names)))
    if _NUMERIC.issuperset(map(type, cells)):
        return cast("Row", cells)
    return [cell_of(cell) for cell in cells]


def cell_of(value: object) -> Cell:
    """Return a value of a JSON document as a cell; lists and objects are ``wrong_type``."""
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        return readable(value)
    raise MalformedRecord("wrong_type")


def readable(text: str) -> str:
    """Return the text if it can be encoded as UTF-8; lone surrogates are ``undecodable``."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedRecord("undecodable") from error
    return text


def load_json(text: str | bytes) -> object:
    """Parse a JSON document by RFC 8259: no ``NaN``, no ``Infinity``.

    The last value of a repeated key counts. Bytes that are not UTF-8 are an error only when the
    text that contains them is used. Raises :class:`MalformedRecord` (``undecodable``).
    """
    try:
        return _FAST_JSON.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        text = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
        return json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        raise MalformedRecord("undecodable") from error


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits.lstrip("-")) <= _LONGEST_INTEGER else float(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_NUMERIC: Final = frozenset((int, float, bool, type(None)))
_FAST_JSON: Final = msgspec.json.Decoder()
