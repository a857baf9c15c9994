"""Readers of labels of the simulation, and the predictions of simulated events as they travel."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import msgspec
import numpy as np

from stream.events import Assign, ModelKey
from stream.labels.rows import LABEL, NUMBER, PREDICTION, UNTIMED_MS, LabelRange, Predictions
from tests.simulation.labels import LabelLogs, LabelRecord, mark_after, predicted
from tests.simulation.logs import MODELS, Record

VARIANT = "v"


class Assigned(NamedTuple):
    """An assigned partition: its claim, the offset to read next, and the mark there."""

    claim: int
    next: int
    mark_ms: int | None


class LabelReader:
    """Reads assigned partitions of the label log; ``in_flight`` are ranges not yet delivered."""

    def __init__(self, logs: LabelLogs, random: Random) -> None:
        self._logs = logs
        self._random = random
        self._assigned: dict[str, Assigned] = {}
        self.in_flight: list[LabelRange] = []

    def assign(self, assign: Assign) -> None:
        assert isinstance(assign.next, int)
        self._assigned[assign.partition] = Assigned(assign.claim, assign.next, assign.mark_ms)

    def read(self, at_most: int = 9, names: list[str] | None = None) -> None:
        """Read a range of one partition, or of each one named."""
        assigned = list(self._assigned)
        chosen = [self._random.choice(assigned)] if assigned else []
        for name in chosen if names is None else [name for name in names if name in assigned]:
            known = self._assigned[name]
            records = self._logs.records[name]
            stop = min(known.next + self._random.randint(0, at_most), len(records))
            labels = range_of(name, known, stop, records)
            self._assigned[name] = Assigned(known.claim, stop, labels.mark_ms)
            self.in_flight.append(labels)


def range_of(name: str, known: Assigned, stop: int, records: list[LabelRecord]) -> LabelRange:
    """Return the labels from the assigned offset to ``stop``, as the reader of labels does."""
    mark_ms = known.mark_ms
    texts: list[str] = []
    rows = []
    rejected = 0
    for sequence, record in enumerate(records[known.next : stop]):
        mark_ms = mark_after(mark_ms, record)
        if record.id is None:
            rejected += 1
            continue
        time_ms = UNTIMED_MS if mark_ms is None else mark_ms
        for row, value in enumerate(record.values):
            code, number = NUMBER, 0.0
            if isinstance(value, str):
                texts += [] if value in texts else [value]
                code = texts.index(value)
            else:
                number = value
            place = sequence, 0, row, len(record.values)
            rows.append((record.id, time_ms, *place, code, number))
    return LabelRange(
        partition=name,
        claim=known.claim,
        first=known.next,
        next=stop,
        mark_ms=mark_ms,
        at_end=stop == len(records),
        read=stop - known.next,
        rows=np.array(rows, LABEL).tobytes(),
        texts=tuple(texts),
        positions=list(range(known.next, stop)),
        rejected={"id_missing": rejected} if rejected else {},
    )


def encoded_predictions(records: list[Record], logs: LabelLogs, every_ms: int) -> bytes:
    """Return the predictions of accepted records, as the reader of events does."""
    rows = []
    classes: list[str] = []
    for record in records:
        assert record.model is not None
        values = predicted(record)
        for row, value in enumerate(values):
            many = record.model == "b" and logs.problem == "multiclass"
            code = int(value)
            if many:
                name = str(code)
                classes += [] if name in classes else [name]
                code = classes.index(name)
            if record.model == "b" and logs.problem == "regression":
                code = 0
            place = MODELS.index(record.model), row, len(values)
            pane_ms = record.time_ms // every_ms * every_ms
            rows.append((logs.ids.of(record), pane_ms, *place, code, value))
    keys = tuple(ModelKey(model, VARIANT) for model in MODELS)
    predictions = Predictions(
        keys=keys, classes=tuple(classes), rows=np.array(rows, PREDICTION).tobytes()
    )
    return msgspec.msgpack.encode(predictions) if rows else b""
