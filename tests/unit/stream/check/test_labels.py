"""The findings about a sample of labels and of events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.check.findings import Finding
from stream.check.label_sample import EventIds, LabelSample
from stream.check.labels import label_findings
from stream.check.offline import summary
from stream.config.load import parse
from stream.config.model import Config
from stream.testing.records import raw_batch
from tests.support.jobs import config, learn_from

NOW_MS = 1_750_000_000_000
DAY_MS = 86_400_000
QUALITY: dict[str, Any] = {"problem": "binary", "prediction": "price"}


def job(quality: dict[str, Any] = QUALITY, **labels: Any) -> Config:
    model = {"baseline": "learn", "outputs": ["price"], "inputs": ["x"], "quality": quality}
    source = {"type": "jsonl", "path": "labels.jsonl"}
    given = {"source": source, "format": {"type": "json"}, **labels}
    return parse(config("", models={"m": model}, labels=given), Path("/job"))


def found(
    ids: Sequence[object],
    labels: Sequence[object] | None = None,
    times_ms: int | Sequence[int] = NOW_MS - DAY_MS,
    events: EventIds | None = None,
    settings: Config | None = None,
) -> list[Finding]:
    """The findings about labels with these ids, labels (1) and times (all the same)."""
    used = settings or job()
    assert used.labels is not None
    values = labels if labels is not None else [1] * len(ids)
    records = [
        json.dumps({"id": id_, "label": label}).encode()
        for id_, label in zip(ids, values, strict=True)
    ]
    decoded = used.labels.format.open().decode([raw_batch(records)])
    times = [times_ms] * len(decoded.ids) if isinstance(times_ms, int) else list(times_ms)
    sample = LabelSample(len(ids), decoded, times)
    return label_findings(used, used.labels, sample, events or EventIds([], [], []), NOW_MS)


def of(findings: Sequence[Finding], start: str) -> Finding:
    [finding] = [finding for finding in findings if finding.message.startswith(start)]
    return finding


def ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{k}" for k in range(count)]


def test_a_silent_log_of_labels_is_a_warning() -> None:
    [finding] = found([])
    assert finding.level == "warning"
    assert "no quality is judged until they come" in finding.message


def test_labels_of_today_that_decode_are_fine() -> None:
    assert found(["a", "b"], times_ms=NOW_MS - 7_200_000) == [
        Finding("labels", "format: 0 % of 2 sampled records rejected"),
        Finding("labels", "the newest label is of 2 h ago"),
    ]


def test_records_that_are_no_labels_are_a_warning_or_a_fault_with_advice() -> None:
    finding = of(found(["a", "", "b"]), "format")
    assert finding.level == "warning"
    assert finding.message == "format: 33.3 % of 3 sampled records rejected: id_missing 33.3 %"
    assert "labels.format.id" in finding.advice
    assert of(found(["a", "", ""]), "format").level == "fault"


def test_labels_older_than_the_horizon_are_silent() -> None:
    settings = job(horizon="12h")
    finding = of(found(["a"], settings=settings), "the newest label")
    assert (finding.level, finding.message) == (
        "warning",
        "the newest label is of 1 d ago: silent",
    )


def test_the_share_with_an_event_and_the_delay_are_told() -> None:
    """The delays are 1, 2, ... 10 hours."""
    times = [NOW_MS - 10 * 3_600_000] * 10
    events = EventIds([None] * 10, ids("e", 10), times)
    label_times = [NOW_MS - 10 * 3_600_000 + k * 3_600_000 for k in range(1, 11)]
    findings = found([*ids("e", 10)], times_ms=label_times, events=events)
    assert of(findings, "join").message == (
        "join: 100 % of 10 sampled labels have their event among 10 sampled events"
    )
    assert of(findings, "delay") == Finding("labels", "delay: half of them within 5 h, 95 % 10 h")


def test_a_delay_beyond_the_horizon_is_a_warning_that_names_a_better_one() -> None:
    events = EventIds(["e0"], [None], [NOW_MS - 3 * DAY_MS])
    finding = of(found(["e0"], events=events, settings=job(horizon="1d")), "delay")
    assert finding.level == "warning"
    assert finding.advice == "Predictions wait only 1d: raise labels.horizon to 2d"


def test_few_matches_are_no_fault_since_labels_are_late() -> None:
    events = EventIds(ids("e", 5), [None] * 5, [NOW_MS] * 5)
    finding = of(found([*ids("old", 9), "e0"], events=events), "join")
    assert finding.level == "ok"
    assert "10 % of 10 sampled labels" in finding.message
    assert "may be of older events" in finding.message


@pytest.mark.parametrize(
    ("events", "join", "advice"),
    [
        (EventIds(ids("e", 3), ids("i", 3), [1] * 3), None, "set `labels.join: event_id`"),
        (EventIds(ids("e", 3), ids("i", 3), [1] * 3), "inference_id", "labels.join: event_id"),
        (EventIds(ids("x", 3), ids("e", 3), [1] * 3), "event_id", "labels.join: inference_id"),
        (EventIds([None] * 3, [None] * 3, [1] * 3), None, "No sampled event has the id"),
        (EventIds(ids("other-model-", 3), [None] * 3, [1] * 3), None, "have 2 characters, those"),
        (EventIds(ids("x", 3), [None] * 3, [1] * 3), None, "labels may be of another model"),
    ],
)
def test_labels_that_find_no_event_are_a_warning_with_the_likely_reason(
    events: EventIds, join: str | None, advice: str
) -> None:
    settings = job(join=join) if join else job()
    finding = of(found(ids("e", 3), events=events, settings=settings), "join")
    assert finding.level == "warning"
    assert advice in finding.advice


def test_labels_of_another_kind_of_problem_are_a_warning() -> None:
    regression = job({"problem": "regression", "prediction": "price"})
    findings = found(["a", "b"], [1.5, "late"], settings=regression)
    assert of(findings, "50 % of the labels are no numbers").level == "warning"
    findings = found(["a", "b", "c"], [0, 1, 2])
    assert of(findings, "3 different labels").level == "warning"
    assert len(found(["a", "b", "c"], [0, "1.0", 1])) == 2


def test_no_finding_shows_an_id_or_a_label() -> None:
    events = EventIds(["s3cr3t-event"], [None], [NOW_MS])
    findings = found(["s3cr3t-id", ""], ["s3cr3t-label", 1], events=events)
    assert not [finding for finding in findings if "s3cr3t" in str(finding)]


def test_the_offline_check_says_where_labels_come_from(tmp_path: Path) -> None:
    cells = {"x": [str(k / 7) for k in range(500)], "price": [str(k % 2) for k in range(500)]}
    quality = {**QUALITY, "limits": {"f1": {"min": 0.8}, "brier": {"min": 0, "max": 0.25}}}
    model = {"baseline": str(learn_from(cells, ("price",), tmp_path)), "quality": quality}
    labels = {
        "source": {"type": "jsonl", "path": "labels"},
        "format": {"type": "ground_truth"},
        "horizon": "7d",
        "sample": 0.25,
    }
    lines = summary(parse(config("", models={"m": model}, labels=labels), tmp_path))
    assert lines[1] == "model m: quality of a binary problem, answer in price"
    assert lines[2] == "model m: judged are f1 >= 0.8, 0 <= brier <= 0.25"
    assert lines[3] == (
        f"labels from jsonl {tmp_path}/labels as ground_truth, by inference_id, else event_id;"
        " predictions wait 7d (horizon), a sample of 0.25"
    )
