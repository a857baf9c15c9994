"""Exact tests of shares: missing, mistyped and unseen values, values in the tails."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from detectors.arrays import Floats, Mask
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.dependence import factor_of_shares
from detectors.statistics.evidence.tallies import SHARES, TOTAL_OF, TOTALS
from detectors.statistics.laws import beta_binomial_tails

SCREEN: Final = 9.0
"""The squared deviation from which on the exact tail is computed: below it no p-value is small, and
1 stands for it."""
WHOLE: Final = [TOTALS.index(TOTAL_OF[name]) for name in SHARES]
"""The total of which each tested share is a part, by position."""


class ShareTests:
    """Tests whether a share has risen, by the law of its count given that in the baseline.

    With j of m in the baseline, k of n in the window has a p-value of ``P(K >= k)``, K
    beta-binomial with Beta(j + 1, m - j). This is exact for values beyond the j outermost of the
    baseline, whatever their distribution, and on the safe side for any other share. With a
    ``factor`` above 1, all four counts are divided by that of the share
    (:func:`~.dependence.factor_of_shares`). A count that is less than three
    deviations above its expectation is not tested: its p-value is 1, and its effect 0.

    The effect is ``(sqrt(k/n) - sqrt(j/m)) / sqrt(2)`` less what chance adds, 0 if negative.
    Source: Wilks 1942 for the law beyond order statistics.
    """

    names: ClassVar[tuple[str, ...]] = SHARES

    def outcome(self, pooled: Pooled) -> Outcome:
        layout = pooled.layout
        factor = factor_of_shares(layout, pooled.factor)
        k = layout.several(pooled.sums, self.names).astype(np.float64)
        n = layout.several(pooled.sums, TOTALS).astype(np.float64)[WHOLE]
        j, m = pooled.reference.shares
        p_value, effect, direction = np.ones_like(k), np.zeros_like(k), np.zeros_like(k)
        found = np.nonzero(rise_is_suspect(k, n, j, m, factor, SCREEN))
        own = factor[found]
        before, of = (np.broadcast_to(side, k.shape)[found] for side in (j, m))
        p_value[found] = risen(k[found], n[found], before, of, own)
        effect[found] = effect_of_rise(k[found], n[found], before, of, own)
        direction[found] = 1.0
        return Outcome(p_value=p_value, effect=effect, direction=direction)


def rise_is_suspect(
    k: Floats, n: Floats, j: Floats, m: Floats, factor: Floats, screen: float
) -> Mask:
    """Where k of n after j of m exceeds its expectation by ``sqrt(screen)`` deviations."""
    share = (j + 1.0) / (m + 1.0)
    excess = n * share
    np.subtract(k, excess, out=excess)
    variance = n / (m + 1.0)
    variance += 1.0
    variance *= share * (1.0 - share)
    variance *= factor
    variance *= n
    variance *= screen
    suspect: Mask = (excess > 0.0) & (m > 0.0)
    np.multiply(excess, excess, out=excess)
    suspect &= excess > variance
    return suspect


def risen(k: Floats, n: Floats, j: Floats, m: Floats, factor: Floats) -> Floats:
    """The p-values of k of n after j of m, elementwise; each count is divided by ``factor``."""
    k, n, j, m = (np.rint(count / factor) for count in (k, n, j, m))
    return beta_binomial_tails(np.minimum(k, n), n, j + 1.0, np.maximum(m - j, 1.0))


def effect_of_rise(k: Floats, n: Floats, j: Floats, m: Floats, factor: Floats) -> Floats:
    """The effect of k of n after j of m, elementwise, for ``n`` and ``m`` above 0."""
    rise = np.maximum(np.sqrt(k / n) - np.sqrt(j / m), 0.0)
    bias = factor * (1.0 / n + 1.0 / m) / 4.0
    effect: Floats = np.sqrt(np.maximum(rise * rise - bias, 0.0) / 2.0)
    return effect
