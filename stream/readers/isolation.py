"""Finds the records on which decoding or counting raises an error, so that the others count."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import chain
from pathlib import Path
from traceback import extract_tb
from typing import Final, TypeVar

import msgspec
import numpy as np

from detectors.arrays import Ints
from stream.events import DecodedRecords, EventBatch, ModelKey, RawBatch, Rejection
from stream.formats.base import Decoder
from stream.outcomes import FAILS_DECODING
from stream.readers.grouping import take_rows

T = TypeVar("T")
BIG_RECORD_BYTES: Final = 1_000_000
"""A ``MemoryError`` is the fault of a record only if the record is at least this long."""


def isolate(
    records: int, work: Callable[[int, int], T], size_of: Callable[[int], int] = lambda _: 0
) -> tuple[list[tuple[int, T]], dict[int, str]]:
    """Do ``work(start, stop)`` on records; where it raises, on halves, down to single records.

    Returns each result with its start, and a description of the error for each record on which the
    work fails by itself. A ``MemoryError`` is raised unless ``size_of`` its record is large: memory
    is lacking, which is no fault of a short record.

    >>> isolate(4, lambda start, stop: [1 / x for x in (1, 2, 0, 4)[start:stop]])[0]
    [(0, [1.0, 0.5]), (3, [0.25])]
    """
    results: list[tuple[int, T]] = []
    failed: dict[int, str] = {}
    ranges = [(0, records)]
    while ranges:
        start, stop = ranges.pop()
        try:
            results.append((start, work(start, stop)))
        except Exception as error:
            if stop - start > 1:
                middle = (start + stop) // 2
                ranges += [(middle, stop), (start, middle)]
            elif stop == start or (
                isinstance(error, MemoryError) and size_of(start) < BIG_RECORD_BYTES
            ):
                raise
            else:
                failed[start] = _described(error)
    return results, failed


def decode_isolated(decoder: Decoder, raws: Sequence[RawBatch]) -> DecodedRecords:
    """Return the decoded records; those on which the decoder raises are rejected."""
    parts, failed = decoded_parts(decoder.decode, raws)
    if not failed and len(parts) == 1:
        return parts[0][1]
    return _joined(parts, failed, sum(len(raw.values) for raw in raws))


def decoded_parts(
    decode: Callable[[Sequence[RawBatch]], T], raws: Sequence[RawBatch]
) -> tuple[list[tuple[int, T]], dict[int, str]]:
    """Return what ``decode`` makes of parts of the records, and its errors, as :func:`isolate`."""
    return isolate(
        sum(len(raw.values) for raw in raws),
        lambda start, stop: decode(cut(raws, start, stop)),
        lambda record: sum(
            len(v or b"") for raw in cut(raws, record, record + 1) for v in raw.values
        ),
    )


def without_records(decoded: DecodedRecords, failed: dict[int, str]) -> DecodedRecords:
    """Return decoded records in which the failed ones, each with its error, are rejected."""
    if not failed:
        return decoded
    batches = [_without_rows(batch, failed) for batch in decoded.batches]
    rejects = [*decoded.rejects, *_rejections(failed)]
    return msgspec.structs.replace(decoded, batches=batches, rejects=sorted(rejects))


def cut(raws: Sequence[RawBatch], start: int, stop: int) -> list[RawBatch]:
    """Return the records from ``start`` to ``stop`` of some raw batches."""
    cut: list[RawBatch] = []
    for raw in raws:
        count = len(raw.values)
        if stop >= count and start <= 0:
            cut.append(raw)
        elif start < count and stop > 0:
            cut.append(_slice(raw, slice(max(start, 0), max(stop, 0))))
        start, stop = start - count, stop - count
    return cut


def _slice(raw: RawBatch, records: slice) -> RawBatch:
    return msgspec.structs.replace(
        raw,
        positions=raw.positions[records],
        values=raw.values[records],
        arrival_ms=raw.arrival_ms[records],
        keys=raw.keys[records],
        headers=raw.headers[records],
    )


def _joined(
    parts: Sequence[tuple[int, DecodedRecords]], failed: dict[int, str], count: int
) -> DecodedRecords:
    """Return the parts as one; ``failed`` records have no time and no model."""
    keys = list(dict.fromkeys(chain.from_iterable(part.keys for _, part in parts)))
    number = {key: k for k, key in enumerate(keys)}
    time_ms, model = np.full(count, -1, np.int64), np.full(count, -1, np.int32)
    event_ids: list[str | None] = [None] * count
    inference_ids: list[str | None] = [None] * count
    batches: list[EventBatch] = []
    rejects = _rejections(failed)
    for start, part in parts:
        records = slice(start, start + len(part.time_ms))
        time_ms[records] = part.time_ms
        model[records] = _renumbered(part, number)
        event_ids[records], inference_ids[records] = part.event_ids, part.inference_ids
        batches += [batch._replace(record=batch.record + start) for batch in part.batches]
        rejects += [reject._replace(record=reject.record + start) for reject in part.rejects]
    return DecodedRecords(
        time_ms=time_ms,
        model=model,
        keys=keys,
        batches=batches,
        rejects=sorted(rejects),
        event_ids=event_ids,
        inference_ids=inference_ids,
    )


def _renumbered(part: DecodedRecords, number: dict[ModelKey, int]) -> Ints:
    """Return the model of each record as an index into the keys of all parts."""
    indices = np.array([*(number[key] for key in part.keys), -1], np.int64)
    renumbered: Ints = indices[part.model]
    return renumbered


def _rejections(failed: dict[int, str]) -> list[Rejection]:
    return [Rejection(record, FAILS_DECODING, error) for record, error in failed.items()]


def _without_rows(batch: EventBatch, records: Collection[int]) -> EventBatch:
    kept = np.flatnonzero(~np.isin(batch.record, list(records)))
    columns = {name: take_rows(column, kept) for name, column in batch.columns.items()}
    return EventBatch(batch.schema, batch.record[kept], columns)


def _described(error: Exception) -> str:
    """Return the type and the place of an error; its message may hold a value."""
    frames = extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
