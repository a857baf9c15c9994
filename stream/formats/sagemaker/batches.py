"""Decodes the payloads of one schema into columns, many payloads at once where that is safe."""

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
from stream.formats.csv_rows import width_mismatch
from stream.formats.faults import MalformedRecord, RecordFault
from stream.formats.json_paths import Documents
from stream.formats.json_rows import Row, RowShape
from stream.formats.rows import (
    columns_of_rows,
    decode_payload,
    payload_reader,
    rows_of,
    typed_column,
)
from stream.formats.sagemaker.envelope import ContentTypes, Event

_CONTENT_TYPES: Final = ContentTypes()
KINDS: Final = ("CSV", "JSON")

DecodedPayload = tuple[str, str]
"""A payload as text, and its kind."""
ParsedSide = tuple[Mapping[str, Column], NDArray[np.int64]]
"""The columns of a side, and the indices of the rows that have a wrong width."""


class PayloadGroup(NamedTuple):
    """Records with the same sides.

    ``members`` are their indices in the decoded records. For each side there is the payload of
    every record, and its kind; ``kinds`` is ``None`` if every payload is CSV.
    """

    sides: tuple[int, ...]
    members: NDArray[np.int64]
    payloads: list[list[str]]
    kinds: list[list[str]] | None


class CaptureTable:
    """Builds batches from the records of one schema."""

    def __init__(self, number: int, schema: Schema, shapes: tuple[RowShape, RowShape]) -> None:
        self._number = number
        self._schema = schema
        self._shapes = shapes
        self._sides = tuple(side for side, shape in enumerate(shapes) if shape.names)
        self._joinable = not any(shape.header for shape in shapes)
        self._tables = [CsvTable(shape.names, schema.types) for shape in shapes]
        self._readers = [payload_reader(shape, schema.types) for shape in shapes]

    def read(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, RecordFault],
    ) -> list[EventBatch]:
        """Return batches of the ``members``; adds to ``rejects``."""
        if not len(members):
            return []
        chosen = events if len(members) == len(events) else [events[i] for i in members.tolist()]
        batches: list[EventBatch] = []
        for group in self._groups(members, chosen, values, rejects):
            remaining: Sequence[int] = range(len(group.members))
            if group.kinds is not None:
                remaining = self._read_objects(group, group.kinds, batches)
            elif self._joinable:
                remaining = self._read_together(group, batches, rejects)
            self._read_one_by_one(group, remaining, batches, rejects)
        return batches

    def _groups(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, RecordFault],
    ) -> list[PayloadGroup]:
        """Group the records by their sides; those with CSV on all sides are one group."""
        group = self._uniform_group(members, events)
        if group:
            return [group]
        usual = [all(_encoding(event, side) == "CSV" for side in self._sides) for event in events]
        others = [k for k, is_usual in enumerate(usual) if not is_usual]
        groups = self._mixed_groups(members[others], [events[k] for k in others], values, rejects)
        group = self._uniform_group(
            np.delete(members, others),
            [event for event, is_usual in zip(events, usual, strict=True) if is_usual],
        )
        return [*groups, group] if group else groups

    def _uniform_group(
        self, members: NDArray[np.int64], events: Sequence[Event]
    ) -> PayloadGroup | None:
        """Return the records as one group in the usual case, else ``None``.

        Every record must have every side, and each side a single encoding, CSV or JSON.
        """
        if not events:
            return None
        captures = [event.captureData for event in events]
        # Literal attribute access is twice as fast as getattr().
        sides = [
            [c.endpointInput for c in captures] if side else [c.endpointOutput for c in captures]
            for side in self._sides
        ]
        try:
            kinds: list[list[str]] = [[side.encoding for side in of] for of in sides]  # type: ignore[union-attr]  # caught
            if not all(kind[0] in KINDS and kind.count(kind[0]) == len(members) for kind in kinds):
                return None
            payloads = [[side.data for side in of] for of in sides]  # type: ignore[union-attr]  # caught
        except AttributeError:
            return None
        only_csv = all(kind[0] == "CSV" for kind in kinds)
        return PayloadGroup(self._sides, members, payloads, None if only_csv else kinds)

    def _mixed_groups(
        self,
        members: NDArray[np.int64],
        events: Sequence[Event],
        values: Sequence[bytes | None],
        rejects: dict[int, RecordFault],
    ) -> list[PayloadGroup]:
        """Group records one by one, by their sides and by whether all of them are CSV."""
        entries: dict[tuple[bool, tuple[int, ...]], list[tuple[int, list[DecodedPayload]]]] = {}
        for i, event in zip(members.tolist(), events, strict=True):
            try:
                payloads = self._payloads(event, values[i])
            except MalformedRecord as problem:
                rejects[i] = problem.fault
                continue
            only_csv = all(kind == "CSV" for _, kind in payloads.values())
            group = only_csv, tuple(payloads)
            entries.setdefault(group, []).append((i, list(payloads.values())))
        return [_group(only_csv, sides, of) for (only_csv, sides), of in entries.items()]

    def _payloads(self, event: Event, value: bytes | None) -> dict[int, DecodedPayload]:
        """Return the payloads of a record, by side; ``payload_missing`` if it has none."""
        payloads: dict[int, DecodedPayload] = {}
        for side in self._sides:
            payload = _payload(event, side, value, self._shapes[side].side)
            if payload is not None:
                payloads[side] = payload
        if not payloads:
            sides = " and no ".join(self._shapes[side].side for side in self._sides)
            raise MalformedRecord("payload_missing", f"no {sides}")
        return payloads

    def _read_objects(
        self, group: PayloadGroup, kinds: list[list[str]], batches: list[EventBatch]
    ) -> Sequence[int]:
        """Read the records whose sides are JSON objects of one row; return all others."""
        others: set[int] = set()
        sides: list[Documents] = []
        for p, side in enumerate(group.sides):
            if self._shapes[side].rows or not self._readers[side].usable:
                return range(len(group.members))
            documents = self._readers[side].read(group.payloads[p])
            others.update(documents.failed)
            if kinds[p].count("JSON") != len(kinds[p]):
                others.update(k for k, kind in enumerate(kinds[p]) if kind != "JSON")
            others.update(documents.empty())
            sides.append(documents)
        members = group.members
        if others:
            chosen = [k for k in range(len(members)) if k not in others]
            members = members[chosen]
            sides = [documents.take(chosen) for documents in sides]
        if len(members):
            columns = {
                name: typed_column(documents.values(k), self._schema.types[name])
                for side, documents in zip(group.sides, sides, strict=True)
                for k, name in enumerate(self._shapes[side].names)
            }
            batches.append(EventBatch(self._number, members, columns))
        return sorted(others)

    def _read_together(
        self, group: PayloadGroup, batches: list[EventBatch], rejects: dict[int, RecordFault]
    ) -> Sequence[int]:
        """Read a group at once; return the indices of the records to be read one by one."""
        joined = self._joined(group)
        unsafe = _unsafe(group, joined)
        safe = group
        if len(unsafe):
            safe = _without(group, unsafe)
            joined = self._joined(safe)
        if len(safe.members) and not self._read_joined(safe, joined, batches, rejects):
            return range(len(group.members))
        return unsafe

    def _joined(self, group: PayloadGroup) -> list[JoinedPayloads]:
        shapes = [self._shapes[side] for side in group.sides]
        return [
            join(payloads, shape.names, shape.names_count)
            for payloads, shape in zip(group.payloads, shapes, strict=True)
        ]

    def _read_joined(
        self,
        group: PayloadGroup,
        joined: Sequence[JoinedPayloads],
        batches: list[EventBatch],
        rejects: dict[int, RecordFault],
    ) -> bool:
        """Parse joined payloads into a batch; return false if the rows do not add up."""
        rows = joined[0].rows
        record = group.members if rows is None else np.repeat(group.members, rows)
        parts: list[ParsedSide] = []
        for side, text in zip(group.sides, joined, strict=True):
            part = self._tables[side].read(text.data, len(record), text.quoted)
            if part is None:
                return False
            parts.append(part)
        columns = [part for part, _ in parts]
        refused = [wrong for _, wrong in parts if len(wrong)]
        if refused:
            rejected = np.unique(record[np.concatenate(refused)])
            for k in np.searchsorted(group.members, rejected).tolist():
                rejects[int(group.members[k])] = self._width_fault(group, k)
            keep = ~np.isin(record, rejected)
            record = record[keep]
            columns = [_kept(part, keep) for part in parts]
        if len(record):
            batches.append(EventBatch(self._number, record, side_by_side(columns)))
        return True

    def _width_fault(self, group: PayloadGroup, k: int) -> RecordFault:
        """Return the fault of the first row with a wrong width.

        The result is that of :func:`~stream.formats.rows.rows_of`, but found by counting commas.
        """
        for p, side in enumerate(group.sides):
            text = group.payloads[p][k]
            if '"' in text:
                break
            width = len(self._shapes[side].names)
            lines = text.removesuffix("\n").split("\n")
            for number, line in enumerate(lines, 1):
                cells = line.count(",") + 1
                if cells != width:
                    row = number if len(lines) > 1 else 0
                    return width_mismatch(cells, width, self._shapes[side].side, row).fault
        return self._exact_fault(group, k)

    def _exact_fault(self, group: PayloadGroup, k: int) -> RecordFault:
        try:
            self._rows(group, k)
        except MalformedRecord as problem:
            return problem.fault
        return RecordFault("row_count")

    def _read_one_by_one(
        self,
        group: PayloadGroup,
        indices: Sequence[int],
        batches: list[EventBatch],
        rejects: dict[int, RecordFault],
    ) -> None:
        rows: list[Row] = []
        record: list[int] = []
        for k in indices:
            i = int(group.members[k])
            try:
                of_record = self._rows(group, k)
            except MalformedRecord as problem:
                rejects[i] = problem.fault
                continue
            rows.extend(of_record)
            record.extend([i] * len(of_record))
        if rows:
            names = [name for side in group.sides for name in self._shapes[side].names]
            columns = columns_of_rows(rows, names, self._schema.types)
            batches.append(EventBatch(self._number, np.array(record, np.int64), columns))

    def _rows(self, group: PayloadGroup, k: int) -> Sequence[Row]:
        """Return the rows of a record, with the cells of all its sides."""
        kinds = group.kinds  # a comprehension: this runs for each record
        parts = [
            rows_of(group.payloads[p][k], kinds[p][k] if kinds else "CSV", self._shapes[side])
            for p, side in enumerate(group.sides)
        ]
        if len(set(map(len, parts))) != 1:
            counts = [
                f"the {self._shapes[side].side} {len(part)}"
                for side, part in zip(group.sides, parts, strict=True)
            ]
            raise MalformedRecord("row_count", f"rows: {', '.join(counts)}")
        if len(parts) == 1:
            return parts[0]
        return [[*chain(*rows)] for rows in zip(*parts, strict=True)]


def _kept(part: ParsedSide, keep: NDArray[np.bool_]) -> dict[str, Column]:
    """Return the columns of a side without the rejected rows; some are left out of it already."""
    columns, refused = part
    of_side = np.delete(keep, refused)
    return {name: filtered(column, of_side) for name, column in columns.items()}


def filtered(column: Column, keep: NDArray[np.bool_]) -> Column:
    """Return the rows of a column where ``keep`` is true."""
    if isinstance(column, Texts):
        return Texts(column.values.filter(pa.array(keep)))
    slots = None if column.slots is None else column.slots[keep]
    return Numbers(column.values[keep], slots, column.integral)


def _encoding(event: Event, side: int) -> str | None:
    payload = event.captureData.endpointInput if side else event.captureData.endpointOutput
    return payload.encoding if payload else None


def _payload(event: Event, side: int, value: bytes | None, named: str) -> DecodedPayload | None:
    payload = event.captureData.endpointInput if side else event.captureData.endpointOutput
    if payload is None:
        return None
    content_type = _CONTENT_TYPES.of(value, side) if payload.encoding == "BASE64" else None
    return decode_payload(payload.data, payload.encoding, content_type, named)


def _group(
    only_csv: bool, sides: tuple[int, ...], entries: Sequence[tuple[int, list[DecodedPayload]]]
) -> PayloadGroup:
    members = np.array([i for i, _ in entries], np.int64)
    payloads: list[list[str]] = []
    kinds: list[list[str]] = []
    for p in range(len(sides)):
        payloads.append([of_record[p][0] for _, of_record in entries])
        kinds.append([of_record[p][1] for _, of_record in entries])
    return PayloadGroup(sides, members, payloads, None if only_csv else kinds)


def _unsafe(group: PayloadGroup, joined: Sequence[JoinedPayloads]) -> list[int]:
    """Return the indices of records that must be read one by one.

    These have an unsafe payload, or sides that seem to have different numbers of rows.
    """
    alone = np.zeros(len(group.members), bool)
    first = joined[0].rows
    for text in joined:
        alone[text.unsafe] = True
        if text.rows is not None or first is not None:
            alone |= (1 if text.rows is None else text.rows) != (1 if first is None else first)
    indices: list[int] = np.flatnonzero(alone).tolist()
    return indices


def _without(group: PayloadGroup, indices: Sequence[int]) -> PayloadGroup:
    keep = np.ones(len(group.members), bool)
    keep[list(indices)] = False
    kept = np.flatnonzero(keep).tolist()
    payloads = [[of_side[k] for k in kept] for of_side in group.payloads]
    return PayloadGroup(group.sides, group.members[keep], payloads, None)
