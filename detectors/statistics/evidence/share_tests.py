"""Exact tests of shares: missing, mistyped and unseen values, values in the tails."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from detectors.arrays import Floats, Mask
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.tallies import SHARES, TOTAL_OF
from detectors.statistics.laws import beta_binomial_tail

SCREEN: Final = 9.0
"""The squared deviation from which on the exact tail is computed: below it no p-value is small."""


class ShareTests:
    """Tests whether a share has risen, by the law of its count given that in the baseline.

    With j of m in the baseline, k of n in the window has a p-value of ``P(K >= k)``, K
    beta-binomial with Beta(j + 1, m - j). This is exact for values beyond the j outermost of the
    baseline, whatever their distribution, and on the safe side for any other share. With a
    ``factor`` above 1, all four counts are divided by it.

    The effect is ``(sqrt(k/n) - sqrt(j/m)) / sqrt(2)`` less what chance adds, 0 if negative.
    Source: Wilks 1942 for the law beyond order statistics.
    """

    names: ClassVar[tuple[str, ...]] = SHARES

    def outcome(self, pooled: Pooled) -> Outcome:
        layout = pooled.layout
        totals = [TOTAL_OF[name] for name in self.names]
        k = layout.several(pooled.sums, self.names).astype(np.float64)
        n = layout.several(pooled.sums, totals).astype(np.float64)
        j = layout.several(pooled.before, self.names)[:, None, :].astype(np.float64)
        m = layout.several(pooled.before, totals)[:, None, :].astype(np.float64)
        p_value = np.ones_like(k)
        for t, h, i in np.argwhere(_suspect(k, n, j, m, pooled.factor)):
            counts = (k[t, h, i], n[t, h, i], j[t, 0, i], m[t, 0, i])
            p_value[t, h, i] = _tail(*counts, factor=pooled.factor[i])
        with np.errstate(invalid="ignore", divide="ignore"):
            rise = np.sqrt(k / n) - np.sqrt(j / m)
            bias = pooled.factor * (1.0 / n + 1.0 / m) / 4.0
            effect = np.sqrt(np.maximum(np.maximum(rise, 0.0) ** 2 - bias, 0.0) / 2.0)
        return Outcome(
            p_value=p_value,
            effect=np.where(np.isfinite(effect), effect, 0.0),
            direction=np.sign(np.where(np.isfinite(rise), rise, 0.0)),
        )


def _suspect(k: Floats, n: Floats, j: Floats, m: Floats, factor: Floats) -> Mask:
    """Where the count is so much larger than expected that its p-value may be small."""
    share = (j + 1.0) / (m + 1.0)
    variance = n * share * (1.0 - share) * (1.0 + n / (m + 1.0)) * factor
    excess = k - n * share
    suspect: Mask = (excess > 0.0) & (excess * excess > SCREEN * variance) & (m > 0)
    return suspect


def _tail(k: float, n: float, j: float, m: float, factor: float) -> float:
    k, n, j, m = (round(count / factor) for count in (k, n, j, m))
    return beta_binomial_tail(min(k, n), n, j + 1.0, max(m - j, 1.0))
