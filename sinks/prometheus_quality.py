"""Time series of a model's quality: its newest judged window, and its newest estimates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import msgspec

from detectors.quality_report import EstimateSection, MetricReport, QualityReport, QualityState
from sinks.series import Series

STATES = get_args(QualityState)
AWAITING = "awaiting labels"
"""The state of a window that has not been judged."""
JUDGED = ("ok", "violation")
"""The verdicts of a metric that was compared with its limit."""


class NewestQuality(msgspec.Struct):
    """The reports on the quality of one model and variant that are exported.

    ``shown`` is the newest report on the newest judged window; until a window has been judged, that
    on the newest window. ``estimated`` is the newest report on the newest window with estimates,
    which is mostly a later one, because estimates need no labels.
    """

    shown: QualityReport | None = None
    estimated: QualityReport | None = None

    def keep(self, report: QualityReport) -> None:
        """Take a report; one on an older window, or with a lower revision, changes nothing."""
        slim = msgspec.structs.replace(report, counts=b"")
        if self.shown is None or _rank(report) >= _rank(self.shown):
            self.shown = slim
        if report.estimates is not None and (
            self.estimated is None or _age(report) >= _age(self.estimated)
        ):
            self.estimated = slim

    def series(self) -> list[Series]:
        """Return the series of the model, without those of its classes."""
        found: list[Series] = []
        if self.shown is not None:
            found += _of_window(self.shown)
        if self.estimated is not None and self.estimated.estimates is not None:
            found += _of_estimates(self.estimated, self.estimated.estimates)
        return found

    def class_series(self) -> list[Series]:
        """Return the series of each class of a multiclass problem; a label names the class."""
        report = self.shown
        if report is None:
            return []
        text = "Metrics of one class, in the newest judged window."
        return [
            Series(
                "quality_class_metric",
                text,
                {**_key(report), "class": name, "metric": metric},
                value,
            )
            for name, metrics in sorted(report.per_class.items())
            for metric, value in metrics.items()
            if value is not None
        ]


def _age(report: QualityReport) -> tuple[int, int]:
    return report.end_ms, report.revision


def _rank(report: QualityReport) -> tuple[bool, int, int]:
    """Judged windows come before those that await their labels, later ones before earlier ones."""
    return (report.state != AWAITING, *_age(report))


def _key(report: QualityReport) -> dict[str, str]:
    return {"model": report.model, "variant": report.variant}


def _of_window(report: QualityReport) -> Iterator[Series]:
    key = _key(report)
    for state in STATES:
        text = "1 for the state of the newest judged window, 0 for all others."
        yield Series("quality_state", text, {**key, "state": state}, report.state == state)
    text = "End of the newest window whose quality was judged."
    yield Series("quality_window_end_timestamp_seconds", text, key, report.end_ms / 1000)
    yield from _of_labels(report, key)
    for metric in report.metrics:
        yield from _of_metric(metric, {**key, "metric": metric.name})
    if report.violations:
        text = "1 while the newest judged window violates a limit, with the id of its report."
        yield Series("quality_violations_info", text, {**key, "report": report.id}, 1.0)


def _of_labels(report: QualityReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield how many predictions have a label, and how late these came."""
    text = "Predictions in the newest judged window."
    yield Series("quality_predictions", text, key, report.predictions)
    text = "Predictions in the newest judged window that have a label."
    yield Series("quality_labelled_rows", text, key, report.labelled)
    if report.coverage is not None:
        text = "Share of the predictions in the newest judged window that have a label."
        yield Series("quality_coverage_ratio", text, key, report.coverage)
    for percentile, delay_s in sorted(report.label_delay_s.items()):
        text = "Quantiles of the delay from prediction to label, in the newest judged window."
        yield Series(
            "quality_label_delay_seconds", text, {**key, "percentile": percentile}, delay_s
        )


def _of_metric(metric: MetricReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield value, interval, baseline, limit and verdict; what is undefined has no series."""
    operator = {**key, "comparison_operator": metric.comparison_operator}
    values = (
        ("metric", "Metric of the newest judged window.", key, metric.value),
        ("interval_low", "Lower end of the metric's confidence interval.", key, metric.low),
        ("interval_high", "Upper end of the metric's confidence interval.", key, metric.high),
        ("baseline", "Metric in the baseline.", key, metric.baseline),
        ("limit", "Limit of the metric.", operator, metric.limit),
    )
    for name, text, labels, value in values:
        if value is not None:
            yield Series(f"quality_{name}", text, labels, value)
    if metric.verdict in JUDGED:
        text = "1 while the metric is beyond its limit by more than its sampling error, else 0."
        yield Series("quality_violated", text, key, metric.verdict == "violation")


def _of_estimates(report: QualityReport, section: EstimateSection) -> Iterator[Series]:
    key = {**_key(report), "method": section.method}
    text = "End of the newest window whose quality was estimated without labels."
    yield Series("quality_estimate_window_end_timestamp_seconds", text, key, report.end_ms / 1000)
    text = "1 while the data have not drifted so far that estimates cannot be relied on, else 0."
    yield Series("quality_estimate_reliable", text, key, section.reliable)
    for metric in section.metrics:
        labels = {**key, "metric": metric.name}
        values = (
            ("", "Metric estimated without labels.", metric.value),
            ("_interval_low", "Lower end of the estimate's interval.", metric.low),
            ("_interval_high", "Upper end of the estimate's interval.", metric.high),
        )
        for name, text, value in values:
            if value is not None:
                yield Series(f"quality_estimate{name}", text, labels, value)
