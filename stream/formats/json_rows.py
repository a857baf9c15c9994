"""The rows of one JSON payload, in every shape that model servers and pandas give it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, cast

from stream.formats.csv_rows import width_mismatch
from stream.formats.faults import MalformedRecord, type_name, visible
from stream.formats.json_paths import Path, find_column, has_column, value_at
from stream.formats.json_text import load_documents

Cell = str | int | float | None
Row = Sequence[Cell]

HOLDERS: Final = (
    "instances",
    "predictions",
    "dataframe_records",
    "dataframe_split",
    "inputs",
    "outputs",
    "data",
    "features",
    "values",
)
"""Keys that hold the rows of an object that has none of the columns, most specific first."""
_DEEPEST: Final = 4
"""The number of holders inside each other."""
_NUMERIC: Final = frozenset((int, float, bool, type(None)))


class RowShape(NamedTuple):
    """The content of one side of an event.

    ``side`` is its name in details, ``names`` are its columns, ``rows`` is the path of the rows in
    a JSON document, and ``paths`` are the dotted paths, in a row, of columns that are not under
    their own name. ``header``: the first row of a CSV payload names the columns. ``names_count``: a
    first row that seems to name columns, where none should, counts as one of data.
    """

    side: str
    names: tuple[str, ...]
    rows: Path
    paths: dict[str, str]
    header: bool
    names_count: bool = False


def json_rows(text: str, shape: RowShape) -> list[Row]:
    """Return the rows of a payload, each with a cell for every column of the shape.

    Raises :class:`~stream.formats.faults.MalformedRecord`: ``undecodable``, ``too_few_columns``,
    ``too_many_columns``, ``wrong_type``, ``row_count``.
    """
    return [
        row
        for document in load_documents(text)
        for row in _rows_at(value_at(document, shape.rows), shape, _DEEPEST)
    ]


def _rows_at(value: object, shape: RowShape, depth: int) -> list[Row]:
    """Return the rows in a value: those of a list of lists or objects, else a single one.

    For a side of one column, each entry of a list of plain values is a row.
    """
    if isinstance(value, dict):
        return _rows_in_object(value, shape, depth)
    if not isinstance(value, list):
        return [_positional([value], shape)]
    tensors = _tensors(value)
    if tensors and _has_any(tensors, shape):
        return _columnar([tensors.get(name) for name in shape.names], shape)
    nested = [isinstance(entry, (list, dict)) for entry in value]
    if all(nested):
        return [row for entry in value for row in _rows_of_entry(entry, shape, depth)]
    if any(nested):
        raise MalformedRecord("wrong_type", f"the {shape.side} mixes values with lists or objects")
    if len(shape.names) == 1:
        return [[cell_of(cell, shape.names[0])] for cell in value]
    return [_positional(value, shape)]


def _tensors(entries: list[object]) -> dict[str, object]:
    """Return the lists of ``{"name": ..., "data": [...]}`` by name, as the protocol of KServe has
    them; empty if an entry is anything else.
    """
    by_name: dict[str, object] = {}
    for entry in entries:
        name = entry.get("name") if isinstance(entry, dict) else None
        data = entry.get("data") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(data, list):
            return {}
        by_name[name] = data
    return by_name


def _rows_of_entry(
    entry: list[object] | dict[str, object], shape: RowShape, depth: int
) -> list[Row]:
    if isinstance(entry, dict):
        return _rows_in_object(entry, shape, depth)
    return [_positional(entry, shape)]


def _rows_in_object(document: dict[str, object], shape: RowShape, depth: int) -> list[Row]:
    """Return the rows of an object: one, or one for each place in the lists of its columns.

    An object without any of the columns may hold the rows at one of :data:`HOLDERS`, as objects
    under row labels (pandas ``orient="index"``), or beside a list of names (``orient="split"``).
    """
    if not _has_any(document, shape):
        held = _held_rows(document, shape, depth) if depth else None
        if held is not None:
            return held
    cells = [find_column(document, name, shape.paths) for name in shape.names]
    if _NUMERIC.issuperset(map(type, cells)):
        return [cast("Row", cells)]
    present = [cell for cell in cells if cell is not None]
    if all(isinstance(cell, list) for cell in present):
        return _columnar(cells, shape)
    if all(isinstance(cell, dict) and cell and all(map(str.isdigit, cell)) for cell in present):
        return _columnar(_by_label(cells, shape), shape)
    return [[cell_of(cell, name) for cell, name in zip(cells, shape.names, strict=True)]]


def _held_rows(document: dict[str, object], shape: RowShape, depth: int) -> list[Row] | None:
    """Return the rows of an object without any column; ``None`` if it holds none."""
    columns, data = document.get("columns"), document.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        return _split(columns, data, shape)
    for key in HOLDERS:
        if isinstance(document.get(key), (list, dict)):
            return _rows_at(document[key], shape, depth - 1)
    rows = list(document.values())
    if rows and all(isinstance(row, dict) and _has_any(row, shape) for row in rows):
        return _rows_at(rows, shape, depth - 1)
    return None


def _has_any(row: Mapping[str, object], shape: RowShape) -> bool:
    return any(has_column(row, name, shape.paths) for name in shape.names)


def _split(columns: list[object], data: list[object], shape: RowShape) -> list[Row]:
    """Return rows of lists by the names in ``columns``; by position if none is a column."""
    if not set(map(str, columns)) & set(shape.names):
        return _rows_at(data, shape, 0)
    names = list(map(str, columns))
    rows: list[Row] = []
    for number, entry in enumerate(data, 1):
        if not isinstance(entry, list):
            raise MalformedRecord("wrong_type", f"{shape.side}: data holds {type_name(entry)}")
        if len(entry) != len(names):
            raise width_mismatch(len(entry), len(names), shape.side, number)
        by_name = dict(zip(names, entry, strict=True))
        rows.append([cell_of(by_name.get(name), name) for name in shape.names])
    return rows


def _columnar(cells: Sequence[object], shape: RowShape) -> list[Row]:
    """Return a row for each place in the lists of the columns; an absent column is missing."""
    lists = [cell for cell in cells if isinstance(cell, list)]
    lengths = sorted({len(column) for column in lists})
    if len(lengths) > 1:
        detail = f"the columns of the {shape.side} have {lengths[0]} to {lengths[-1]} values"
        raise MalformedRecord("row_count", detail)
    columns = [
        [cell_of(value, name) for value in cell] if isinstance(cell, list) else [None] * lengths[0]
        for cell, name in zip(cells, shape.names, strict=True)
    ]
    return list(zip(*columns, strict=True))


def _by_label(cells: Sequence[object], shape: RowShape) -> list[object]:
    """Return columns that are objects by row number (pandas ``orient="columns"``) as lists."""
    labels = next(list(cell) for cell in cells if isinstance(cell, dict))
    if any(isinstance(cell, dict) and set(cell) != set(labels) for cell in cells):
        detail = f"the columns of the {shape.side} have different row numbers"
        raise MalformedRecord("row_count", detail)
    return [[cell[label] for label in labels] if isinstance(cell, dict) else None for cell in cells]


def _positional(entry: list[object], shape: RowShape) -> Row:
    if len(entry) != len(shape.names):
        raise width_mismatch(len(entry), len(shape.names), shape.side)
    if _NUMERIC.issuperset(map(type, entry)):
        return cast("Row", entry)
    return [cell_of(cell, name) for cell, name in zip(entry, shape.names, strict=True)]


def cell_of(value: object, name: str = "") -> Cell:
    """Return the value of column ``name`` as a cell; lists and objects are ``wrong_type``."""
    if value is None or isinstance(value, (int, float)):
        return value
    if isinstance(value, str):
        return readable(value, name)
    raise MalformedRecord("wrong_type", f"{visible(name) or 'it'} holds {type_name(value)}")


def readable(text: str, name: str = "") -> str:
    """Return the text if it can be encoded as UTF-8; lone surrogates are ``undecodable``."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        detail = f"{visible(name) or 'text'} is not valid Unicode"
        raise MalformedRecord("undecodable", detail) from error
    return text
