"""Metrics of the committed state; a restart does not reset its counters."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from detectors.decisions.episode_state import Episode
from stream.aggregation.ledger import Ledger
from stream.aggregation.state import JobState, LabelState
from stream.event_time import PartitionState
from stream.events import ModelKey
from stream.outcomes import LATE_AFTER_IDLE
from stream.telemetry.families import by_partition, gauge, seconds
from stream.telemetry.label_metrics import LabelsCommit, label_metrics
from stream.web.readiness import behind_s

LEDGER_COUNTS: Final = (
    ("gaps", "gaps", "Gaps found in the source's log."),
    ("gap_records_lost", "gap_records", "Records lost in gaps, as far as known."),
    ("future_events", "future", "Events dated ahead of their arrival."),
    ("ids_unremembered", "unremembered", "Event ids that dedupe had no room for."),
    (
        "other_variants_rows",
        "rows_of_other_variants",
        "Rows of variants beyond most_variants, counted as the variant other.",
    ),
    (
        "ledger_width_mismatches_late_after_idle",
        "width_mismatches_late_after_idle",
        "Records with a wrong number of columns that were too late for any window.",
    ),
)
"""Metric, field of the ledger, and help text of each count without labels."""

MAX_NAMED: Final = 10
"""The number of features of an episode that a label names."""


class _Commit(msgspec.Struct, frozen=True, kw_only=True):
    """The part of one commit that a scrape exports.

    ``ledger`` is encoded, because the state keeps changing; everything else is a copy.
    """

    at_s: float
    ledger: bytes
    partitions: dict[str, PartitionState]
    lag: dict[str, int | None]
    watermark_ms: int | None
    episodes: dict[ModelKey, Episode | None]
    labels: LabelsCommit | None
    learned_ms: dict[str, int]


class StateMetrics(Collector):
    """Exports the last commit: both ledgers, the watermark, each partition, and open episodes.

    The counts belong to the state, so a restarted process continues them. A crash never makes them
    fall, since only committed counts are exported. Before the first commit, and by a standby,
    nothing is exported.

    A commit only copies what a scrape needs (:meth:`committed`, in the thread of the loop); a
    scrape builds the metrics (:meth:`collect`, in a thread of the HTTP server).
    """

    def __init__(self, job: str) -> None:
        self._job = job
        self._commit: _Commit | None = None

    def committed(
        self, state: JobState, lag: Mapping[str, int], label_lag: Mapping[str, int] | None = None
    ) -> None:
        """Set the state to export. A partition without a known lag keeps the last one.

        ``lag`` is that of the log of events, ``label_lag`` that of the log of labels: ``None`` for
        a job that reads none, also if its state has labels of earlier runs.
        """
        last_lag = self._commit.lag if self._commit else {}
        at_s = time.time()
        self._commit = _Commit(
            at_s=at_s,
            ledger=msgspec.msgpack.encode(state.ledger),
            partitions=dict(state.partitions),
            lag={name: lag.get(name, last_lag.get(name)) for name in state.partitions},
            watermark_ms=state.watermark_ms,
            episodes={
                key: key_state.episodes.open
                for key, key_state in state.known()
                if key_state.active_until_ms
                is not None  # ``None``: the model is no longer monitored
            },
            labels=self._labels(at_s, state.labels, label_lag),
            learned_ms={
                name: model.season.learned_ms
                for name, model in state.models.items()
                if model.season is not None
            },
        )

    def _labels(
        self, at_s: float, state: LabelState | None, lag: Mapping[str, int] | None
    ) -> LabelsCommit | None:
        if state is None or lag is None:
            return None
        last = self._commit.labels.lag if self._commit and self._commit.labels else {}
        return LabelsCommit.of(at_s, state, {**last, **lag})

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called by the registry at each scrape."""
        commit = self._commit
        if commit is None:
            return
        ledger = msgspec.msgpack.decode(commit.ledger, type=Ledger)
        yield from self._records(ledger)
        yield from self._rows(ledger)
        yield from self._events(ledger)
        yield from self._watermark(commit)
        live = {name: state for name, state in commit.partitions.items() if not state.ended}
        yield from self._partitions(commit, live)
        yield from self._delays(commit, live)
        yield from self._episodes("", "drift", commit.episodes)
        yield self._seasons(commit.learned_ms)
        if commit.labels is not None:
            yield from label_metrics(self._job, commit.labels)
            yield from self._episodes("quality_", "lower quality", commit.labels.episodes)

    def _records(self, ledger: Ledger) -> Iterator[Metric]:
        records = self._counter(
            "driftline_ledger_records_total",
            "Records read since the state was created, by partition and outcome.",
            "partition",
            "outcome",
        )
        for partition, account in ledger.partitions.items():
            for outcome, count in account.outcomes.items():
                records.add_metric([self._job, partition, outcome], count)
        yield records
        length = self._counter(
            "driftline_ledger_bytes_total",
            "Bytes of the records read since the state was created, by outcome.",
            "outcome",
        )
        for outcome, count in ledger.bytes.items():
            length.add_metric([self._job, outcome], count)
        yield length

    def _rows(self, ledger: Ledger) -> Iterator[Metric]:
        rows = self._counter(
            "driftline_ledger_rows_total",
            "Rows since the state was created: accepted, folded into profiles, closed in windows; "
            "late_after_idle ones are none of these.",
            "stage",
        )
        late = ledger.rows_late_after_idle
        rows.add_metric([self._job, "accepted"], ledger.rows_accepted - late)
        rows.add_metric([self._job, "folded"], ledger.rows_folded - late)
        rows.add_metric([self._job, "closed"], ledger.rows_closed)
        rows.add_metric([self._job, LATE_AFTER_IDLE], late)
        yield rows
        yield gauge(
            self._job,
            "driftline_rows_in_panes",
            "Rows in panes whose windows may still change.",
            ledger.rows_in_panes,
        )
        yield gauge(
            self._job,
            "driftline_ledger_imbalance",
            "Sum of the differences of the ledger's totals; anything but 0 is a bug in driftline.",
            sum(map(abs, ledger.imbalance().values())),
        )

    def _events(self, ledger: Ledger) -> Iterator[Metric]:
        partials = self._counter(
            "driftline_partials_total",
            "Partial results of readers since the state was created, by outcome.",
            "outcome",
        )
        partials.add_metric([self._job, "accepted"], ledger.partials_accepted)
        partials.add_metric([self._job, "dropped"], ledger.partials_dropped)
        yield partials
        for name, field, text in LEDGER_COUNTS:
            family = self._counter(f"driftline_{name}_total", text)
            family.add_metric([self._job], getattr(ledger, field))
            yield family

    def _watermark(self, commit: _Commit) -> Iterator[Metric]:
        if commit.watermark_ms is None:
            return
        watermark_s = commit.watermark_ms / 1000
        yield gauge(
            self._job,
            "driftline_watermark_timestamp_seconds",
            "Event time up to which all events are expected to have arrived.",
            watermark_s,
        )
        yield gauge(
            self._job,
            "driftline_watermark_delay_seconds",
            "Clock minus watermark at the last commit.",
            commit.at_s - watermark_s,
        )

    def _seasons(self, learned_ms: Mapping[str, int]) -> Metric:
        family = GaugeMetricFamily(
            "driftline_season_learned_seconds",
            "Length of the windows that the seasons of a model are learned from so far.",
            labels=["job", "model"],
        )
        for model, learned in learned_ms.items():
            family.add_metric([self._job, model], learned / 1000)
        return family

    def _partitions(self, commit: _Commit, live: Mapping[str, PartitionState]) -> Iterator[Metric]:
        yield gauge(
            self._job,
            "driftline_partitions_ended",
            "Partitions that are closed and read to their end.",
            len(commit.partitions) - len(live),
        )
        yield by_partition(
            self._job,
            "driftline_partition_mark_timestamp_seconds",
            "Highest event time read in a partition.",
            {name: seconds(state.mark_ms) for name, state in live.items()},
        )
        yield by_partition(
            self._job,
            "driftline_partition_idle",
            "1 while a partition has nothing to read and does not hold the watermark.",
            {name: float(state.idle) for name, state in live.items()},
        )

    def _delays(self, commit: _Commit, live: Mapping[str, PartitionState]) -> Iterator[Metric]:
        now_ms = int(commit.at_s * 1000)
        yield by_partition(
            self._job,
            "driftline_partition_behind_seconds",
            "Age in the log of the record read last; 0 at the end of the log.",
            {name: behind_s(state, now_ms) for name, state in live.items()},
        )
        yield by_partition(
            self._job,
            "driftline_partition_lag",
            "Distance from the position to the log's end: offsets (Kafka) or ms (Kinesis).",
            {name: commit.lag[name] for name in live},
        )

    def _episodes(
        self, prefix: str, of: str, episodes: Mapping[ModelKey, Episode | None]
    ) -> Iterator[Metric]:
        """Yield whether each model has an open episode, since when, and what it is about."""
        is_open = self._by_model(
            f"driftline_{prefix}episode_open",
            f"1 while an episode of {of} is open, from its first signal until it recovered.",
        )
        start = self._by_model(
            f"driftline_{prefix}episode_start_timestamp_seconds",
            f"Start of the first window that violated, while an episode of {of} is open.",
        )
        subjects = "metrics" if prefix else "features"
        info = self._by_model(
            f"driftline_{prefix}episode_info",
            f"1 while an episode of {of} is open: its {subjects}, and the report of its last "
            "signal.",
            subjects,
            "report",
        )
        for key, episode in episodes.items():
            labels = [self._job, key.model, key.variant]
            is_open.add_metric(labels, float(episode is not None))
            if episode is not None:
                start.add_metric(labels, episode.first_violation_ms / 1000)
                info.add_metric([*labels, _named(episode.worst_first), episode.report], 1.0)
        yield from (is_open, start, info)

    def _by_model(self, name: str, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, text, labels=["job", "model", "variant", *labels])

    def _counter(self, name: str, text: str, *labels: str) -> CounterMetricFamily:
        return CounterMetricFamily(name, text, labels=["job", *labels])


def _named(features: Sequence[str]) -> str:
    """The first features by name, and the number of the others."""
    named = ", ".join(features[:MAX_NAMED])
    return f"{named} and {len(features) - MAX_NAMED} more" if len(features) > MAX_NAMED else named
