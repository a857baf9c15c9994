"""Explains why driftline and Model Monitor do not report the same violation."""

from __future__ import annotations

from typing import Final

from detectors.phrases import counted, number, percent
from detectors.report import FeatureReport
from detectors.schedule_report import ScheduleReport

OF_COLUMNS: Final = frozenset({"missing_column_check", "extra_column_check"})
"""The checks of all columns together."""
OWN_CHECKS: Final = frozenset(
    {"change_check", "empty_column_check", "non_negative_check", "vanished_value_check"}
)
"""The checks that Model Monitor does not have."""
NOT_REPRODUCED: Final = "not explained: compare the rows that both read"


def why_not_ours(check: str, feature: FeatureReport | None, report: ScheduleReport) -> str:
    """Return why driftline does not report what Model Monitor reports of a feature.

    ``feature`` is ``None`` for a name that the baseline does not have, and for ``OF_COLUMNS``.
    """
    if report.rules.get("mode") == "sagemaker-compat":
        return NOT_REPRODUCED
    if report.rows < _rule(report, "min_n"):
        rows = counted(report.rows, "row")
        return f"{rows}, fewer than the {_rule(report, 'min_n'):,.0f} of rules.min_n: no verdict"
    if check in OF_COLUMNS:
        return "records of another width are dead letters, and too few of them for a violation"
    if feature is None:
        return "the baseline has no such feature"
    if not feature.enabled:
        return "the checks of this feature are off"
    return _within_limits(check, feature, report)


def _within_limits(check: str, feature: FeatureReport, report: ScheduleReport) -> str:
    match check:
        case "data_type_check":
            share = percent(_rule(report, "type_match"))
            return (
                f"{share} of the values (rules.type_match) must be of type {feature.type}, not all"
            )
        case "completeness_check":
            have = percent(feature.completeness or 0.0)
            gap = percent(_rule(report, "completeness_gap"))
            return f"{have} of the rows have a value: within {gap} (rules.completeness_gap)"
        case "categorical_values_check":
            share = percent(_rule(report, "domain_match"))
            return f"{share} of the values (rules.domain_match) must be known, not all"
        case "baseline_drift_check":
            return _no_drift(feature)
    return "driftline has no such check"


def _no_drift(feature: FeatureReport) -> str:
    if feature.value is None or feature.limit is None:
        return f"{feature.deciding} is not defined: one side has no values"
    value, limit = number(feature.value, 3), number(feature.limit, 3)
    ours = f"{feature.deciding} is {value}, its limit {limit}"
    return f"with every row counted {ours}; Model Monitor counts each distinct value once"


def why_not_theirs(check: str, feature: FeatureReport | None, report: ScheduleReport) -> str:
    """Return why Model Monitor does not report what driftline reports of a feature."""
    if check in OWN_CHECKS:
        return "Model Monitor has no such check"
    figures = feature.sagemaker if feature else None
    if (
        check != "baseline_drift_check"
        or figures is None
        or figures.exceeds
        or report.rules.get("mode") == "sagemaker-compat"
    ):
        return NOT_REPRODUCED
    distance = "not defined" if figures.distance is None else number(figures.distance, 3)
    return (
        f"its own distance is {distance}, from {figures.n:,.0f} distinct values here and"
        f" {figures.m:,.0f} in the baseline: it does not see how often each occurs"
    )


def _rule(report: ScheduleReport, name: str) -> float:
    return float(report.rules.get(name, 0.0))
