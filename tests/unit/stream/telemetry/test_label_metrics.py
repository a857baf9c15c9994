"""Metrics of the label ledger and of the label log, read through a registry as by a scrape."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.state import JobState
from stream.event_time import PartitionState
from stream.telemetry.label_metrics import LabelsCommit
from stream.telemetry.state_metrics import StateMetrics

NOW_S = 1_700_000_000.0
"""The clock at the commit."""
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
    """The metrics of one commit, or of none of labels."""

    def __init__(self, labels: LabelsCommit | None) -> None:
        metrics = StateMetrics("sample")
        self.registry = CollectorRegistry()
        self.registry.register(metrics)
        metrics.committed(JobState(), {}, labels)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"driftline_{name}", {"job": "sample", **labels})


def shown(watermark_ms: int | None = None, **ledger: Any) -> Page:
    counted = LabelLedger(**{**BALANCED, **ledger})
    return Page(LabelsCommit.of(NOW_S, counted, PARTITIONS, {"l-0": 7}, watermark_ms))


def test_a_job_without_labels_exports_nothing_about_them() -> None:
    names = [family.name for family in Page(None).registry.collect()]
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
    assert page.value("label_behind_seconds", partition="l-0") == 60
    assert page.value("label_lag", partition="l-0") == 7
    assert page.value("label_watermark_timestamp_seconds") == 1_699_998_000


def test_what_is_not_known_has_no_series() -> None:
    page = shown()
    assert page.value("label_mark_timestamp_seconds", partition="l-1") is None
    assert page.value("label_lag", partition="l-1") is None
    assert page.value("label_behind_seconds", partition="l-1") == 0, "at the end of the log"
    assert page.value("label_mark_timestamp_seconds", partition="l-2") is None, "it has ended"
    assert page.value("label_watermark_timestamp_seconds") is None
