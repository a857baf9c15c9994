"""The service on Kafka, or one of its readers, is killed repeatedly while events flow."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from detectors.statistics.evidence.horizons import OF_ANY_SIZE
from detectors.statistics.evidence.tallies import tally_layout
from stream.baselining.build import load_baseline
from stream.events import ModelKey
from stream.state.store import Store
from tests.servers.kafka import KafkaBroker
from tests.servers.service import RunningService, newest
from tests.support import events, jobs

KILLS = int(os.environ.get("DRIFTLINE_KILLS", "10"))
EVENTS = 2_000 * KILLS
PER_S = 400
PARTITIONS = 4
WINDOW_MS = 5_000
START_MS = 1_750_000_000_000
CHUNK = 400


def produce(kafka: KafkaBroker, topic: str, lines: list[bytes], done: threading.Event) -> None:
    for start in range(0, EVENTS, CHUNK):
        kafka.produce(
            topic,
            [
                (k % PARTITIONS, None, lines[k], (), int(time.time() * 1000))
                for k in range(start, start + CHUNK)
            ],
        )
        time.sleep(0.42)
    done.set()


def config(kafka: KafkaBroker, topic: str, baseline: Path, readers: int) -> dict[str, Any]:
    source = {"type": "kafka", "bootstrap_servers": [kafka.bootstrap], "topic": topic}
    return jobs.config(
        baseline,
        job="killed",
        source=source,
        readers=readers,
        window="5s",
        idle="8s",
        rules={"mode": "evidence"},
    )


def counted(baseline: Baseline, blob: bytes) -> tuple[int, Counter[str], Counter[int]]:
    """The rows, countries and hours counted in a published profile."""
    layout = baseline.layout
    profile = Profile.decode(blob, layout)
    countries, hours = (layout.index[name] for name in ("country", "hour"))
    by_country = dict(
        zip(
            layout.features[countries].vocabulary,
            profile.counts[layout.bins(countries)].tolist(),
            strict=False,
        )
    )
    cells = layout.coarse(profile.counts)[layout.cell_starts[hours] :]
    by_hour = {
        int(float(label)): int(count)
        for label, count in zip(layout.cell_labels(hours), cells, strict=False)
        if label.isdigit()
    }
    return profile.rows, +Counter(by_country), +Counter(by_hour)


def windows_of(
    columns: Mapping[str, Sequence[Any]],
) -> dict[int, tuple[int, Counter[str], Counter[int]]]:
    """The same figures of the produced events, by the window's end: the producer's own count."""
    counts = {}
    step = PER_S * WINDOW_MS // 1000
    for start in range(0, len(columns["hour"]), step):
        hours = columns["hour"][start : start + step]
        countries = columns["country"][start : start + step]
        end_ms = START_MS + start * 1000 // PER_S + WINDOW_MS
        counts[end_ms] = len(hours), Counter(countries), Counter(map(int, hours))
    return counts


def first_tallies(baseline: Baseline, reports: Sequence[WindowReport]) -> dict[int, list[int]]:
    """The tallies of the first reports of the last windows, by the window's end."""
    layout = tally_layout(baseline)
    first = {
        report.end_ms: Profile.decode(report.profile, baseline.layout)
        for report in reports
        if report.end_ms is not None and report.state != "no data" and not report.revision
    }
    return {
        end_ms: layout.tallies(first[end_ms].counts).tolist()
        for end_ms in sorted(first)[-(OF_ANY_SIZE - 1) :]
    }


def kept_tallies(baseline: Baseline, state: Path) -> dict[int, list[int]]:
    """The tallies in the history of the model, by the window's end."""
    store = Store(state)
    history = store.histories().get(ModelKey("m", "AllTraffic"), tally_layout(baseline))
    store.close()
    newest = history.windows()[-(OF_ANY_SIZE - 1) :]
    return {window.end_ms: window.tallies.tolist() for window in newest}


def kill_at_random(service: RunningService, random: Random) -> None:
    """Kill the service or one of its readers, with equal probability."""
    readers = service.readers()
    if readers and random.random() < 0.5:
        os.kill(random.choice(readers), signal.SIGKILL)
    else:
        service.kill9()
        service.start()


@pytest.mark.slow
@pytest.mark.parametrize("readers", [1, 2])
def test_random_kills_lose_nothing_and_count_nothing_twice(
    kafka: KafkaBroker, make_topic: Callable[..., str], tmp_path: Path, readers: int
) -> None:
    columns = events.values(EVENTS, 3)
    lines = events.capture_lines(columns, start_ms=START_MS, events_a_second=PER_S)
    baseline = jobs.learn(tmp_path)
    topic = make_topic(PARTITIONS)
    settings = config(kafka, topic, baseline, readers)
    service = RunningService(tmp_path / "run", settings)
    done = threading.Event()
    random = Random(9)
    producer = threading.Thread(target=produce, args=(kafka, topic, lines, done))
    with service:
        producer.start()
        kills = 0
        while kills < KILLS:
            time.sleep(random.uniform(0.6, 2.6))
            kill_at_random(service, random)
            kills += 1
        producer.join()
        service.until(lambda: service.accepted() == EVENTS, 120)
        last_end = START_MS + EVENTS * 1000 // PER_S
        service.until(
            lambda: max((end for _, end in newest(service.reports())), default=0) >= last_end, 90
        )
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    assert kills == KILLS
    assert not (tmp_path / "run" / "dead-letters-killed.jsonl").exists()
    counts = {
        end: counted(load_baseline(baseline), report.profile)
        for (_, end), report in newest(service.reports()).items()
    }
    assert counts == windows_of(columns)
    learned = load_baseline(baseline)
    kept = kept_tallies(learned, tmp_path / "run" / "driftline-killed.sqlite")
    assert kept == first_tallies(learned, service.reports())
