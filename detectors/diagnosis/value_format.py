"""Cause: identifiers or times, which do not return, are written in another way."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.phrases import percent
from detectors.profiles.layout import HASHED_BINS
from detectors.profiles.magnitude import bins_beyond_magnitude
from detectors.statistics.distances.base import Pair
from detectors.violation import Cause

NOTICEABLE: Final = 0.01
"""The least share of values beyond what chance moves that is called another format."""

FORMAT_CHANGED: Final = "the format of the values has changed"


def value_format(pair: Pair, i: int) -> Cause | None:
    """``format_change`` if values of feature ``i`` that do not return have another format.

    ``None`` where formats are not judged, and where chance explains how far they moved.
    """
    gaps, noise = _gaps(pair, i)
    share = float(np.maximum(gaps, 0.0).sum())
    if not share > NOTICEABLE + 2.0 * noise:
        return None
    numeric = pair.layout.features[i].numeric
    kind = "digits" if numeric else "pattern"
    way = "have another number of digits" if numeric else "are written in another way"
    return Cause(
        name="format_change",
        words=f"{FORMAT_CHANGED}: {percent(share)} {way}",
        action="repair_pipeline",
        numbers={"share": share, "kind": kind},
    )


def _gaps(pair: Pair, i: int) -> tuple[Floats, float]:
    """The rise of the share of each format, and the sum of rises to be expected by chance."""
    n, m = float(pair.n[i]), float(pair.m[i])
    after, before = _by_format(pair, i)
    share = (after + before) / (n + m)
    deviations = np.sqrt(share * (1.0 - share) * (1.0 / n + 1.0 / m))
    return after / n - before / m, float(deviations.sum() / np.sqrt(2.0 * np.pi))


def _by_format(pair: Pair, i: int) -> list[Floats]:
    """The counts of the window and of the baseline by format; empty where none is judged."""
    feature, bins = pair.layout.features[i], pair.layout.bins(i)
    sides = [side.counts[bins].astype(np.float64) for side in (pair.window, pair.baseline)]
    if feature.magnitude:
        below, above = bins_beyond_magnitude(feature.edges, feature.magnitude)
        return [np.array([side[:below].sum(), side[above:].sum()]) for side in sides]
    if feature.patterns:
        known = len(feature.vocabulary)
        return [side[known:].reshape(-1, HASHED_BINS).sum(axis=0) for side in sides]
    return [np.empty(0), np.empty(0)]
