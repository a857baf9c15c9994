"""Tests of one degree of freedom on the scores of the fine bins: location, spread, normal."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.statistics.evidence.base import Outcome, Pooled, unbiased_effect
from detectors.statistics.evidence.scores import SCALE
from detectors.statistics.evidence.tallies import SCORES
from detectors.statistics.laws import upper_tails


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
        before = layout.several(pooled.before, self.names)[:, None, :] / SCALE
        variance = np.stack([layout.variances[name] for name in self.names])[:, None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (after / pooled.n - before / pooled.m) / np.sqrt(variance * pooled.scale)
        z = np.where(np.isfinite(z), z, 0.0)
        return Outcome(
            p_value=upper_tails(z * z, np.ones_like(z)),
            effect=unbiased_effect(z * z, 1.0, pooled.scale),
            direction=np.sign(z),
        )
