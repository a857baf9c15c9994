"""The gauges of a model's quality, read through a registry as by a scrape."""

from __future__ import annotations

from typing import Any, get_args

from prometheus_client import CollectorRegistry, generate_latest

from detectors.quality_report import EstimateReport, EstimateSection, QualityState
from sinks.prometheus import Prometheus, PrometheusDelivery
from stream.testing.quality_reports import awaiting, metric, quality_report, quality_signal
from stream.testing.reports import MINUTE_MS, START_MS, report, signal

KEY = {"job": "sample", "model": "flights", "variant": "AllTraffic"}
ESTIMATES = EstimateSection(
    method="cbpe",
    metrics=(
        EstimateReport(name="accuracy", value=0.7, low=0.6, high=0.75, n=125),
        EstimateReport(name="auc", value=None, low=None, high=None, n=0),
    ),
    reliable=False,
    warning="the data has drifted",
)


class Page:
    """A delivery and the registry through which it is scraped."""

    def __init__(self, *items: Any, **settings: Any) -> None:
        self.delivery: PrometheusDelivery = Prometheus(**settings).open("sample")
        self.registry = CollectorRegistry()
        self.registry.register(self.delivery)
        self.delivery.deliver(items)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"driftline_{name}", {**KEY, **labels})

    def lines(self, name: str = "quality") -> list[str]:
        """The lines of the page about quality, except counters of signals."""
        page = generate_latest(self.registry).decode().splitlines()
        return [
            line
            for line in page
            if line.startswith(f"driftline_{name}") and "signals_total" not in line
        ]

    @property
    def left_out(self) -> float | None:
        return self.registry.get_sample_value("driftline_series_left_out", {"job": "sample"})


def test_a_metric_has_its_value_interval_baseline_and_limit() -> None:
    page = Page(quality_report())
    accuracy = {"metric": "accuracy"}
    assert page.value("quality_metric", **accuracy) == 0.8
    assert page.value("quality_interval_low", **accuracy) == 0.75
    assert page.value("quality_interval_high", **accuracy) == 0.85
    assert page.value("quality_baseline", **accuracy) == 0.9
    limit = page.value("quality_limit", **accuracy, comparison_operator="LessThanThreshold")
    assert limit == 0.9
    assert page.value("quality_violated", **accuracy) == 1
    assert page.value("quality_violations_info", report=quality_report().id) == 1


def test_what_is_undefined_or_not_judged_has_no_series() -> None:
    page = Page(quality_report())
    assert page.value("quality_metric", metric="auc") is None
    assert page.value("quality_interval_low", metric="auc") is None
    assert page.value("quality_violated", metric="auc") is None, "undefined violates nothing"
    assert not [line for line in page.lines() if line.endswith(" NaN")]
    plain = Page(quality_report(metrics=(metric(verdict="not judged", limit=None),)))
    assert plain.value("quality_metric", metric="accuracy") == 0.8
    assert plain.value("quality_violated", metric="accuracy") is None


def test_the_labels_of_the_window_are_exported() -> None:
    page = Page(quality_report())
    assert page.value("quality_predictions") == 125
    assert page.value("quality_labelled_rows") == 100
    assert page.value("quality_coverage_ratio") == 0.8
    assert page.value("quality_label_delay_seconds", percentile="p95") == 3_000
    assert page.value("quality_window_end_timestamp_seconds") == (START_MS + MINUTE_MS) / 1000
    empty = Page(quality_report(predictions=0, labelled=0, coverage=None, label_delay_s={}))
    assert empty.value("quality_predictions") == 0
    assert empty.value("quality_coverage_ratio") is None


def test_the_newest_judged_window_is_shown_not_one_that_awaits_its_labels() -> None:
    page = Page(quality_report(1, 1), awaiting(2), awaiting(3))
    assert page.value("quality_window_end_timestamp_seconds") == (START_MS + 2 * MINUTE_MS) / 1000
    assert page.value("quality_state", state="violations") == 1
    page.delivery.deliver([quality_report(0, 9, labelled=7), quality_report(1, 0, labelled=8)])
    assert page.value("quality_labelled_rows") == 100, "an older window, an older revision"
    page.delivery.deliver([quality_report(1, 2, labelled=110, state="ok", violations=())])
    assert page.value("quality_labelled_rows") == 110
    assert page.value("quality_violations_info", report=quality_report(1, 1).id) is None
    page.delivery.deliver([quality_report(3, 1, labelled=99)])
    assert page.value("quality_labelled_rows") == 99


def test_until_a_window_is_judged_the_newest_one_is_shown() -> None:
    page = Page(awaiting(0), awaiting(1))
    states = {name: page.value("quality_state", state=name) for name in get_args(QualityState)}
    assert states == {**dict.fromkeys(states, 0.0), "awaiting labels": 1.0}
    assert page.value("quality_window_end_timestamp_seconds") == (START_MS + 2 * MINUTE_MS) / 1000
    page.delivery.deliver([quality_report(0, 1)])
    assert page.value("quality_state", state="violations") == 1


def test_estimates_have_names_of_their_own_and_their_own_window() -> None:
    page = Page(quality_report(0), awaiting(4, estimates=ESTIMATES), awaiting(5))
    labels = {"metric": "accuracy", "method": "cbpe"}
    assert page.value("quality_estimate", **labels) == 0.7
    assert page.value("quality_estimate_interval_low", **labels) == 0.6
    assert page.value("quality_estimate_interval_high", **labels) == 0.75
    assert page.value("quality_estimate_reliable", method="cbpe") == 0
    end_s = page.value("quality_estimate_window_end_timestamp_seconds", method="cbpe")
    assert end_s == (START_MS + 5 * MINUTE_MS) / 1000
    assert page.value("quality_metric", metric="accuracy") == 0.8
    assert page.value("quality_estimate", metric="auc", method="cbpe") is None


def test_classes_are_exported_only_on_request() -> None:
    classes = {"cat": {"precision": 0.5, "recall": None}, "dog": {"precision": 0.25}}
    item = quality_report(per_class=classes)
    assert "cat" not in "".join(Page(item).lines())
    page = Page(item, per_class=True)
    name = "quality_class_metric"
    assert page.value(name, **{"class": "cat", "metric": "precision"}) == 0.5
    assert page.value(name, **{"class": "cat", "metric": "recall"}) is None
    assert page.value(name, **{"class": "dog", "metric": "precision"}) == 0.25


def test_signals_about_quality_are_counted_apart() -> None:
    page = Page(report(), signal(), quality_signal(1), quality_signal(1), quality_signal(2))
    assert page.value("signals_total", kind="opened") == 1
    assert page.value("quality_signals_total", kind="opened") == 2


def test_a_job_without_quality_exports_nothing_about_it() -> None:
    assert Page(report(), signal()).lines() == []
    assert "quality_signals" not in generate_latest(Page(report()).registry).decode()


def test_a_restart_restores_what_was_exported() -> None:
    judged, newest = quality_report(0), awaiting(4, estimates=ESTIMATES)
    before = Page(judged, newest)
    after = Page()
    after.delivery.rebuild_quality([judged, newest])
    assert after.lines() == before.lines()
    assert len(after.lines()) > 15


def test_the_number_of_series_of_a_model_follows_the_stated_formula() -> None:
    """About ten a model and six a metric: the page of the metrics and the sink say so."""
    names = [f"metric_{k}" for k in range(20)]
    page = Page(quality_report(metrics=tuple(metric(name) for name in names)))
    assert len(page.lines()) == 11 + 6 * len(names)


def test_quality_that_does_not_fit_is_counted_as_left_out() -> None:
    room = 40
    page = Page(report(), quality_report(), max_series=room)
    assert len(page.lines("")) <= room + 4
    assert page.left_out is not None
    crowded = Page(
        report(), quality_report(metrics=tuple(metric(f"m{k}") for k in range(9))), max_series=room
    )
    assert crowded.lines() == []
    assert (crowded.left_out or 0) >= 11 + 6 * 9
