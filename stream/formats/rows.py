"""Decodes one payload at a time; this is the definition of the rows of a payload."""

from __future__ import annotations

import math
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any, Final

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
from detectors.profiles.reading import PLAIN, CellReading
from stream.formats.base import ColumnType
from stream.formats.csv_rows import csv_rows
from stream.formats.faults import MalformedRecord, visible
from stream.formats.json_paths import LEAF_TYPES, PathReader, unique_path
from stream.formats.json_rows import Cell, Row, RowShape, json_rows
from stream.formats.json_text import BYTE_ORDER_MARK, load_documents

_NO_TABLE: Final = re.compile("^[ \\t\\r\\n]*<|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Markup, as of an error page, or a control character."""


def decode_payload(
    text: str, encoding: str, content_type: str | None, side: str
) -> tuple[str, str]:
    """Return the payload as text, and its kind: ``CSV`` or ``JSON``.

    The kind of base64 is in its content type, or else is found from its text. Raises
    :class:`~stream.formats.faults.MalformedRecord`: ``unknown_encoding``, or ``undecodable``.
    """
    if encoding in ("CSV", "JSON"):
        return text, encoding
    if encoding != "BASE64":
        detail = f"the {side} has encoding {visible(encoding) or 'nothing'}"
        raise MalformedRecord("unknown_encoding", detail)
    stated = _stated_kind(content_type or "")
    try:
        decoded = b64decode(text, validate=True).decode()
    except (Base64Error, ValueError) as error:
        reason = "undecodable" if stated else "unknown_encoding"
        raise MalformedRecord(reason, _unreadable(side, content_type)) from error
    kind = stated or _kind_of(decoded)
    if kind is None:
        raise MalformedRecord("unknown_encoding", _unreadable(side, content_type))
    return decoded, kind


def _unreadable(side: str, content_type: str | None) -> str:
    known = visible(content_type or "") or "no content type"
    return f"the {side} ({known}) is not BASE64 of JSON or CSV in UTF-8"


def rows_of(text: str, kind: str, shape: RowShape) -> Sequence[Row]:
    """Return the rows of a payload, each with a cell for every column of the shape.

    Raises :class:`~stream.formats.faults.MalformedRecord`: ``undecodable``, ``header_row``,
    ``too_few_columns``, ``too_many_columns``, ``wrong_type``, or ``row_count`` if there is no row.
    """
    rows: Sequence[Row]
    if kind == "CSV":
        count = shape.names_count
        rows = csv_rows(text, shape.names, shape.header, shape.side, names_count=count)
    else:
        rows = json_rows(text, shape)
    if not rows:
        raise MalformedRecord("row_count", f"the {shape.side} has no rows")
    return rows


def payload_reader(shape: RowShape, types: dict[str, ColumnType]) -> PathReader:
    """Return a reader of a JSON payload that is one row, as an object."""
    paths = [unique_path(name, shape.paths) for name in shape.names]
    return PathReader(paths, [LEAF_TYPES[types[name].kind] for name in shape.names])


def columns_of_rows(
    rows: Sequence[Row], names: Sequence[str], types: dict[str, ColumnType]
) -> dict[str, Column]:
    """Return the columns of rows that have a cell for each name."""
    return {
        name: column_of(cells, types[name])
        for name, cells in zip(names, zip(*rows, strict=True), strict=True)
    }


def typed_column(cells: Sequence[Any], column: ColumnType) -> Column:
    """Return a column of cells that have the type of the column in ``LEAF_TYPES``.

    It equals that of :func:`column_of`, which is slower.
    """
    kind, reading = column
    if kind == "float":
        values = np.fromiter(cells, np.float64, len(cells))
        if np.isnan(values).any():  # of a missing value: documents with NaN are not of this type
            return numbers_from_array(pa.array(cells, pa.float64()), False, reading)
        return with_reading(Numbers(values, None, False), None, reading)
    if kind == "int":
        values = np.array(cells)
        if values.dtype == np.int64:
            return with_reading(Numbers(values.astype(np.float64), None, True), None, reading)
    elif "" not in cells:
        return Texts(pa.array(cells, pa.string()))
    return column_of(cells, column)


def column_of(cells: Sequence[Cell], column: ColumnType) -> Column:
    """Return a column of cells by the grammar of :mod:`detectors.profiles.columns`.

    A cell is text, a number, a boolean, or ``None``.
    """
    kind, reading = column
    types = set(map(type, cells)) - {type(None)}
    if kind in ("text", "raw"):
        usual = types <= {str} and "" not in cells
        strings = cells if usual else [_string(cell, kind == "raw") for cell in cells]
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


def _mixed_numbers(cells: Sequence[Cell], integral: bool, reading: CellReading) -> Numbers:
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


def _string(cell: Cell, raw: bool = False) -> str | None:
    """Return a cell as text; NaN, pandas' missing value, is missing where it is not ``raw``."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if cell is None or cell == "":
        return None
    if cell != cell:
        return "NaN" if raw else None
    return str(cell)


def _stated_kind(content_type: str) -> str | None:
    if "json" in content_type.lower():
        return "JSON"
    return "CSV" if "csv" in content_type.lower() else None


def _kind_of(text: str) -> str | None:
    """Return the kind of text whose content type is no help: objects and lists are JSON."""
    if text.lstrip(BYTE_ORDER_MARK + " \t\r\n").startswith(("{", "[")):
        try:
            load_documents(text)
        except MalformedRecord:
            pass
        else:
            return "JSON"
    return None if _NO_TABLE.search(text) else "CSV"
