"""The constraints that SageMaker Model Monitor suggests for data with these statistics."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UnsetType

from detectors.sagemaker.statistics import MAX_CATEGORIES
from detectors.statistics_file import Common, FeatureStatistics, Statistics, StringStatistics

MAX_DOMAIN_SHARE: Final = 0.1
"""The largest ratio of different values to values of a text column that gets a domain."""


def constraints(statistics: Statistics) -> dict[str, Any]:
    """Return the content of ``constraints.json``.

    Type and completeness as observed, whether all numbers are non-negative, and the domains of text
    with few values. A column of type ``Unknown`` has no value, and a completeness of 0.

    >>> from detectors.statistics_file import Dataset
    >>> empty = Statistics(dataset=Dataset(0), features=[FeatureStatistics("x", "Unknown")])
    >>> constraints(empty)["features"]
    [{'name': 'x', 'inferred_type': 'Unknown', 'completeness': 0.0}]
    """
    return {
        "version": 0.0,
        "features": [_constraint(feature) for feature in statistics.features],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": "LInfinity",
            },
        },
    }


def _constraint(feature: FeatureStatistics) -> dict[str, Any]:
    constraint: dict[str, Any] = {"name": feature.name, "inferred_type": feature.inferred_type}
    numbers, text = feature.numerical_statistics, feature.string_statistics
    if not isinstance(numbers, UnsetType):
        constraint["completeness"] = _completeness(numbers.common)
        if numbers.min is not None:
            constraint["num_constraints"] = {"is_non_negative": numbers.min >= 0}
    elif not isinstance(text, UnsetType):
        constraint["completeness"] = _completeness(text.common)
        if domain := _domain(text):
            constraint["string_constraints"] = {"domains": domain}
    else:
        constraint["completeness"] = 0.0
    return constraint


def _completeness(common: Common) -> float:
    rows = common.num_present + common.num_missing
    return common.num_present / rows if rows else 0.0


def _domain(text: StringStatistics) -> list[str]:
    """The values of text with few different ones, in order; none for any other text."""
    if isinstance(text.distribution, UnsetType):
        return []
    values = sorted(bucket.value for bucket in text.distribution.categorical.buckets)
    is_short = len(values) <= min(MAX_CATEGORIES, MAX_DOMAIN_SHARE * text.common.num_present)
    return values if is_short else []
