"""Everything that the aggregator needs to know about a model whose quality is measured."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from detectors.durations import duration_ms
from detectors.quality.estimates.base import Estimator
from detectors.quality.judged import JudgedQuality
from stream.labels.classes import LabelledModel
from stream.labels.resolve import JoinRule


class QualityModel(NamedTuple):
    """How one model is joined, measured, judged and estimated."""

    judged: JudgedQuality
    meaning: LabelledModel
    estimator: Estimator | None = None

    @property
    def judge_after_ms(self) -> int:
        """The event time after the end of a window before which it is not judged."""
        return duration_ms(self.judged.config.judge_at.after)

    @property
    def revise_every_ms(self) -> int:
        """The time between two revisions of a window."""
        return duration_ms(self.judged.config.revise_every)


class LabelSettings(NamedTuple):
    """The settings of the join: its rule, and the length of a slice of its store."""

    rule: JoinRule
    slice_ms: int


EARLY_MS: Final = 86_400_000
"""How long before its prediction a label may be dated, at most."""
SLICES: Final = 8
"""The number of slices of the horizon."""


def label_settings(
    horizon_ms: int, every_ms: int, duplicates: Literal["first", "last", "reject"]
) -> LabelSettings:
    """Return the settings of a join with this horizon, of panes of this length.

    A label may be dated a day before its prediction, or the horizon if that is shorter. The store
    keeps rows in slices of an eighth of the horizon, of a pane at least.
    """
    rule = JoinRule(
        horizon_ms=horizon_ms, early_ms=min(horizon_ms, EARLY_MS), duplicates=duplicates
    )
    return LabelSettings(rule, max(-(-horizon_ms // SLICES), every_ms))
