"""The service's own metrics: values, and the types in both exposition formats."""

from __future__ import annotations

import time

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from stream.telemetry.metrics import Telemetry
from stream.testing.reports import report, signal
from stream.testing.schedule_reports import empty_hour, schedule_report
from tests.support.metrics import FullPage, covered_range


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"driftline_{name}", {"job": "sample", **labels})


def test_each_poll_counts_its_records_and_bytes() -> None:
    telemetry = Telemetry("sample")
    for _ in range(3):
        telemetry.batch(0.5, [covered_range(), covered_range()])
    assert value(telemetry, "records_read_total") == 3 * 24
    assert value(telemetry, "bytes_read_total") == 3 * 800
    assert value(telemetry, "batch_seconds_sum") == 1.5


def test_reports_are_counted_by_state() -> None:
    telemetry = Telemetry("sample")
    telemetry.log_verdicts([report(), report(1, violations=(), state="ok"), report(2), signal()])
    assert value(telemetry, "windows_closed_total", state="violations") == 2
    assert value(telemetry, "windows_closed_total", state="ok") == 1
    telemetry.log_verdicts([schedule_report(0), empty_hour(1), empty_hour(2)])
    assert value(telemetry, "schedule_reports_total", status="NoData") == 2
    assert value(telemetry, "windows_closed_total", state="violations") == 2


def test_a_process_exports_its_start_and_its_last_iteration() -> None:
    before = time.time()
    telemetry = Telemetry("sample")
    telemetry.iteration(12.5)
    started = value(telemetry, "start_timestamp_seconds")
    iterated = value(telemetry, "loop_timestamp_seconds")
    assert started is not None
    assert iterated is not None
    assert before <= started <= iterated <= time.time()
    assert value(telemetry, "source_silent_seconds") == 12.5


def test_two_services_do_not_share_their_metrics() -> None:
    first = Telemetry("sample")
    second = Telemetry("sample")
    first.batch(0.5, [covered_range()])
    assert value(second, "records_read_total") == 0


def parsed(registry: CollectorRegistry, format_: str) -> list[Metric]:
    """The families of a page in one of its formats, as a parser of that format reads them."""
    if format_ == "classic":
        return list(classic(generate_latest(registry).decode()))
    page = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    return list(openmetrics(page))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("format_", ["classic", "openmetrics"])
def test_monotonic_metrics_are_counters_in_both_exposition_formats(format_: str) -> None:
    types = {
        sample.name: family.type
        for family in parsed(FullPage().registry, format_)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    counters = {name for name, kind in types.items() if kind == "counter"}
    assert counters == {name for name in types if name.endswith("_total")}
    assert counters == {
        f"driftline_{name}_total"
        for name in (
            "ledger_records",
            "quality_signals",
            "labels_read",
            "label_gaps",
            "label_gap_records_lost",
            "label_ranges_dropped",
            "predictions_taken",
            "predictions_untaken",
            "other_variants_rows",
            "dead_letters_left_out",
            "ledger_bytes",
            "ledger_rows",
            "ledger_width_mismatches_late_after_idle",
            "partials",
            "gaps",
            "gap_records_lost",
            "future_events",
            "ids_unremembered",
            "records_read",
            "bytes_read",
            "windows_closed",
            "schedule_reports",
            "readers_replaced",
            "sink_items_delivered",
            "sink_items_rejected",
            "sink_items_dropped",
            "sink_attempts_retried",
            "sink_metrics_left_out",
            "sink_busy_seconds",
            "signals",
        )
    }
    assert set(types.values()) == {"counter", "gauge", "histogram"}


def test_both_exposition_formats_state_the_same_values() -> None:
    registry = FullPage().registry
    in_classic, in_openmetrics = (
        {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for family in parsed(registry, format_)
            for sample in family.samples
        }
        for format_ in ("classic", "openmetrics")
    )
    assert in_classic == in_openmetrics
