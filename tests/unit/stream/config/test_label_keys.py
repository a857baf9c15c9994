"""The configuration of labels and of quality: what is accepted, and the text of each fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.baselining.build import make_from_files, write
from stream.baselining.configured import baselines_check
from stream.config.load import load
from stream.errors import ConfigError

KAFKA = {"type": "kafka", "bootstrap_servers": ["127.0.0.1:9092"]}
QUALITY: dict[str, Any] = {"problem": "binary", "prediction": "p"}


def configuration(
    quality: dict[str, Any] | None = QUALITY, labels: Any = (), **more: Any
) -> dict[str, Any]:
    """A job on Kafka with labels in another topic; ``labels`` replace some of their keys."""
    model: dict[str, Any] = {"baseline": "learn", "outputs": ["p", "s"], "inputs": ["x"]}
    config: dict[str, Any] = {
        "job": "churn",
        "source": {**KAFKA, "topic": "events"},
        "format": {"type": "sagemaker"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": model if quality is None else {**model, "quality": quality}},
        "labels": {"source": {**KAFKA, "topic": "labels"}, "format": {"type": "ground_truth"}},
    }
    if labels is None:
        del config["labels"]
    else:
        config["labels"] |= dict(labels)
    return config | more


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def faults_of(file: Path, config: dict[str, Any]) -> list[str]:
    file.write_text(yaml.safe_dump(config))
    try:
        load(file, checks=[baselines_check])
    except ConfigError as error:
        return [f"{fault.path}: {fault.reason}" for fault in error.faults]
    return []


def test_a_fault_has_the_line_of_its_key(file: Path) -> None:
    file.write_text(yaml.safe_dump(configuration(labels={"horizon": "0s"})))
    lines = file.read_text().splitlines()
    with pytest.raises(ConfigError) as caught:
        load(file)
    [fault] = caught.value.faults
    assert lines[fault.line - 1] == "  horizon: 0s"


def test_labels_and_quality_belong_together(file: Path) -> None:
    assert faults_of(file, configuration()) == []
    [without_labels] = faults_of(file, configuration(labels=None))
    assert without_labels == (
        "models.m.quality: needs `labels`, which says where the labels come from"
    )
    [without_quality] = faults_of(file, configuration(None))
    assert without_quality.startswith("labels: no model has `quality`")


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"problem": "binary"}, "models.m.quality: prediction or probability is required"),
    (
        {"problem": "multiclass", "probability": "s"},
        (
            "models.m.quality.prediction: expected the column with the answer, which a multiclass"
            " problem needs, found none"
        ),
    ),
    (
        {"problem": "regression"},
        "models.m.quality.prediction: expected the column with the answer, which a regression",
    ),
    (
        {"problem": "regression", "prediction": "p", "probability": "s"},
        "models.m.quality.probability: has no meaning for a regression problem",
    ),
    (
        {**QUALITY, "probability": "p"},
        "models.m.quality.probability: expected another column than that of `prediction`",
    ),
    (
        {**QUALITY, "threshold": 0.3},
        "models.m.quality.threshold: has no effect: the answer is in `prediction`",
    ),
    (
        {"problem": "regression", "prediction": "p", "threshold": 0.3},
        "models.m.quality.threshold: has no meaning for a regression problem",
    ),
    (
        {**QUALITY, "positive": "churned"},
        (
            "models.m.quality.negative: expected the class opposite to 'churned', since there is no"
            " baseline that knows it, found none"
        ),
    ),
    (
        {**QUALITY, "positive": "1", "negative": "1.0"},
        "models.m.quality.negative: expected another class than the positive one, '1', found '1.0'",
    ),
    (
        {"problem": "multiclass", "prediction": "p", "positive": "1"},
        "models.m.quality.positive: has no meaning for a multiclass problem",
    ),
    (
        {**QUALITY, "probability": "s", "estimate": "dle", "baseline": "q"},
        "models.m.quality.estimate: expected cbpe, which estimates a binary problem, found dle",
    ),
    (
        {"problem": "regression", "prediction": "p", "estimate": "cbpe", "baseline": "q"},
        "models.m.quality.estimate: expected dle, which estimates a regression problem, found cbpe",
    ),
    (
        {**QUALITY, "estimate": "cbpe", "baseline": "q"},
        "models.m.quality.probability: expected a column, from which `estimate: cbpe` is made",
    ),
    (
        {**QUALITY, "revise_every": "0s"},
        "models.m.quality.revise_every: expected a duration above 0, found 0s",
    ),
    (
        {**QUALITY, "custom": {"cost": "mycompany.metrics.Cost"}},
        (
            "models.m.quality.custom.cost: mycompany.metrics.Cost: it must be named as"
            " package.module:Class"
        ),
    ),
    (
        {**QUALITY, "custom": {"cost": "json:JSONDecoder"}},
        "models.m.quality.custom.cost: json:JSONDecoder: it has no method update",
    ),
    (
        {
            "problem": "regression",
            "prediction": "p",
            "error_detectors": [{"type": "adwin", "unit": 3.0}, {"type": "ddm"}],
        },
        "models.m.quality.error_detectors[1].type: ddm is for errors of 0 and 1",
    ),
    (
        {"problem": "binary", "probability": "score"},
        "models.m.quality.probability: unknown column 'score'; valid: p, s, x",
    ),
]


@pytest.mark.parametrize(("quality", "expected"), FAULTS, ids=[text for _, text in FAULTS])
def test_a_quality_that_contradicts_itself_is_refused(
    file: Path, quality: dict[str, Any], expected: str
) -> None:
    faults = faults_of(file, configuration(quality))
    assert [fault for fault in faults if fault.startswith(expected)], faults
    others = [fault for fault in faults if not fault.startswith(expected)]
    assert all("baseline" in fault for fault in others)


@pytest.mark.parametrize(
    "quality",
    [
        {"problem": "binary", "probability": "s", "threshold": 0.3},
        {**QUALITY, "probability": "s", "positive": "yes"},
        {**QUALITY, "positive": "churned", "negative": "stayed"},
        {**QUALITY, "positive": "0", "negative": "1"},
        {"problem": "multiclass", "prediction": "p", "probability": "s"},
        {"problem": "regression", "prediction": "p"},
    ],
)
def test_a_quality_without_a_contradiction_is_accepted(file: Path, quality: dict[str, Any]) -> None:
    assert faults_of(file, configuration(quality)) == []


@pytest.mark.parametrize("horizon", ["0s", "999ms", "367d"])
def test_the_horizon_has_a_range(file: Path, horizon: str) -> None:
    [fault] = faults_of(file, configuration(labels={"horizon": horizon}))
    assert fault == f"labels.horizon: expected 1s to 366d, found {horizon}"
    assert faults_of(file, configuration(labels={"horizon": "366d"})) == []


def test_the_labels_are_not_in_the_log_of_the_events(file: Path) -> None:
    [fault] = faults_of(file, configuration(labels={"source": {**KAFKA, "topic": "events"}}))
    assert fault.startswith("labels.source: is the source of the events (kafka")


def test_the_state_in_s3_is_refused_with_advice(file: Path) -> None:
    [fault] = faults_of(file, configuration(state={"s3": {"bucket": "my-bucket"}}))
    assert fault.startswith("state.s3: does not go with `labels`")
    assert "a job of their own" in fault
    alone = configuration(None, labels=None, state={"s3": {"bucket": "my-bucket"}})
    assert faults_of(file, alone) == []


@pytest.mark.parametrize(
    ("form", "join", "expected"),
    [
        ({}, None, "format: the format reads no id by which labels find their events"),
        ({"id": "id"}, "inference_id", "labels.join: expected an id that the format reads"),
        ({"inference_id": "id"}, "event_id", "labels.join: expected an id that the format reads"),
        ({"id": "id"}, None, ""),
        ({"id": "id"}, "event_id", ""),
        ({"inference_id": "id"}, "inference_id", ""),
    ],
)
def test_the_events_have_the_id_that_labels_name(
    file: Path, form: dict[str, str], join: str | None, expected: str
) -> None:
    labels = {"join": join} if join else {}
    faults = faults_of(file, configuration(labels=labels, format={"type": "json", **form}))
    assert [fault[: len(expected)] for fault in faults] == ([expected] if expected else [])


def test_a_column_of_text_is_no_score_and_no_number(file: Path, tmp_path: Path) -> None:
    rows = "".join(f"{k}.5,{'rg'[k % 2]}\n" for k in range(50))
    (tmp_path / "train.csv").write_text("x,color\n" + rows)
    write(make_from_files(tmp_path / "train.csv"), tmp_path / "baseline")
    for quality, key in (
        ({"problem": "binary", "probability": "color"}, "probability"),
        ({"problem": "regression", "prediction": "color"}, "prediction"),
    ):
        config = configuration() | {"models": {"m": {"baseline": "baseline", "quality": quality}}}
        [fault] = faults_of(file, config)
        expected = "expected a column of numbers, found 'color', a column of text"
        assert fault == f"models.m.quality.{key}: {expected}"
        quality["problem"] = "multiclass"
        quality["prediction"] = "color"
        quality.pop("probability", None)
        assert faults_of(file, config) == []


def test_all_faults_are_told_at_once_in_the_order_of_the_file(file: Path) -> None:
    quality = {**QUALITY, "positive": "a", "threshold": 0.3, "revise_every": "0s"}
    config = configuration(quality, labels={"horizon": "0s", "join": "event_id"})
    faults = faults_of(file, config | {"format": {"type": "json"}})
    assert {fault.split(": ", 1)[0] for fault in faults} == {
        "labels.horizon",
        "labels.join",
        "models.m.quality.negative",
        "models.m.quality.revise_every",
        "models.m.quality.threshold",
    }


def test_paths_of_the_labels_start_at_the_folder_of_the_file(file: Path, tmp_path: Path) -> None:
    labels = {"source": {"type": "jsonl", "path": "labels/"}}
    file.write_text(yaml.safe_dump(configuration(labels=labels)))
    loaded = load(file).labels
    assert loaded is not None
    assert getattr(loaded.source, "path", None) == str(tmp_path / "labels")


def test_the_source_of_the_labels_checks_its_own_keys(file: Path) -> None:
    [fault] = faults_of(file, configuration(labels={"source": {"type": "jsonl", "path": ""}}))
    assert fault.startswith("labels.source.path: the path of a file or folder is required")


def test_variables_and_secrets_of_the_labels_are_as_those_of_the_events(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABEL_TOPIC", "truths")
    file.write_text(
        yaml.safe_dump(configuration(labels={"source": {**KAFKA, "topic": "${LABEL_TOPIC}"}}))
    )
    loaded = load(file).labels
    assert loaded is not None
    assert getattr(loaded.source, "topic", None) == "truths"
    (tmp_path / "secret").write_text("hunter2hunter2\n")
    source = {**KAFKA, "topic": "labels", "give_up_after": "${file:secret}"}
    [fault] = faults_of(file, configuration(labels={"source": source}))
    assert fault.startswith("labels.source.give_up_after")
    assert "hunter2" not in fault
