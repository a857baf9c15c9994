"""The numbers of each feature as its report has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import isfinite

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.decisions.rules import Ruling
from detectors.profiles.layout import Feature
from detectors.report import FeatureReport
from detectors.statistics.measures import Measures


def mark_violating(
    features: tuple[FeatureReport, ...], names: set[str]
) -> tuple[FeatureReport, ...]:
    """The reports with the verdict ``violation`` for the named features."""
    return (
        tuple(
            msgspec.structs.replace(one, verdict="violation") if one.name in names else one
            for one in features
        )
        if names
        else features
    )


def feature_reports(
    measures: Measures, rulings: Sequence[Ruling], violating: set[str]
) -> tuple[FeatureReport, ...]:
    """The report of each feature in the order of the layout; ``violating`` names those with a
    violation.
    """
    moments = [
        _numbers(values)
        for values in (measures.mean, measures.std, measures.sum, measures.low, measures.high)
    ]
    counts = [values.tolist() for values in (measures.missing, measures.nan, measures.inf)]
    columns = zip(
        measures.layout.features,
        rulings,
        np.nan_to_num(measures.n).astype(np.int64).tolist(),
        _numbers(measures.completeness),
        zip(*counts, strict=True),
        _rows(measures.types, [_numbers(measures.type_share(name)) for name in measures.types]),
        zip(*moments, strict=True),
        _numbers(measures.outliers),
        _rows(measures.distances, [_numbers(values) for values in measures.distances.values()]),
        strict=True,
    )
    return tuple(
        _feature_report(feature.name in violating, feature, *numbers)
        for feature, *numbers in columns
    )


def _feature_report(
    violates: bool,
    feature: Feature,
    ruling: Ruling,
    n: int,
    completeness: float | None,
    counts: tuple[int, int, int],
    types: dict[str, float | None],
    moments: tuple[float | None, ...],
    outliers: float | None,
    distances: dict[str, float | None],
) -> FeatureReport:
    missing, nan, inf = counts
    mean, std, total, low, high = moments
    verdict = "violation" if violates else "ok" if ruling.verdict == "violation" else ruling.verdict
    return FeatureReport(
        name=feature.name,
        role=feature.role,
        type=feature.type,
        n=n,
        missing=missing,
        completeness=completeness,
        nan=nan,
        inf=inf,
        types={name: share for name, share in types.items() if share is not None},
        mean=mean,
        std=std,
        sum=total,
        min=low,
        max=high,
        outlier_share=outliers if feature.ladder or feature.kind == "codes" else None,
        distances=distances,
        deciding=ruling.statistic,
        value=_number(ruling.value),
        limit=_number(ruling.limit),
        noise=_number(ruling.noise),
        asked_limit=_number(ruling.asked),
        enabled=ruling.enabled,
        verdict=verdict,
    )


def _rows(
    names: Iterable[str], columns: Sequence[Sequence[float | None]]
) -> Iterator[dict[str, float | None]]:
    """One mapping a feature, from one column a name."""
    known = list(names)
    return (dict(zip(known, row, strict=True)) for row in zip(*columns, strict=True))


def _numbers(values: Floats) -> list[float | None]:
    """Plain numbers, ``None`` for those that are not finite."""
    return [
        value if finite else None
        for value, finite in zip(values.tolist(), np.isfinite(values).tolist(), strict=True)
    ]


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
