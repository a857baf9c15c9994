"""Metrics of the couriers: counts are counters of this process, queues are gauges."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from sinks.courier import CourierCounts
from stream.telemetry.courier_metrics import CourierMetrics


def test_each_figure_of_a_courier_has_its_metric() -> None:
    metrics = CourierMetrics("sample")
    registry = CollectorRegistry()
    registry.register(metrics)
    metrics.show(
        {
            "sns": CourierCounts(
                delivered=1,
                retried=2,
                rejected=3,
                dropped=4,
                waiting=5,
                busy_s=0.75,
                stuck_s=30.0,
                oldest_s=3_600.0,
                left_out=6,
            ),
            "jsonl": CourierCounts(
                delivered=10, retried=0, rejected=0, dropped=0, waiting=0, busy_s=0.5
            ),
        }
    )
    types = {family.name: family.type for family in registry.collect()}
    values = {
        sample.name: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.labels == {"job": "sample", "sink": "sns"}
    }
    assert values == {
        "driftline_sink_items_delivered_total": 1,
        "driftline_sink_attempts_retried_total": 2,
        "driftline_sink_items_rejected_total": 3,
        "driftline_sink_items_dropped_total": 4,
        "driftline_sink_items_waiting": 5,
        "driftline_sink_busy_seconds_total": 0.75,
        "driftline_sink_stuck_seconds": 30,
        "driftline_sink_oldest_seconds": 3_600,
        "driftline_sink_metrics_left_out_total": 6,
    }
    assert {name.removesuffix("_total"): "_total" in name for name in values} == {
        name: kind == "counter" for name, kind in types.items()
    }


def test_every_figure_of_a_courier_is_exported() -> None:
    metrics = CourierMetrics("sample")
    assert len(list(metrics.collect())) == len(CourierCounts.__struct_fields__)
