"""What the committed state says of itself: gauges, so that a restart does not reset them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from stream.aggregation.state import JobState
from stream.web.readiness import behind_s

KEY = "model", "variant"


class StateGauges:
    """The ledger, the watermark, how far each partition is, and whether an episode of drift is
    open.
    """

    def __init__(self, job: str, registry: CollectorRegistry) -> None:
        self._job, self._registry = job, registry
        self._records = self._gauge(
            "ledger_records",
            "Records by partition and outcome since the state began.",
            "partition",
            "outcome",
        )
        self._booked: set[str] = set()
        self._bytes = self._gauge(
            "ledger_bytes", "Bytes of the records by outcome since the state began.", "outcome"
        )
        self._rows = self._gauge(
            "ledger_rows", "Rows: accepted, folded, in_panes, closed, late_after_idle.", "place"
        )
        what = "Records with a wrong number of columns that came too late for any window to report."
        self._misfits = self._gauge("ledger_width_mismatches_late_after_idle", what)
        self._imbalance = self._gauge(
            "ledger_imbalance",
            "By how much the ledger's sums are off; anything but 0 is a fault of driftline.",
        )
        self._partials = self._gauge(
            "partials", "Partials by outcome since the state began.", "outcome"
        )
        self._gaps = self._gauge("gaps", "Gaps met in the log since the state began.")
        self._lost = self._gauge("gap_records_lost", "Records that the log no longer had.")
        self._future = self._gauge("future_events", "Events dated ahead of their arrival.")
        self._unremembered = self._gauge(
            "ids_unremembered", "Ids of events for which dedupe had no room."
        )
        self._watermark = self._gauge(
            "watermark_timestamp_seconds", "Event time up to which everything is in."
        )
        self._delay = self._gauge("watermark_delay_seconds", "Clock minus watermark.")
        self._mark = self._gauge(
            "partition_mark_timestamp_seconds",
            "Highest event time read in a partition.",
            "partition",
        )
        self._idle = self._gauge(
            "partition_idle",
            "1 while a partition has nothing to read and does not hold the watermark.",
            "partition",
        )
        self._behind = self._gauge(
            "partition_behind_seconds",
            "Seconds since the log took the last record that was read; 0 at the end of the log.",
            "partition",
        )
        self._lag = self._gauge(
            "partition_lag",
            "From the position to the log's end: offsets (Kafka) or ms (Kinesis).",
            "partition",
        )
        self._ended = self._gauge(
            "partitions_ended", "Partitions that are closed and read to their end."
        )
        self._open = self._gauge(
            "episode_open",
            "1 while an episode of drift is open, from its first signal until it recovered.",
            *KEY,
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"driftline_{name}", text, ["job", *labels], registry=self._registry)

    def show(self, state: JobState, lag: Mapping[str, int]) -> None:
        """After a commit."""
        self._show_ledger(state)
        self._show_places(state, lag)
        for (model, variant), one in state.known():
            if one.heard_ms is not None:  # a model that is watched no longer is not heard of
                self._open.labels(self._job, model, variant).set(one.episodes.open is not None)

    def _show_ledger(self, state: JobState) -> None:
        ledger, job = state.ledger, self._job
        for name in self._booked - set(ledger.partitions):
            self._records.remove_by_labels({"partition": name})
        self._booked = set(ledger.partitions)
        for name, account in ledger.partitions.items():
            for outcome, count in account.outcomes.items():
                self._records.labels(job, name, outcome).set(count)
        for outcome, length in ledger.bytes.items():
            self._bytes.labels(job, outcome).set(length)
        for where in ("accepted", "folded", "in_panes", "closed", "late_after_idle"):
            self._rows.labels(job, where).set(getattr(ledger, f"rows_{where}"))
        self._misfits.labels(job).set(ledger.width_mismatches_late_after_idle)
        self._imbalance.labels(job).set(sum(map(abs, ledger.imbalance().values())))
        self._partials.labels(job, "accepted").set(ledger.partials_accepted)
        self._partials.labels(job, "dropped").set(ledger.partials_dropped)
        self._gaps.labels(job).set(ledger.gaps)
        self._lost.labels(job).set(ledger.gap_records)
        self._future.labels(job).set(ledger.future)
        self._unremembered.labels(job).set(ledger.unremembered)

    def _show_places(self, state: JobState, lag: Mapping[str, int]) -> None:
        job, now_ms = self._job, int(time.time() * 1000)
        self._ended.labels(job).set(sum(place.ended for place in state.partitions.values()))
        for name, place in state.partitions.items():
            if place.ended:
                for gauge in (self._mark, self._idle, self._behind, self._lag):
                    gauge.remove_by_labels({"partition": name})
                continue
            if place.mark_ms is not None:
                self._mark.labels(job, name).set(place.mark_ms / 1000)
            self._idle.labels(job, name).set(place.idle)
            self._behind.labels(job, name).set(behind_s(place, now_ms))
            if name in lag:
                self._lag.labels(job, name).set(lag[name])
        if state.watermark_ms is not None:
            self._watermark.labels(job).set(state.watermark_ms / 1000)
            self._delay.labels(job).set(time.time() - state.watermark_ms / 1000)
