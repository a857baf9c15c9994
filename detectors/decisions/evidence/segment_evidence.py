"""The evidence on the segments of a window: each feature of each, with a budget of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.decisions.budget import SEGMENTS_PART, window_alpha
from detectors.decisions.evidence.window_evidence import (
    Memory,
    Past,
    WindowEvidence,
    effect_limits,
    evidence_of,
    weights_of,
)
from detectors.decisions.rules import FeatureRules, Rules
from detectors.phrases import in_segment
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.segments import MOST_LAYOUTS, label, segments, stacked_name
from detectors.statistics.evidence.horizons import LONGEST


def evidence_by_segment(
    *,
    baseline: Baseline,
    profile: Profile,
    rules: Rules,
    feature_rules: Mapping[str, FeatureRules],
    start_ms: int,
    length_ms: int,
    every_ms: int,
    past: Past | None,
    past_segments: Past | None,
    memory: Memory,
    screened: bool = False,
) -> WindowEvidence:
    """The evidence on a window and on its segments; ``past_segments``: the segments before.

    The segments may spend :data:`SEGMENTS_PART` of the window's budget together, in proportion to
    the weights of the features, the same in each segment; all rows have the rest. A feature is
    judged in a segment that has rows in the baseline, and not in the segments that are made by it.

    What was drifted before a repair counts neither against a segment nor against all rows: each is
    judged no further back than the other.
    """
    own = [feature_rules.get(feature.name) for feature in baseline.layout.features]
    weights, limits = weights_of(baseline, own), effect_limits(rules, own)
    alpha = window_alpha(rules.false_alarms, every_ms, early=rules.early)
    of_segments = 0.0 if baseline.by_segment is None else alpha * SEGMENTS_PART
    evidence = evidence_of(
        baseline=baseline,
        profile=profile,
        alpha=alpha - of_segments,
        weights=weights,
        effect_limit=limits,
        start_ms=start_ms,
        length_ms=length_ms,
        past=past,
        memory=memory,
        reach=_reach_of_all_rows(memory, baseline.layout),
        screened=screened,
    )
    if baseline.by_segment is None or profile.segments is None:
        return evidence
    judged = _judged(baseline)
    evidence.segments = evidence_of(
        baseline=baseline.by_segment,
        profile=profile.segments,
        alpha=of_segments,
        weights=(judged * weights).ravel(),
        effect_limit=np.tile(limits, len(judged)),
        start_ms=start_ms,
        length_ms=length_ms,
        past=past_segments,
        memory=_renamed(memory, baseline.layout),
        reach=_reach_of_segments(memory, baseline.layout),
        screened=screened,
    )
    return evidence


def _judged(baseline: Baseline) -> Floats:
    """1 where a feature is judged in a segment, else 0: ``float64[segments, features]``."""
    side = baseline.profile.segments
    names = list(baseline.layout.index)
    if side is None:
        return np.zeros((0, len(names)))
    has_rows = (side.feature_rows > 0).reshape(-1, len(names))
    is_by = np.array([[name == each.by for name in names] for each in segments(baseline.layout)])
    judged: Floats = (has_rows & ~is_by).astype(np.float64)
    return judged


def _renamed(memory: Memory, layout: Layout) -> Memory:
    """What is remembered of segments, by the names of the stacked layout."""
    names = _places(layout)
    since, horizons = (
        {names[key].stacked: value for key, value in known.items() if key in names}
        for known in (memory.since, memory.horizons)
    )
    return Memory(since=since, horizons=horizons)


def _reach_of_all_rows(memory: Memory, layout: Layout) -> Memory:
    """What limits how far back all rows are judged: what is remembered of them, and of segments."""
    pairs = ((place.feature, key) for key, place in _places(layout).items())
    return _narrowed(memory, memory, pairs)


def _reach_of_segments(memory: Memory, layout: Layout) -> Memory:
    """What limits how far back segments are judged: what is remembered of them, and of all rows."""
    pairs = ((place.stacked, place.feature) for place in _places(layout).values())
    return _narrowed(_renamed(memory, layout), memory, pairs)


def _narrowed(own: Memory, other: Memory, pairs: Iterable[tuple[str, str]]) -> Memory:
    """The memory ``own``, in which each name is also limited by what ``other`` has of its key."""
    if not other.since and not other.horizons:
        return own
    since, horizons = dict(own.since), dict(own.horizons)
    for name, key in pairs:
        if key in other.since:
            since[name] = max(since.get(name, other.since[key]), other.since[key])
        if key in other.horizons:
            horizons[name] = min(horizons.get(name, LONGEST), other.horizons[key])
    return Memory(since=since, horizons=horizons)


class _Place(NamedTuple):
    """A feature, and its name in the stacked layout in one segment."""

    feature: str
    stacked: str


@lru_cache(maxsize=MOST_LAYOUTS)
def _places(layout: Layout) -> dict[str, _Place]:
    """The features of segments by the names that they are remembered by, with and without values.

    Empty without segments.
    """
    places = {}
    for s in range(len(segments(layout))):
        for feature in layout.features:
            place = _Place(feature.name, stacked_name(feature.name, layout, s))
            places[place.stacked] = place
            places[in_segment(feature.name, label(layout, s, expose_values=True))] = place
    return places
