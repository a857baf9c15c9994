"""The report of each feature, from the measures of a window and the rulings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
from msgspec import structs

from detectors.arrays import Floats
from detectors.decisions.evidence.window_evidence import WindowEvidence
from detectors.decisions.rulings import Ruling
from detectors.finding import Evidence
from detectors.profiles.baseline import Constraints
from detectors.profiles.layout import Feature
from detectors.report import FeatureReport, Figures, SagemakerFigures, Verdict
from detectors.statistics.measures import Measures
from detectors.violation import Violation

Number = float | None


def features_of(violations: Sequence[Violation]) -> set[str]:
    """The names of the features that violate in all rows."""
    return {violation.feature for violation in violations if not violation.segment}


def mark_violating(
    features: tuple[FeatureReport, ...], names: set[str]
) -> tuple[FeatureReport, ...]:
    """The reports with the verdict ``violation`` for the named features."""
    if not names:
        return features
    return tuple(
        structs.replace(feature, verdict="violation") if feature.name in names else feature
        for feature in features
    )


def feature_reports(
    measures: Measures,
    rulings: Sequence[Ruling],
    violating: set[str],
    constraints: Constraints,
    sagemaker: Sequence[SagemakerFigures | None] = (),
    evidence: WindowEvidence | None = None,
) -> tuple[FeatureReport, ...]:
    """The report of each feature in the order of the layout.

    ``violating`` names those with a violation; ``constraints`` says whose metrics are published.
    ``sagemaker`` has SageMaker's own distance of each feature; empty if it was not computed.
    ``evidence`` has the findings on the window, if the mode is that.
    """
    columns = _Columns(measures)
    baseline = _Columns(Measures(measures.pair.baseline, measures.pair.baseline))
    reports = tuple(
        _feature_report(
            feature,
            ruling,
            columns,
            baseline.figures(i),
            i,
            violates=feature.name in violating,
            emitted=constraints.emits(feature.name),
            evidence=None if evidence is None else evidence.reported(i),
        )
        for i, (feature, ruling) in enumerate(zip(measures.layout.features, rulings, strict=True))
    )
    if not sagemaker:
        return reports
    return tuple(
        structs.replace(report, sagemaker=figures)
        for report, figures in zip(reports, sagemaker, strict=True)
    )


class _Columns:
    """Every measure as a list of plain numbers, one per feature: arrays are slow to index."""

    def __init__(self, measures: Measures) -> None:
        self.n: list[int] = np.nan_to_num(measures.n).astype(np.int64).tolist()
        self.missing: list[int] = measures.missing.tolist()
        self.nan: list[int] = measures.nan.tolist()
        self.inf: list[int] = measures.inf.tolist()
        self.completeness = _numbers(measures.completeness)
        self.types = {name: _numbers(measures.type_share(name)) for name in measures.types}
        self.moments = {
            "mean": _numbers(measures.mean),
            "std": _numbers(measures.std),
            "sum": _numbers(measures.sum),
            "min": _numbers(measures.low),
            "max": _numbers(measures.high),
        }
        self._measures = measures

    @cached_property
    def outliers(self) -> list[Number]:
        return _numbers(self._measures.outliers)

    @cached_property
    def distances(self) -> dict[str, list[Number]]:
        return {name: _numbers(values) for name, values in self._measures.distances.items()}

    def figures(self, i: int) -> Figures:
        """The numbers of feature ``i`` that are reported of both sides."""
        shares = {name: values[i] for name, values in self.types.items()}
        moments = {name: self.moments[name][i] for name in ("mean", "std", "min", "max")}
        return Figures(
            n=self.n[i],
            missing=self.missing[i],
            completeness=self.completeness[i],
            types={name: share for name, share in shares.items() if share is not None},
            **moments,
        )


def _feature_report(
    feature: Feature,
    ruling: Ruling,
    columns: _Columns,
    baseline: Figures,
    i: int,
    *,
    violates: bool,
    emitted: bool,
    evidence: Evidence | None,
) -> FeatureReport:
    figures = columns.figures(i)
    has_outliers = feature.ladder > 0 or feature.kind == "codes"
    return FeatureReport(
        name=feature.name,
        role=feature.role,
        type=feature.type,
        n=figures.n,
        missing=figures.missing,
        completeness=figures.completeness,
        nan=columns.nan[i],
        inf=columns.inf[i],
        types=figures.types,
        mean=figures.mean,
        std=figures.std,
        sum=columns.moments["sum"][i],
        min=figures.min,
        max=figures.max,
        outlier_share=columns.outliers[i] if has_outliers else None,
        distances={name: values[i] for name, values in columns.distances.items()},
        deciding=ruling.statistic,
        **_ruled_numbers(ruling),
        enabled=ruling.enabled,
        verdict=_verdict(ruling, violates),
        baseline=baseline,
        emitted=emitted,
        evidence=evidence,
    )


def _ruled_numbers(ruling: Ruling) -> dict[str, Any]:
    """The numbers of a ruling, by their names in the report."""
    return {
        "value": _number(ruling.value),
        "limit": _number(ruling.limit),
        "noise": _number(ruling.noise),
        "asked_limit": _number(ruling.asked_limit),
    }


def _verdict(ruling: Ruling, violates: bool) -> Verdict:
    """The verdict on the feature, by all of its checks and not by its deciding distance alone.

    A drift that the violation of another check explains is not a violation of its own.
    """
    if violates:
        return "violation"
    return "ok" if ruling.verdict == "violation" else ruling.verdict


def _numbers(values: Floats) -> list[Number]:
    """Plain numbers, ``None`` for those that are not finite."""
    finite = np.isfinite(values).tolist()
    return [
        value if is_finite else None
        for value, is_finite in zip(values.tolist(), finite, strict=True)
    ]


def _number(value: float) -> Number:
    return float(value) if isfinite(value) else None
