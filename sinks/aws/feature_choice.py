"""The features of a report whose metrics are put: all, the worst, or named ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Annotated, Literal

import msgspec

from detectors.report import FeatureReport


class WorstFeatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The features of a report that are closest to their limits, or furthest beyond."""

    worst: Annotated[int, msgspec.Meta(ge=1)]
    """How many features of each report, by the ratio of the distance to its limit."""


FeatureChoice = Literal["all"] | WorstFeatures | tuple[str, ...]


def chosen(
    features: Sequence[FeatureReport], choice: FeatureChoice, by_sagemaker: bool = False
) -> list[FeatureReport]:
    """Return the chosen features, in their order.

    Features whose ``emit_metrics`` is ``Disabled`` are left out first. ``by_sagemaker``: the worst
    are those by SageMaker's own distance. Of features that are equally bad the first are taken.
    """
    emitted = [feature for feature in features if feature.emitted]
    if isinstance(choice, WorstFeatures):
        ranked = sorted(emitted, key=lambda feature: -badness(feature, by_sagemaker))
        names = {feature.name for feature in ranked[: choice.worst]}
    elif choice == "all":
        return emitted
    else:
        names = set(choice)
    return [feature for feature in emitted if feature.name in names]


def badness(feature: FeatureReport, by_sagemaker: bool = False) -> float:
    """Return the ratio of a feature's distance to its limit; above 1 it violates.

    Of ``ChiSquared`` it is the ratio of the limit to the distance, a p-value that violates below
    its limit. -1 for a feature whose checks are off, or whose distance or limit is not defined.
    """
    if not feature.enabled:
        return -1.0
    if not by_sagemaker:
        return _ratio(feature.value, feature.limit)
    figures = feature.sagemaker
    if figures is None:
        return -1.0
    if figures.method == "ChiSquared":
        return _ratio(figures.threshold, figures.distance)
    return _ratio(figures.distance, figures.threshold)


def unknown_names(choice: FeatureChoice, known: Iterable[str]) -> list[str]:
    """Return the chosen names that are no feature.

    >>> unknown_names(("age", "aeg"), ["age", "income"]), unknown_names("all", [])
    (['aeg'], [])
    """
    if isinstance(choice, str | WorstFeatures):
        return []
    features = set(known)
    return [name for name in choice if name not in features]


def _ratio(part: float | None, whole: float | None) -> float:
    if part is None or whole is None:
        return -1.0
    return part / whole if whole else (inf if part else 0.0)
