"""The service's own metrics, in its one Prometheus registry, and its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from sinks.courier import CourierCounts
from stream.aggregation.state import JobState
from stream.events import CoveredRange, Partial
from stream.telemetry.courier_metrics import CourierMetrics
from stream.telemetry.inputs_log import InputsLog
from stream.telemetry.labels_log import LabelsLog
from stream.telemetry.latency import Latency
from stream.telemetry.log_events import DroppedLog, VariantLimitLog, VerdictLog
from stream.telemetry.partition_changes import PartitionChangeLog
from stream.telemetry.state_metrics import StateMetrics


class Telemetry:
    """Metrics of driftline itself, in a registry of their own, and the log of the service.

    Metrics that only grow are counters. Those of the committed state (the ledger) continue after a
    restart; all others count since the start of this process.
    """

    def __init__(self, job: str) -> None:
        self.registry = CollectorRegistry()
        self.log = structlog.get_logger("driftline", job=job)
        self.latency = Latency(job, self.registry)
        self._job = job
        self._partitions = PartitionChangeLog(self.log)
        self._verdicts = VerdictLog(self.log)
        self._dropped = DroppedLog(self.log)
        self._variant_limit = VariantLimitLog(self.log)
        self._labels_log = LabelsLog(self.log)
        self._inputs = InputsLog(self.log)
        self._state = StateMetrics(job)
        self._couriers = CourierMetrics(job)
        self.register(self._state)
        self.register(self._couriers)
        self._process()
        self._work()

    def _process(self) -> None:
        """Create the metrics about the process and its loop."""
        self._gauge("start_timestamp_seconds", "Start of this process.").set_to_current_time()
        self._iteration = self._gauge(
            "loop_timestamp_seconds", "Start of the last iteration of the service's loop."
        )
        self._silent = self._gauge(
            "source_silent_seconds",
            "Time since the source last responded for the partition that is silent longest.",
        )
        self._paused = self._gauge("reading_paused", "1 while a full sink pauses reading.")
        self._unreadable = self._gauge(
            "source_unreadable", "Files of the source that cannot be read and are passed over."
        )
        self._replaced = Counter(
            "driftline_readers_replaced_total",
            "Reader processes that ended or were killed, and were replaced.",
            ["job", "reason"],
            registry=self.registry,
        )

    def _work(self) -> None:
        """Create the metrics about reading, closing windows, and commits."""
        self._read = self._counter("records_read_total", "Records read by this process.")
        self._bytes = self._counter("bytes_read_total", "Bytes read by this process.")
        self._letters_left_out = self._counter(
            "dead_letters_left_out_total", "Dead letters beyond dead_letters.most_per_s."
        )
        self._batch_s = self._histogram("batch_seconds", "Decoding and counting of one poll.")
        self._commit_s = self._histogram("commit_seconds", "Duration of a commit.")
        self._commit_bytes = self._gauge(
            "commit_bytes", "Bytes of state and counts written by the last commit."
        )
        self._windows = Counter(
            "driftline_windows_closed_total",
            "Window reports committed by this process, by state.",
            ["job", "state"],
            registry=self.registry,
        )
        self._schedules = Counter(
            "driftline_schedule_reports_total",
            "Reports on periods of schedules committed by this process, by status.",
            ["job", "status"],
            registry=self.registry,
        )

    def register(self, collector: Collector) -> None:
        """Export the metrics of a sink together with those of the service."""
        self.registry.register(collector)

    def begin(self, state: JobState) -> None:
        """Start from this state: an earlier process has logged its dropped records."""
        self._dropped.begin(state.ledger)
        self._variant_limit.begin(state.ledger)
        if state.labels is not None:
            self._labels_log.begin(state.labels.ledger)
        self._partitions.begin(state.partitions)

    def iteration(self, silent_s: float) -> None:
        """Record an iteration of the loop, and the longest time since any partition responded."""
        self._iteration.set_to_current_time()
        self._silent.set(silent_s)

    def unreadable(self, inputs: int) -> None:
        """Export the number of inputs that the source passes over."""
        self._unreadable.set(inputs)

    def batch(self, seconds: float, covers: Sequence[CoveredRange]) -> None:
        """Record one poll that was decoded and counted, and the ranges that it covers."""
        self._batch_s.observe(seconds)
        self._read.inc(sum(cover.read for cover in covers))
        self._bytes.inc(sum(sum(cover.bytes.values()) for cover in covers))

    def partial(self, partial: Partial) -> None:
        """Log an error if a model turns out to have no inputs, and keep details of letters."""
        self._inputs.note(partial.profiles)
        self._dropped.note(partial.dead_letters)

    def reader_replaced(self, reason: str) -> None:
        """Record a replaced reader process.

        ``reason`` is ``killed`` (by a signal, or because it was silent) or ``ended``.
        """
        self._replaced.labels(self._job, reason).inc()

    def commit(
        self,
        seconds: float,
        size: int,
        state: JobState,
        lag: Mapping[str, int],
        label_lag: Mapping[str, int] | None = None,
    ) -> None:
        """Record a commit of ``size`` bytes: export its state, and log changes of partitions.

        ``lag`` is that of the partitions of events, ``label_lag`` that of the partitions of labels.
        """
        self._commit_s.observe(seconds)
        self._commit_bytes.set(size)
        self._state.committed(state, lag, label_lag)
        self._partitions.write(state.partitions)

    def log_verdicts(self, items: Iterable[object]) -> None:
        """Log the reports and signals of a commit, and count reports on windows and periods."""
        for item in items:
            if isinstance(item, WindowReport):
                self._windows.labels(self._job, item.state).inc()
                self._verdicts.window(item)
            elif isinstance(item, Signal):
                self._verdicts.signal(item)
            elif isinstance(item, QualityReport):
                self._verdicts.quality(item)
            elif isinstance(item, ScheduleReport):
                self._schedules.labels(self._job, item.status).inc()
                self._verdicts.schedule(item)

    def log_dropped(self, state: JobState, dead_letters: str) -> None:
        """Log dropped records, rows of variants beyond the limit, and rejected labels.

        ``dead_letters`` is the path of the file of dead letters.
        """
        self._dropped.write(state.ledger, dead_letters)
        self._variant_limit.write(state.ledger)
        if state.labels is not None:
            self._labels_log.write(state.labels.ledger, dead_letters)

    def letters_left_out(self, count: int) -> None:
        """Count dead letters beyond ``dead_letters.most_per_s``."""
        self._letters_left_out.inc(count)

    def sinks(self, counts: Mapping[str, CourierCounts], paused: bool) -> None:
        """Export the figures of all couriers, and whether a full one pauses reading."""
        self._couriers.show(counts)
        self._paused.set(paused)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"driftline_{name}", text, ["job"], registry=self.registry).labels(self._job)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"driftline_{name}", text, ["job"], registry=self.registry).labels(self._job)

    def _histogram(self, name: str, text: str) -> Histogram:
        family = Histogram(f"driftline_{name}", text, ["job"], registry=self.registry)
        return family.labels(self._job)
