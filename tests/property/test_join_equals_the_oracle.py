"""The join gives what the oracle gives, in any interleaving and in batches of any size."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.labels.classes import ClassTable, LabelledModel, LabelMeaning
from stream.labels.join import Join, JoinChange, SliceCounts
from stream.labels.resolve import Duplicates, JoinRule
from stream.labels.rows import LABEL, NUMBER, PREDICTION, UNTIMED_MS, Rows
from stream.labels.store import Slice
from tests import label_oracle
from tests.label_oracle import Label, Predicted

MODELS = ("churn", "price")
MEANINGS = (
    LabelledModel(problem="binary", positive="1", negative="0"),
    LabelledModel(problem="regression"),
)
TEXTS = ["fraud", "1 day"]
HORIZON_MS, EARLY_MS, SLICE_MS = 100, 20, 16
ROWS = (1, 1, 1, 2, 3)


class PlainStore:
    """Rows in one list a slice."""

    def __init__(self) -> None:
        self.rows: dict[Slice, Rows] = {}

    def slices(self) -> list[Slice]:
        return list(self.rows)

    def find(self, slice_: Slice, ids: NDArray[np.uint64]) -> Rows:
        rows = self.rows.get(slice_)
        if rows is None:
            return np.empty(0, PREDICTION if slice_.kind == "predictions" else LABEL)
        return rows[np.isin(rows["id"], ids)]

    def add(self, slice_: Slice, rows: Rows) -> None:
        old = self.rows.get(slice_, rows[:0])
        self.rows[slice_] = np.concatenate([old, rows])

    def drop(self, slice_: Slice) -> None:
        del self.rows[slice_]


def misfit(model: str, label: Label) -> str:
    if model == "price":
        numbers = all(isinstance(value, float) for value in label.values)
        return "" if numbers else "wrong_label_type"
    return "" if all(value in (0.0, 1.0) for value in label.values) else "unknown_class"


def prediction_rows(events: list[Predicted]) -> Rows:
    rows = [
        (int(e.id), e.time_ms, MODELS.index(e.model), k, len(e.values), int(v), v)
        for e in events
        for k, v in enumerate(e.values)
    ]
    return np.array(rows, PREDICTION)


def label_rows(labels: list[Label]) -> Rows:
    rows = []
    for label in labels:
        time_ms = UNTIMED_MS if label.time_ms is None else label.time_ms
        for k, value in enumerate(label.values):
            code, number = (TEXTS.index(value), 0.0) if isinstance(value, str) else (NUMBER, value)
            place = (label.sequence, label.partition, k, len(label.values))
            rows.append((int(label.id), time_ms, *place, code, number))
    return np.array(rows, LABEL)


class Tally:
    """Sums what a join reports."""

    def __init__(self, join: Join, meaning: LabelMeaning) -> None:
        self.join, self.meaning = join, meaning
        self.rows: Counter[tuple[str, int, float, float | str]] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.labelled = 0

    def add(self, change: JoinChange) -> None:
        values = self.meaning.values(change.predictions, change.labels)
        for row, true, weight in zip(change.predictions, values, change.weight, strict=True):
            model = MODELS[row["key"]]
            self.rows[model, int(row["time_ms"]), float(row["value"]), float(true)] += int(weight)
        self.outcomes.update(change.outcomes)
        self.labelled += change.labelled


def world(random: Random) -> tuple[list[Predicted], list[list[Label]]]:
    """Return events and the labels of some partitions, whose times never fall."""
    events, now = [], 0
    ids = [str(k) for k in range(1, random.randint(2, 14))]
    for _ in range(random.randint(0, 20)):
        now += random.choice((0, 1, 7, 40))
        predicted = tuple(float(random.randint(0, 1)) for _ in range(random.choice(ROWS)))
        events.append(Predicted(random.choice(ids), now, random.choice(MODELS), predicted))
    logs: list[list[Label]] = []
    for partition in range(random.randint(1, 3)):
        log: list[Label] = []
        mark = None if random.random() < 0.2 else random.randint(0, 30)
        for sequence in range(random.randint(0, 15)):
            if mark is not None:
                mark += random.choice((0, 1, 9, 50))
            choices: tuple[float | str, ...] = (0.0, 1.0)
            if random.random() < 0.3:
                choices = (0.0, 1.0, 1.0, 2.5, "fraud")
            values = tuple(random.choice(choices) for _ in range(random.choice(ROWS)))
            log.append(Label(random.choice(ids), mark, partition, sequence, values))
        logs.append(log)
    return events, logs


def run(random: Random, duplicates: Duplicates) -> tuple[Tally, label_oracle.Joined]:
    events, logs = world(random)
    counts: dict[Slice, SliceCounts] = {}
    rule = JoinRule(horizon_ms=HORIZON_MS, early_ms=EARLY_MS, duplicates=duplicates)
    meaning = LabelMeaning(MEANINGS, ClassTable(list(TEXTS)))
    tally = Tally(Join(rule, SLICE_MS, PlainStore(), meaning, counts), meaning)
    order = list(events)
    if random.random() < 0.5:
        random.shuffle(order)
    left = [list(log) for log in logs]
    while order or any(left):
        size = random.randint(1, 6)
        if order and random.random() < 0.5:
            batch, order = order[:size], order[size:]
            tally.add(tally.join.take_predictions(prediction_rows(batch)))
        elif any(left):
            log = random.choice([log for log in left if log])
            labels, log[:] = log[:size], log[size:]
            tally.add(tally.join.take_labels(label_rows(labels)))
    waiting = dict.fromkeys(("predictions", "labels"), 0)
    for slice_, count in counts.items():
        waiting[slice_.kind] += count.events - count.settled
    expected = label_oracle.join(
        events,
        [label for log in logs for label in log],
        horizon_ms=HORIZON_MS,
        early_ms=EARLY_MS,
        duplicates=duplicates,
        misfit=misfit,
    )
    assert waiting["labels"] == expected.outcomes["waiting"]
    assert waiting["predictions"] == len(events) - expected.labelled
    return tally, expected


@pytest.mark.parametrize("duplicates", ["first", "last", "reject"])
@pytest.mark.parametrize("seed", range(0, 400, 40))
def test_any_interleaving_gives_the_join_of_the_oracle(seed: int, duplicates: Duplicates) -> None:
    for k in range(40):
        tally, expected = run(Random(seed + k), duplicates)
        assert +tally.rows == expected.rows, seed + k
        assert +tally.outcomes == +expected.outcomes, seed + k
        assert tally.labelled == expected.labelled, seed + k
