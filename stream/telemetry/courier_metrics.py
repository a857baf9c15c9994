"""Metrics of the couriers, one for each sink and one for the dead letters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sinks.courier import CourierCounts

COUNTERS: Final = (
    ("items_delivered", "delivered", "Items delivered by a sink."),
    ("items_rejected", "rejected", "Items that a sink can never deliver and has left out."),
    ("items_dropped", "dropped", "Items dropped because the queue of a sink was full."),
    ("attempts_retried", "retried", "Attempts of a sink that failed and were repeated."),
    ("busy_seconds", "busy_s", "Time that a sink has spent in attempts to deliver."),
    ("metrics_left_out", "left_out", "Metrics of delivered windows that a sink cannot hold."),
)
GAUGES: Final = (
    ("items_waiting", "waiting", "Items waiting for a sink."),
    ("stuck_seconds", "stuck_s", "Time since a sink made progress, while items wait."),
    ("oldest_seconds", "oldest_s", "Time since the oldest waiting item was committed."),
)


class CourierMetrics(Collector):
    """Exports the newest figures of all couriers. Counts start with the process."""

    def __init__(self, job: str) -> None:
        self._job = job
        self._counts: Mapping[str, CourierCounts] = {}

    def show(self, counts: Mapping[str, CourierCounts]) -> None:
        """Set the figures to export, by the name of the sink."""
        self._counts = dict(counts)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called by the registry at each scrape."""
        counts = self._counts
        labels = ["job", "sink"]
        for name, field, text in COUNTERS:
            counter = CounterMetricFamily(f"driftline_sink_{name}_total", text, labels=labels)
            yield self._filled(counter, field, counts)
        for name, field, text in GAUGES:
            gauge = GaugeMetricFamily(f"driftline_sink_{name}", text, labels=labels)
            yield self._filled(gauge, field, counts)

    def _filled(
        self,
        family: CounterMetricFamily | GaugeMetricFamily,
        field: str,
        counts: Mapping[str, CourierCounts],
    ) -> Metric:
        for sink, figures in counts.items():
            family.add_metric([self._job, sink], getattr(figures, field))
        return family
