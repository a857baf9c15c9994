"""Predictions that wait for labels: the plan, odd events, and errors while they are collected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from detectors.profiles.reading import CellReading
from stream.baselining.build import load_baseline
from stream.baselining.columns import ModelColumns
from stream.config.classes import with_class_pairs
from stream.config.load import parse
from stream.config.model import Config
from stream.events import Assign, Partial
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.labels.rows import MOST_ROWS, PREDICTION, Predictions
from stream.outcomes import FAILS_DECODING
from stream.readers import prediction_cells, predictions
from stream.readers.build import plan_of
from stream.readers.plan import ReadingPlan
from stream.readers.prediction_rules import PredictionColumns, PredictionRules
from stream.readers.reader import Reader
from stream.testing.format import LAYOUT, TIME, identity
from stream.testing.records import raw_batch
from tests.oracle import hash_of
from tests.support.jobs import config, learn
from tests.support.records import NoSource, job_settings

SCORE = PredictionColumns(problem="binary", probability="p", positive="1", negative="0")
BY_TEXT = PredictionColumns(problem="multiclass", prediction="t")


def fold(
    values: Sequence[bytes], model: PredictionColumns | None, form: Json | Sagemaker
) -> Partial:
    rules = None if model is None else PredictionRules({"m": model}, None, 1.0)
    reader = Reader(NoSource(), form, identity(), job_settings())
    columns = ModelColumns(("p",), ("x", "n", "t"), LAYOUT)
    reader.use(ReadingPlan({"m": columns}, form, rules))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    return reader.fold([raw_batch(values)])


def event(k: int, **cells: Any) -> bytes:
    usual = {"time": TIME, "id": f"id {k}", "p": 0.75, "x": k, "n": 7, "t": "a"}
    return json.dumps({**usual, **cells}).encode()


def decoded(partial: Partial) -> tuple[Predictions, Any]:
    found = msgspec.msgpack.decode(partial.predictions, type=Predictions)
    return found, np.frombuffer(found.rows, PREDICTION)


def test_a_row_has_the_hash_of_its_id_the_start_of_its_pane_and_its_answer() -> None:
    partial = fold([event(1), event(2, p=0.5), event(3, p=0.5000001)], SCORE, Json(id="id"))
    found, rows = decoded(partial)
    [(key, pane_ms, _)] = partial.profiles
    assert found.keys == (key,)
    assert rows["id"].tolist() == [hash_of(f"id {k}") for k in (1, 2, 3)]
    assert rows["time_ms"].tolist() == [pane_ms] * 3
    assert rows["code"].tolist() == [1, 0, 1]
    assert rows["value"].tolist() == [0.75, 0.5, 0.5000001]
    assert (rows["row"].tolist(), rows["rows"].tolist()) == ([0, 0, 0], [1, 1, 1])
    assert (found.classes, found.untaken) == ((), {})


def test_without_quality_nothing_is_collected() -> None:
    assert fold([event(1)], None, Json(id="id")).predictions == b""


def test_without_accepted_events_nothing_is_collected() -> None:
    assert fold([b"5", b""], SCORE, Json(id="id")).predictions == b""


def test_counts_are_the_same_whether_predictions_are_collected_or_not() -> None:
    values = [event(k, t="ab"[k % 2], p=k / 10) for k in range(10)] + [b"{}", event(11, id=None)]
    with_quality = fold(values, BY_TEXT, Json(id="id"))
    without = fold(values, None, Json(id="id"))
    assert with_quality.covers == without.covers
    assert with_quality.dead_letters == without.dead_letters
    counts = [[p.counts.tolist() for _, _, p in f.profiles] for f in (with_quality, without)]
    assert counts[0] == counts[1]
    assert decoded(with_quality)[0].untaken == {"without_id": 1}


@pytest.mark.parametrize(("rows", "waits"), [(MOST_ROWS, True), (MOST_ROWS + 1, False)])
def test_an_event_of_more_rows_than_a_label_can_have_does_not_wait(rows: int, waits: bool) -> None:
    sides = {
        side: {"data": line * rows, "encoding": "CSV"}
        for side, line in (("endpointOutput", "0.75\n"), ("endpointInput", "1,7,a\n"))
    }
    metadata = {"inferenceTime": TIME, "eventId": "e"}
    line = json.dumps({"captureData": sides, "eventMetadata": metadata}).encode()
    found, taken = decoded(fold([line], SCORE, Sagemaker()))
    assert found.untaken == ({} if waits else {"too_many_rows": 1})
    assert len(taken) == (rows if waits else 0)
    assert taken["row"].tolist() == list(range(len(taken)))


def test_classes_beyond_the_most_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_cells, "MOST_CLASSES", 2)
    values = [event(k, t=text) for k, text in enumerate("abcab")]
    found, rows = decoded(fold(values, BY_TEXT, Json(id="id")))
    assert [found.classes[code] for code in rows["code"]] == ["a", "b", "a", "b"]
    assert found.untaken == {"unknown_class": 1}


def test_a_prediction_that_is_in_no_column_is_unusable() -> None:
    absent = PredictionColumns(problem="regression", prediction="absent")
    found, rows = decoded(fold([event(1), event(2)], absent, Json(id="id")))
    assert (found.untaken, len(rows)) == ({"unusable_prediction": 2}, 0)


def test_a_record_on_which_collecting_raises_is_the_only_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = prediction_cells.predicted_rows

    def fragile(model: Any, columns: Any, rows: int, classes: Any) -> Any:
        if "poison" in columns["t"].values.to_pylist():
            raise ArithmeticError("a value")
        return whole(model, columns, rows, classes)

    monkeypatch.setattr(predictions, "predicted_rows", fragile)
    texts = ["b", "a", "poison", "c", "b"]
    partial = fold([event(k, t=text) for k, text in enumerate(texts)], BY_TEXT, Json(id="id"))
    letters = [(letter.position, letter.reason) for letter in partial.dead_letters]
    assert letters == [(2, FAILS_DECODING)]
    found, rows = decoded(partial)
    assert [found.classes[code] for code in rows["code"]] == ["b", "a", "c", "b"]
    assert rows["id"].tolist() == [hash_of(f"id {k}") for k in (0, 1, 3, 4)]
    assert sum(profile.rows for _, _, profile in partial.profiles) == 4


def settings(folder: Path, **quality: Any) -> Config:
    labels = {"source": {"type": "jsonl", "path": "l.jsonl"}, "format": {"type": "json"}}
    models = {"m": {"baseline": str(learn(folder)), "quality": quality}}
    (folder / "l.jsonl").touch()
    (folder / "a.jsonl").touch()
    source = {"type": "jsonl", "path": "a.jsonl"}
    more = {"join": "event_id", "sample": 0.5}
    return parse(
        config(folder / "baseline", source=source, models=models, labels={**labels, **more}), folder
    )


def test_the_plan_has_the_columns_of_models_with_quality(tmp_path: Path) -> None:
    job = settings(tmp_path, problem="binary", probability="score", threshold=0.3)
    baseline = load_baseline(tmp_path / "baseline")
    rules = plan_of(job, {"m": baseline}).predictions
    assert rules is not None
    score = baseline.layout.features[baseline.layout.index["score"]]
    assert rules.distinct == [
        PredictionColumns(
            problem="binary",
            probability="score",
            threshold=0.3,
            positive="1",
            negative="0",
            probability_reading=score.cell_reading,
        )
    ]
    assert (rules.join, rules.sample) == ("event_id", 0.5)


def test_readers_compare_with_the_classes_of_the_baseline(tmp_path: Path) -> None:
    job = settings(tmp_path, problem="binary", prediction="plan")
    job = with_class_pairs(job, {"m": ("premium", "free")})
    sent = msgspec.msgpack.decode(msgspec.msgpack.encode(job), type=Config)
    rules = plan_of(sent, {"m": load_baseline(tmp_path / "baseline")}).predictions
    assert rules is not None
    [columns] = rules.distinct
    assert (columns.positive, columns.negative) == ("premium", "free")


def test_without_quality_the_configuration_stays_as_it_is(tmp_path: Path) -> None:
    job = settings(tmp_path, problem="regression", prediction="score")
    assert with_class_pairs(job, {}) == job


def test_a_number_out_of_0_to_1_is_no_probability() -> None:
    cells = [0, 1, 1.0000001, 73, -0.1]
    values = [event(k, p=cell) for k, cell in enumerate(cells)]
    found, rows = decoded(fold(values, SCORE, Json(id="id")))
    assert (rows["value"].tolist(), found.untaken) == ([0, 1], {"unusable_prediction": 3})
    both = PredictionColumns(problem="multiclass", prediction="t", probability="p")
    _, rows = decoded(fold(values, both, Json(id="id")))
    assert np.isnan(rows["value"]).tolist() == [False, False, True, True, True]


def test_a_number_that_marks_missing_text_is_missing() -> None:
    marked = PredictionColumns(
        problem="regression", prediction="t", prediction_reading=CellReading(missing=("-999",))
    )
    values = [event(k, t=text) for k, text in enumerate(["2.5", "-999", " -999 ", "-998"])]
    found, rows = decoded(fold(values, marked, Json(id="id")))
    assert (rows["value"].tolist(), found.untaken) == ([2.5, -998.0], {"unusable_prediction": 2})
