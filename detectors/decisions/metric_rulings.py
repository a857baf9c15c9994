"""Compares the metrics of a window with their limits: a value may miss its limit by chance."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot, isfinite
from typing import Final

from detectors.phrases import java_number, number, percent
from detectors.quality.base import Metric
from detectors.quality.error_change import ErrorChange
from detectors.quality.judged import MetricRule
from detectors.quality.laws import normal_quantile
from detectors.quality_report import MetricReport, MetricVerdict
from detectors.violation import Violation

QUALITY_CHECK: Final = "model_quality_check"
"""The check of a metric against its limit."""
ERROR_CHECK: Final = "error_change_check"
"""The check of the stream of errors of single predictions."""
ERRORS: Final = "(errors)"
"""The value of ``Violation.feature`` for the stream of errors."""
TOO_LOW: Final = "LessThanThreshold"
TOO_HIGH: Final = "GreaterThanThreshold"


def metric_report(
    metric: Metric, rule: MetricRule, unjudged: MetricVerdict | None, confidence: float
) -> MetricReport:
    """The metric with its limit and its verdict; ``confidence`` is that of its interval.

    ``unjudged`` is the verdict where the window as a whole has none, ``None`` where it is judged.
    Of two limits the one is reported that is nearer to being violated.
    """
    limit, operator = _limit(rule, metric.value)
    return MetricReport(
        name=metric.name,
        value=metric.value,
        low=metric.low,
        high=metric.high,
        standard_deviation=metric.standard_error,
        n=metric.n,
        baseline=rule.baseline,
        limit=limit,
        comparison_operator=operator,
        verdict=_verdict(metric, rule, unjudged, confidence),
        reason=metric.reason,
    )


def is_judged(rule: MetricRule) -> bool:
    """Return whether a value of the metric can be a violation."""
    return rule.judged and (rule.low is not None or rule.high is not None)


def is_beyond(metric: Metric, rule: MetricRule, confidence: float) -> bool:
    """Return whether the metric is beyond its limit by more than the sampling error of both.

    With ``d`` the distance of the value from the end of its interval on the side of the limit, and
    ``e`` the sampling error of the limit (0 unless it is the baseline's own value), the distance
    from the limit must be more than ``sqrt(d**2 + (z * e)**2)``, with the normal quantile ``z`` of
    ``confidence``; so for a stated limit the whole interval must be beyond it. Where the interval
    is unknown, ``d`` is 0. A value on the limit is not beyond it, and an undefined one never is.
    Source: Zou and Donner, Statistics in Medicine 27 (2008), the difference of two estimates from
    their intervals.

    >>> f1 = Metric("f1", 0.78, low=0.75, high=0.81, standard_error=0.01, n=900)
    >>> [is_beyond(f1, MetricRule("f1", low=low), 0.99) for low in (0.8, 0.82)]
    [False, True]
    >>> is_beyond(f1, MetricRule("f1", low=0.82, limit_error=0.02), 0.99)
    False
    """
    if metric.value is None or not isfinite(metric.value):
        return False
    below = metric.value - (metric.value if metric.low is None else metric.low)
    above = (metric.value if metric.high is None else metric.high) - metric.value
    error = normal_quantile(confidence) * rule.limit_error
    too_low = rule.low is not None and rule.low - metric.value > hypot(above, error)
    return too_low or (rule.high is not None and metric.value - rule.high > hypot(below, error))


def _verdict(
    metric: Metric, rule: MetricRule, unjudged: MetricVerdict | None, confidence: float
) -> MetricVerdict:
    if not is_judged(rule):
        return "not judged"
    if unjudged is not None:
        return unjudged
    if metric.value is None or not isfinite(metric.value):
        return "undefined"
    return "violation" if is_beyond(metric, rule, confidence) else "ok"


def _limit(rule: MetricRule, value: float | None) -> tuple[float | None, str]:
    """The limit that is nearer to being violated, and the operator that violates it."""
    if rule.low is None and rule.high is None:
        return None, ""
    if rule.low is None:
        return rule.high, TOO_HIGH
    if rule.high is None or value is None or value - rule.low <= rule.high - value:
        return rule.low, TOO_LOW
    return rule.high, TOO_HIGH


def metric_violation(
    metric: MetricReport, confidence: float, coverage: float | None, overwhelming: bool
) -> Violation:
    """The violation of a metric whose verdict is one.

    ``confidence`` is that of its interval, ``coverage`` the share of the predictions with a label.
    """
    value, limit = metric.value or 0.0, metric.limit or 0.0
    return Violation(
        feature=metric.name,
        check=QUALITY_CHECK,
        statistic=metric.name,
        value=value,
        limit=limit,
        n=metric.n,
        description=_description(metric, value, limit),
        summary=_summary(metric, confidence, coverage),
        overwhelming=overwhelming,
    )


def _description(metric: MetricReport, value: float, limit: float) -> str:
    """The violation in the words of SageMaker Model Monitor, with numbers as Java writes them."""
    error = metric.standard_deviation
    deviation = "NaN" if error is None else java_number(error)
    return (
        f"Metric {metric.name} with {java_number(value)} +/- {deviation} was"
        f" {metric.comparison_operator} '{java_number(limit)}'"
    )


def _summary(metric: MetricReport, confidence: float, coverage: float | None) -> str:
    """The violation for people: value, interval, limit, baseline, and the coverage of the labels.

    The numbers have three digits, or as many as it takes to tell them from the limit.
    """
    numbers = [metric.value, metric.low, metric.high]
    digits = _digits(metric.limit or 0.0, [value for value in numbers if value is not None])
    value, limit = (number(each or 0.0, digits) for each in (metric.value, metric.limit))
    parts = [
        f"{metric.name} {value} {_interval(metric, confidence, digits)}",
        f"limit {limit} {'or more' if metric.comparison_operator == TOO_LOW else 'or less'}",
    ]
    if metric.baseline is not None:
        parts.append(f"baseline {number(metric.baseline, digits)}")
    if coverage is not None:
        parts.append(f"labels for {percent(coverage)} of the predictions")
    return ", ".join(parts)


def _interval(metric: MetricReport, confidence: float, digits: int) -> str:
    if metric.low is None or metric.high is None:
        return "(sampling error unknown)"
    low, high = number(metric.low, digits), number(metric.high, digits)
    return f"({percent(confidence)} interval {low} to {high})"


def _digits(limit: float, values: Sequence[float]) -> int:
    """The digits, at least three, that tell each of the values from the limit."""
    for digits in range(3, 18):
        text = number(limit, digits)
        if all(number(value, digits) != text or value == limit for value in values):
            break
    return digits


def change_violations(changes: Sequence[ErrorChange]) -> list[Violation]:
    """One violation for each detector that found a rise of the error, its last one.

    A detector decides over many rows by itself, so that one window with a rise is enough for a
    signal. A fall of the error is none. A rising change has both levels.
    """
    last = {change.detector: change for change in changes if change.rising}
    return [_change_violation(change) for change in last.values()]


def _change_violation(change: ErrorChange) -> Violation:
    before, after = change.before or 0.0, change.after or 0.0
    digits = _digits(before, [after])
    return Violation(
        feature=ERRORS,
        check=ERROR_CHECK,
        statistic=change.detector,
        value=after,
        limit=before,
        n=change.rows_after,
        description=(
            f"The mean error of single predictions has risen from {before!r} to {after!r}"
            f" ({change.detector}, row {change.row} in the order of the labels)."
        ),
        summary=(
            f"mean error {number(after, digits)} of the last {change.rows_after:,} labelled rows,"
            f" {number(before, digits)} of the {change.rows_before:,} before ({change.detector})"
        ),
        overwhelming=True,
    )
