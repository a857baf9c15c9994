"""Tests of one degree of freedom on the scores of the fine bins: location, spread, normal."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.statistics.evidence.base import Outcome, Pooled, unbiased_effect
from detectors.statistics.evidence.scores import SCALE
from detectors.statistics.evidence.tallies import SCORES
from detectors.statistics.laws import two_sided_tails


class ScoreTests:
    """Two-sample tests of the mean score: ``z = (mean after - mean before) / deviation``.

    The deviation is ``sqrt(variance * factor * (1/n + 1/m))`` with the baseline's variance.
    ``location`` says whether values are larger or smaller, ``spread`` whether they lie further from
    the middle, ``normal`` has more power at both ends. Text features are not tested.
    """

    names: ClassVar[tuple[str, ...]] = SCORES

    def outcome(self, pooled: Pooled) -> Outcome:
        layout = pooled.layout
        after = layout.several(pooled.sums, self.names) / SCALE
        before = layout.several(pooled.before, self.names) / SCALE
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = after / pooled.n - before / pooled.m
            z = gap / np.sqrt(pooled.reference.variances * pooled.scale)
        z[~np.isfinite(z)] = 0.0
        return Outcome(
            p_value=two_sided_tails(z),
            effect=unbiased_effect(z * z, 1.0, pooled.scale),
            direction=np.sign(z),
        )
