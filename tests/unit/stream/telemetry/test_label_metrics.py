"""Metrics of the label ledger and of the label log, read through a registry as by a scrape."""

from __future__ import annotations

import time
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from detectors.decisions.episode_state import EpisodeState
from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.state import JobState, LabelState, LogState
from stream.event_time import PartitionState
from stream.telemetry.state_metrics import StateMetrics
from stream.testing.reports import START_MS
from tests.support.metrics import open_episode

PARTITIONS = {
    "l-0": PartitionState(1, 20, 1_699_999_000_000, arrival_ms=1_699_999_940_000),
    "l-1": PartitionState(1, 3, None),
    "l-2": PartitionState(1, 3, 5_000, ended=True),
}
BALANCED: dict[str, Any] = {
    "read": {"l-0": 20, "l-1": 3},
    "labels": {"matched": 9, "duplicate": 4, "conflicting": 3, "waiting": 2, "text": 5},
    "predictions": {"taken": 30, "labelled": 9, "waiting": 20, "expired": 1},
    "untaken": {"without_id": 6},
}


class Page:
    """The metrics of one commit of a job, read as by a scrape."""

    def __init__(self, labels: LabelState | None, lag: dict[str, int] | None = None) -> None:
        self.metrics = StateMetrics("sample")
        self.registry = CollectorRegistry()
        self.registry.register(self.metrics)
        self.metrics.committed(JobState(labels=labels), {}, lag)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"driftline_{name}", {"job": "sample", **labels})


def shown(watermark_ms: int | None = None, **ledger: Any) -> Page:
    return Page(label_state(watermark_ms, **ledger), {"l-0": 7})


def label_state(watermark_ms: int | None = None, **ledger: Any) -> LabelState:
    return LabelState(
        log=LogState(partitions=dict(PARTITIONS)),
        watermark_ms=watermark_ms,
        ledger=LabelLedger(**{**BALANCED, **ledger}),
    )


@pytest.mark.parametrize("earlier", [False, True])
def test_a_job_without_labels_exports_nothing_about_them(earlier: bool) -> None:
    """The state may have some: with their last numbers, the alert on silence would fire forever."""
    page = Page(label_state() if earlier else None)
    names = [family.name for family in page.registry.collect()]
    assert names
    assert [name for name in names if "label" in name or "prediction" in name] == []


def test_labels_are_counted_by_partition_and_their_outcomes_add_up_to_them() -> None:
    page = shown()
    assert page.value("labels_read_total", partition="l-0") == 20
    assert page.value("labels_read_total", partition="l-1") == 3
    [family] = [f for f in page.registry.collect() if f.name == "driftline_labels"]
    outcomes = {sample.labels["outcome"]: sample.value for sample in family.samples}
    assert outcomes == BALANCED["labels"]
    assert sum(outcomes.values()) == 20 + 3


def test_predictions_are_counted_by_outcome_and_those_that_cannot_wait_by_reason() -> None:
    page = shown()
    assert page.value("predictions_taken_total") == 30
    outcomes = [page.value("predictions", outcome=o) for o in ("labelled", "waiting", "expired")]
    assert outcomes == [9, 20, 1]
    assert page.value("predictions_untaken_total", reason="without_id") == 6


def test_an_outcome_of_predictions_that_has_not_happened_is_zero() -> None:
    page = shown(predictions={"taken": 4, "waiting": 4})
    assert page.value("predictions", outcome="labelled") == 0
    assert page.value("predictions", outcome="expired") == 0


@pytest.mark.parametrize(
    ("ledger", "imbalance"),
    [
        ({}, 0),
        ({"read": {"l-0": 25}}, 2),
        ({"predictions": {"taken": 31, "labelled": 33}}, 2),
        ({"read": {"l-0": 25}, "rows_labelled": 4}, 6),
    ],
)
def test_the_imbalance_adds_up_the_differences_of_all_laws(
    ledger: dict[str, Any], imbalance: int
) -> None:
    assert shown(**ledger).value("label_ledger_imbalance") == imbalance


def test_gaps_and_dropped_ranges_are_counted() -> None:
    page = shown(gaps=1, gap_records=40, ranges_dropped=3)
    counts = ("label_gaps", "label_gap_records_lost", "label_ranges_dropped")
    assert [page.value(f"{name}_total") for name in counts] == [1, 40, 3]


def test_each_open_partition_of_labels_shows_its_newest_time_its_age_and_its_lag() -> None:
    page = shown(watermark_ms=1_699_998_000_000)
    assert page.value("label_mark_timestamp_seconds", partition="l-0") == 1_699_999_000
    behind_s = page.value("label_behind_seconds", partition="l-0")
    assert behind_s == pytest.approx(time.time() - 1_699_999_940, abs=60)
    assert page.value("label_lag", partition="l-0") == 7
    assert page.value("label_watermark_timestamp_seconds") == 1_699_998_000


def test_what_is_not_known_has_no_series() -> None:
    page = shown()
    assert page.value("label_mark_timestamp_seconds", partition="l-1") is None
    assert page.value("label_lag", partition="l-1") is None
    assert page.value("label_behind_seconds", partition="l-1") == 0, "at the end of the log"
    assert page.value("label_mark_timestamp_seconds", partition="l-2") is None, "it has ended"
    assert page.value("label_watermark_timestamp_seconds") is None


def test_a_partition_without_a_known_lag_keeps_the_last_one() -> None:
    page = shown()
    page.metrics.committed(JobState(labels=label_state()), {}, {})
    assert page.value("label_lag", partition="l-0") == 7


def test_an_episode_of_quality_is_exported_apart_from_those_of_drift() -> None:
    state = label_state()
    state.episodes = {"flights\x1fAllTraffic": EpisodeState(open=open_episode())}
    page = Page(state, {})
    key = {"model": "flights", "variant": "AllTraffic"}
    assert page.value("quality_episode_open", **key) == 1
    assert page.value("quality_episode_start_timestamp_seconds", **key) == START_MS / 1000
    report = open_episode().report
    assert page.value("quality_episode_info", **key, metrics="amount", report=report) == 1
    assert page.value("episode_open", **key) is None
