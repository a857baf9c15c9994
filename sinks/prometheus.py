"""Sink ``prometheus``: gauges of the newest closed window of each model, for scraping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from detectors.decisions.catalogue import CHECKS
from detectors.faults import Fault
from detectors.quality_report import QualityReport
from detectors.report import FeatureReport, Figures, Signal, State, WindowReport
from detectors.statistics.catalogue import DISTANCES
from sinks.base import Delivery, Published, Sink
from sinks.prometheus_quality import NewestQuality
from sinks.series import Series

Plain = Literal["n", "missing", "nan", "inf", "mean", "std", "sum", "min", "max", "outlier_share"]
if TYPE_CHECKING:
    PerFeature = str
else:
    PerFeature = Literal[(*get_args(Plain), *DISTANCES)]
"""A metric that may be exported of each feature: the distances are found at run time."""
ALWAYS_EXPORTED = "baseline_drift_check"
"""The check for which 0 violations are exported as well, so that an alert has a series."""
WORST = 3
"""The number of worst features that are exported by rank."""
OF_MODEL = 4
"""Series per model and variant, except those by state, check and rank: rows, completeness, end,
and the report of a window with violations.
"""
OF_FEATURE = 7
"""Series per feature: completeness of window and baseline, distance, limit, and in the mode
``evidence`` effect, its limit, and the share spent of the budget.
"""
OF_BASELINE = frozenset(Figures.__struct_fields__)
"""The metrics of a feature that the baseline has as well."""
STATES = get_args(State)


class Prometheus(Sink, frozen=True, tag="prometheus"):
    """Exports the newest closed window of each model at ``/metrics`` of the service.

    The address is that of ``http`` in the configuration; ``docs/metrics.md`` lists the metrics. Per
    model and variant: rows, completeness, end of the window, state, violations by check, the
    worst three features, and the id of the report if the window has violations. Per feature:
    completeness in the window and in the baseline, the deciding distance and its limit, in the mode
    ``evidence`` the effect that decides, its limit and the share spent of the budget, and the
    statistics that ``per_feature`` names, in the window and, where it has them, in the baseline. So
    a number has eleven series by default, a text seven; three fewer in other modes.

    Of a model's quality the newest *judged* window is exported: its state and end, predictions,
    labelled rows, coverage and the delay of labels, and for each metric value, interval, baseline,
    limit and whether it is violated: about ten series and six a metric. What is undefined has no
    series. Estimates have names of their own, ``driftline_quality_estimate``, and are those of the
    newest window that has any.

    ``max_series`` caps the number of these series: models come first, then their quality, features
    in the order of distance over limit, and classes; ``driftline_series_left_out`` is the number of
    series that did not fit. Labels hold names of models, features and checks, and ids of reports,
    never values of features; with ``per_class`` also names of classes.

    A repeat exports the same numbers again and changes nothing. After a restart the gauges are
    rebuilt from the state; ``driftline_signals_total`` and ``driftline_quality_signals_total``
    count the signals of this process.
    """

    takes: ClassVar = (WindowReport, QualityReport, Signal)
    lossless: ClassVar = False

    max_series: int = 20_000
    """The highest number of series; the features furthest below their limit are left out first."""
    per_feature: tuple[PerFeature, ...] = ("mean", "std")
    """Further metrics of each feature."""
    per_class: bool = False
    """Whether the metrics of each class of a multiclass problem are exported; a label names the
    class.
    """

    def check(self) -> list[Fault]:
        """Check that the cap leaves room for one model."""
        least = self.series(1)
        if self.max_series >= least:
            return []
        return [Fault("max_series", f"at least {least} series are needed, found {self.max_series}")]

    def destinations(self) -> list[str]:
        """Return the page of metrics, of which the service has one."""
        return ["/metrics"]

    def series(self, features: int) -> int:
        """Return the largest number of time series of one variant of a model.

        ``features`` is the number of its features. Series are counted as by ``max_series``. There
        are fewer while a check finds nothing (only drift is always exported) or a statistic
        of a feature is undefined.
        """
        of_model = OF_MODEL + len(STATES) + len(CHECKS) + min(WORST, features)
        of_feature = OF_FEATURE + sum(1 + (name in OF_BASELINE) for name in self.per_feature)
        return of_model + features * of_feature

    def open(self, job: str) -> PrometheusDelivery:
        """Build the running half, a collector that the service registers."""
        return PrometheusDelivery(self, job)


class PrometheusDelivery(Delivery, Collector):
    """The running half, and the collector that a registry reads at each scrape."""

    def __init__(self, sink: Prometheus, job: str) -> None:
        self._sink = sink
        self._job = job
        self._lock = Lock()
        self._newest: dict[tuple[str, str], WindowReport] = {}
        self._quality: dict[tuple[str, str], NewestQuality] = {}
        self._signals: dict[tuple[str, str, str], int] = {}
        self._quality_signals: dict[tuple[str, str, str], int] = {}
        self._counted: set[str] = set()

    def deliver(self, items: Sequence[Published]) -> None:
        """Keep the newest window of each model, and count signals.

        Older windows and revisions, and signals that were counted already, are ignored.
        """
        with self._lock:
            for item in items:
                if isinstance(item, WindowReport):
                    self._keep(item)
                elif isinstance(item, QualityReport):
                    key = (item.model, item.variant)
                    self._quality.setdefault(key, NewestQuality()).keep(item)
                elif isinstance(item, Signal):
                    self._count(item)

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Export what was exported before the restart."""
        self.deliver(newest)

    def rebuild_quality(self, newest: Sequence[QualityReport]) -> None:
        """Export what was exported of the quality before the restart."""
        self.deliver(newest)

    def collector(self) -> Collector:
        """Return this delivery itself, which holds what a scrape exports."""
        return self

    def close(self) -> None:
        """Do nothing: the gauges stay readable until the service's own server stops."""

    def _keep(self, report: WindowReport) -> None:
        key = (report.model, report.variant)
        old = self._newest.get(key)
        if report.in_silence:  # its violations are signalled, and the state is "no data"
            return
        if old is None or (report.start_ms, report.revision) >= (old.start_ms, old.revision):
            self._newest[key] = msgspec.structs.replace(report, profile=b"")

    def _count(self, signal: Signal) -> None:
        if signal.dedupe_id not in self._counted:
            self._counted.add(signal.dedupe_id)
            key = (signal.model, signal.variant, signal.kind)
            counts = self._signals if signal.quality is None else self._quality_signals
            counts[key] = counts.get(key, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; called by the registry at each scrape."""
        with self._lock:
            reports = sorted(self._newest.values(), key=lambda report: -_worst(report))
            quality = [
                (newest.series(), newest.class_series() if self._sink.per_class else [])
                for _, newest in sorted(self._quality.items())
            ]
            signals, of_quality = dict(self._signals), dict(self._quality_signals)
        yield self._by_kind("signals", "Signals by kind since this process started.", signals)
        if quality or of_quality:
            text = "Signals about a model's quality, by kind, since this process started."
            yield self._by_kind("quality_signals", text, of_quality)
        count = yield from self._gauges(self._groups(reports, quality))
        left_out = GaugeMetricFamily(
            "driftline_series_left_out",
            "Series beyond max_series that are not exported.",
            labels=["job"],
        )
        left_out.add_metric([self._job], count)
        yield left_out

    def _by_kind(
        self, name: str, text: str, counts: Mapping[tuple[str, str, str], int]
    ) -> CounterMetricFamily:
        family = CounterMetricFamily(f"driftline_{name}_total", text, labels=["job", *KEY, "kind"])
        for (model, variant, kind), count in sorted(counts.items()):
            family.add_metric([self._job, model, variant, kind], count)
        return family

    def _gauges(self, groups: Iterator[list[Series]]) -> Generator[Metric, None, int]:
        """Yield the gauges of some groups, in their order, until a group does not fit.

        Returns the number of series that did not fit.
        """
        families: dict[str, GaugeMetricFamily] = {}
        room = self._sink.max_series
        left_out = 0
        for group in groups:
            if left_out or len(group) > room:
                left_out += len(group)
                continue
            room -= len(group)
            for series in group:
                if series.name not in families:
                    families[series.name] = GaugeMetricFamily(
                        f"driftline_{series.name}", series.text, labels=["job", *series.labels]
                    )
                labels = [self._job, *series.labels.values()]
                families[series.name].add_metric(labels, float(series.value))
        yield from families.values()
        return left_out

    def _groups(
        self,
        reports: Sequence[WindowReport],
        quality: Sequence[tuple[list[Series], list[Series]]],
    ) -> Iterator[list[Series]]:
        """Yield groups of series that are exported as a whole or not at all.

        ``quality`` has the series of each model, and those of its classes.
        """
        for report in reports:
            yield list(_of_model(report))
        for of_model, _ in quality:
            yield of_model
        features = [(report, feature) for report in reports for feature in report.features]
        for report, feature in sorted(features, key=lambda pair: -_badness(pair[1])):
            yield list(_of_feature(report, feature, self._sink.per_feature))
        for _, of_classes in quality:
            yield of_classes


KEY = ("model", "variant")


def _of_model(report: WindowReport) -> Iterator[Series]:
    key = {"model": report.model, "variant": report.variant}
    yield from _of_window(report, key)
    for state in STATES:
        yield Series(
            "window_state",
            "1 for the state of the newest closed window, 0 for all others.",
            {**key, "state": state},
            report.state == state,
        )
    yield from _of_checks(report, key)
    yield from _of_worst_features(report, key)


def _of_window(report: WindowReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield rows, mean completeness and end of the window, and the report of its violations."""
    yield Series("window_rows", "Rows in the newest closed window.", key, report.rows)
    completeness = [
        feature.completeness for feature in report.features if feature.completeness is not None
    ]
    if completeness:
        text = "Mean completeness over the features of the newest closed window."
        yield Series("window_completeness_ratio", text, key, sum(completeness) / len(completeness))
    end_s = (report.start_ms if report.end_ms is None else report.end_ms) / 1000
    yield Series(
        "window_end_timestamp_seconds",
        "End of the newest closed window (start of a silence).",
        key,
        end_s,
    )
    if report.violations:
        yield Series(
            "window_violations_info",
            "1 while the newest closed window has violations, with the id of its report.",
            {**key, "report": report.id},
            1.0,
        )


def _of_checks(report: WindowReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield the number of violations of each check that has any, and of drift always."""
    violations = Counter(violation.check for violation in report.violations)
    for check, count in sorted({ALWAYS_EXPORTED: 0, **violations}.items()):
        yield Series(
            "window_violations",
            "Violations in the newest closed window, by check.",
            {**key, "check": check},
            count,
        )


def _of_worst_features(report: WindowReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield the features with the largest ratio of distance to limit, by rank."""
    worst = sorted(report.features, key=lambda feature: -_badness(feature))[:WORST]
    for rank, feature in enumerate(worst, 1):
        yield Series(
            "worst_feature_ratio",
            "Deciding distance divided by its limit, of the worst features.",
            {**key, "rank": str(rank), "feature": feature.name},
            _badness(feature),
        )


def _of_feature(
    report: WindowReport, feature: FeatureReport, extra: Sequence[str]
) -> Iterator[Series]:
    key = {"model": report.model, "variant": report.variant, "feature": feature.name}
    if feature.completeness is not None:
        yield Series(
            "feature_completeness_ratio",
            "Share of rows that have a value, in the newest closed window.",
            key,
            feature.completeness,
        )
    yield from _of_drift(feature, {**key, "statistic": feature.deciding})
    yield from _of_evidence(feature, key)
    yield from _of_baseline(feature, key, extra)
    for name in extra:
        value = feature.distances.get(name) if name in DISTANCES else getattr(feature, name)
        if value is not None:
            yield Series(
                "feature_statistic",
                "Further statistics of a feature in the newest closed window.",
                {**key, "statistic": name},
                value,
            )


def _of_drift(feature: FeatureReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield the deciding distance and its limit, if both are defined."""
    if feature.value is not None and feature.limit is not None:
        yield Series(
            "feature_drift_distance",
            "Deciding distance from the baseline in the newest closed window.",
            key,
            feature.value,
        )
        yield Series("feature_drift_limit", "Limit of the deciding distance.", key, feature.limit)


def _of_evidence(feature: FeatureReport, key: dict[str, str]) -> Iterator[Series]:
    """Yield the finding that is nearest to a violation: effect, its limit, and what it spent."""
    findings = () if feature.evidence is None else feature.evidence.findings
    if not findings:
        return
    finding = max(findings, key=lambda each: each.nearness)
    yield Series(
        "feature_effect",
        "Estimated effect in the newest closed windows, of the finding nearest to a violation.",
        key,
        finding.effect,
    )
    text = "Smallest effect that is worth a signal."
    yield Series("feature_effect_limit", text, key, finding.effect_limit)
    yield Series(
        "feature_budget_spent_ratio",
        "The share of what that finding's test was allowed that its p-value spends: 1 is evidence.",
        key,
        finding.spent,
    )


def _of_baseline(
    feature: FeatureReport, key: dict[str, str], extra: Sequence[str]
) -> Iterator[Series]:
    """Yield the completeness of the baseline, and the further statistics that it has."""
    for name in ("completeness", *(name for name in extra if name in OF_BASELINE)):
        value = getattr(feature.baseline, name, None)
        if value is not None:
            yield Series(
                "feature_baseline",
                "Completeness and further statistics of a feature in the baseline.",
                {**key, "statistic": name},
                value,
            )


def _worst(report: WindowReport) -> float:
    return max(map(_badness, report.features), default=0.0)


def _badness(feature: FeatureReport) -> float:
    """Return how near the feature is to its limit; at least 1 if it violates."""
    return max(feature.nearness, 1.0) if feature.verdict == "violation" else feature.nearness
