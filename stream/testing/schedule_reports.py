"""Reports on periods of a schedule, with numbers that are easy to check by hand."""

from __future__ import annotations

from typing import Any

from detectors.report import SagemakerFigures
from detectors.schedule_report import SCHEDULE_REPORT_VERSION, ScheduleReport
from detectors.statistics_file import (
    Bucket,
    Categorical,
    CategoricalBucket,
    Common,
    Dataset,
    FeatureStatistics,
    Kll,
    NumericalDistribution,
    NumericalStatistics,
    Sketch,
    Statistics,
    StringDistribution,
    StringStatistics,
)
from stream.testing.reports import START_MS, calm, feature, violation

HOUR_MS = 3_600_000
FIRST_MS = (START_MS // HOUR_MS + 1) * HOUR_MS
"""The start of hour 0."""


def sagemaker_figures(distance: float | None = 0.25, **changes: Any) -> SagemakerFigures:
    """A distance of 0.25 with a threshold of 0.1."""
    defaults: dict[str, Any] = {
        "method": "Robust",
        "uncorrected": None if distance is None else distance + 0.5,
        "n": 60.0,
        "m": 900.0,
        "threshold": 0.1,
        "exceeds": distance is not None and distance > 0.1,
    }
    return SagemakerFigures(distance=distance, **{**defaults, **changes})


def schedule_report(hour: int = 0, revision: int = 0, **changes: Any) -> ScheduleReport:
    """Hour number ``hour`` of model ``flights``: a drifted number and a calm text."""
    schedule_ms = changes.get("schedule_ms", HOUR_MS)
    start_ms = FIRST_MS + hour * schedule_ms
    features = (
        feature(sagemaker=sagemaker_figures()),
        calm(sagemaker=sagemaker_figures(0.02, method="LInfinity")),
    )
    defaults: dict[str, Any] = {
        "version": SCHEDULE_REPORT_VERSION,
        "job": "sample",
        "model": "flights",
        "variant": "AllTraffic",
        "schedule_ms": schedule_ms,
        "start_ms": start_ms,
        "end_ms": start_ms + schedule_ms,
        "revision": revision,
        "status": "CompletedWithViolations",
        "rows": 100,
        "baseline": "b0",
        "features": features,
        "violations": (violation(),),
        "statistics": period_statistics(),
    }
    fields = {**defaults, **changes}
    parts = ("job", "model", "variant", "start_ms", "end_ms", "schedule_ms", "baseline", "revision")
    return ScheduleReport(**{"id": "/".join(str(fields[part]) for part in parts), **fields})


def empty_hour(hour: int = 0, **changes: Any) -> ScheduleReport:
    """Hour number ``hour`` without rows."""
    empty: dict[str, Any] = {
        "status": "NoData",
        "rows": 0,
        "features": (),
        "violations": (),
        "baseline": "-",
        "statistics": None,
    }
    return schedule_report(hour, **{**empty, **changes})


def period_statistics() -> Statistics:
    """The numbers 1, 2 and 4 of four rows, and the texts a, a, b."""
    common = Common(num_present=3, num_missing=1)
    buckets = [
        Bucket(lower_bound=1 + 0.3 * k, upper_bound=1 + 0.3 * (k + 1), count=float(k in (0, 3, 9)))
        for k in range(10)
    ]
    amount = NumericalStatistics(
        common=common,
        mean=7 / 3,
        sum=7.0,
        std_dev=(14 / 9) ** 0.5,
        min=1.0,
        max=4.0,
        distribution=NumericalDistribution(Kll(buckets, Sketch(data=[[1.0, 2.0, 4.0]]))),
    )
    categories = Categorical([CategoricalBucket("a", 2), CategoricalBucket("b", 1)])
    carrier = StringStatistics(
        common=common, distinct_count=2.0, distribution=StringDistribution(categories)
    )
    return Statistics(
        dataset=Dataset(item_count=4),
        features=[
            FeatureStatistics("amount", "Integral", numerical_statistics=amount),
            FeatureStatistics("carrier", "String", string_statistics=carrier),
        ],
    )
