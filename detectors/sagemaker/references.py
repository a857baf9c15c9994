"""What SageMaker's own distance compares a window with, from the statistics of a baseline."""

from __future__ import annotations

from msgspec import UnsetType

from detectors.profiles.reference import Reference
from detectors.statistics_file import FeatureStatistics, Statistics


def references(statistics: Statistics) -> dict[str, Reference]:
    """Return the sketch of each feature of numbers, and the categories of each feature of text.

    A feature of neither, of type ``Unknown``, has no entry, nor has one without a distribution.
    """
    found = {feature.name: _reference(feature) for feature in statistics.features}
    return {name: reference for name, reference in found.items() if reference is not None}


def _reference(feature: FeatureStatistics) -> Reference | None:
    numbers, text = feature.numerical_statistics, feature.string_statistics
    if not isinstance(numbers, UnsetType):
        if isinstance(numbers.distribution, UnsetType):
            return None
        return Reference(tuple(map(tuple, numbers.distribution.kll.sketch.data)))
    if isinstance(text, UnsetType) or isinstance(text.distribution, UnsetType):
        return None
    counts = text.distribution.categorical.buckets
    return Reference(categories={bucket.value: bucket.count for bucket in counts})
