"""``driftline check --live`` looks at the labels: in files, and in a topic of a real Kafka."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.servers.kafka import KafkaBroker
from tests.support import events, jobs

Check = Callable[..., tuple[int, str]]
COUNT = 200
MODELS = {
    "m": {"baseline": "baseline", "quality": {"problem": "regression", "prediction": "score"}}
}
GROUND_TRUTH = {"type": "ground_truth"}


def captures(start_ms: int) -> list[bytes]:
    return events.capture_lines(events.values(COUNT, 3), start_ms=start_ms, events_a_second=10)


def truths(lines: Sequence[bytes]) -> list[bytes]:
    """A label of 0.5 for each capture, as SageMaker's ground truth."""
    return [
        json.dumps(
            {
                "groundTruthData": {"data": "0.5", "encoding": "CSV"},
                "eventMetadata": {"eventId": json.loads(line)["eventMetadata"]["eventId"]},
                "eventVersion": "0",
            }
        ).encode()
        for line in lines
    ]


def labels_in(source: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"labels": {"source": source, "format": GROUND_TRUTH, **more}, "models": MODELS}


def test_labels_in_files_are_matched_with_events_in_files(
    tmp_path: Path, check_live: Check
) -> None:
    lines = captures(jobs.START_MS)
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    foreign = [b'{"id": 1}'] * 50
    (tmp_path / "labels.jsonl").write_bytes(b"\n".join([*truths(lines), *foreign]) + b"\n")
    code, text = check_live(
        {"type": "jsonl", "path": "events.jsonl"},
        [{"type": "prometheus"}],
        **labels_in({"type": "jsonl", "path": "labels.jsonl"}),
    )
    assert code == 0, text
    assert "labels: format: 20 % of 250 sampled records rejected: id_missing 20 %" in text
    assert "100 % of 200 sampled labels have their event among 200 sampled events" in text
    assert "the labels state no time, and neither does their log" in text


def test_labels_in_a_topic_have_the_time_at_which_the_log_took_them(
    kafka: KafkaBroker, make_topic: Callable[..., str], check_live: Check
) -> None:
    now_ms = int(time.time() * 1000)
    start_ms = now_ms - 4 * 3_600_000
    lines = captures(start_ms)
    topic, of_labels = make_topic(1), make_topic(2)
    kafka.produce(topic, [(0, None, line, (), start_ms) for line in lines])
    arrival_ms = start_ms + 2 * 3_600_000
    kafka.produce(
        of_labels,
        [(k % 2, None, truth, (), arrival_ms) for k, truth in enumerate(truths(lines))],
    )
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap]}
    code, text = check_live(
        {**source, "topic": topic},
        [{"type": "prometheus"}],
        **labels_in({**source, "topic": of_labels}),
    )
    assert code == 0, text
    assert "labels: the newest label is of 2 h ago" in text
    assert "100 % of 200 sampled labels have their event" in text
    assert "delay: half of them within 1 h 59 min" in text


def test_a_source_of_labels_out_of_reach_is_a_fault(tmp_path: Path, check_live: Check) -> None:
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(captures(jobs.START_MS)) + b"\n")
    code, text = check_live(
        {"type": "jsonl", "path": "events.jsonl"},
        [],
        **labels_in({"type": "jsonl", "path": "nowhere.jsonl"}),
    )
    assert code == 2
    assert "fault    labels jsonl" in text
    assert "No such file" in text
