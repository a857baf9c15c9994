"""Baselines and windows with values, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from detectors.profiles import distinct
from detectors.profiles.baseline import Baseline, Constraints, Thresholds
from detectors.profiles.binning import text_feature
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.reference import Reference

Column = Sequence[float] | Mapping[str, int]
"""Numbers, or the counts of texts."""


def number_feature(name: str) -> Feature:
    return Feature(name=name, type="Fractional", kind="grid", edges=(0.0,), cells=(0, 1))


def baseline(columns: Mapping[str, Column], thresholds: Thresholds | None = None) -> Baseline:
    """A baseline whose references are these columns; the numbers are one level of a sketch."""
    features = tuple(
        text_feature(name, "feature", dict(column))
        if isinstance(column, Mapping)
        else number_feature(name)
        for name, column in columns.items()
    )
    layout = Layout(features)
    references = {
        name: Reference(categories=dict(column))
        if isinstance(column, Mapping)
        else Reference(levels=(tuple(column),))
        for name, column in columns.items()
    }
    constraints = Constraints(thresholds=thresholds or Thresholds())
    return Baseline(layout, Profile(layout), constraints, tuple(columns), references)


def window(of: Baseline, columns: Mapping[str, Column]) -> Profile:
    """The values of a window, without its counts."""
    profile = Profile(of.layout)
    for name, column in columns.items():
        profile.add_values(of.layout.index[name], values(column))
    return profile


def values(column: Column) -> distinct.DistinctValues:
    if isinstance(column, Mapping):
        return distinct.of_texts(pa.array(list(column)), np.array(list(column.values())))
    return distinct.of_numbers(np.sort(np.array(column, np.float64)))
