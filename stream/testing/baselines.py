"""Baselines, windows and pairs of windows from arrays, for tests of the core."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from detectors.arrays import Floats
from detectors.profiles.baseline import Baseline, Constraint, Constraints, Thresholds
from detectors.profiles.binning import ATOM_SHARE, codes_feature, grid_feature, text_feature
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import fold
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair

Values = Floats | Sequence[float | None] | Sequence[str | None]


def column(values: Values, numeric: bool) -> Column:
    """A column of numbers or text; ``None`` is a missing value."""
    present = [value for value in values if value is not None]
    if not numeric:
        return Texts(pa.array(list(values), pa.string()))
    if len(present) == len(values):
        return Numbers(np.asarray(values, dtype=np.float64))
    missing = np.array([value is None for value in values])
    numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    written = np.where(missing, 0, np.where(numbers == np.floor(numbers), 3, 4)).astype(np.uint8)
    return Numbers(numbers, written)


def feature(name: str, values: Values, kind: str = "") -> Feature:
    """The bins of a baseline with these values.

    ``kind`` is ``grid`` or ``codes`` for numbers; by default at most 32 distinct values are codes.
    """
    present = [value for value in values if value is not None]
    if isinstance(present[0], str):
        return text_feature(name, "feature", Counter(map(str, present)))
    numbers = np.array(present, dtype=np.float64)
    counts = Counter(numbers.tolist())
    integral = bool(np.all(numbers == np.floor(numbers)))
    if kind == "codes" or (not kind and len(counts) <= 32):
        return codes_feature(name, "feature", "Integral" if integral else "Fractional", counts)
    shares = {value: count / len(numbers) for value, count in counts.items()}
    moments = (
        float(numbers.min()),
        float(numbers.max()),
        float(numbers.mean()),
        float(numbers.std()),
    )
    return grid_feature(
        name,
        "feature",
        "Integral" if integral else "Fractional",
        np.sort(numbers).tolist(),
        {value: share for value, share in shares.items() if share >= ATOM_SHARE},
        *moments,
    )


def baseline(
    data: Mapping[str, Values],
    constraints: Mapping[str, Constraint] | None = None,
    thresholds: Thresholds | None = None,
) -> Baseline:
    """A baseline that requires the observed completeness, except where ``constraints`` differ."""
    layout = Layout(tuple(feature(name, values) for name, values in data.items()))
    profile = window(layout, data)
    observed = {
        name: Constraint(completeness=1.0 - sum(value is None for value in values) / len(values))
        for name, values in data.items()
    }
    required = Constraints({**observed, **(constraints or {})}, thresholds or Thresholds())
    return Baseline(layout, profile, required, tuple(data))


def window(layout: Layout, data: Mapping[str, Values | Column]) -> Profile:
    """The counts of rows under a layout."""
    numeric = {feature.name: feature.numeric for feature in layout.features}
    columns = {
        name: values if isinstance(values, Numbers | Texts) else column(values, numeric[name])
        for name, values in data.items()
    }
    return fold(layout, columns)


def pair(before: Values, after: Values, kind: str = "") -> Pair:
    """A feature before and after, on the bins of ``before``."""
    layout = Layout((feature("x", before, kind),))
    return Pair(window(layout, {"x": before}), window(layout, {"x": after}))


def texts(counts: Mapping[str, int]) -> list[str | None]:
    """Each value, repeated by its count."""
    return [value for value, count in counts.items() for _ in range(count)]


def normal(seed: int, rows: int, mean: float = 0.0, std: float = 1.0) -> Floats:
    """Normally distributed numbers from a seed."""
    return np.random.default_rng(seed).normal(mean, std, rows)
