"""Metrics of the labels: the label ledger, and how far the label log is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from detectors.decisions.episode_state import Episode
from stream.aggregation.label_ledger import EXPIRED, LABELLED, TAKEN, WAITING, LabelLedger
from stream.aggregation.state import LabelState, split
from stream.event_time import PartitionState
from stream.events import ModelKey
from stream.telemetry.families import by_partition, gauge, seconds
from stream.web.readiness import behind_s

COUNTS: Final = (
    ("label_gaps", "gaps", "Gaps found in the log of labels."),
    ("label_gap_records_lost", "gap_records", "Labels lost in gaps, as far as known."),
    (
        "label_ranges_dropped",
        "ranges_dropped",
        "Ranges of labels that were dropped and are read again.",
    ),
)
"""Metric, field of the ledger, and help text of each count without labels."""


class LabelsCommit(msgspec.Struct, frozen=True, kw_only=True):
    """What a scrape exports of the labels as of one commit.

    ``ledger`` is encoded, because the state keeps changing; everything else is a copy.
    ``partitions`` are those of the label log; ``lag`` is the distance from their positions to the
    end of the log, where it is known. ``watermark_ms`` is the time up to which all labels are
    expected to be counted. ``episodes`` are those of the quality of models.
    """

    at_s: float
    ledger: bytes
    partitions: dict[str, PartitionState]
    lag: dict[str, int | None]
    watermark_ms: int | None
    episodes: dict[ModelKey, Episode | None]

    @classmethod
    def of(cls, at_s: float, state: LabelState, lag: Mapping[str, int | None]) -> LabelsCommit:
        """Copy what a scrape needs of the state of the labels."""
        return cls(
            at_s=at_s,
            ledger=msgspec.msgpack.encode(state.ledger),
            partitions=dict(state.log.partitions),
            lag={name: lag.get(name) for name in state.log.partitions},
            watermark_ms=state.watermark_ms,
            episodes={split(name): episodes.open for name, episodes in state.episodes.items()},
        )


def label_metrics(job: str, commit: LabelsCommit) -> Iterator[Metric]:
    """Yield all metrics of the labels.

    The outcomes of labels and of predictions are gauges: a label that waits is matched later, and a
    later one of the same prediction may replace it. What is read and taken only grows.
    """
    ledger = msgspec.msgpack.decode(commit.ledger, type=LabelLedger)
    yield from _labels(job, ledger)
    yield from _predictions(job, ledger)
    yield gauge(
        job,
        "driftline_label_ledger_imbalance",
        "Sum of the differences of the label ledger's totals; anything but 0 is a bug in "
        "driftline.",
        sum(map(abs, ledger.imbalance().values())),
    )
    for name, field, text in COUNTS:
        counter = CounterMetricFamily(f"driftline_{name}_total", text, labels=["job"])
        counter.add_metric([job], getattr(ledger, field))
        yield counter
    yield from _progress(job, commit)


def _labels(job: str, ledger: LabelLedger) -> Iterator[Metric]:
    read = CounterMetricFamily(
        "driftline_labels_read_total",
        "Labels read since the state was created, by partition of their log.",
        labels=["job", "partition"],
    )
    for partition, count in ledger.read.items():
        read.add_metric([job, partition], count)
    yield read
    outcomes = GaugeMetricFamily(
        "driftline_labels",
        "Labels read since the state was created, by their outcome so far.",
        labels=["job", "outcome"],
    )
    for outcome, count in ledger.labels.items():
        outcomes.add_metric([job, outcome], count)
    yield outcomes


def _predictions(job: str, ledger: LabelLedger) -> Iterator[Metric]:
    taken = CounterMetricFamily(
        "driftline_predictions_taken_total",
        "Predictions that waited for a label since the state was created.",
        labels=["job"],
    )
    taken.add_metric([job], ledger.predictions.get(TAKEN, 0))
    yield taken
    outcomes = GaugeMetricFamily(
        "driftline_predictions",
        "Predictions taken since the state was created, by their outcome so far.",
        labels=["job", "outcome"],
    )
    for outcome in (LABELLED, WAITING, EXPIRED):
        outcomes.add_metric([job, outcome], ledger.predictions.get(outcome, 0))
    yield outcomes
    untaken = CounterMetricFamily(
        "driftline_predictions_untaken_total",
        "Events whose predictions cannot wait for a label, by reason.",
        labels=["job", "reason"],
    )
    for reason, count in ledger.untaken.items():
        untaken.add_metric([job, reason], count)
    yield untaken


def _progress(job: str, commit: LabelsCommit) -> Iterator[Metric]:
    """Yield how far the log of labels is read, and up to which time."""
    now_ms = int(commit.at_s * 1000)
    live = {name: state for name, state in commit.partitions.items() if not state.ended}
    yield by_partition(
        job,
        "driftline_label_mark_timestamp_seconds",
        "Highest time of a label read in a partition of the label log.",
        {name: seconds(state.mark_ms) for name, state in live.items()},
    )
    yield by_partition(
        job,
        "driftline_label_behind_seconds",
        "Age in the label log of the record read last; 0 at the end of the log.",
        {name: behind_s(state, now_ms) for name, state in live.items()},
    )
    yield by_partition(
        job,
        "driftline_label_lag",
        "Distance from the position to the label log's end: offsets (Kafka) or ms (Kinesis).",
        {name: commit.lag.get(name) for name in live},
    )
    if commit.watermark_ms is not None:
        yield gauge(
            job,
            "driftline_label_watermark_timestamp_seconds",
            "Time up to which all labels are expected to be counted.",
            commit.watermark_ms / 1000,
        )
