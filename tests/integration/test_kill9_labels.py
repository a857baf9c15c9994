"""The service on Kafka is killed repeatedly while events and their labels flow, in two topics."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from detectors.quality_report import QualityReport
from tests.integration.test_kill9 import kill_at_random
from tests.servers.kafka import KafkaBroker
from tests.servers.service import RunningService
from tests.support import events, jobs

KILLS = int(os.environ.get("DRIFTLINE_KILLS_LABELS", "5"))
EVENTS = 2_000 * KILLS
PARTITIONS, LABEL_PARTITIONS = 4, 2
WINDOW_MS = 600_000
START_MS = 1_750_000_200_000
MOST_DELAY_S = 2 * 86_400
THRESHOLD = 0.3
CHUNK = 400


class Table(NamedTuple):
    """The producer's own table: the lines of both topics, and what is true of each event.

    ``labels`` are pairs of partition and line, in the order of production. ``truth`` is the last
    label of each event, ``None`` without one.
    """

    lines: list[bytes]
    scores: list[float]
    labels: list[tuple[int, bytes]]
    truth: list[int | None]


def table(seed: int) -> Table:
    """Return events with labels that are shuffled and come up to two days later.

    One in ten has none, one in ten has it twice, and one in ten is corrected by a second one.
    """
    random = Random(seed)
    columns = events.values(EVENTS, seed)
    lines = events.capture_lines(columns, start_ms=START_MS, events_a_second=1)
    scores = [float(score) for score in columns["score"]]
    truth: list[int | None] = []
    written: list[tuple[int, int, bytes]] = []
    for k, (line, score) in enumerate(zip(lines, scores, strict=True)):
        true = int(score + random.uniform(-0.3, 0.3) > THRESHOLD)
        values = ([], [true, true], [1 - true, true], *[[true]] * 7)[random.randrange(10)]
        truth.append(values[-1] if values else None)
        for nth, value in enumerate(values):
            delay_s = random.randint(nth * MOST_DELAY_S // 2, (nth + 1) * MOST_DELAY_S // 2)
            time_ms = START_MS + (k + delay_s) * 1_000
            id_ = json.loads(line)["eventMetadata"]["eventId"]
            label = json.dumps({"id": id_, "label": value, "time": time_ms}).encode()
            written.append((time_ms, k % LABEL_PARTITIONS, label))
    return Table(lines, scores, [entry[1:] for entry in sorted(written)], truth)


def produce(kafka: KafkaBroker, topics: tuple[str, str], table: Table) -> None:
    """Produce both logs at the same pace: labels are there before and after their events."""
    steps = EVENTS // CHUNK
    per_step = -(-len(table.labels) // steps)
    for step in range(steps):
        now_ms = int(time.time() * 1000)
        first = step * CHUNK
        records = [
            (k % PARTITIONS, None, table.lines[k], (), now_ms) for k in range(first, first + CHUNK)
        ]
        labels = table.labels[step * per_step : (step + 1) * per_step]
        kafka.produce(topics[0], records)
        kafka.produce(topics[1], [(part, None, line, (), now_ms) for part, line in labels])
        time.sleep(0.42)


def config(
    kafka: KafkaBroker, topics: tuple[str, str], baseline: Path, readers: int
) -> dict[str, Any]:
    source, of_labels = (
        {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}
        for topic in topics
    )
    quality = {
        "problem": "binary",
        "probability": "score",
        "threshold": THRESHOLD,
        "limits": {"f1": {"min": 0.5}},
        "judge_at": {"coverage": 0.5},
        "revise_every": "6h",
    }
    label_format = {"type": "json", "time": {"path": "time", "unit": "ms"}}
    return jobs.config(
        baseline,
        job="labelled",
        source=source,
        labels={"source": of_labels, "format": label_format, "horizon": "3d"},
        models={"m": {"baseline": str(baseline), "quality": quality}},
        readers=readers,
        window="10m",
        idle="8s",
    )


def newest(reports: list[QualityReport]) -> dict[int, QualityReport]:
    """Return the last report of each window; fails if an id has two contents."""
    by_id: dict[str, QualityReport] = {}
    found: dict[int, QualityReport] = {}
    for report in reports:
        assert by_id.setdefault(report.id, report) == report, report.id
        if report.end_ms not in found or report.revision > found[report.end_ms].revision:
            found[report.end_ms] = report
    return found


def matrices(table: Table) -> dict[int, tuple[int, dict[str, dict[str, int]]]]:
    """Return the events and the confusion matrix of each window, by its end."""
    counts: dict[int, Counter[tuple[str, str]]] = {}
    rows: Counter[int] = Counter()
    for k, (score, true) in enumerate(zip(table.scores, table.truth, strict=True)):
        end_ms = (START_MS + k * 1_000) // WINDOW_MS * WINDOW_MS + WINDOW_MS
        rows[end_ms] += 1
        cells = counts.setdefault(end_ms, Counter())
        if true is not None:
            cells[str(true), str(int(score > THRESHOLD))] += 1
    return {
        end_ms: (rows[end_ms], {t: {p: cells[t, p] for p in "01"} for t in "01"})
        for end_ms, cells in counts.items()
    }


def areas(table: Table) -> dict[int, float]:
    """Return the area under the ROC curve of each window, by scikit-learn."""
    metrics = pytest.importorskip("sklearn.metrics")
    labelled: dict[int, list[tuple[int, float]]] = {}
    for k, (score, true) in enumerate(zip(table.scores, table.truth, strict=True)):
        if true is not None:
            end_ms = (START_MS + k * 1_000) // WINDOW_MS * WINDOW_MS + WINDOW_MS
            labelled.setdefault(end_ms, []).append((true, score))
    return {
        end_ms: float(metrics.roc_auc_score(*zip(*pairs, strict=True)))
        for end_ms, pairs in labelled.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("readers", [1, 2])
def test_random_kills_change_no_confusion_matrix(
    kafka: KafkaBroker, make_topic: Callable[..., str], tmp_path: Path, readers: int
) -> None:
    own = table(3)
    expected = matrices(own)
    topics = make_topic(PARTITIONS), make_topic(LABEL_PARTITIONS)
    settings = config(kafka, topics, jobs.learn(tmp_path), readers)
    service = RunningService(tmp_path / "run", settings)
    random = Random(9)
    producer = threading.Thread(target=produce, args=(kafka, topics, own))

    def all_final() -> bool:
        found = newest(service.quality())
        return found.keys() == expected.keys() and all(r.final for r in found.values())

    with service:
        producer.start()
        for _ in range(KILLS):
            time.sleep(random.uniform(0.6, 2.6))
            kill_at_random(service, random)
        producer.join()
        service.until(lambda: service.accepted() == EVENTS, 120)
        service.until(all_final, 120)
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    reports = newest(service.quality())
    found = {end: (report.predictions, report.confusion_matrix) for end, report in reports.items()}
    assert found == expected
    for end_ms, area in areas(own).items():
        (auc,) = (metric.value for metric in reports[end_ms].metrics if metric.name == "auc")
        assert auc == pytest.approx(area, abs=1e-3), end_ms
