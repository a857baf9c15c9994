"""The ids and predictions of simulated events, the logs of their labels, and a plain count."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import NamedTuple

from stream.event_time import JobSettings
from stream.labels.resolve import JoinRule
from tests import label_oracle
from tests.label_oracle import Joined, Label, Predicted
from tests.simulation.logs import TOO_NARROW, Logs, Record

Values = tuple[float | str, ...]
UNKNOWN_IDS = 10**9
"""Ids from this on belong to no event."""
STRANGE = "strange"
"""A text that only the model of many classes takes as a label."""
FOREVER_MS = 10**9


class LabelRecord(NamedTuple):
    """One record of a label log: an id, the time that it states, and a value for each row.

    A record without an id is no label.
    """

    id: int | None
    time_ms: int | None
    values: Values


class Window(NamedTuple):
    """The content of a quality window: its predicted rows, and the labelled ones as pairs."""

    predictions: int
    pairs: Counter[tuple[float, float | str]]


Windows = dict[tuple[str, int], Window]
"""Quality windows by model and end."""


def predicted(record: Record) -> tuple[float, ...]:
    """Return the predicted value of each row of an event, 0 or 1."""
    rows = (1, 1, 1, 2, 3)[(record.key + record.number) % 5]
    return tuple(float((record.value + row) % 2) for row in range(rows))


class EventIds:
    """The id of each event: with ``shared``, some events of a key have the id of the one before.

    Events with the same id are at most ``early_ms`` apart; so far, labels are exact.
    """

    def __init__(self, shared: bool, early_ms: int) -> None:
        self._shared = shared
        self._early_ms = early_ms
        self._ids: dict[tuple[int, int], int] = {}
        self._newest: dict[int, tuple[int, int]] = {}

    def of(self, record: Record) -> int:
        """Return the id of a record; records of one key are given in the order of the log."""
        place = record.key, record.number
        if place not in self._ids:
            self._ids[place] = self._new(record)
        return self._ids[place]

    def _new(self, record: Record) -> int:
        own = record.key * 10_000 + record.number
        first, time_ms = self._newest.get(record.key, (own, record.time_ms))
        near = 2 * abs(record.time_ms - time_ms) + 10 <= self._early_ms
        if self._shared and near and record.number % 3 == 0:
            return first
        self._newest[record.key] = own, record.time_ms
        return own


class LabelLogs:
    """The partitions of the label log by name; their names are not in the order of discovery.

    ``problem`` is that of the second model, the first one is binary.
    """

    def __init__(self, rule: JoinRule, ids: EventIds, problem: str, partitions: int) -> None:
        self.rule = rule
        self.ids = ids
        self.problem = problem
        self.records: dict[str, list[LabelRecord]] = {
            f"l{7 - 3 * k}": [] for k in range(partitions)
        }

    def misfit(self, model: str, label: Label) -> str:
        """Say why a label does not fit a model, or nothing."""
        if model == "b" and self.problem != "binary":
            is_text = STRANGE in label.values
            return "wrong_label_type" if is_text and self.problem == "regression" else ""
        return "" if all(value in (0.0, 1.0) for value in label.values) else "unknown_class"

    def labels(self) -> list[Label]:
        """Return all labels in plain loops: a label's time is the mark of its partition."""
        found = []
        for partition, name in enumerate(sorted(self.records)):
            mark_ms: int | None = None
            for sequence, record in enumerate(self.records[name]):
                mark_ms = mark_after(mark_ms, record)
                if record.id is not None:
                    found.append(Label(str(record.id), mark_ms, partition, sequence, record.values))
        return found

    def events(self, logs: Logs, settings: JobSettings) -> list[Predicted]:
        """Return the events with predictions that are accepted."""
        return [
            Predicted(
                str(self.ids.of(record)),
                record.time_ms // settings.every_ms * settings.every_ms,
                str(record.model),
                predicted(record),
            )
            for record in logs.in_time(settings)
            if record.value != TOO_NARROW
        ]

    def joined(self, logs: Logs, settings: JobSettings) -> Joined:
        """Join all events with all labels in plain loops."""
        return label_oracle.join(
            self.events(logs, settings),
            self.labels(),
            horizon_ms=self.rule.horizon_ms,
            early_ms=self.rule.early_ms,
            duplicates=self.rule.duplicates,
            misfit=self.misfit,
        )

    def expected(self, logs: Logs, settings: JobSettings) -> Windows:
        """Return the content of each quality window."""
        windows: Windows = {}

        def window(model: str, end_ms: int) -> Window:
            return windows.setdefault((model, end_ms), Window(0, Counter()))

        for event in self.events(logs, settings):
            for end_ms in ends(event.time_ms, settings):
                before = window(event.model, end_ms)
                rows = before.predictions + len(event.values)
                windows[event.model, end_ms] = before._replace(predictions=rows)
        for (model, pane_ms, row, true), count in self.joined(logs, settings).rows.items():
            for end_ms in ends(pane_ms, settings):
                window(model, end_ms).pairs[row, true] += count
        return windows

    def final_before_ms(self, settled_ms: int | None) -> int | None:
        """Return the time up to which windows are final; only if no partition is ever idle."""
        marks = []
        for records in self.records.values():
            mark_ms = None
            for record in records:
                mark_ms = mark_after(mark_ms, record)
            marks.append(mark_ms)
        known = [mark_ms for mark_ms in marks if mark_ms is not None]
        if settled_ms is None or len(known) < len(marks) or not marks:
            return None
        return min(min(known) - self.rule.horizon_ms, settled_ms)


def ends(pane_ms: int, settings: JobSettings) -> list[int]:
    """Return the ends of the windows of a pane."""
    count = settings.window_ms // settings.every_ms
    return [pane_ms + k * settings.every_ms for k in range(1, count + 1)]


def mark_after(mark_ms: int | None, record: LabelRecord) -> int | None:
    """Return the mark of a partition after a record."""
    if record.id is None or record.time_ms is None:
        return mark_ms
    return record.time_ms if mark_ms is None else max(mark_ms, record.time_ms)


def complete_labels(random: Random, logs: Logs, labels: LabelLogs, dated: bool) -> None:
    """Fill the partitions with the labels of some logs, and labels of no event.

    Without ``dated``, some labels of a partition state no time before the first one that does.
    """
    events = [
        record
        for name in logs.records
        for record in [*logs.before.get(name, []), *logs.records[name]]
        if record.model is not None
    ]
    events.sort(key=lambda record: (record.key, record.number))
    rule = labels.rule
    horizon_ms = min(rule.horizon_ms, 100)
    delays_ms = (-rule.early_ms - 5, -3, 0, 2, 9, 30, horizon_ms // 2, horizon_ms, horizon_ms + 15)
    written: list[tuple[int, LabelRecord]] = []
    for event in events:
        for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
            time_ms = max(event.time_ms + random.choice(delays_ms), 0)
            label = LabelRecord(labels.ids.of(event), time_ms, values_for(random, event))
            written.append((time_ms + random.randint(0, 25), label))
    for _ in range(len(written) // 15):
        at_ms = random.randint(0, 200)
        unknown = UNKNOWN_IDS + random.randint(0, 9)
        written.append((at_ms, LabelRecord(unknown, at_ms, (1.0,))))
        written.append((at_ms, LabelRecord(None, None, ())))
    for _, label in sorted(written, key=lambda entry: entry[0]):
        log = labels.records[random.choice(list(labels.records))]
        timeless = random.random() < 0.15 and (not dated or any(r.time_ms is not None for r in log))
        log.append(label._replace(time_ms=None) if timeless else label)
    if not dated and random.random() < 0.5:
        name = random.choice(list(labels.records))
        labels.records[name] = [label._replace(time_ms=None) for label in labels.records[name]]


def values_for(random: Random, event: Record) -> Values:
    """Return a label of an event: usually right or wrong in one row, sometimes of no use."""
    values: list[float | str] = list(predicted(event))
    if random.random() < 0.4:
        values[-1] = 1.0 - float(values[-1])
    if random.random() < 0.05:
        values.append(1.0)
    if random.random() < 0.06:
        values[0] = random.choice((STRANGE, 2.0))
    return tuple(values)
