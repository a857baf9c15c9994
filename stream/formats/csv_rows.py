"""The rows of one CSV payload, and how a row that names the columns is recognised."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Collection, Sequence
from typing import Final

from detectors.profiles.columns import NUMBER
from stream.formats.faults import MalformedRecord
from stream.formats.json_text import BYTE_ORDER_MARK
from stream.formats.mangled_header import COPIES, is_mangled

TOO_NARROW: Final = "too_few_columns"
TOO_WIDE: Final = "too_many_columns"
HEADER_ROW: Final = "header_row"

csv.field_size_limit(sys.maxsize)


def csv_rows(
    text: str, names: Sequence[str], header: bool, side: str, *, names_count: bool = False
) -> list[Sequence[str | None]]:
    """Return the rows of a payload, each with a cell for every name.

    An empty line is a row with one empty cell. With ``header`` a first row that names columns
    orders the cells, and names without a cell are missing; a payload without such a row is read by
    position. Without, a first row that names all columns is rejected; so is in any case one that
    pandas made of a row of data (:mod:`stream.formats.mangled_header`). With ``names_count`` both
    are rows like others.

    Raises :class:`~stream.formats.faults.MalformedRecord`: ``undecodable``, ``header_row``,
    ``too_few_columns``, ``too_many_columns``.
    """
    rows = _parsed(text.removeprefix(BYTE_ORDER_MARK), side)
    if not names_count:
        _reject_names(rows, names, header, side)
    named = header and _names_columns(rows[0], names, len(rows))
    width = len(rows[0]) if named else len(names)
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise width_mismatch(len(row), width, side, number if len(rows) > 1 else 0)
    return _by_header(rows, names) if named else list(rows)


def _reject_names(
    rows: Sequence[Sequence[str]], names: Sequence[str], header: bool, side: str
) -> None:
    """Raise ``header_row`` if the first row holds names where there should be data."""
    if not header and is_header(rows[0], names, len(rows)):
        raise MalformedRecord(HEADER_ROW, f"first row of the {side}")
    if len(names) > COPIES and is_mangled(rows[0]):
        detail = f"first row of the {side}: equal values are counted, as pandas does with names"
        raise MalformedRecord(HEADER_ROW, detail)


def width_mismatch(cells: int, width: int, side: str, row: int = 0) -> MalformedRecord:
    """Return the fault of a row of ``cells`` instead of ``width``; ``row`` 0: the only one."""
    where = f"row {row} of the {side}" if row else f"the {side}"
    reason = TOO_NARROW if cells < width else TOO_WIDE
    return MalformedRecord(reason, f"{where} has {cells} of {width} columns")


def is_header(cells: Sequence[str], names: Sequence[str], rows: int) -> bool:
    """Return whether the first of ``rows`` repeats the names of all columns, in any order.

    The only cell of a payload is taken for a value, even if it is the name of its column.
    """
    if len(cells) != len(names) or len(names) == rows == 1:
        return False
    return {cell.strip() for cell in cells} == set(names)


def _names_columns(cells: Sequence[str], names: Collection[str], rows: int) -> bool:
    """Return whether the first row names columns, in a payload that should have such a row."""
    if any(cell.strip() in names for cell in cells):
        return True
    return rows > 1 and all(cell and not re.fullmatch(NUMBER, cell.strip(" \t")) for cell in cells)


def _by_header(rows: Sequence[Sequence[str]], names: Sequence[str]) -> list[Sequence[str | None]]:
    index = {name.strip(): j for j, name in enumerate(rows[0])}
    return [[row[index[name]] if name in index else None for name in names] for row in rows[1:]]


def _parsed(text: str, side: str) -> list[list[str]]:
    try:
        parsed = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise MalformedRecord("undecodable", f"the {side} is not CSV: {error}") from error
    return [row or [""] for row in parsed or [[]]]
