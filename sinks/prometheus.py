"""Sink ``prometheus``: gauges of the newest closed window, for a scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from itertools import chain
from threading import Lock
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, get_args

import msgspec
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from detectors.decisions.catalogue import CHECKS
from detectors.report import FeatureReport, Signal, State, WindowReport
from detectors.statistics.catalogue import DISTANCES
from sinks.base import Published, Sink

Plain = Literal["n", "missing", "nan", "inf", "mean", "std", "sum", "min", "max", "outlier_share"]
if TYPE_CHECKING:
    PerFeature = str
else:
    PerFeature = Literal[Plain, Literal[tuple(DISTANCES)]]
"""What may be shown of each feature: the names of the distances are known when this runs."""
WORST = 3
OF_MODEL = 3
"""Rows, completeness, end of the window."""
OF_FEATURE = 3
"""Completeness, distance, limit."""
STATES = get_args(State)


class Prometheus(Sink, frozen=True, tag="prometheus"):
    """Shows the newest closed window of each model at ``/metrics`` of the service (``http`` in the
    configuration).

    Per model and variant: rows, completeness, end of the window, state, violations by check, the
    worst three features. Per feature: completeness, the deciding distance and its limit; what
    ``per_feature`` names is added. ``max_series`` caps the number of these series: models first,
    then features, in the order of their distance over limit; ``driftline_series_left_out`` tells
    how many did not fit. Labels are names of models, features and checks, never values.

    A repeat shows the same numbers again: nothing changes. After a restart the gauges are rebuilt
    from the state.
    """

    takes: ClassVar = (WindowReport, Signal)
    lossless: ClassVar = False

    max_series: int = 20_000
    per_feature: list[PerFeature] = []

    def check(self) -> list[str]:
        """The cap must leave room for one model."""
        least = self.series(1)
        return [] if self.max_series >= least else [f"max_series: at least {least} are needed"]

    def destinations(self) -> list[str]:
        """The service's one page of metrics."""
        return ["/metrics"]

    def series(self, features: int) -> int:
        """The most time series of one variant of a model with so many features, as ``max_series``
        counts them.

        There are fewer while a check finds nothing (only drift is always shown) or a statistic of a
        feature is not defined.
        """
        of_model = OF_MODEL + len(STATES) + len(CHECKS) + min(WORST, features)
        return of_model + features * (OF_FEATURE + len(self.per_feature))

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
        signal = CounterMetricFamily(
            "driftline_signals",
            "Signals by kind since the service started.",
            labels=["job", *KEY, "kind"],
        )
        for (model, variant, kind), count in sorted(signals.items()):
            signal.add_metric([self._job, model, variant, kind], count)
        yield signal
        left_out = yield from self._gauges(sorted(reports, key=lambda report: -_worst(report)))
        left = GaugeMetricFamily(
            "driftline_series_left_out",
            "Series beyond max_series that are not shown.",
            labels=["job"],
        )
        left.add_metric([self._job], left_out)
        yield left

    def _gauges(self, reports: Sequence[WindowReport]) -> Generator[Metric, None, int]:
        """The gauges of models, then of features, worst first, until one does not fit; returns how
        many series did not.
        """
        extra = self._sink.per_feature
        ranked = sorted(
            ((_badness(f), r, f) for r in reports for f in r.features), key=lambda one: -one[0]
        )
        groups = chain(
            (list(_of_model(r)) for r in reports),
            (list(_of_feature(r, f, extra)) for _, r, f in ranked),
        )
        families: dict[str, GaugeMetricFamily] = {}
        room, left_out = self._sink.max_series, 0
        for group in groups:
            if left_out or len(group) > room:
                left_out += len(group)
                continue
            room -= len(group)
            for one in group:
                if one.name not in families:
                    families[one.name] = GaugeMetricFamily(
                        f"driftline_{one.name}", one.text, labels=["job", *one.labels]
                    )
                families[one.name].add_metric([self._job, *one.labels.values()], float(one.value))
        yield from families.values()
        return left_out


KEY = ("model", "variant")


class _Series(NamedTuple):
    """One time series: its family's name and text, its labels, its value."""

    name: str
    text: str
    labels: dict[str, str]
    value: float


def _of_model(report: WindowReport) -> Iterator[_Series]:
    key = {"model": report.model, "variant": report.variant}
    completeness = [f.completeness for f in report.features if f.completeness is not None]
    yield _Series("window_rows", "Rows in the newest closed window.", key, report.rows)
    if completeness:
        text = "Mean completeness over the features of the newest closed window."
        yield _Series("window_completeness_ratio", text, key, sum(completeness) / len(completeness))
    end_s = (report.start_ms if report.end_ms is None else report.end_ms) / 1000
    yield _Series(
        "window_end_timestamp_seconds",
        "End of the newest closed window (start of a silence).",
        key,
        end_s,
    )
    for state in STATES:
        yield _Series(
            "window_state",
            "1 for the state of the newest closed window.",
            {**key, "state": state},
            report.state == state,
        )
    for check, count in sorted(
        Counter({"baseline_drift_check": 0, **Counter(v.check for v in report.violations)}).items()
    ):
        yield _Series(
            "window_violations",
            "Violations in the newest closed window by check.",
            {**key, "check": check},
            count,
        )
    for rank, feature in enumerate(
        sorted(report.features, key=lambda feature: -_badness(feature))[:WORST], 1
    ):
        labels = {**key, "rank": str(rank), "feature": feature.name}
        yield _Series(
            "worst_feature_ratio",
            "Deciding distance over its limit of the worst features.",
            labels,
            _badness(feature),
        )


def _of_feature(
    report: WindowReport, feature: FeatureReport, extra: Sequence[str]
) -> Iterator[_Series]:
    key = {"model": report.model, "variant": report.variant, "feature": feature.name}
    if feature.completeness is not None:
        yield _Series(
            "feature_completeness_ratio", "Share of rows with a value.", key, feature.completeness
        )
    if feature.value is not None and feature.limit is not None:
        both = {**key, "statistic": feature.deciding}
        yield _Series(
            "feature_drift_distance",
            "The deciding distance from the baseline.",
            both,
            feature.value,
        )
        yield _Series(
            "feature_drift_limit",
            "What the deciding distance is compared with.",
            both,
            feature.limit,
        )
    for name in extra:
        value = feature.distances.get(name) if name in DISTANCES else getattr(feature, name)
        if value is not None:
            yield _Series(
                "feature_statistic",
                "Further statistics of a feature.",
                {**key, "statistic": name},
                value,
            )


def _worst(report: WindowReport) -> float:
    return max(map(_badness, report.features), default=0.0)


def _badness(feature: FeatureReport) -> float:
    """How far a feature is beyond its limit: 1 at the limit; a feature with another violation
    counts as at least 1.
    """
    ratio = feature.value / feature.limit if feature.value is not None and feature.limit else 0.0
    return max(ratio, 1.0) if feature.verdict == "violation" else ratio
