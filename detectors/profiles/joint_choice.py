"""A baseline that counts fewer pairs of features than it was made with."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import numpy as np
from msgspec import structs

from detectors.arrays import Ints
from detectors.profiles.baseline import Baseline
from detectors.profiles.joint_counts import JointPairs
from detectors.profiles.joint_levels import LEVELS
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile


def counting_pairs_of(baseline: Baseline, names: Collection[str] | None) -> Baseline:
    """The baseline that counts no other pairs than those of the named features.

    With ``None`` those of all features that it counts in pairs; the name of another one is ignored.
    The fingerprint without a name is that of a baseline that was made without pairs.
    """
    before = baseline.layout
    counted = [before.features[i].name for i in before.joint_features]
    if names is None or all(name in names for name in counted):
        return baseline
    kept = [
        feature if feature.name in names else structs.replace(feature, joint=msgspec.UNSET)
        for feature in before.features
    ]
    layout = Layout(tuple(kept), before.segmentations)
    return baseline.recounted(layout, lambda profile: _with_layout(profile, layout))


def _with_layout(profile: Profile, layout: Layout) -> Profile:
    """The same counts under a layout that counts fewer pairs."""
    out = profile.of_all_rows(layout)
    out.pairs = _chosen(JointPairs(profile.layout), profile.pairs, JointPairs(layout))
    if out.segments is not None and profile.segments is not None:
        out.segments.merge(profile.segments)
    return out


def _chosen(before: JointPairs, counts: Ints, after: JointPairs) -> Ints:
    """The counts of the pairs of indicators that ``after`` has."""
    places = np.searchsorted(before.features, after.features)
    indicators = (LEVELS * places[:, None] + np.arange(LEVELS)).ravel()
    chosen: Ints = before.matrix(counts)[np.ix_(indicators, indicators)][after.triangle]
    return chosen
