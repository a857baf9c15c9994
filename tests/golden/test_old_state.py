"""A state that driftline 0.1.0 wrote opens, and continues to the results that 0.1.0 itself
reported.

``state_0_1_0/`` was written by that version: a service was stopped with open sliding windows, an
open episode, a model that was still learning, remembered ids, and a signal in the outbox. The same
version then continued from a copy of the state; ``continued.json`` holds what it reported.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stream.aggregation.state import JobState
from stream.config.load import parse
from stream.events import WidthMismatches
from stream.service import service
from stream.state.store import Store

FIXTURE = Path(__file__).parent / "state_0_1_0"
WRITTEN_BY_0_1_0 = json.loads((FIXTURE / "continued.json").read_text())
SNS = {
    "type": "sns",
    "topic_arn": "arn:aws:sns:eu-central-1:123456789012:retrain",
    "endpoint_url": "http://127.0.0.1:9",
}


def config() -> dict[str, Any]:
    """The configuration that wrote the state, in today's keys. The source now ends."""
    return {
        "job": "upgrade",
        "source": {"type": "jsonl", "path": "captures", "follow": False},
        "format": {
            "type": "json",
            "features": "request",
            "prediction": "answer.price",
            "id": "id",
        },
        "model": {"from": "path", "name": "model"},
        "time": {"path": "time", "unit": "ms"},
        "models": {
            "prices": {
                "baseline": "base",
                "change_detectors": [
                    {"type": "page_hinkley", "feature": "rooms", "series": "mean"}
                ],
            },
            "young": {
                "baseline": "learn",
                "outputs": ["price"],
                "inputs": ["area", "rooms", "city"],
            },
        },
        "window": "20s",
        "every": "10s",
        "grace": "2s",
        "lateness": "60s",
        "idle": "1h",
        "dedupe": {"by": "event_id", "horizon": "5m"},
        "learn": {"events": 400},
        "rules": {"mode": "threshold", "k": 2, "of": 3, "min_n": 50, "cooldown": "60s"},
        "sinks": [{"type": "jsonl", "path": "reports"}, SNS],
        "state": {"path": "state.sqlite"},
        "http": {"port": 0},
        "dead_letters": {"path": "dead.jsonl"},
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the old service, with the file that it has not read yet."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captures").mkdir()
    packed = {"state.sqlite": "", "a.jsonl": "captures", "b.jsonl": "captures"}
    for name, subfolder in packed.items():
        content = gzip.decompress((FIXTURE / f"{name}.gz").read_bytes())
        (tmp_path / subfolder / name).write_bytes(content)
    shutil.copytree(FIXTURE / "base", tmp_path / "base")
    return tmp_path


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a report, without names and texts that may be worded differently."""
    keys = ("model", "start_ms", "end_ms", "revision", "state", "rows", "layout")
    violations = [[v["feature"], v["check"], v["value"], v["limit"]] for v in report["violations"]]
    return {
        **{key: report[key] for key in keys},
        "violations": sorted(violations),
        "distances": {f["name"]: without_nulls(f["distances"]) for f in report["features"]},
    }


def expectation(report: dict[str, Any]) -> dict[str, Any]:
    """What 0.1.0 reported, to nine digits: special functions differ in the last ones."""
    violations = [
        [feature, check, pytest.approx(value, rel=1e-9), pytest.approx(limit, rel=1e-9)]
        for feature, check, value, limit in report["violations"]
    ]
    distances = {
        name: pytest.approx(without_nulls(values), rel=1e-9)
        for name, values in report["distances"].items()
    }
    return {**report, "violations": violations, "distances": distances}


def without_nulls(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def test_a_state_of_0_1_0_continues_as_0_1_0_continued_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "DRAIN_S", 0.3)
    undelivered = 9
    assert service.Service(parse(config(), Path())).run() == undelivered

    written = [json.loads(line) for line in open_lines(folder, "reports-*.jsonl")]
    assert len(written) == len(WRITTEN_BY_0_1_0["reports"])
    for report, expected in zip(written, WRITTEN_BY_0_1_0["reports"], strict=True):
        assert summary(report) == expectation(expected)

    first, *rest = WRITTEN_BY_0_1_0["signals"]
    signals = [json.loads(line) for line in open_lines(folder, "signals.jsonl")]
    assert [{key: signal[key] for key in rest[0]} for signal in signals] == rest

    store = Store(folder / "state.sqlite")
    waiting = [item.item for item in store.outbox()]
    store.close()
    kinds = [getattr(item, "kind", None) for item in waiting]
    assert kinds.count("opened") == 1, f"the signal that waited for SNS: {first}"


def test_a_state_of_0_1_0_without_a_mode_continues_by_evidence_with_an_empty_history(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "DRAIN_S", 0.3)
    job = config()
    del job["rules"]["mode"]
    assert service.Service(parse(job, Path())).run() == 9
    written = [json.loads(line) for line in open_lines(folder, "reports-*.jsonl")]
    of_model = [each for each in written if each["model"] == "prices"]
    judged = [each for each in of_model if each["state"] in ("ok", "violations")]
    horizons = [
        {
            finding["horizon"]
            for each in report["features"]
            for finding in each["evidence"]["findings"]
        }
        for report in judged
    ]
    assert horizons[0] == {1}
    assert set().union(*horizons) > {1}
    store = Store(folder / "state.sqlite")
    kept = store._db.execute("SELECT DISTINCT model FROM histories ORDER BY model").fetchall()
    store.close()
    assert ("prices",) in kept
    signals = [json.loads(line) for line in open_lines(folder, "signals.jsonl")]
    assert {each["episode"] for each in signals} == {WRITTEN_BY_0_1_0["signals"][0]["episode"]}
    kinds = [each["kind"] for each in signals]
    assert kinds[-1] == "recovered", "the open episode goes on, and ends"
    assert "opened" not in kinds, "and is not told anew"


def open_lines(folder: Path, pattern: str) -> list[str]:
    files = sorted((folder / "reports").glob(pattern))
    return [line for file in files for line in file.read_text().splitlines()]


def test_every_field_of_a_job_state_of_0_1_0_is_read() -> None:
    state = JobState.decode((FIXTURE / "job_state.msgpack").read_bytes())
    partition = state.partitions["0"]
    assert (partition.claim, partition.next, partition.mark_ms) == (3, ("AbCdEf", 17), 5000)
    assert (partition.quiet_ms, partition.reported_ms, partition.idle) == (100, 200, True)
    assert partition.arrival_ms == 4000
    assert state.partitions["shardId-1"].ended
    assert state.partitions["shardId-2"].parents == ("shardId-1",)
    assert (state.now_ms, state.clock_jumps, state.watermark_ms) == (7000, 2, 4500)
    assert (state.closed_ms, state.settled_ms) == (4000, 3000)
    ledger = state.ledger
    assert (ledger.partitions["0"].read, ledger.partitions["0"].outcomes["too_late"]) == (10, 3)
    assert ledger.bytes == {"accepted": 700}
    rows = ledger.rows_accepted, ledger.rows_folded, ledger.rows_in_panes, ledger.rows_closed
    assert rows == (7, 7, 4, 2)
    assert (ledger.rows_late_after_idle, ledger.width_mismatches_late_after_idle) == (1, 5)
    assert (ledger.partials_accepted, ledger.partials_dropped) == (6, 8)
    assert (ledger.gaps, ledger.gap_records, ledger.future, ledger.unremembered) == (9, 10, 11, 12)
    model = state.models["m"]
    assert (model.baseline, model.learning, model.sampled_rows) == ("abcdef", True, 5)
    assert (model.samples, model.incomplete_before_ms) == ([b"xyz"], 60000)
    (key, known) = state.known()[0]
    assert key == ("m", "v")
    assert (known.reported, known.touched) == ({(60000, 120000): 1}, {120000})
    assert known.width_mismatches == {60000: WidthMismatches(1, 2)}
    assert (known.active_until_ms, known.silent_ms) == (130000, 140000)
    assert len(known.episodes.windows) == 2
    assert known.episodes.open is not None
    assert known.episodes.open.sizes == {"area\x1fbaseline_drift_check": 0.5}
    assert known.episodes.open.reasons[0].moved[0].before_count == 10
    assert known.episodes.series == {"area/mean": (0.1, 0.2)}
    assert known.episodes.signalled == {"area": 120000}
    assert state.open_gaps == {"0": 4000, "1": None}
    assert [(span.from_ms, span.to_ms, span.reason) for span in state.spans] == [
        (None, 5000, "gap in 0")
    ]
