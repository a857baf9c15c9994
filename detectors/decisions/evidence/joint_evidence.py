"""The evidence on the dependence of features: which pairs are judged, and what they may spend."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from math import isfinite
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints, Mask
from detectors.joint_report import JointReport, PairReport, UnjudgedPair
from detectors.phrases import counted
from detectors.profiles.joint_counts import JointPairs
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.statistics.evidence.association import (
    Association,
    association,
    cramers_v,
    rank_correlations,
)

JOINT: Final = "(joint)"
"""The value of ``Violation.feature`` for a change of the dependence of features."""
LEAST_PAIR_ROWS: Final = 30
"""The rows, of independent ones, below which a pair is not judged: two in each of 16 cells. The
correction of the test is for such counts."""
MOST_PAIRS: Final = 20
"""The number of pairs that a report lists."""
MOST_LAYOUTS: Final = 64
"""The number of layouts whose pairs are remembered."""
LINGERING_P_VALUE: Final = 0.1
"""The chance, over all pairs, at which a change stays in an open episode without being there."""


class JointEvidence:
    """The dependence of all pairs of a layout in one window, beside that of the baseline.

    * ``alpha``: what all pairs may spend together; each judged pair the same part of it.
    * ``judged``, ``holds``: of each pair, whether it is judged, and whether it is evidence of a
      change that is worth a signal.
    * ``lingers``: whether a change of the open episode is still there.
    """

    def __init__(
        self,
        *,
        before: Profile,
        after: Profile,
        factor: Floats,
        alpha: float,
        effect_limit: Floats,
        drifted: Collection[int],
        unweighted: Collection[int],
        is_open: bool,
    ) -> None:
        """Compare two profiles.

        ``factor`` and ``effect_limit`` are those of the features of the layout. ``drifted`` and
        ``unweighted`` are the positions of those that drifted by themselves, and of those that are
        never signalled: their pairs are not judged. ``is_open``: whether the open episode
        holds a change of dependence.
        """
        self.layout = after.layout
        self.alpha = alpha
        self._pairs = joint_pairs(self.layout)
        self._first = self._pairs.features[self._pairs.first]
        self._second = self._pairs.features[self._pairs.second]
        self._before, self._after = (self._pairs.tables(side.pairs) for side in (before, after))
        of_pair = np.maximum(factor[self._first], factor[self._second])
        self._factor, self._drifted, self._unweighted = of_pair, drifted, unweighted
        self._limit = np.maximum(effect_limit[self._first], effect_limit[self._second])
        self._found: Association = association(self._after, self._before, of_pair)
        self.judged: Mask = self._found.n / of_pair >= LEAST_PAIR_ROWS
        self.judged &= ~np.isin(self._first, [*drifted, *unweighted])
        self.judged &= ~np.isin(self._second, [*drifted, *unweighted])
        count = max(int(self.judged.sum()), 1)
        self.allowed = alpha / count
        self.holds = self._beyond(self.allowed, self._limit)
        lingering = self._beyond(LINGERING_P_VALUE / count, self._limit / 2.0)
        self.lingers = is_open and bool(lingering.any())

    def _beyond(self, allowed: float, limit: Floats) -> Mask:
        found = self._found
        beyond: Mask = self.judged & (found.p_value <= allowed) & (found.effect >= limit)
        return beyond

    def reported(self) -> JointReport:
        """The evidence as a report has it."""
        rank = np.lexsort((-self._found.effect, self._found.p_value, ~self.judged))
        listed = rank[: min(MOST_PAIRS, int(self.judged.sum()))]
        return JointReport(
            features=names_of(self.layout),
            budget=self.alpha,
            judged=int(self.judged.sum()),
            drifted=int(self.holds.sum()),
            pairs=self._reported(listed),
            unjudged=tuple(map(self._unjudged, np.flatnonzero(~self.judged)[:MOST_PAIRS].tolist())),
            lingers=self.lingers,
        )

    def _unjudged(self, k: int) -> UnjudgedPair:
        """A pair that is not judged, and why."""
        both = int(self._first[k]), int(self._second[k])
        first, second = (self.layout.features[i].name for i in both)
        n = int(self._found.n[k])
        reason = rows_in_words(n, float(self._factor[k]))
        for i, name in zip(both, (first, second), strict=True):
            if i in self._unweighted:
                reason = f"{name} has a weight of 0"
            elif i in self._drifted:
                reason = f"{name} has drifted by itself"
        return UnjudgedPair(first=first, second=second, n=n, reason=reason)

    def _reported(self, chosen: Ints) -> tuple[PairReport, ...]:
        tables = self._before[chosen], self._after[chosen]
        of_numbers = [rank_correlations(side).tolist() for side in tables]
        of_texts = [cramers_v(side).tolist() for side in tables]
        return tuple(
            self._pair(
                int(k), [(side[place], of_texts[s][place]) for s, side in enumerate(of_numbers)]
            )
            for place, k in enumerate(chosen)
        )

    def _pair(self, k: int, values: list[tuple[float, float]]) -> PairReport:
        """The report on a pair; ``values``: both measures of its table, before and after."""
        features = [self.layout.features[int(side[k])] for side in (self._first, self._second)]
        correlation, v = zip(*values, strict=True)
        ordered = all(feature.numeric for feature in features) and _tells(correlation, v)
        before, after = correlation if ordered else v
        found = self._found
        return PairReport(
            first=features[0].name,
            second=features[1].name,
            measure="rank_correlation" if ordered else "cramers_v",
            before=before if isfinite(before) else None,
            after=after if isfinite(after) else None,
            n=int(found.n[k]),
            p_value=float(found.p_value[k]),
            allowed=self.allowed,
            effect=float(found.effect[k]),
            effect_limit=float(self._limit[k]),
        )


def rows_in_words(n: int, factor: float) -> str:
    """Why ``n`` rows with a design effect of ``factor`` are too few for a pair.

    >>> rows_in_words(1_000, 80.0)
    'rows depend on each other: 1,000 rows count as 12 independent ones, 30 are needed'
    >>> rows_in_words(29, 1.0)
    '29 rows, 30 are needed'
    """
    rows = counted(n, "row")
    if factor <= 1.0 or n < LEAST_PAIR_ROWS:
        return f"{rows}, {LEAST_PAIR_ROWS} are needed"
    independent = int(n / factor)
    count = f"{rows} count as {independent:,} independent ones"
    return f"rows depend on each other: {count}, {LEAST_PAIR_ROWS} are needed"


def _tells(correlation: Sequence[float], v: Sequence[float]) -> bool:
    """Whether the correlation has changed at least as much as Cramer's V."""
    return not abs(correlation[1] - correlation[0]) < abs(v[1] - v[0])


@lru_cache(maxsize=MOST_LAYOUTS)
def joint_pairs(layout: Layout) -> JointPairs:
    """The pairs of a layout; those of the last layouts are kept."""
    return JointPairs(layout)


def names_of(layout: Layout) -> tuple[str, ...]:
    """The names of the features that are counted in pairs."""
    return tuple(layout.features[i].name for i in layout.joint_features)


def reported_joint(layout: Layout, joint: JointEvidence | None) -> JointReport | None:
    """The dependence of features as a report has it; without a pair where none is judged.

    ``None`` where the layout counts no pairs.
    """
    if joint is not None:
        return joint.reported()
    return JointReport(features=names_of(layout)) if layout.joint_features else None
