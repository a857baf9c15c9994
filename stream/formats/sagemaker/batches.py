"""Capture lines of one schema: from envelopes to columns, many at once where that is safe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.wide_batch import side_by_side
from stream.events import EventBatch
from stream.formats.base import Schema
from stream.formats.csv_batch import CsvTable, JoinedPayloads, join
from stream.formats.rows import (
    MalformedRecord,
    Row,
    RowShape,
    columns_of_rows,
    misfit,
    plain,
    rows_of,
)
from stream.formats.sagemaker.envelope import ContentTypes, Event

_CONTENT_TYPES: Final = ContentTypes()
KINDS: Final = ("CSV", "JSON")


class PayloadGroup(NamedTuple):
    """Records that have the same sides: for each side the payload of every record, and its kind.

    ``kinds`` is ``None`` where every payload is CSV.
    """

    sides: tuple[int, ...]
    members: NDArray[np.int64]
    payloads: list[list[str]]
    kinds: list[list[str]] | None


class CaptureTable:
    """Makes batches of the records of one schema."""

    def __init__(self, number: int, schema: Schema, shapes: tuple[RowShape, RowShape]) -> None:
        self._number, self._schema, self._shapes = number, schema, shapes
        self._sides = tuple(side for side, shape in enumerate(shapes) if shape.names)
        self._joinable = not any(shape.header for shape in shapes)
        self._tables = [CsvTable(shape.names, schema.types) for shape in shapes]
        self._leaves = [shape.leaves(schema.types) for shape in shapes]

    def read(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, str],
    ) -> list[EventBatch]:
        """Batches of these records; what cannot be taken is told in ``rejects``."""
        if not len(members):
            return []
        chosen = events if len(members) == len(events) else [events[i] for i in members.tolist()]
        groups = self._groups(members, chosen, values, rejects)
        batches: list[EventBatch] = []
        for group in groups:
            alone = (
                self._together(group, batches, rejects)
                if self._joinable and group.kinds is None
                else range(len(group.members))
            )
            self._one_by_one(group, alone, batches, rejects)
        return batches

    def _groups(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, str],
    ) -> list[PayloadGroup]:
        group = self._alike(members, events)
        if group:
            return [group]
        usual = [all(_encoding(event, side) == "CSV" for side in self._sides) for event in events]
        rest = [k for k, yes in enumerate(usual) if not yes]
        groups = self._grouped(members[rest], [events[k] for k in rest], values, rejects)
        group = self._alike(
            np.delete(members, rest),
            [event for event, yes in zip(events, usual, strict=True) if yes],
        )
        return [*groups, group] if group else groups

    def _alike(self, members: NDArray[np.int64], events: Sequence[Event]) -> PayloadGroup | None:
        """The usual case: every record has every side, and each side has one encoding, CSV or JSON."""
        if not events:
            return None
        captures = [event.captureData for event in events]
        # Attributes that are written out are read twice as fast as those that are asked for by
        # name.
        found = [
            [c.endpointInput for c in captures] if side else [c.endpointOutput for c in captures]
            for side in self._sides
        ]
        try:
            kinds: list[list[str]] = [[side.encoding for side in sides] for sides in found]  # type: ignore[union-attr]  # caught
            if not all(kind[0] in KINDS and kind.count(kind[0]) == len(members) for kind in kinds):
                return None
            payloads = [[side.data for side in sides] for sides in found]  # type: ignore[union-attr]  # caught
        except AttributeError:
            return None
        return PayloadGroup(
            self._sides,
            members,
            payloads,
            kinds if any(kind[0] != "CSV" for kind in kinds) else None,
        )

    def _grouped(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, str],
    ) -> list[PayloadGroup]:
        found: dict[tuple[bool, tuple[int, ...]], list[tuple[int, list[tuple[str, str]]]]] = {}
        for i, event in zip(members.tolist(), events, strict=True):
            try:
                parts = {
                    side: part for side in self._sides if (part := _part(event, side, values[i]))
                }
            except MalformedRecord as problem:
                rejects[i] = problem.reason
                continue
            if not parts:
                rejects[i] = "payload_missing"
                continue
            csv = all(kind == "CSV" for _, kind in parts.values())
            found.setdefault((csv, tuple(parts)), []).append((i, list(parts.values())))
        return [_group(csv, sides, entries) for (csv, sides), entries in found.items()]

    def _together(
        self, group: PayloadGroup, batches: list[EventBatch], rejects: dict[int, str]
    ) -> Sequence[int]:
        """Read a group at once; what is left must be read one by one."""
        joined = self._joined(group)
        alone = _alone(group, joined)
        if len(alone):
            group = _without(group, alone)
            joined = self._joined(group)
        if len(group.members) and not self._tables_of(group, joined, batches, rejects):
            return range(len(group.members) + len(alone))
        return alone

    def _joined(self, group: PayloadGroup) -> list[JoinedPayloads]:
        widths = [len(self._shapes[side].names) for side in group.sides]
        return [
            join(payloads, width) for payloads, width in zip(group.payloads, widths, strict=True)
        ]

    def _tables_of(
        self,
        group: PayloadGroup,
        joined: Sequence[JoinedPayloads],
        batches: list[EventBatch],
        rejects: dict[int, str],
    ) -> bool:
        rows = joined[0].rows
        record = group.members if rows is None else np.repeat(group.members, rows)
        tables: list[tuple[Mapping[str, Column], NDArray[np.int64]]] = []
        for side, text in zip(group.sides, joined, strict=True):
            table = self._tables[side].read(text.data, len(record), text.quoted)
            if table is None:
                return False
            tables.append(table)
        lost = [refused for _, refused in tables if len(refused)]
        if lost:
            bad = np.unique(record[np.concatenate(lost)])
            rejects.update(
                (int(group.members[k]), self._misfit(group, k))
                for k in np.searchsorted(group.members, bad).tolist()
            )
            keep = ~np.isin(record, bad)
            record = record[keep]
            tables = [
                ({n: pick(c, np.delete(keep, refused)) for n, c in part.items()}, refused)
                for part, refused in tables
            ]
        if len(record):
            batches.append(
                EventBatch(self._number, record, side_by_side([part for part, _ in tables]))
            )
        return True

    def _misfit(self, group: PayloadGroup, k: int) -> str:
        """Whether the first row of a record that does not fit has too few or too many cells: the
        exact road's answer, by counting.
        """
        for p, side in enumerate(group.sides):
            text, width = group.payloads[p][k], len(self._shapes[side].names)
            if '"' in text:
                return self._refusal(group, k)
            counts = (line.count(",") + 1 for line in text.removesuffix("\n").split("\n"))
            wrong = next((cells for cells in counts if cells != width), None)
            if wrong is not None:
                return misfit(wrong, width)
        return self._refusal(group, k)

    def _refusal(self, group: PayloadGroup, k: int) -> str:
        try:
            self._rows(group, k)
        except MalformedRecord as problem:
            return problem.reason
        return "row_count"

    def _one_by_one(
        self,
        group: PayloadGroup,
        alone: Sequence[int],
        batches: list[EventBatch],
        rejects: dict[int, str],
    ) -> None:
        rows: list[Row] = []
        record: list[int] = []
        for k in alone:
            i = int(group.members[k])
            try:
                made = self._rows(group, k)
            except MalformedRecord as problem:
                rejects[i] = problem.reason
                continue
            rows.extend(made)
            record.extend([i] * len(made))
        if rows:
            names = [name for side in group.sides for name in self._shapes[side].names]
            columns = columns_of_rows(rows, names, self._schema.types)
            batches.append(EventBatch(self._number, np.array(record, np.int64), columns))

    def _rows(self, group: PayloadGroup, k: int) -> list[Row]:
        parts = [
            self._side(side, group.payloads[p][k], group.kinds[p][k] if group.kinds else "CSV")
            for p, side in enumerate(group.sides)
        ]
        if len(set(map(len, parts))) != 1:
            raise MalformedRecord("row_count")
        return (
            parts[0] if len(parts) == 1 else [[*chain(*rows)] for rows in zip(*parts, strict=True)]
        )

    def _side(self, side: int, text: str, kind: str) -> list[Row]:
        if kind == "JSON" and not self._shapes[side].rows:
            try:
                return [self._leaves[side].read(text)]
            except (ValueError, RecursionError):
                pass
        return rows_of(text, kind, self._shapes[side])


def pick(column: Column, keep: NDArray[np.bool_]) -> Column:
    """The rows of a column where ``keep`` is true."""
    if isinstance(column, Texts):
        return Texts(column.values.filter(pa.array(keep)))
    return Numbers(
        column.values[keep], None if column.slots is None else column.slots[keep], column.integral
    )


def _encoding(event: Event, side: int) -> str | None:
    payload = event.captureData.endpointInput if side else event.captureData.endpointOutput
    return payload.encoding if payload else None


def _part(event: Event, side: int, value: bytes | None) -> tuple[str, str] | None:
    payload = event.captureData.endpointInput if side else event.captureData.endpointOutput
    if payload is None:
        return None
    content_type = _CONTENT_TYPES.of(value, side) if payload.encoding == "BASE64" else None
    return plain(payload.data, payload.encoding, content_type)


def _group(
    csv: bool, sides: tuple[int, ...], entries: list[tuple[int, list[tuple[str, str]]]]
) -> PayloadGroup:
    members = np.array([i for i, _ in entries], np.int64)
    payloads = [[parts[p][0] for _, parts in entries] for p in range(len(sides))]
    kinds = None if csv else [[parts[p][1] for _, parts in entries] for p in range(len(sides))]
    return PayloadGroup(sides, members, payloads, kinds)


def _alone(group: PayloadGroup, joined: Sequence[JoinedPayloads]) -> list[int]:
    """Places in the group of payloads that must leave it, or whose sides seem to have different
    numbers of rows.
    """
    leaves = np.zeros(len(group.members), bool)
    first = joined[0].rows
    for text in joined:
        leaves[text.alone] = True
        if text.rows is not None or first is not None:
            leaves |= (1 if text.rows is None else text.rows) != (1 if first is None else first)
    alone: list[int] = np.flatnonzero(leaves).tolist()
    return alone


def _without(group: PayloadGroup, places: Sequence[int]) -> PayloadGroup:
    keep = np.ones(len(group.members), bool)
    keep[list(places)] = False
    kept = np.flatnonzero(keep).tolist()
    return PayloadGroup(
        group.sides,
        group.members[keep],
        [[payloads[k] for k in kept] for payloads in group.payloads],
        None,
    )
