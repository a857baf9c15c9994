"""The statistics of a profile, as ``statistics.json`` of SageMaker Model Monitor states them."""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import UNSET, UnsetType

from detectors.profiles.distinct import DistinctValues
from detectors.profiles.layout import (
    BOOLEAN,
    FRACTIONAL,
    NEG_INF,
    STRING,
    InferredType,
)
from detectors.profiles.profile import Profile
from detectors.sagemaker.buckets import buckets
from detectors.sagemaker.sketch import levels_of_rows
from detectors.sagemaker.weighted_values import WeightedValues, weighted_values
from detectors.statistics_file import (
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

MAX_CATEGORIES: Final = 120
"""The largest number of different values of a text column that gets counts and a domain."""


def statistics(profile: Profile) -> Statistics:
    """Return the statistics of all features of a profile that keeps values.

    The type of a feature is that of the profile's own rows, by SageMaker's rules: one text, or a
    boolean beside numbers, makes the column ``String``. NaN and the infinities are taken as
    fractional numbers, as in a baseline. Whole numbers stay ``Fractional`` in a feature of
    fractions, since the profile does not tell ``7`` from ``7.0`` there; text stays ``String``.

    Mean, sum and deviation are over finite numbers, and null without any. Where the profile has a
    sample of the values only, buckets and sketch follow its bins, see
    :func:`~detectors.sagemaker.weighted_values.weighted_values`. In a feature of numbers with
    texts among them, which a profile does not name, ``distinct_count`` takes them as one value.
    """
    features = range(len(profile.layout.features))
    return Statistics(
        dataset=Dataset(item_count=profile.rows),
        features=[_feature(profile, i) for i in features],
    )


def observed_type(profile: Profile, i: int) -> InferredType:
    """Return the type of the values of feature ``i`` in a profile, see :func:`statistics`."""
    feature = profile.layout.features[i]
    start, stop = int(profile.layout.starts[i]), int(profile.layout.starts[i + 1])
    slots = profile.counts[start : start + NEG_INF].tolist()
    others = int(profile.counts[start + NEG_INF] + profile.counts[stop - 2 : stop].sum())
    if not sum(slots[BOOLEAN:]) + others:
        return "Unknown"
    if not feature.numeric or slots[STRING] or slots[BOOLEAN]:
        return "String"
    return (
        "Fractional" if feature.type == "Fractional" or slots[FRACTIONAL] + others else "Integral"
    )


def _feature(profile: Profile, i: int) -> FeatureStatistics:
    name, kind = profile.layout.features[i].name, observed_type(profile, i)
    missing = int(profile.missing[i])
    common = Common(int(profile.feature_rows[i]) - missing, missing)
    if kind == "Unknown":
        return FeatureStatistics(name, kind)
    if kind == "String":
        text = _string_statistics(profile, i, common)
        return FeatureStatistics(name, kind, string_statistics=text)
    numbers = _numerical_statistics(profile, i, common)
    return FeatureStatistics(name, kind, numerical_statistics=numbers)


def _numerical_statistics(profile: Profile, i: int, common: Common) -> NumericalStatistics:
    if not profile.finite[i]:
        return NumericalStatistics(common, None, None, None, None, None)
    low, high = float(profile.low[i]), float(profile.high[i])
    weighted = weighted_values(profile, i)
    total, deviation = _moments(profile, i, weighted)
    mean = min(max(total / int(profile.finite[i]), low), high)
    kll = Kll(
        buckets(weighted.values, weighted.counts.astype(np.float64), low, high),
        Sketch(data=_levels(weighted)),
    )
    return NumericalStatistics(
        common,
        _number(mean),
        _number(total),
        _number(deviation),
        low,
        high,
        distribution=NumericalDistribution(kll),
    )


def _moments(profile: Profile, i: int, weighted: WeightedValues) -> tuple[float, float]:
    """The sum and the population standard deviation of the finite numbers.

    From the values where all are kept: then they do not depend on the order of the rows.
    """
    n = int(profile.finite[i])
    # Beyond the largest float a sum is infinite, or NaN where it has both signs.
    with np.errstate(over="ignore", invalid="ignore"):
        if weighted.exact:
            total = float((weighted.values * weighted.counts).sum())
            offsets = weighted.values - total / n
            return total, float(np.sqrt((offsets * offsets * weighted.counts).sum() / n))
        shift, squares = profile.sums[i] / n
        total = float(profile.sums[i, 0] + n * profile.layout.features[i].center)
        is_constant = profile.low[i] == profile.high[i]
        variance = 0.0 if is_constant else max(float(squares - shift * shift), 0.0)
        return total, float(np.sqrt(variance))


def _levels(weighted: WeightedValues) -> list[list[float]]:
    ends = np.cumsum(weighted.counts, dtype=np.float64)
    return levels_of_rows(weighted.values, ends, int(weighted.counts.sum()))


def _string_statistics(profile: Profile, i: int, common: Common) -> StringStatistics:
    kept = profile.values.get(i)
    distinct = _distinct_in_bins(profile, i) if kept is None else kept.distinct
    if profile.layout.features[i].numeric:
        return StringStatistics(common, distinct + 1.0)
    return StringStatistics(common, distinct, _distribution(kept))


def _distribution(kept: DistinctValues | None) -> StringDistribution | UnsetType:
    """The counts of all values, the most frequent first; unset where there are too many."""
    if kept is None or not kept.complete or len(kept.counts) > MAX_CATEGORIES:
        return UNSET
    pairs = zip(kept.values.tolist(), kept.counts.tolist(), strict=True)
    ordered = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    return StringDistribution(Categorical([CategoricalBucket(*pair) for pair in ordered]))


def _distinct_in_bins(profile: Profile, i: int) -> float:
    """The number of bins with a count: the fewest different values that there can be."""
    return float(np.count_nonzero(profile.counts[profile.layout.bins(i)]))


def _number(value: float) -> float | None:
    """A number as the file holds it; null where it is beyond the largest one."""
    return value if np.isfinite(value) else None
