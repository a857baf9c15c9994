"""Collects the predictions of accepted events that may wait for labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.dedupe.filter import hashes_of
from stream.events import DecodedRecords, EventBatch
from stream.labels.rows import MOST_ROWS, PREDICTION, Predictions, Rows
from stream.labels.sampling import sampled
from stream.outcomes import NOT_SAMPLED
from stream.readers.grouping import take_rows
from stream.readers.prediction_cells import (
    UNKNOWN,
    UNUSABLE,
    PredictedRows,
    predicted_rows,
)
from stream.readers.prediction_rules import PredictionColumns, PredictionRules

WITHOUT_ID: Final = "without_id"
TOO_MANY_ROWS: Final = "too_many_rows"
UNUSABLE_PREDICTION: Final = "unusable_prediction"
UNKNOWN_CLASS: Final = "unknown_class"


class _Waiting(NamedTuple):
    """The records whose predictions wait: a mask, and the hash of each record's id."""

    mask: NDArray[np.bool_]
    id: NDArray[np.uint64]


class _Events(NamedTuple):
    """The events of some rows: the first row and the number of rows of each."""

    first: Ints
    rows: Ints


class PredictionCollector:
    """Collects the predictions of some decoded records, for one partial."""

    def __init__(self, rules: PredictionRules, decoded: DecodedRecords) -> None:
        self._rules = rules
        self._decoded = decoded
        self._model = rules.numbers(decoded.keys)[decoded.model]
        self._classes: dict[str, int] = {}
        self._parts: list[Rows] = []
        self._untaken: Counter[str] = Counter()

    def add(self, pane_ms: Ints, uncounted: NDArray[np.bool_]) -> None:
        """Add the events of all records but the uncounted ones; no event is added if it raises.

        Both have one entry per record.
        """
        untaken: Counter[str] = Counter()
        candidates = self._with_rows() & ~uncounted & (self._model >= 0)
        waiting = self._find_waiting(candidates, untaken)
        parts = [
            self._read(batch, rows, self._rules.distinct[m], waiting.id, pane_ms, untaken)
            for batch, rows, m in self._groups(waiting.mask)
        ]
        self._parts += parts
        self._untaken += untaken

    def encode(self) -> bytes:
        """Return what was collected as an encoded ``Predictions``, empty if there is nothing."""
        rows = np.concatenate([np.empty(0, PREDICTION), *self._parts])
        if not len(rows) and not self._untaken:
            return b""
        classes = self._used_classes(rows)
        keys = _renumber(rows["key"], len(self._decoded.keys))
        predictions = Predictions(
            keys=tuple(self._decoded.keys[key] for key in keys),
            classes=classes,
            rows=rows.tobytes(),
            untaken=dict(self._untaken),
        )
        return msgspec.msgpack.encode(predictions)

    def _used_classes(self, rows: Rows) -> tuple[str, ...]:
        """Return the classes of the rows, and number them in the rows in this order."""
        if not self._classes:
            return ()
        models = [self._rules.distinct[m] for m in self._rules.numbers(self._decoded.keys)[:-1]]
        named = np.array([model.problem == "multiclass" for model in models])[rows["key"]]
        codes = rows["code"][named]
        used = _renumber(codes, len(self._classes))
        rows["code"][named] = codes
        names = tuple(self._classes)
        return tuple(names[code] for code in used)

    def _with_rows(self) -> NDArray[np.bool_]:
        with_rows = np.zeros(len(self._model), bool)
        for batch in self._decoded.batches:
            with_rows[batch.record] = True
        return with_rows

    def _find_waiting(self, candidates: NDArray[np.bool_], untaken: Counter[str]) -> _Waiting:
        """Find the candidates with an id that is in the sample."""
        records = np.flatnonzero(candidates)
        ids = self._ids()
        if len(records) < len(ids):
            ids = [ids[k] for k in records.tolist()]
        hashes, has_id = hashes_of(ids)
        in_sample = sampled(hashes, self._rules.sample)
        _count(untaken, WITHOUT_ID, ~has_id)
        _count(untaken, NOT_SAMPLED, has_id & ~in_sample)
        waiting = _Waiting(np.zeros(len(candidates), bool), np.zeros(len(candidates), np.uint64))
        waiting.mask[records] = has_id & in_sample
        waiting.id[records] = hashes
        return waiting

    def _ids(self) -> Sequence[str | None]:
        event_ids, inference_ids = self._decoded.event_ids, self._decoded.inference_ids
        if self._rules.join == "inference_id":
            return inference_ids
        if self._rules.join == "event_id" or not any(inference_ids):
            return event_ids
        return [first or second for first, second in zip(inference_ids, event_ids, strict=True)]

    def _groups(self, waiting: NDArray[np.bool_]) -> Iterator[tuple[EventBatch, Ints, int]]:
        """Yield the rows of waiting records by batch and by the columns of their models."""
        model = np.where(waiting, self._model, -1)
        for batch in self._decoded.batches:
            model_of_row = model[batch.record]
            for m in np.flatnonzero(np.bincount(model_of_row + 1)[1:]).tolist():
                yield batch, np.flatnonzero(model_of_row == m), m

    def _read(
        self,
        batch: EventBatch,
        rows: Ints,
        model: PredictionColumns,
        ids: NDArray[np.uint64],
        pane_ms: Ints,
        untaken: Counter[str],
    ) -> Rows:
        """Return the predictions in some rows of a batch, of whole events only."""
        names = [name for name in (model.prediction, model.probability) if name in batch.columns]
        columns = {name: batch.columns[name] for name in names}
        record = batch.record
        if len(rows) < len(record):
            columns = {name: take_rows(column, rows) for name, column in columns.items()}
            record = record[rows]
        predicted = predicted_rows(model, columns, len(rows), self._classes)
        events = _events(record)
        kept = np.repeat(_usable(predicted.code, events, untaken), events.rows)
        filled = _filled(predicted, events)
        filled["id"], filled["time_ms"] = ids[record], pane_ms[record]
        filled["key"] = self._decoded.model[record]
        return filled if kept.all() else filled[kept]


def _renumber(numbers: NDArray[np.integer], count: int) -> list[int]:
    """Return the distinct numbers below ``count``, and replace each by its index among them."""
    used = np.zeros(count, bool)
    used[numbers] = True
    numbers[:] = (np.cumsum(used) - 1)[numbers]
    return np.flatnonzero(used).tolist()


def _events(record: Ints) -> _Events:
    """Return the events of some rows, of which ``record`` has the index of the record."""
    is_first = np.ones(len(record), bool)
    is_first[1:] = np.diff(record) != 0
    first = np.flatnonzero(is_first)
    return _Events(first, np.diff(first, append=len(record)))


def _usable(code: Ints, events: _Events, untaken: Counter[str]) -> NDArray[np.bool_]:
    """Return which events can wait: the worst of its rows decides about an event."""
    worst = np.minimum.reduceat(code, events.first)
    long = events.rows > MOST_ROWS
    _count(untaken, TOO_MANY_ROWS, long)
    _count(untaken, UNUSABLE_PREDICTION, ~long & (worst == UNUSABLE))
    _count(untaken, UNKNOWN_CLASS, ~long & (worst == UNKNOWN))
    usable: NDArray[np.bool_] = ~long & (worst >= 0)
    return usable


def _filled(predicted: PredictedRows, events: _Events) -> Rows:
    """Return rows with their predictions and their places in their events."""
    count = len(predicted.code)
    rows = np.empty(count, PREDICTION)
    rows["row"] = np.arange(count) - np.repeat(events.first, events.rows)
    rows["rows"] = np.repeat(events.rows, events.rows)
    rows["code"], rows["value"] = predicted
    return rows


def _count(untaken: Counter[str], reason: str, events: NDArray[np.bool_]) -> None:
    count = int(np.count_nonzero(events))
    if count:
        untaken[reason] += count
