"""Sink ``prometheus``: gauges of the newest closed window, for a scrape."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Lock
from typing import ClassVar, Literal

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from detectors.report import FeatureReport, Signal, WindowReport
from sinks.base import Published, Sink

PerFeature = Literal[
    "n", "missing", "nan", "inf", "mean", "std", "sum", "min", "max", "outlier_share",
    "psi", "ks", "jensen_shannon", "hellinger", "wasserstein", "l_infinity", "chi_squared",
]  # fmt: skip
WORST = 3
STATES = ("ok", "violations", "insufficient", "no data", "incomplete", "learning")


class Prometheus(Sink, frozen=True, tag="prometheus"):
    """Shows the newest closed window of each model at ``/metrics`` of the service (``http`` in the configuration).

    Per model and variant: rows, completeness, end of the window, state, violations by check, the worst three features. Per
    feature: completeness, the deciding distance and its limit; what ``per_feature`` names is added. ``max_series`` caps the
    number of series, features in the order of their distance over limit; ``driftline_series_left_out`` tells how many did
    not fit. Labels are names of models, features and checks, never values.

    A repeat shows the same numbers again: nothing changes. After a restart the gauges are rebuilt from the state.
    """

    takes: ClassVar = (WindowReport, Signal)
    lossless: ClassVar = False

    max_series: int = 20_000
    per_feature: list[PerFeature] = []

    def check(self) -> list[str]:
        """The cap must leave room for one model."""
        return [] if self.max_series >= 20 else ["max_series: at least 20"]

    def open(self, job: str) -> PrometheusDelivery:
        """A collector; the service registers it."""
        return PrometheusDelivery(self, job)


class PrometheusDelivery(Collector):
    """The running half, and the collector that a registry scrapes."""

    def __init__(self, sink: Prometheus, job: str) -> None:
        self._sink, self._job, self._lock = sink, job, Lock()
        self._newest: dict[tuple[str, str], WindowReport] = {}
        self._signals: dict[tuple[str, str, str], int] = {}
        self._seen: dict[str, None] = {}

    def deliver(self, items: Sequence[Published]) -> None:
        """Take the newest window of each model; older ones and older revisions are passed over."""
        with self._lock:
            for item in items:
                if isinstance(item, WindowReport):
                    self._show(item)
                elif item.dedupe_id not in self._seen:
                    self._seen[item.dedupe_id] = None
                    key = (item.model, item.variant, item.kind)
                    self._signals[key] = self._signals.get(key, 0) + 1

    def rebuild(self, newest: Sequence[WindowReport]) -> None:
        """Show what was shown before the restart."""
        self.deliver(newest)

    def close(self) -> None:
        """The gauges stay readable until the service's own server stops."""

    def _show(self, report: WindowReport) -> None:
        key = (report.model, report.variant)
        old = self._newest.get(key)
        if old is None or (report.start_ms, report.revision) >= (old.start_ms, old.revision):
            self._newest[key] = msgspec.structs.replace(report, profile=b"")

    def collect(self) -> Iterator[Metric]:
        """All gauges; called by the registry at each scrape."""
        with self._lock:
            reports, signals = list(self._newest.values()), dict(self._signals)
        signal = CounterMetricFamily("driftline_signals", "Signals by kind since the service started.", labels=["job", *KEY, "kind"])
        for (model, variant, kind), count in sorted(signals.items()):
            signal.add_metric([self._job, model, variant, kind], count)
        yield signal
        families = _Families(self._job, self._sink.per_feature)
        room = self._sink.max_series
        for report in reports:
            room -= families.model(report)
        ranked = sorted(((_badness(f), r, f) for r in reports for f in r.features), key=lambda one: -one[0])
        width = families.width
        fitting = max(room, 0) // width
        for _, report, feature in ranked[:fitting]:
            families.feature(report, feature)
        yield from families.all()
        left = GaugeMetricFamily("driftline_series_left_out", "Series beyond max_series that are not shown.", labels=["job"])
        left.add_metric([self._job], max(len(ranked) - fitting, 0) * width)
        yield left


KEY = ("model", "variant")


class _Families:
    """The gauge families of one scrape, filled report by report."""

    def __init__(self, job: str, extra: Sequence[str]) -> None:
        self._job, self._extra = job, list(extra)
        self._made: dict[str, GaugeMetricFamily] = {}

    @property
    def width(self) -> int:
        """Series a feature at the most."""
        return 3 + len(self._extra)

    def model(self, report: WindowReport) -> int:
        """Add the gauges of one model; returns how many series these were."""
        key = [self._job, report.model, report.variant]
        completeness = [f.completeness for f in report.features if f.completeness is not None]
        before = self._count()
        self._add("window_rows", "Rows in the newest closed window.", key, report.rows)
        if completeness:
            mean = sum(completeness) / len(completeness)
            self._add("window_completeness_ratio", "Mean completeness over the features of the newest closed window.", key, mean)
        end_s = (report.start_ms if report.end_ms is None else report.end_ms) / 1000
        self._add("window_end_timestamp_seconds", "End of the newest closed window (start of a silence).", key, end_s)
        for state in STATES:
            self._add("window_state", "1 for the state of the newest closed window.", [*key, state], report.state == state, ["state"])
        counts: dict[str, int] = {}
        for violation in report.violations:
            counts[violation.check] = counts.get(violation.check, 0) + 1
        for check, count in sorted({"baseline_drift_check": 0, **counts}.items()):
            self._add("window_violations", "Violations in the newest closed window by check.", [*key, check], count, ["check"])
        worst = sorted(report.features, key=lambda feature: -_badness(feature))[:WORST]
        for rank, feature in enumerate(worst, 1):
            text = "Deciding distance over its limit of the worst features."
            self._add("worst_feature_ratio", text, [*key, str(rank), feature.name], _badness(feature), ["rank", "feature"])
        return self._count() - before

    def feature(self, report: WindowReport, feature: FeatureReport) -> None:
        """Add the gauges of one feature."""
        key, names = [self._job, report.model, report.variant, feature.name], ["feature"]
        if feature.completeness is not None:
            self._add("feature_completeness_ratio", "Share of rows with a value.", key, feature.completeness, names)
        if feature.value is not None and feature.limit is not None:
            both = [*key, feature.deciding]
            self._add("feature_drift_distance", "The deciding distance from the baseline.", both, feature.value, [*names, "statistic"])
            self._add("feature_drift_limit", "What the deciding distance is compared with.", both, feature.limit, [*names, "statistic"])
        for name in self._extra:
            value = feature.distances[name] if name in feature.distances else getattr(feature, name)
            if value is not None:
                self._add("feature_statistic", "Further statistics of a feature.", [*key, name], value, [*names, "statistic"])

    def all(self) -> list[GaugeMetricFamily]:
        """The filled families."""
        return list(self._made.values())

    def _count(self) -> int:
        return sum(len(family.samples) for family in self._made.values())

    def _add(self, name: str, text: str, values: list[str], number: float, labels: Sequence[str] = ()) -> None:
        if name not in self._made:
            self._made[name] = GaugeMetricFamily(f"driftline_{name}", text, labels=["job", *KEY, *labels])
        self._made[name].add_metric(values, float(number))


def _badness(feature: FeatureReport) -> float:
    """How far a feature is beyond its limit: 1 at the limit; a feature with another violation counts as at least 1."""
    ratio = feature.value / feature.limit if feature.value is not None and feature.limit else 0.0
    return max(ratio, 1.0) if feature.verdict == "violation" else ratio
