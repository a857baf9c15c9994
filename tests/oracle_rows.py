"""The part of the oracle that finds the rows of a payload: the definition, in plain loops."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence

from stream.formats.sagemaker.format import Sagemaker

csv.field_size_limit(sys.maxsize)


class Rejected(Exception):
    """A record that is not counted; the message is the reason."""


def number_of(cell: object) -> float | None:
    """The number in a cell of a numeric feature, or ``None``."""
    if isinstance(cell, bool):
        return None
    if isinstance(cell, (int, float)):
        try:
            return float(cell)
        except OverflowError:
            return math.inf if cell > 0 else -math.inf
    if not isinstance(cell, str):
        return None
    text = cell.strip(" \t")
    if matches(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text) or matches(r"[-+]?inf(inity)?", text):
        return float(text)
    return math.nan if matches(r"[-+]?nan(\([a-z0-9_]*\))?", text) else None


def matches(pattern: str, text: str, flags: int = re.IGNORECASE) -> bool:
    return re.fullmatch(pattern, text, flags | re.ASCII) is not None


def parsed(text: str) -> object:
    """RFC 8259, with ``NaN``, ``Infinity`` and ``-Infinity``, after at most one byte order mark.

    Integers of more than 4,300 digits are infinite."""
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text, parse_int=whole)
    except RecursionError:
        raise Rejected("undecodable") from None
    except json.JSONDecodeError as error:
        objects = text.lstrip(" \t\r\n").startswith("{") and text[error.pos :].startswith("{")
        several = objects and error.msg.startswith("Extra data")
        raise Rejected("several_objects" if several else "undecodable") from None


def whole(digits: str) -> int | float:
    return int(digits) if len(digits.lstrip("-")) <= 4300 else float(digits)


def at(document: object, path: str) -> object:
    """The value at a dotted path; an empty path is the document itself."""
    for part in path.split(".") if path else []:
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document


def named(row: dict[str, object], name: str, paths: Mapping[str, str]) -> object:
    """A column of an object: at its path if it has one, else by its name, or its name as a path."""
    if name in paths:
        return at(row, paths[name])
    return row[name] if name in row else at(row, name)


def utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Rejected("undecodable") from None
    return text


def cell_of(value: object) -> object:
    if isinstance(value, (list, dict)):
        raise Rejected("wrong_type")
    return utf8(value) if isinstance(value, str) else value


def plain_text(payload: object) -> tuple[str, str]:
    """The text of a payload, and whether it is CSV or JSON."""
    text, encoding, content_type = (
        at(payload, key) for key in ("data", "encoding", "observedContentType")
    )
    assert isinstance(text, str)
    if encoding in ("CSV", "JSON"):
        return text, str(encoding)
    kind = content_type.lower() if isinstance(content_type, str) else ""
    stated = "JSON" if "json" in kind else "CSV" if "csv" in kind else None
    if encoding != "BASE64":
        raise Rejected("unknown_encoding")
    try:
        plain = base64.b64decode(text, validate=True).decode()
    except ValueError:
        raise Rejected("undecodable" if stated else "unknown_encoding") from None
    return plain, stated or sniffed(plain)


def sniffed(text: str) -> str:
    """The kind of a payload whose content type says nothing."""
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] in ("{", "["):
        try:
            documents(text)
            return "JSON"
        except Rejected:
            pass
    if text.lstrip(" \t\r\n")[:1] == "<" or any(
        (ord(c) < 32 and c not in "\t\r\n") or ord(c) == 127 for c in text
    ):
        raise Rejected("unknown_encoding")
    return "CSV"


def rows_in(
    text: str, kind: str, names: Sequence[str], path: str, form: Sagemaker
) -> list[dict[str, object]]:
    """The rows of a side, each with its columns by name."""
    if kind == "CSV":
        rows = csv_rows(text, names, form.header)
    else:
        rows = [
            row
            for document in documents(text)
            for row in json_rows(at(document, path), names, form.columns)
        ]
    if not rows:
        raise Rejected("row_count")
    return rows


def csv_rows(text: str, names: Sequence[str], header: bool) -> list[dict[str, object]]:
    """Rows as Python's csv module reads them; an empty line is a row with one empty cell.

    With ``header`` the first row names the columns, unless it is plainly a row of data."""
    text = text.removeprefix("\ufeff")
    try:
        lines = [line or [""] for line in csv.reader(io.StringIO(text, newline=""))] or [[""]]
    except csv.Error:
        raise Rejected("undecodable") from None
    first = [cell.strip() for cell in lines[0]]
    alone = len(names) == len(lines) == 1
    if not header and not alone and len(first) == len(names) and set(first) == set(names):
        raise Rejected("header_row")
    if len(names) > 11 and counts_equal_values(lines[0]):
        raise Rejected("header_row")
    titles = list(names)
    if header and (set(first) & set(names) or (len(lines) > 1 and not has_data(lines[0]))):
        titles = first
        widths = [len(line) for line in lines.pop(0) and lines]
    else:
        widths = [len(line) for line in lines]
    for width in widths:
        if width != len(titles):
            raise Rejected("too_few_columns" if width < len(titles) else "too_many_columns")
    rows = [dict(zip(titles, line, strict=True)) for line in lines]
    return [{name: row.get(name) for name in names} for row in rows]


def counts_equal_values(cells: Sequence[str]) -> bool:
    """Whether pandas made the row of one of data: all differ, and some are x.1, x.2, ... x.11."""
    if len(set(cells)) < len(cells):
        return False
    for first in cells:
        copies = [f"{first[:-2]}.{k}" for k in range(1, 12)]
        if first.endswith(".1") and [cell for cell in cells if cell in copies] == copies:
            return True
    return False


def has_data(cells: Sequence[str]) -> bool:
    """Whether a row has a number or an empty cell, as no row of titles has."""
    return any(cell == "" or number_of(cell) is not None for cell in cells)


def documents(text: str) -> list[object]:
    """One JSON document, one per line, or objects and lists that follow each other."""
    try:
        return [parsed(text)]
    except Rejected:
        lines = [line for line in text.split("\n") if line.strip(" \t\r")]
        try:
            if len(lines) > 1:
                return [parsed(line) for line in lines]
        except Rejected:
            pass
        following: list[object] = []
        rest = text.removeprefix("\ufeff").strip(" \t\r\n")
        while rest[:1] in ("{", "["):
            try:
                document, end = json.JSONDecoder(parse_int=whole).raw_decode(rest)
            except (ValueError, RecursionError):
                break
            following.append(document)
            rest = rest[end:].lstrip(" \t\r\n")
        if rest or len(following) < 2:
            raise
        return following


SERVERS = (
    *("instances", "predictions", "dataframe_records", "dataframe_split"),
    *("inputs", "outputs", "data", "features", "values"),
)
"""Keys at which model servers have rows, where none of the columns is."""


def json_rows(
    payload: object, names: Sequence[str], paths: dict[str, str], depth: int = 4
) -> list[dict[str, object]]:
    """Rows of a JSON payload.

    A list of lists or objects has a row each. Any other list is one row, or a row for each entry if
    the side has a single column."""
    entries = payload if isinstance(payload, list) else [payload]
    if isinstance(payload, list) and all(is_tensor(entry) for entry in payload):
        tensors = {entry["name"]: entry["data"] for entry in payload}
        if any(present(tensors, name, paths) for name in names):
            return by_place({name: tensors.get(name) for name in names})
    nested = [isinstance(entry, (list, dict)) for entry in entries]
    if any(nested) and not all(nested):
        raise Rejected("wrong_type")
    if not any(nested):
        entries = [[entry] for entry in entries] if len(names) == 1 else [entries]
    if payload == []:
        entries = []
    rows: list[dict[str, object]] = []
    for entry in entries:
        if isinstance(entry, dict):
            rows += object_rows(entry, names, paths, depth)
        else:
            assert isinstance(entry, list)
            rows.append(list_row(entry, names))
    return rows


def is_tensor(entry: object) -> bool:
    """Whether this is a column as KServe's protocol has it."""
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("data"), list)
    )


def present(row: Mapping[str, object], name: str, paths: dict[str, str]) -> bool:
    """Whether an object has a column, ``null`` included."""
    if name in row and name not in paths:
        return True
    holder: object = row
    for part in paths.get(name, name).split("."):
        if not isinstance(holder, dict) or part not in holder:
            return False
        holder = holder[part]
    return True


def object_rows(
    entry: dict[str, object], names: Sequence[str], paths: dict[str, str], depth: int
) -> list[dict[str, object]]:
    """Rows of an object: itself, its columns, or what a model server or pandas has in it."""
    if depth and not any(present(entry, name, paths) for name in names):
        titles, data = entry.get("columns"), entry.get("data")
        if isinstance(titles, list) and isinstance(data, list):
            return split_rows([str(title) for title in titles], data, names, paths)
        for key in SERVERS:
            if isinstance(entry.get(key), (list, dict)):
                return json_rows(entry[key], names, paths, depth - 1)
        rows = list(entry.values())
        labelled = [isinstance(r, dict) and any(present(r, n, paths) for n in names) for r in rows]
        if rows and all(labelled):
            return json_rows(rows, names, paths, depth - 1)
    cells = {name: named(entry, name, paths) for name in names}
    given = [cell for cell in cells.values() if cell is not None]
    if given and all(isinstance(cell, list) for cell in given):
        return by_place(cells)
    if given and all(isinstance(cell, dict) and cell for cell in given):
        labels = [set(cell) for cell in given]  # type: ignore[call-overload]
        if all(label.isdigit() for of_cell in labels for label in of_cell):
            if any(of_cell != labels[0] for of_cell in labels):
                raise Rejected("row_count")
            order = list(given[0])  # type: ignore[call-overload]
            lists = {
                name: [cell[label] for label in order] if isinstance(cell, dict) else None
                for name, cell in cells.items()
            }
            return by_place(lists)
    return [{name: cell_of(cell) for name, cell in cells.items()}]


def by_place(cells: Mapping[str, object]) -> list[dict[str, object]]:
    """A row for each place in the lists of the columns; a column without a list is missing."""
    lengths = {len(cell) for cell in cells.values() if isinstance(cell, list)}
    if len(lengths) != 1:
        raise Rejected("row_count")
    return [
        {name: cell_of(cell[i]) if isinstance(cell, list) else None for name, cell in cells.items()}
        for i in range(lengths.pop())
    ]


def split_rows(
    titles: list[str], data: list[object], names: Sequence[str], paths: dict[str, str]
) -> list[dict[str, object]]:
    """Rows of lists beside their titles, as ``to_json(orient="split")`` writes them."""
    if not any(title in names for title in titles):
        return json_rows(data, names, paths, 0)
    rows = []
    for row in data:
        if not isinstance(row, list):
            raise Rejected("wrong_type")
        if len(row) != len(titles):
            raise Rejected("too_few_columns" if len(row) < len(titles) else "too_many_columns")
        by_title = dict(zip(titles, row, strict=True))
        rows.append({name: cell_of(by_title.get(name)) for name in names})
    return rows


def list_row(entry: list[object], names: Sequence[str]) -> dict[str, object]:
    if len(entry) != len(names):
        raise Rejected("too_few_columns" if len(entry) < len(names) else "too_many_columns")
    return {name: cell_of(cell) for name, cell in zip(names, entry, strict=True)}
