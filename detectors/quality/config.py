"""The configuration of a model's quality: what is predicted, what is measured, and its limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from detectors.durations import Duration
from detectors.quality.error_detectors import AnyErrorDetector

Problem = Literal["binary", "multiclass", "regression"]
"""The kinds of problems that have metrics."""
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class MetricLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The range in which a metric must be; an end that is left out is open."""

    min: float | None = None
    """The smallest value that is good enough."""
    max: float | None = None
    """The largest value that is good enough."""


class JudgeAt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the quality of a window is judged for the first time: as soon as both keys hold.

    A window at its horizon is judged in any case.
    """

    coverage: Share = 0.8
    """The share of the predictions that have a label."""
    after: Duration = "0s"
    """The event time that has passed since the end of the window."""


class QualityConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the quality of one model is measured and judged once labels are there."""

    problem: Problem
    """The kind of problem."""
    prediction: str = ""
    """The column with the answer: a class or a number. Without it the class follows from
    ``probability``.
    """
    probability: str = ""
    """The column with the score: the probability of the ``positive`` class, or with ``multiclass``
    that of the predicted one.
    """
    threshold: Share = 0.5
    """A probability above this is the ``positive`` class, where there is no ``prediction``."""
    positive: str = ""
    """The positive class of a binary problem; without it that of the baseline, else ``1``."""
    negative: str = ""
    """The other class; without it that of the baseline, else the opposite of ``positive`` where
    that is known: 0 and 1, false and true, no and yes.
    """
    baseline: str = ""
    """The folder that ``driftline baseline`` wrote with its option ``--quality``; without it only
    ``limits`` judge.
    """
    metrics: list[str] = []
    """The metrics that are judged besides those in ``limits``; without it those of the baseline's
    constraints. All are reported.
    """
    limits: dict[str, MetricLimit] = {}
    """Limits by metric; they replace those of the baseline."""
    custom: dict[str, str] = {}
    """Metrics of your own by name, each as ``package.module:Class``."""
    judge_at: JudgeAt = JudgeAt()
    """When the quality of a window is judged first."""
    revise_every: Duration = "5m"
    """How often a judged window that got more labels is reported again."""
    estimate: Literal["cbpe", "dle"] | None = None
    """How the quality is estimated before labels are there; it needs a ``baseline``."""
    error_detectors: list[AnyErrorDetector] = []
    """Detectors of changes in the error of single predictions, in the order of their labels."""
