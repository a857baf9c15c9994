"""Format ``json``: one JSON object a record, flat or nested; each column lies at a path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream.events import DecodedRecords, EventBatch, RawBatch
from stream.formats.base import Decoder, DecodingPlan, Format, IdentityConfig, Schema
from stream.formats.identity import IdentityResolver, Records
from stream.formats.json_paths import LEAF_TYPES, Parts, PathReader, dig, find, own_path
from stream.formats.rows import Cell, MalformedRecord, cell_of, column_of, load_json, readable


class Json(Format, frozen=True, tag="json"):
    """Objects that hold features, predictions, an id and a time (at ``time`` unless the
    configuration says where).

    ``features``: the dotted path of the object that holds the features (empty: the event itself),
    each under its own name; or a path for each feature that does not go by its own name.
    ``prediction`` likewise; for a model with one output column a path leads to the value itself.
    ``id`` and ``inference_id`` are paths to text or an integer. A name with a dot that has no path
    is tried as a key, then as a path. An absent key, or an absent object, is a missing value.
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
        """The columns that have a path of their own."""
        return {
            key: one
            for key, one in (("features", self.features), ("prediction", self.prediction))
            if isinstance(one, dict)
        }

    def has_id(self, which: str) -> bool:
        """Whether a path to that id is given."""
        return bool(self.id if which == "event_id" else self.inference_id)

    def open(self, origin: IdentityConfig, plan: DecodingPlan) -> Decoder:
        """A decoder for the schemas of this plan."""
        return JsonDecoder(self, origin, plan)

    def places(self, schema: Schema) -> list[tuple[str, ColumnPaths]]:
        """Every column of a schema and where it lies, the answer's columns first."""
        answer = _place(self.prediction)
        if len(schema.outputs) == 1 and answer.holder:
            answer = ColumnPaths((), {schema.outputs[0]: ".".join(answer.holder)})
        request = _place(self.features)
        return [
            *((name, answer) for name in schema.outputs),
            *((name, request) for name in schema.inputs),
        ]


class ColumnPaths(NamedTuple):
    """The object that holds a column, and the paths in it of columns that do not go by their own
    name.
    """

    holder: Parts
    paths: dict[str, str]

    def parts(self, name: str) -> Parts:
        """The path of a column; none if its name may be a key or a path."""
        own = own_path(name, self.paths)
        return (*self.holder, *own) if own else ()

    def cell(self, document: object, name: str) -> Cell:
        """The cell of a column, looked for step by step; raises
        :class:`~stream.formats.rows.MalformedRecord`.
        """
        row = dig(document, self.holder)
        if row is not None and not isinstance(row, dict):
            raise MalformedRecord("wrong_type")
        return cell_of(find(row or {}, name, self.paths))


class JsonDecoder:
    """Decodes events in two looks: first when and who, then the columns of each schema's events."""

    def __init__(self, form: Json, origin: IdentityConfig, plan: DecodingPlan) -> None:
        self._origins = IdentityResolver(origin, plan, form.time_path)
        paths = [self._origins.time.path, form.id, form.inference_id]
        self._head = [_parts(path) for path in paths]
        self._asked = [k for k, parts in enumerate(self._head) if parts]
        self._leaves = PathReader([self._head[k] for k in self._asked], [Any] * len(self._asked))
        self._tables = [JsonTable(s, schema, form) for s, schema in enumerate(plan.schemas)]

    def decode(self, raws: Sequence[RawBatch]) -> DecodedRecords:
        """Reasons of rejection, the first that holds: ``tombstone``, ``undecodable``,
        ``not_an_object``, ``time_missing``, ``time_absurd``, ``unknown_model``, then for the ids,
        the answer and the features, in this order, ``wrong_type`` (a list or an object where a
        value should be, a value where an object should be) or ``undecodable`` (text that is not
        UTF-8).
        """
        records = Records(raws)
        rejects: dict[int, str] = {}
        heads = _read_all(
            records.values, self._leaves, self._slow_head, rejects, [None] * len(self._asked)
        )
        found: list[Sequence[Any]] = [[None] * len(heads)] * len(self._head)
        for k, column in zip(self._asked, zip(*heads, strict=True), strict=bool(heads)):
            found[k] = column
        told = self._origins.of(records, found[0], rejects)
        ids = [_ids(column, rejects) for column in found[1:]]
        batches = [
            batch
            for s, members in told.by_schema(rejects)
            for batch in self._tables[s].read(members, records.values, rejects)
        ]
        return told.decoded(batches, rejects, ids[0], ids[1])

    def _slow_head(self, value: bytes) -> Sequence[Any]:
        document = load_json(value)
        if not isinstance(document, dict):
            raise MalformedRecord("not_an_object")
        return [dig(document, self._head[k]) for k in self._asked]


class JsonTable:
    """Makes batches of the events of one schema."""

    def __init__(self, number: int, schema: Schema, form: Json) -> None:
        self._number, self._types = number, schema.types
        self._places = form.places(schema)
        parts = [place.parts(name) for name, place in self._places]
        self._leaves = PathReader(
            parts, [LEAF_TYPES[schema.types[name]] for name, _ in self._places]
        )

    def read(
        self, members: NDArray[np.int64], values: Sequence[bytes | None], rejects: dict[int, str]
    ) -> list[EventBatch]:
        """One batch of these records, or none; what cannot be taken is told in ``rejects``."""
        lost: dict[int, str] = {}
        rows = _read_all(
            [values[i] for i in members.tolist()], self._leaves, self._slow_cells, lost, ()
        )
        if lost:
            rejects.update({int(members[k]): reason for k, reason in lost.items()})
            rows = [row for k, row in enumerate(rows) if k not in lost]
            members = np.delete(members, list(lost))
        if not rows:
            return []
        names = [name for name, _ in self._places]
        columns = {
            name: column_of(cells, self._types[name])
            for name, cells in zip(names, zip(*rows, strict=True), strict=True)
        }
        return [EventBatch(self._number, members, columns)]

    def _slow_cells(self, value: bytes) -> Sequence[Cell]:
        document = load_json(value)
        return [place.cell(document, name) for name, place in self._places]


def _read_all(
    values: Sequence[bytes | None],
    leaves: PathReader,
    slow: Callable[[bytes], Sequence[Any]],
    rejects: dict[int, str],
    nothing: Sequence[Any],
) -> list[Sequence[Any]]:
    """The leaves of each document, where need be by the slow road; ``nothing`` where there is a
    reason to reject it.
    """
    out: list[Sequence[Any]] = []
    for k, value in enumerate(values):
        try:
            out.append(leaves.read(value))
        except (ValueError, TypeError, RecursionError):
            try:
                out.append(slow(value) if value is not None else _tombstone())
            except MalformedRecord as problem:
                rejects[k] = problem.reason
                out.append(nothing)
    return out


def _tombstone() -> Sequence[Any]:
    raise MalformedRecord("tombstone")


def _ids(cells: Sequence[Any], rejects: dict[int, str]) -> list[str | None]:
    ids: list[str | None] = []
    for i, cell in enumerate(cells):
        try:
            ids.append(None if cell is None or i in rejects else _id(cell))
        except MalformedRecord as problem:
            rejects[i] = problem.reason
            ids.append(None)
    return ids


def _id(cell: object) -> str:
    if isinstance(cell, bool) or not isinstance(cell, (str, int)):
        raise MalformedRecord("wrong_type")
    return readable(str(cell))


def _place(where: str | dict[str, str]) -> ColumnPaths:
    return ColumnPaths((), where) if isinstance(where, dict) else ColumnPaths(_parts(where), {})


def _parts(path: str) -> Parts:
    return tuple(path.split(".")) if path else ()
