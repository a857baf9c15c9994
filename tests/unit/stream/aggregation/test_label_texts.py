"""Texts of labels have numbers in a job; what has no room is refused with a dead letter."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from stream.aggregation import labels as labels_module
from stream.events import DeadLetters, Output
from stream.labels import classes
from stream.labels.classes import LabelledModel
from stream.labels.rows import LABEL, PREDICTION, LabelRange, Predictions
from tests.unit.stream.aggregation.job import M
from tests.unit.stream.aggregation.test_quality_windows import SETTINGS, LabelJob, model


@pytest.fixture(autouse=True)
def _few_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MOST_CLASSES", 4)


def text_labels(job: LabelJob, texts: dict[int, str]) -> list[Output]:
    rows = [(i, 5, k, 0, 0, 1, k, np.nan) for k, i in enumerate(texts)]
    first, job.read = job.read, job.read + len(rows)
    return job.step(
        LabelRange(
            partition="labels", claim=1, first=first, next=job.read, mark_ms=5, at_end=False,
            read=len(rows), rows=np.array(rows, LABEL).tobytes(), texts=tuple(texts.values()),
            positions=[*range(first, job.read)], rejected={},
        )
    )  # fmt: skip


def test_texts_of_another_topic_leave_room_for_the_classes_of_the_models() -> None:
    quality = model()._replace(
        meaning=LabelledModel(problem="binary", positive="churned", negative="stayed")
    )
    job = LabelJob(SETTINGS, quality=quality)
    job.predict(1, 2)
    outputs = text_labels(job, {100 + k: f"junk {k}" for k in range(9)})
    [letters] = [output for output in outputs if isinstance(output, DeadLetters)]
    refused = [letter.reason for letter in letters.letters]
    assert refused == ["too_many_classes"] * len(refused)
    assert all(letter.detail and "junk" not in letter.detail for letter in letters.letters)
    text_labels(job, {1: "churned", 2: "stayed"})
    assert job.state.labels is not None
    ledger = job.state.labels.ledger
    assert ledger.labels["too_many_classes"] == len(refused) > 0
    assert ledger.labels["matched"] == 2
    assert ledger.imbalance() == {}


def test_an_answer_of_a_class_that_has_no_room_does_not_wait() -> None:
    quality = model()._replace(meaning=LabelledModel(problem="multiclass"))
    job = LabelJob(SETTINGS, quality=quality)
    # Events 0 to 5 of one row each, and event 6 of two rows, of which the second has no room.
    rows = [(i, 0, 0, 0, 1, i, np.nan) for i in range(6)]
    rows += [(6, 0, 0, 0, 2, 0, np.nan), (6, 0, 0, 1, 2, 5, np.nan)]
    predictions = Predictions(
        keys=(M,), classes=tuple("abcdef"), rows=np.array(rows, PREDICTION).tobytes()
    )
    body = msgspec.msgpack.encode(predictions)
    job.step(msgspec.structs.replace(job.partial([0] * 7), predictions=body))
    assert job.state.labels is not None
    ledger = job.state.labels.ledger
    assert ledger.untaken == {"too_many_classes": 3}
    assert (ledger.predictions["taken"], ledger.rows_taken) == (4, 4)
    assert ledger.imbalance() == {}


def test_each_reason_of_a_label_that_fits_no_prediction_has_a_detail() -> None:
    assert set(classes.REASONS) <= labels_module.DETAILS.keys()
