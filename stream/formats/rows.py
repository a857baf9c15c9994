"""One payload at a time: the exact road, and the only place that says what rows a payload holds."""

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

from detectors.profiles.columns import Column, Numbers, Texts, numbers_from_array, numbers_from_text
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING
from stream.formats.base import ColumnType
from stream.formats.json_paths import LEAF_TYPES, PathReader, dig, find, own_path

Cell = str | int | float | None
Row = Sequence[Cell]

csv.field_size_limit(sys.maxsize)
_WHOLE_DIGITS: Final = 4300


class MalformedRecord(Exception):
    """A record that cannot be taken; ``reason`` is the dead letter's."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class RowShape(NamedTuple):
    """What one side of an event holds: its columns, where rows lie in a JSON document, and the
    paths in a row of columns that do not go by their own name.

    ``header``: the first row of a CSV payload names the columns.
    """

    names: tuple[str, ...]
    rows: tuple[str, ...]
    paths: dict[str, str]
    header: bool

    def leaves(self, types: dict[str, ColumnType]) -> PathReader:
        """Reads the columns of one row that is an object, without looking for rows."""
        parts = [own_path(name, self.paths) for name in self.names]
        return PathReader(parts, [LEAF_TYPES[types[name]] for name in self.names])


TOO_NARROW: Final = "too_few_columns"
TOO_WIDE: Final = "too_many_columns"


def misfit(cells: int, width: int) -> str:
    """The reason for rejecting a row of ``cells`` where ``width`` are asked for."""
    return TOO_NARROW if cells < width else TOO_WIDE


def plain(text: str, encoding: str, content_type: str | None) -> tuple[str, str]:
    """The payload as text and its kind, ``CSV`` or ``JSON``; base64 is undone, its kind follows the
    content type.
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
    """The rows of a payload, each with a cell for every column of the shape.

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
    """Columns of rows that have a cell for each name."""
    return {
        name: column_of(cells, types[name])
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }


def column_of(cells: Sequence[Cell], kind: ColumnType) -> Column:
    """A column from cells of text, numbers, booleans and ``None``, by the grammar of
    :mod:`detectors.profiles.columns`.
    """
    seen = set(map(type, cells)) - {type(None)}
    if kind in ("text", "raw"):
        words = cells if seen <= {str} and "" not in cells else [_word(cell) for cell in cells]
        return Texts(pa.array(words, pa.string()))
    integral = kind == "int"
    if seen <= {str}:
        return numbers_from_text(pa.array(cells, pa.string()), integral)
    if seen <= ({int} if integral else {int, float}):
        try:
            return numbers_from_array(
                pa.array(cells, pa.int64() if integral else pa.float64()), integral
            )
        except (pa.ArrowInvalid, OverflowError):
            pass
    return _mixed_numbers(cells, integral)


def _mixed_numbers(cells: Sequence[Cell], integral: bool) -> Numbers:
    values = np.array([_value(cell) for cell in cells], np.float64)
    slots = np.array([_slot(cell, integral) for cell in cells], np.uint8)
    texts = [k for k, cell in enumerate(cells) if isinstance(cell, str)]
    if texts:
        read = numbers_from_text(pa.array([cells[k] for k in texts], pa.string()), integral)
        values[texts] = read.values
        slots[texts] = MISSING if read.slots is None else read.slots
    return Numbers(values, slots, integral)


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


def _word(cell: Cell) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return None if cell is None or cell == "" else str(cell)


def _kind(content_type: str) -> str | None:
    if "json" in content_type.lower():
        return "JSON"
    return "CSV" if "csv" in content_type.lower() else None


def _csv_rows(text: str, shape: RowShape) -> list[Row]:
    try:
        read = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise MalformedRecord("undecodable") from error
    rows: list[Row] = [row or [""] for row in read or [[]]]
    width = len(rows[0]) if shape.header else len(shape.names)
    if any(len(row) != width for row in rows):
        raise MalformedRecord(misfit(next(len(row) for row in rows if len(row) != width), width))
    return _by_header(rows, shape.names) if shape.header else rows


def _by_header(rows: list[Row], names: Sequence[str]) -> list[Row]:
    place = {name: j for j, name in enumerate(rows[0])}
    return [[row[place[name]] if name in place else None for name in names] for row in rows[1:]]


def _json_rows(text: str, shape: RowShape) -> list[Row]:
    return [
        row for document in _documents(text) for row in _rows_at(dig(document, shape.rows), shape)
    ]


def _documents(text: str) -> list[object]:
    """One document, or one a line."""
    try:
        return [load_json(text)]
    except MalformedRecord:
        lines = [line for line in text.split("\n") if line.strip(" \t\r")]
        if len(lines) < 2:
            raise
        return [load_json(line) for line in lines]


def _rows_at(found: object, shape: RowShape) -> list[Row]:
    if not isinstance(found, list):
        return [_row(found if isinstance(found, dict) else [found], shape)]
    nested = [isinstance(entry, (list, dict)) for entry in found]
    if all(nested):
        return [_row(entry, shape) for entry in found]
    if any(nested):
        raise MalformedRecord("wrong_type")
    if len(shape.names) == 1:
        return [[cell_of(cell)] for cell in found]
    return [_row(found, shape)]


def _row(entry: list[object] | dict[str, object], shape: RowShape) -> Row:
    if isinstance(entry, dict):
        cells = [find(entry, name, shape.paths) for name in shape.names]
    else:
        cells = entry
        if len(cells) != len(shape.names):
            raise MalformedRecord(misfit(len(cells), len(shape.names)))
    if _NUMERIC.issuperset(map(type, cells)):
        return cast("Row", cells)
    return [cell_of(cell) for cell in cells]


def cell_of(cell: object) -> Cell:
    """A cell that was found in a JSON document; lists and objects are ``wrong_type``."""
    if cell is None or isinstance(cell, (int, float)):
        return cell
    if isinstance(cell, str):
        return readable(cell)
    raise MalformedRecord("wrong_type")


def readable(text: str) -> str:
    """The text, if it can be written as UTF-8; lone surrogates are ``undecodable``."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedRecord("undecodable") from error
    return text


def load_json(text: str | bytes) -> object:
    """A JSON document by RFC 8259: no ``NaN``, no ``Infinity``; a key given twice has its last
    value.

    Text that is not UTF-8 does not matter as long as nobody reads it. Raises :class:`MalformedRecord`
    (``undecodable``).
    """
    try:
        return _FAST_JSON.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        text = text if isinstance(text, str) else text.decode("utf-8", "surrogateescape")
        return json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise MalformedRecord("undecodable") from error


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits.lstrip("-")) <= _WHOLE_DIGITS else float(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


_NUMERIC: Final = frozenset((int, float, bool, type(None)))
_FAST_JSON: Final = msgspec.json.Decoder()
