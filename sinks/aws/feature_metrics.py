"""The metrics of one feature, named as by SageMaker Model Monitor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detectors.report import FeatureReport
from sinks.aws.metric_names import metric_name

DATA: Final = "feature_data_"
NON_NULL: Final = "feature_non_null_"
DRIFT: Final = "feature_baseline_drift_"


def metrics_of(feature: FeatureReport, distance: float | None) -> Iterator[dict[str, Any]]:
    """Yield the metrics of one feature; ``distance`` is the number to put as its drift.

    The samples of its statistic set are the values that are finite numbers. A metric that is not
    defined is not put.
    """
    numbers = numbers_of(feature)
    if numbers and feature.sum is not None and feature.min is not None and feature.max is not None:
        values = {
            "SampleCount": float(numbers),
            "Sum": feature.sum,
            "Minimum": feature.min,
            "Maximum": feature.max,
        }
        yield {"MetricName": metric_name(DATA, feature.name), "StatisticValues": values}
    for prefix, value in ((NON_NULL, feature.completeness), (DRIFT, distance)):
        if value is not None:
            yield {"MetricName": metric_name(prefix, feature.name), "Value": value}


def numbers_of(feature: FeatureReport) -> int:
    """Return how many values are finite numbers."""
    share = feature.types.get("integral", 0.0) + feature.types.get("fractional", 0.0)
    return round((feature.n - feature.missing) * share)
