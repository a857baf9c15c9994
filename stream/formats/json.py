"""Format ``json``: one JSON object per record, flat or nested; each column has a path."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events import DecodedRecords, EventBatch, RawBatch
from stream.formats.base import Decoder, DecodingPlan, Format, IdentityConfig, Schema
from stream.formats.faults import MalformedRecord, RecordFault, type_name, visible
from stream.formats.identity import IdentityResolver, Records
from stream.formats.json_paths import (
    LEAF_TYPES,
    Documents,
    Path,
    PathReader,
    find_column,
    unique_path,
    value_at,
)
from stream.formats.json_rows import Cell, cell_of, readable
from stream.formats.path_columns import PathColumns, load_object
from stream.formats.rows import columns_of_rows, typed_column


class Json(Format, frozen=True, tag="json"):
    """Objects with features, predictions, an id, and a time (at ``time`` unless configured).

    ``features`` is the dotted path of the object that holds the features (empty: the event itself),
    each under its own name; or a path for each feature that is not under its own name.
    ``prediction`` likewise; for a model with one output column a path leads to the value itself.
    ``id`` and ``inference_id`` are paths of text or an integer. A name with a dot and without a
    path is tried as a key, then as a path. An absent key, or an absent object, is a missing value.
    """

    time_path: ClassVar = "time"

    features: str | dict[str, str] = ""
    """The dotted path of the object that holds the features (empty: the event itself), or a path
    for each feature that is not under its own name.
    """
    prediction: str | dict[str, str] = ""
    """The same for the outputs; for a model with one output a path leads to the value itself."""
    id: str = ""
    """The dotted path of the event's id, text or an integer."""
    inference_id: str = ""
    """The dotted path of the inference id, text or an integer."""

    def named_columns(self) -> dict[str, Collection[str]]:
        """Return the columns with a path of their own."""
        keys = {"features": self.features, "prediction": self.prediction}
        return {key: paths for key, paths in keys.items() if isinstance(paths, dict)}

    def has_id(self, which: str) -> bool:
        """Return whether a path of that id is configured."""
        return bool(self.id if which == "event_id" else self.inference_id)

    def open(self, identity: IdentityConfig, plan: DecodingPlan) -> Decoder:
        """Return a decoder for the schemas of this plan."""
        return JsonDecoder(self, identity, plan)

    def paths(self, schema: Schema) -> list[tuple[str, ColumnPaths]]:
        """Return the columns of a schema with their paths, those of the response first."""
        response = _column_paths(self.prediction)
        if len(schema.outputs) == 1 and response.holder:
            response = ColumnPaths((), {schema.outputs[0]: ".".join(response.holder)})
        request = _column_paths(self.features)
        return [
            *((name, response) for name in schema.outputs),
            *((name, request) for name in schema.inputs),
        ]


class ColumnPaths(NamedTuple):
    """The path of the object that holds columns, and the dotted paths of columns in that object.

    A column without such a path is under its own name.
    """

    holder: Path
    paths: dict[str, str]

    def path(self, name: str) -> Path:
        """Return the path of a column; empty if its name may be a key or a path."""
        path = unique_path(name, self.paths)
        return (*self.holder, *path) if path else ()

    def cells(self, document: object, names: Sequence[str]) -> list[Cell]:
        """Return the cells of columns; raises :class:`~stream.formats.faults.MalformedRecord`."""
        row = value_at(document, self.holder)
        if row is not None and not isinstance(row, dict):
            detail = f"{visible('.'.join(self.holder))} holds {type_name(row)}"
            raise MalformedRecord("wrong_type", detail)
        values = [find_column(row or {}, name, self.paths) for name in names]
        return [
            cell_of(value, self.paths.get(name, name))
            for name, value in zip(names, values, strict=True)
        ]


class JsonDecoder:
    """Decodes events in two passes: time, model and ids, then the columns of each schema."""

    def __init__(self, form: Json, identity: IdentityConfig, plan: DecodingPlan) -> None:
        self._identity = IdentityResolver(identity, plan, form.time_path)
        self._ids = (form.id, form.inference_id)
        self._tables = [JsonTable(s, schema, form) for s, schema in enumerate(plan.schemas)]
        dotted = [self._identity.time.path, *self._ids, *self._identity.paths]
        alone = self._tables[0] if len(self._tables) == 1 else None
        self._heads = PathColumns(
            [_parsed(path) for path in dotted],
            alone.paths if alone else (),
            alone.leaf_types if alone else (),
        )

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        """Decode the records; a rejected one has the first reason that applies.

        ``tombstone``, ``undecodable``, ``several_objects``, ``not_an_object``, ``time_missing``,
        ``time_absurd``, ``invalid_name``, ``unknown_model``, then for the ids, the response and the
        features, in this order, ``wrong_type`` (a list or an object in place of a value, or a value
        in place of an object) or ``undecodable`` (text that is not UTF-8).
        """
        records = Records(raws)
        rejects: dict[int, RecordFault] = {}
        values = records.values
        documents = self._heads.decode(values, rejects)
        times, event_ids, inference_ids, *names = self._heads.columns(documents, len(values))
        identified = self._identity.resolve(records, times, names, rejects)
        ids = [
            _ids(column, path, rejects)
            for column, path in zip((event_ids, inference_ids), self._ids, strict=True)
        ]
        batches: list[EventBatch] = []
        for s, members in identified.by_schema(rejects):
            table = self._tables[s]
            chosen = values if len(members) == len(values) else [values[i] for i in members]
            first = self._heads.others_at
            if first is None:
                read = table.decode(chosen)
            else:
                read = documents if chosen is values else documents.take(members.tolist())
            batches += table.read(members, chosen, read, rejects, first or 0)
        return identified.decoded(batches, rejects, *ids)


class JsonTable:
    """Builds batches from the events of one schema.

    ``paths`` are the paths of its columns, and ``leaf_types`` the usual types of their values.
    """

    def __init__(self, number: int, schema: Schema, form: Json) -> None:
        self._number = number
        self._types = schema.types
        self._columns = form.paths(schema)
        self._sides = [
            (paths, [name for name, _ in columns])
            for paths, columns in groupby(self._columns, key=itemgetter(1))
        ]
        self.paths = [paths.path(name) for name, paths in self._columns]
        self.leaf_types = [LEAF_TYPES[schema.types[name].kind] for name, _ in self._columns]
        self._reader = PathReader(self.paths, self.leaf_types)

    def decode(self, values: Sequence[bytes | None]) -> Documents:
        """Decode events by the types of the columns."""
        return self._reader.read(values)

    def read(
        self,
        members: NDArray[np.int64],
        values: Sequence[bytes | None],
        documents: Documents,
        rejects: dict[int, RecordFault],
        first: int,
    ) -> list[EventBatch]:
        """Return the batches of the ``members``: the decoded ones, and those read one by one.

        ``values`` and ``documents`` are theirs; the path of column ``k`` is path ``first + k`` of
        the documents. Adds to ``rejects``.
        """
        failed = documents.failed
        loaded = [documents.loaded.get(k) for k in failed]
        batches = self._read_one_by_one(
            members[failed], [values[k] for k in failed], loaded, rejects
        )
        if failed:
            decoded = np.delete(np.arange(len(members)), failed)
            members, documents = members[decoded], documents.take(decoded.tolist())
        if len(members):
            columns = {
                name: typed_column(documents.values(first + k), self._types[name])
                for k, (name, _) in enumerate(self._columns)
            }
            batches.append(EventBatch(self._number, members, columns))
        return batches

    def _read_one_by_one(
        self,
        members: NDArray[np.int64],
        values: Sequence[bytes | None],
        loaded: Sequence[dict[str, object] | None],
        rejects: dict[int, RecordFault],
    ) -> list[EventBatch]:
        rows: list[Sequence[Cell]] = []
        kept: list[int] = []
        for i, value, known in zip(members.tolist(), values, loaded, strict=True):
            try:
                document = load_object(value or b"") if known is None else known
                rows.append([*chain.from_iterable(p.cells(document, n) for p, n in self._sides)])
            except MalformedRecord as problem:
                rejects[i] = problem.fault
            else:
                kept.append(i)
        if not rows:
            return []
        columns = columns_of_rows(rows, [name for name, _ in self._columns], self._types)
        return [EventBatch(self._number, np.array(kept, np.int64), columns)]


def _ids(values: Sequence[Any], path: str, rejects: dict[int, RecordFault]) -> list[str | None]:
    if _are_readable(values):
        return list(values)
    ids: list[str | None] = []
    for i, value in enumerate(values):
        try:
            ids.append(None if value is None or i in rejects else _id(value, path))
        except MalformedRecord as problem:
            rejects[i] = problem.fault
            ids.append(None)
    return ids


def _are_readable(values: Sequence[Any]) -> bool:
    """Return whether all values are absent, or text that can be encoded."""
    if not set(map(type, values)) <= {str, type(None)}:
        return False
    try:
        "".join(filter(None, values)).encode()
    except UnicodeEncodeError:
        return False
    return True


def _id(value: object, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise MalformedRecord("wrong_type", f"{visible(path)} holds {type_name(value)}")
    return readable(str(value), path)


def _column_paths(where: str | dict[str, str]) -> ColumnPaths:
    return ColumnPaths((), where) if isinstance(where, dict) else ColumnPaths(_parsed(where), {})


def _parsed(path: str) -> Path:
    return tuple(path.split(".")) if path else ()
