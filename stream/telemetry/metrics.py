"""The service's own metrics and what it logs; owns the one Prometheus registry."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.registry import Collector

from detectors.report import Signal, Violation, WindowReport
from sinks.courier import CourierCounts
from stream.aggregation.state import JobState
from stream.events import CoveredRange
from stream.outcomes import advice
from stream.telemetry.latency import Latency
from stream.telemetry.partition_changes import PartitionChangeLog
from stream.telemetry.state_gauges import StateGauges

LATE = frozenset({"too_late", "late_after_idle", "duplicate"})
"""Reasons that make no dead letter: too late by grace and lateness, too late after the partition
was idle, seen before."""
MOST_NAMED = 10
LOST_S = 60.0
"""How often a reason is told again for which records are lost."""


class Telemetry:
    """Figures about driftline itself, in a registry of its own.

    Counts that belong to the state (the ledger) are gauges over the state, so a restart does not
    reset them; counts of this process are counters.
    """

    def __init__(self, job: str) -> None:
        self.registry = CollectorRegistry()
        self._job = job
        self.log = structlog.get_logger("driftline", job=job)
        self._partitions = PartitionChangeLog(self.log)
        self._lost_before: dict[str, int] = {}
        self._lost_told = 0.0
        self._state = StateGauges(job, self.registry)
        self.latency = Latency(job, self.registry)
        self._commit_s = Histogram(
            "driftline_commit_seconds", "Duration of a commit.", ["job"], registry=self.registry
        ).labels(job)
        polls = Histogram(
            "driftline_batch_seconds",
            "Decoding and counting of one poll.",
            ["job"],
            registry=self.registry,
        )
        self._poll_s = polls.labels(job)
        self._commit_bytes = self._gauge(
            "commit_bytes", "Bytes of state and counts that the last commit wrote."
        )
        self._bytes = Counter(
            "driftline_bytes_read", "Bytes read by this process.", ["job"], registry=self.registry
        ).labels(job)
        self._read = Counter(
            "driftline_records_read",
            "Records read by this process.",
            ["job"],
            registry=self.registry,
        ).labels(job)
        why = "Reader processes that died or were killed."
        self._replaced = Counter(
            "driftline_readers_replaced", why, ["job", "reason"], registry=self.registry
        )
        self._windows = Counter(
            "driftline_windows_closed",
            "Windows reported by state.",
            ["job", "state"],
            registry=self.registry,
        )
        self._sink = {
            name: self._gauge(
                f"sink_{name}", f"Items of a sink since this process began: {name}.", "sink"
            )
            for name in ("delivered", "rejected", "dropped")
        }
        self._sink["retried"] = self._gauge(
            "sink_retried", "Attempts of a sink that had to be repeated.", "sink"
        )
        self._sink["waiting"] = self._gauge("sink_waiting", "Items that wait for a sink.", "sink")
        self._sink["stuck_s"] = self._gauge(
            "sink_stuck_seconds",
            "Seconds since a sink delivered anything, if something waits.",
            "sink",
        )
        self._sink["oldest_s"] = self._gauge(
            "sink_oldest_seconds", "Seconds since the oldest waiting item was committed.", "sink"
        )
        self._sink["left_out"] = self._gauge(
            "sink_left_out", "Figures of delivered windows that the other side cannot hold.", "sink"
        )
        self._sink["busy_s"] = self._gauge(
            "sink_busy_seconds", "Time that a sink has spent delivering.", "sink"
        )
        self._gauge("start_timestamp_seconds", "When this process began.").labels(
            job
        ).set_to_current_time()
        self._turned = self._gauge(
            "turn_timestamp_seconds", "When the loop of the service last turned."
        )
        self._silent = self._gauge(
            "source_silent_seconds",
            "Seconds since the partition that is silent longest was heard of.",
        )
        self._paused = self._gauge("reading_paused", "1 while a full sink pauses reading.")

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"driftline_{name}", text, ["job", *labels], registry=self.registry)

    def register(self, collector: Collector) -> None:
        """Show a sink's own gauges beside ours."""
        self.registry.register(collector)

    def batch(self, seconds: float, covers: Sequence[CoveredRange]) -> None:
        """One poll was decoded and counted; these are the ranges that it covers."""
        self._poll_s.observe(seconds)
        self._read.inc(sum(cover.read for cover in covers))
        self._bytes.inc(sum(sum(cover.bytes.values()) for cover in covers))

    def looked(self, silent_s: float) -> None:
        """The loop turns; for so long nothing was heard of some partition."""
        self._turned.labels(self._job).set_to_current_time()
        self._silent.labels(self._job).set(silent_s)

    def reader_replaced(self, reason: str) -> None:
        """A reader process is gone: it was ``killed`` (by a signal, also by us since it was silent)
        or has ``ended``.
        """
        self._replaced.labels(self._job, reason).inc()

    def commit(self, seconds: float, size: int, state: JobState, lag: Mapping[str, int]) -> None:
        """One commit is through: show the state's counts, and say what has become of partitions."""
        self._commit_s.observe(seconds)
        self._commit_bytes.labels(self._job).set(size)
        self._state.show(state, lag)
        self._partitions.look(state.partitions)

    def begin(self, state: JobState) -> None:
        """What is lost already was told by an earlier process; so were the partitions that are
        known.
        """
        self._lost_before = state.ledger.lost()
        self._partitions.begin(state.partitions)

    def lost(self, state: JobState, kept: str) -> None:
        """Warn of records that lie in no window: at once of a new reason, otherwise at most once a
        minute. ``kept``: the dead letters.
        """
        now, total = time.monotonic(), state.ledger.lost()
        new = {
            name: count - self._lost_before.get(name, 0)
            for name, count in total.items()
            if count > self._lost_before.get(name, 0)
        }
        if new and (now - self._lost_told >= LOST_S or not new.keys() <= self._lost_before.keys()):
            more = {} if new.keys() <= LATE else {"dead_letters": kept}
            self.log.warning(
                "records that no window counts", by_reason=new, advice=advice(new), **more
            )
            self._lost_before, self._lost_told = total, now

    def sinks(self, counts: Mapping[str, CourierCounts], paused: bool) -> None:
        """Figures of all couriers."""
        for name, figures in counts.items():
            for field, value in figures._asdict().items():
                self._sink[field].labels(self._job, name).set(value)
        self._paused.labels(self._job).set(paused)

    def told(self, items: Iterable[object]) -> None:
        """One log line a window (a warning if it has violations), one a signal; no feature values."""
        for item in items:
            if isinstance(item, WindowReport):
                self._windows.labels(self._job, item.state).inc()
                say = self.log.warning if item.violations else self.log.info
                found = _in_words(item.violations)
                say(
                    "window",
                    id=item.id,
                    state=item.state,
                    rows=item.rows,
                    violations=len(item.violations),
                    found=found,
                )
            elif isinstance(item, Signal):
                names, reasons = item.features[:MOST_NAMED], _in_words(item.reasons)
                self.log.warning(
                    "signal",
                    kind=item.kind,
                    id=item.id,
                    features=names,
                    reasons=reasons,
                    report=item.report,
                )


def _in_words(violations: Sequence[Violation]) -> list[str]:
    """Some violations as feature and check: nothing else of them may stand in a log."""
    return [f"{one.feature}: {one.check}" for one in violations[:MOST_NAMED]]
