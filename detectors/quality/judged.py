"""How the quality of one model is judged: the limits of its metrics, and its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from detectors.quality.base import QualityProblem
from detectors.quality.config import QualityConfig


class MetricRule(NamedTuple):
    """The range in which a metric must be, and what it was in the baseline.

    ``low`` is the smallest value that is good enough, ``high`` the largest; an end that is
    ``None`` is open. ``judged``: whether a value beyond the range is a violation. ``baseline`` is
    the value in the baseline, ``None`` without one. ``limit_error`` is the sampling error of an end
    that is the baseline's own value: a window is compared with a number that chance moved too. It
    is 0 for an end that somebody stated.
    """

    name: str
    low: float | None = None
    high: float | None = None
    judged: bool = False
    baseline: float | None = None
    limit_error: float = 0.0


class JudgedQuality(NamedTuple):
    """Everything that the quality of one model is judged by.

    ``rules`` are by metric; metrics without one are reported only. ``classes`` are the names of the
    classes that are known before the first event: of a binary problem the negative one and the
    positive one, of a multiclass problem those of the baseline, else none. ``confusion`` is the
    confusion matrix of the baseline, by true and predicted class; empty without one.
    ``fingerprint`` is that of the baseline, ``-`` without one.
    """

    config: QualityConfig
    problem: QualityProblem
    rules: Mapping[str, MetricRule]
    classes: tuple[str, ...] = ()
    confusion: Mapping[str, Mapping[str, int]] = {}
    fingerprint: str = "-"
