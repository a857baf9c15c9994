"""The check of SageMaker Model Monitor for drift: its own distance against its threshold."""

from __future__ import annotations

from detectors.decisions.checks.base import CheckedWindow
from detectors.decisions.sagemaker.sentences import drifted, improbable
from detectors.phrases import counted, distinguishable
from detectors.report import SagemakerFigures
from detectors.violation import Violation


def drift_violation(window: CheckedWindow, i: int) -> Violation | None:
    """A violation if SageMaker's own distance of feature ``i`` is beyond its threshold.

    Also of a feature that another check reports. None where ``perform_comparison`` is off, and
    where there is no distance.
    """
    figures = window.sagemaker[i] if window.sagemaker else None
    compared = window.baseline.constraints.thresholds.perform_comparison
    if figures is None or figures.distance is None or not figures.exceeds or not compared:
        return None
    is_p_value = figures.method == "ChiSquared"
    sentence = improbable if is_p_value else drifted
    return Violation(
        feature=window.layout.features[i].name,
        check="baseline_drift_check",
        statistic=figures.method,
        value=figures.distance,
        limit=figures.threshold,
        n=int(window.measures.n[i]),
        description=sentence(figures.distance, figures.threshold),
        summary=_summary(figures, figures.distance),
        moved=window.top_contributors(i),
    )


def not_compared(window: CheckedWindow) -> list[str]:
    """What SageMaker's own distance could not be computed of, in sentences.

    A feature of text may have no categories in ``statistics.json``, and is then never compared. A
    model whose baseline is not learned yet has no features.
    """
    if not window.rows:
        return [counted(0, "row")]
    if not window.layout.features or not window.baseline.constraints.thresholds.perform_comparison:
        return []
    if not window.sagemaker:
        return ["no distance of SageMaker: the values of the window were not kept from its start"]
    lacking = [
        feature.name
        for feature, figures in zip(window.layout.features, window.sagemaker, strict=True)
        if feature.numeric and figures is None
    ]
    if not lacking:
        return []
    features = counted(len(lacking), "numeric feature")
    return [f"no distance of SageMaker for {features}: the baseline has no sketch, make it anew"]


def _summary(figures: SagemakerFigures, distance: float) -> str:
    value, limit = distinguishable(distance, figures.threshold)
    if figures.method == "ChiSquared":
        return f"p-value of the chi-squared test {value}, below the limit {limit}"
    counts = f"n = {figures.n:,.0f}, m = {figures.m:,.0f}"
    return f"SageMaker's distance ({figures.method}) {value}, limit {limit} ({counts})"
