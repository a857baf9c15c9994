"""Reads a sample of the labels, and of the events that they may belong to."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np

from detectors.components import type_of
from stream.check.sample import decode
from stream.check.setup import CheckContext
from stream.config.model import LabelsConfig
from stream.events import Assign, RawBatch
from stream.labels.base import DecodedLabels
from stream.readers.arrival import bounded_arrivals
from stream.sources.base import Source

SAMPLED_LABELS: Final = 500
"""The number of labels that are read of each partition."""
SAMPLED_EVENTS: Final = 5_000
"""The number of events that are read of each partition: a label belongs to an older event."""
READ_S: Final = 10.0
"""The longest time to wait for records of a source that has no live check of its own."""

NewestRecords = Callable[[Any, str, int], list[RawBatch]]


class LabelSample(NamedTuple):
    """Some labels: ``read`` records, decoded, and the time of each label, -1 if unknown."""

    read: int
    decoded: DecodedLabels
    times_ms: list[int]


class EventIds(NamedTuple):
    """Some events that may get labels: their two ids, and their times, -1 if unknown."""

    event_ids: Sequence[str | None]
    inference_ids: Sequence[str | None]
    times_ms: Sequence[int]


def sampled_labels(labels: LabelsConfig, job: str) -> LabelSample:
    """Read and decode the newest labels; of files the first ones.

    Raises ``SourceUnavailable`` as ``driftline run`` does.
    """
    now_ms = int(time.time() * 1000)
    raws, arrivals = bounded_arrivals(_records(labels.source, job, SAMPLED_LABELS), now_ms)
    decoded = labels.format.open().decode(raws)
    arrival_ms = np.concatenate([np.empty(0, np.int64), *(raw.arrival_ms for raw in raws)])
    dated = arrivals.stated & labels.source.dates_records
    known_ms = np.where(dated, arrival_ms, -1)[np.array(decoded.record, np.int64)].tolist()
    times_ms = [
        stated if stated >= 0 else arrival
        for stated, arrival in zip(decoded.times_ms, known_ms, strict=True)
    ]
    return LabelSample(len(arrival_ms), decoded, times_ms)


def sampled_events(context: CheckContext) -> EventIds:
    """Read and decode the newest events; of files the first ones.

    Raises ``SourceUnavailable`` as ``driftline run`` does.
    """
    raws = _records(context.config.source, context.config.job, SAMPLED_EVENTS)
    decoded = decode(context, raws).decoded
    return EventIds(decoded.event_ids, decoded.inference_ids, decoded.time_ms.tolist())


def _records(source: Source, job: str, count: int) -> list[RawBatch]:
    name = f"stream.check.sources.{type_of(source)}"
    module = import_module(name) if find_spec(name) else sys.modules[type(source).__module__]
    newest: NewestRecords = vars(module).get("newest_records", _first_records)
    return [raw for raw in newest(source, job, count) if raw.values]


def _first_records(source: Source, job: str, count: int) -> list[RawBatch]:
    """Return the first records of the partitions of any source, ``count`` of each on average."""
    reading = source.open(job)
    try:
        partitions = [found for found in reading.discover() if not found.parents]
        reading.assign(
            [
                Assign(claim=1, partition=found.partition, next=found.start, mark_ms=None)
                for found in partitions
            ]
        )
        raws: list[RawBatch] = []
        unread = {found.partition for found in partitions}
        wanted = count * len(partitions)
        deadline = time.monotonic() + READ_S
        while unread and wanted > 0 and not reading.finished and time.monotonic() < deadline:
            polled = [raw for raw in reading.poll(0.2, wanted) if isinstance(raw, RawBatch)]
            raws += polled
            wanted -= sum(len(raw.values) for raw in polled)
            unread -= {raw.partition for raw in polled if raw.at_end or raw.ended}
        return raws
    finally:
        reading.close()
