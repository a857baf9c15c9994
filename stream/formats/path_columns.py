"""Reads the values at some paths of many JSON documents as columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stream.formats.faults import MalformedRecord, RecordFault, type_name
from stream.formats.json_paths import Path, PathReader, value_at
from stream.formats.json_text import load_json


class PathColumns:
    """The values at some paths, one column for each path; an empty path has no values."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._present = [path for path in dict.fromkeys(paths) if path]
        self._reader = PathReader(self._present, [Any] * len(self._present))

    def read(
        self, values: Sequence[bytes | None], rejects: dict[int, RecordFault]
    ) -> list[Sequence[Any]]:
        """Return the columns, with ``None`` where a record has no value; adds to ``rejects``."""
        nothing = [None] * len(self._present)
        rows = read_all(values, self._reader, self._read_slowly, rejects, nothing)
        columns = dict(zip(self._present, zip(*rows, strict=True), strict=bool(rows)))
        return [columns.get(path, [None] * len(values)) for path in self._paths]

    def _read_slowly(self, value: bytes) -> Sequence[Any]:
        document = load_object(value)
        return [value_at(document, path) for path in self._present]


def read_all(
    values: Sequence[bytes | None],
    reader: PathReader,
    read_slowly: Callable[[bytes], Sequence[Any]],
    rejects: dict[int, RecordFault],
    nothing: Sequence[Any],
) -> list[Sequence[Any]]:
    """Return the values of each document, with ``read_slowly`` where the reader fails.

    ``nothing`` replaces the values of a rejected document.
    """
    rows: list[Sequence[Any]] = []
    for k, value in enumerate(values):
        try:
            rows.append(reader.read(value))
        except (ValueError, TypeError, RecursionError):
            try:
                rows.append(read_slowly(value) if value is not None else _tombstone())
            except MalformedRecord as problem:
                rejects.setdefault(k, problem.fault)
                rows.append(nothing)
    return rows


def load_object(value: bytes) -> dict[str, object]:
    """Parse a record that must be an object; raises ``MalformedRecord``."""
    document = load_json(value)
    if not isinstance(document, dict):
        raise MalformedRecord("not_an_object", f"the record is {type_name(document)}")
    return document


def _tombstone() -> Sequence[Any]:
    raise MalformedRecord("tombstone")
