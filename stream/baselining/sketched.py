"""Makes a baseline of ``statistics.json`` alone: layout and counts from its sketches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UnsetType

from detectors.arrays import Floats, Ints
from detectors.phrases import counted
from detectors.profiles.binning import (
    ATOM_SHARE,
    MAX_CODES,
    codes_feature,
    empty_feature,
    grid_feature,
    text_feature,
)
from detectors.profiles.deviation import mean_and_deviation
from detectors.profiles.layout import (
    FRACTIONAL,
    HASHED_BINS,
    HEAD,
    INTEGRAL,
    MISSING,
    STRING,
    Feature,
    InferredType,
    Layout,
    Role,
)
from detectors.profiles.profile import Profile
from detectors.profiles.reading import BLANKS, CellReading, spellings
from detectors.profiles.sketch_error import SketchError
from detectors.profiles.vocabulary import VocabularyIndex
from detectors.sagemaker.sketch import distinct_items, level_sizes, rank_error
from detectors.statistics_file import (
    FeatureStatistics,
    NumericalStatistics,
    Statistics,
    StringStatistics,
)
from stream.baselining.inferred_reading import hold_booleans, number_markers, text_markers

MAX_QUANTILES: Final = 65_536
"""The largest number of quantiles that bins are made from."""


class Sketched(NamedTuple):
    """Layout and counts that follow from a file of statistics, and what they lack in sentences."""

    layout: Layout
    profile: Profile
    notes: tuple[str, ...]


class _Counted(NamedTuple):
    """One feature: its bins, the counts in all of its slots, sums and extremes."""

    feature: Feature
    slots: Ints
    sums: tuple[float, float] = (0.0, 0.0)
    low: float = np.inf
    high: float = -np.inf
    note: str = ""


def sketched(
    statistics: Statistics,
    predictions: Collection[str] = (),
    domains: Mapping[str, Sequence[str]] | None = None,
) -> Sketched:
    """Return layout and counts of the rows that the statistics are of.

    Numbers: bins and counts come from the sketch, moments and extremes from the exact numbers of
    the file. A sketch of a single level holds the rows themselves, and gives the bins that the rows
    would give. One of several levels has an error, which :attr:`Feature.sketch
    <detectors.profiles.layout.Feature>` keeps. Without a sketch the ten buckets are the bins.

    Text: the counts by value are the vocabulary. Without them a feature has no counts in its bins:
    it has no distance, and its other checks work; ``domains`` then are its known values.
    """
    rows = statistics.dataset.item_count
    known = domains or {}
    parts = [
        _feature(feature, _role(feature, predictions), known.get(feature.name, ()), rows)
        for feature in statistics.features
    ]
    layout = Layout(tuple(part.feature for part in parts))
    profile = Profile(layout)
    profile.rows = rows
    if parts:
        profile.counts = np.concatenate([part.slots for part in parts]).astype(np.int64)
        profile.sums = np.array([part.sums for part in parts], np.float64)
        profile.low = np.array([part.low for part in parts], np.float64)
        profile.high = np.array([part.high for part in parts], np.float64)
    return Sketched(layout, profile, tuple(part.note for part in parts if part.note))


def _role(feature: FeatureStatistics, predictions: Collection[str]) -> Role:
    return "prediction" if feature.name in predictions else "feature"


def _feature(feature: FeatureStatistics, role: Role, domain: Sequence[str], rows: int) -> _Counted:
    numbers, text = feature.numerical_statistics, feature.string_statistics
    if not isinstance(numbers, UnsetType) and numbers.common.num_present:
        return _of_numbers(feature.name, role, feature.inferred_type, numbers)
    if not isinstance(text, UnsetType) and text.common.num_present:
        return _of_text(feature.name, role, text, domain)
    reading = CellReading(tuple(dict.fromkeys((*text_markers(None, ()), *number_markers(None)))))
    bins = empty_feature(feature.name, role, reading)
    return _Counted(bins, _slots(bins, {MISSING: rows}))


def _slots(feature: Feature, head: Mapping[int, int], bins: Ints | None = None) -> Ints:
    """The counts of all slots of a feature; ``head`` are the type slots at its front."""
    slots = np.zeros(HEAD + feature.bins + 2, np.int64)
    for slot, count in head.items():
        slots[slot] = count
    if bins is not None:
        slots[HEAD:-2] = bins
    return slots


class _Items(NamedTuple):
    """Different numbers in rising order with their counts, and the error of these."""

    values: Floats
    counts: Ints
    error: SketchError | UnsetType
    in_buckets: bool = False


def _of_numbers(
    name: str, role: Role, kind: InferredType, numbers: NumericalStatistics
) -> _Counted:
    items = _items(numbers)
    n = int(items.counts.sum())
    if not n:
        return _numbers_alone(name, role, kind, numbers)
    low = float(items.values[0]) if numbers.min is None else numbers.min
    high = float(items.values[-1]) if numbers.max is None else numbers.max
    items = _with_extremes(items, low, high)
    moments = _moments(numbers, items)
    feature = _numeric_feature(name, role, kind, items, (low, high), moments)
    bins = np.searchsorted(np.array(feature.edges), items.values, side="right")
    in_bins = np.bincount(bins, weights=items.counts, minlength=feature.bins).astype(np.int64)
    whole = n if kind == "Integral" else int(items.counts[items.values % 1.0 == 0.0].sum())
    head = {MISSING: numbers.common.num_missing, INTEGRAL: whole, FRACTIONAL: n - whole}
    slots = _slots(feature, head, in_bins)
    slots[-1] = max(numbers.common.num_present - n, 0)
    note = f"'{name}' has no sketch and is compared in ten buckets" if items.in_buckets else ""
    return _Counted(feature, slots, _sums(n, moments, feature.center), low, high, note)


def _numbers_alone(
    name: str, role: Role, kind: InferredType, numbers: NumericalStatistics
) -> _Counted:
    """A feature of numbers without a distribution: its bins have no counts."""
    n = numbers.common.num_present
    low, high = numbers.min or 0.0, numbers.max or 0.0
    moments = numbers.mean or 0.0, numbers.std_dev or 0.0
    nothing = _Items(np.array([low]), np.array([1]), msgspec.UNSET, True)
    feature = _numeric_feature(name, role, kind, nothing, (low, high), moments)
    slot = INTEGRAL if kind == "Integral" else FRACTIONAL
    slots = _slots(feature, {MISSING: numbers.common.num_missing, slot: n})
    note = f"'{name}' has no distribution, so its drift is not judged"
    return _Counted(feature, slots, _sums(n, moments, feature.center), low, high, note)


def _sums(n: int, moments: tuple[float, float], center: float) -> tuple[float, float]:
    """The sums of the offsets from ``center``, and of their squares."""
    shift = moments[0] - center
    return n * shift, n * (moments[1] ** 2 + shift * shift)


def _items(numbers: NumericalStatistics) -> _Items:
    """The items of the sketch, without one the lower bounds of the buckets."""
    if isinstance(numbers.distribution, UnsetType):
        return _Items(np.empty(0), np.empty(0, np.int64), msgspec.UNSET)
    kll = numbers.distribution.kll
    levels = kll.sketch.data
    if any(levels):
        found = distinct_items(levels)
        return _Items(found.values, found.weights.astype(np.int64), _error(levels))
    bounds = np.array([bucket.lower_bound for bucket in kll.buckets])
    weights = np.rint([bucket.count for bucket in kll.buckets]).astype(np.int64)
    values, place = np.unique(bounds, return_inverse=True)
    counts = np.bincount(place, weights=weights, minlength=len(values)).astype(np.int64)
    sizes = level_sizes(int(counts.sum())) if counts.sum() else []
    return _Items(values, counts, _error([[0.0] * size for size in sizes]), True)


def _error(levels: Sequence[Sequence[float]]) -> SketchError | UnsetType:
    """The error of a sketch; unset for one of a single level, which is exact."""
    rank = rank_error(levels)
    if not rank:
        return msgspec.UNSET
    rows = sum(len(level) << h for h, level in enumerate(levels))
    return SketchError(rank, 2.0 ** (len(levels) - 1) / rows)


def _moments(numbers: NumericalStatistics, items: _Items) -> tuple[float, float]:
    """Mean and deviation as the file has them; those of the items where it has none."""
    if numbers.mean is not None and numbers.std_dev is not None:
        return numbers.mean, numbers.std_dev
    return mean_and_deviation(items.values, items.counts.astype(np.float64))


def _with_extremes(items: _Items, low: float, high: float) -> _Items:
    """The items with the smallest and largest number among them, where a sketch lost them.

    Such a number stands for one row, of those of the item that is next to it.
    """
    values, counts = items.values, items.counts
    if items.in_buckets:
        return items
    if low < values[0] and counts[0] > 1:
        values, counts = np.insert(values, 0, low), np.insert(counts, 0, 1)
        counts[1] -= 1
    if high > values[-1] and counts[-1] > 1:
        values, counts = np.append(values, high), np.append(counts, 1)
        counts[-2] -= 1
    return items._replace(values=values, counts=counts)


def _numeric_feature(
    name: str,
    role: Role,
    kind: InferredType,
    items: _Items,
    extent: tuple[float, float],
    moments: tuple[float, float],
) -> Feature:
    values, counts = items.values, items.counts
    (low, high), (mean, deviation), n = extent, moments, int(counts.sum())
    by_value = dict(zip(values.tolist(), counts.tolist(), strict=True))
    is_flag = set(by_value) <= {0.0, 1.0} and not items.in_buckets
    reading = CellReading(missing=number_markers(None), booleans=is_flag)
    if len(by_value) <= MAX_CODES and not items.in_buckets:
        feature = codes_feature(name, role, kind, by_value, reading)
    else:
        feature = grid_feature(
            name=name,
            role=role,
            kind=kind,
            quantiles=_quantiles(values, counts),
            atoms={} if items.in_buckets else _atoms(by_value, n),
            low=low,
            high=high,
            center=mean,
            scale=deviation,
            reading=reading,
        )
    return msgspec.structs.replace(feature, sketch=items.error)


def _quantiles(values: Floats, counts: Ints) -> list[float]:
    """The sorted rows, or as many of them at equally spaced ranks as bins are made from."""
    n = int(counts.sum())
    ranks = np.arange(n) if n <= MAX_QUANTILES else np.linspace(0, n - 1, MAX_QUANTILES).round()
    quantiles: list[float] = values[np.searchsorted(np.cumsum(counts), ranks, "right")].tolist()
    return quantiles


def _atoms(counts: Mapping[float, int], n: int) -> dict[float, float]:
    """The values of a share of 1 % or more, with their shares."""
    return {value: count / n for value, count in counts.items() if count >= ATOM_SHARE * n}


def _of_text(name: str, role: Role, text: StringStatistics, domain: Sequence[str]) -> _Counted:
    missing = text.common.num_missing
    if isinstance(text.distribution, UnsetType):
        counts = dict.fromkeys(domain, 0)
        feature = text_feature(name, role, _read(counts), _text_reading(counts))
        slots = _slots(feature, {MISSING: missing, STRING: text.common.num_present})
        different = counted(int(text.distinct_count), "different value")
        note = f"'{name}' has no counts of its {different}, so its drift is not judged"
        return _Counted(feature, slots, note=note)
    counts = {bucket.value: bucket.count for bucket in text.distribution.categorical.buckets}
    reading, values = _text_reading(counts), _read(counts)
    feature = text_feature(name, role, values, reading)
    bins, types, _, _ = VocabularyIndex(feature).look_up(pa.array(list(values), pa.string()))
    occurrences = np.array(list(values.values()))
    in_bins = np.bincount(bins, weights=occurrences, minlength=feature.bins).astype(np.int64)
    by_type = np.bincount(types, weights=occurrences, minlength=HEAD).astype(np.int64)
    rest = max(text.common.num_present - int(occurrences.sum()), 0)
    known = len(feature.vocabulary)
    in_bins[known : known + HASHED_BINS] += _spread(rest, HASHED_BINS)
    by_type[STRING] += rest
    head = dict(enumerate(by_type.tolist())) | {MISSING: missing}
    return _Counted(feature, _slots(feature, head, in_bins))


def _text_reading(counts: Mapping[str, int]) -> CellReading:
    """The reading of a text column; what the file counts as a value is no missing marker."""
    trimmed = [value.strip(BLANKS) for value in counts]
    missing = tuple(m for m in text_markers(None, counts) if m not in trimmed)
    return CellReading(missing, hold_booleans(missing, counts))


def _read(counts: Mapping[str, int]) -> Counter[str]:
    """The counts by value, without blanks and with one spelling of each boolean."""
    spelled = spellings(_text_reading(counts), ())
    read: Counter[str] = Counter()
    for text, count in counts.items():
        trimmed = text.strip(BLANKS)
        read[spelled.get(trimmed, trimmed) or trimmed] += count
    return read


def _spread(count: int, bins: int) -> Ints:
    """A count divided evenly among some bins."""
    ends = np.arange(bins + 1) * count // bins
    return np.diff(ends)
