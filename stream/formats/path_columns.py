"""Reads the values at some paths of many JSON documents as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stream.formats.faults import MalformedRecord, RecordFault, type_name
from stream.formats.json_paths import Documents, Path, PathReader, value_at
from stream.formats.json_text import load_json


class PathColumns:
    """The values at some paths, one column for each path; an empty path has no values.

    ``others`` are further paths with the types of their values, which are decoded with the same
    documents; :attr:`others_at` is the index of the first one in the documents, ``None`` where they
    cannot be decoded together.
    """

    def __init__(
        self, paths: Sequence[Path], others: Sequence[Path] = (), types: Sequence[Any] = ()
    ) -> None:
        self._paths = paths
        self._present = [path for path in dict.fromkeys(paths) if path]
        kinds = [Any] * len(self._present)
        together = PathReader([*self._present, *others], [*kinds, *types])
        self.others_at = len(self._present) if others and together.usable else None
        self._reader = together if together.usable else PathReader(self._present, kinds)

    def decode(self, values: Sequence[bytes | None], rejects: dict[int, RecordFault]) -> Documents:
        """Decode records; those of another type are parsed in full. Adds to ``rejects``."""
        documents = self._reader.read(values)
        loaded: dict[int, dict[str, object]] = {}
        for i in documents.failed:
            try:
                loaded[i] = _load(values[i])
            except MalformedRecord as problem:
                rejects.setdefault(i, problem.fault)
        return documents._replace(loaded=loaded)

    def columns(self, documents: Documents, count: int) -> list[list[Any]]:
        """Return the columns of ``count`` records, ``None`` where a record has no value."""
        columns: dict[Path, list[Any]] = {(): [None] * count}
        for k, path in enumerate(self._present):
            columns[path] = documents.values(k) if documents.getters else [None] * count
            for i, document in documents.loaded.items():
                columns[path][i] = value_at(document, path)
        return [columns[path] for path in self._paths]


def _load(value: bytes | None) -> dict[str, object]:
    if value is None:
        raise MalformedRecord("tombstone")
    return load_object(value)


def load_object(value: bytes) -> dict[str, object]:
    """Parse a record that must be an object; raises ``MalformedRecord``."""
    document = load_json(value)
    if not isinstance(document, dict):
        raise MalformedRecord("not_an_object", f"the record is {type_name(document)}")
    return document
