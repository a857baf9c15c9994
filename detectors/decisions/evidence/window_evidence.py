"""The evidence on one window: the findings of each feature, and what it may spend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import inf
from typing import Final, Protocol

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.decisions.budget import (
    CONSTRAINT_PART,
    JOINT_PART,
    WIDTH_PART,
    feature_alphas,
)
from detectors.decisions.evidence.joint_evidence import JOINT, JointEvidence
from detectors.decisions.rules import FeatureRules, Rules
from detectors.finding import Evidence, EvidenceFinding
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.confirmed import ConfirmedOutcome
from detectors.statistics.evidence.dependence import factor_of
from detectors.statistics.evidence.findings import Allowance, Results
from detectors.statistics.evidence.first_windows import LEAST_FEATURES
from detectors.statistics.evidence.horizons import (
    HORIZONS,
    LONGEST,
    OF_ANY_SIZE,
    PastWindow,
)
from detectors.statistics.evidence.references import TallyReference
from detectors.statistics.evidence.seasonal import PastRows, SeasonalTallies, seasonal_tallies
from detectors.statistics.evidence.tallies import SHARES, TOTAL_OF, TallyLayout, tally_layout
from detectors.statistics.laws import UNSCREENED

LINGERING_ALPHA: Final = 0.5
"""The chance of evidence without drift at which a feature stays in an episode: that sends nothing,
while a drift that is there must not leave it by chance."""
LINGERING_EFFECT: Final = 0.5
"""The part of the effect limit below which a feature leaves an episode."""
NOTED_FACTOR: Final = 4.0
"""The design effect of all features from which on a report says that they have one."""


class Past(Protocol):
    """The windows before the one that is judged; see ``History`` of the horizons."""

    def windows(self) -> tuple[PastWindow, ...]:
        """The windows, oldest first."""
        ...

    def factor(
        self,
        layout: TallyLayout,
        start_ms: int,
        seasonal: SeasonalTallies | None = None,
        tallies: Ints | None = None,
    ) -> Floats:
        """The design effect of dependent rows that they show, of each feature.

        ``tallies``: those of the window itself, which count while there are few windows before.
        """
        ...

    def rows(self, layout: TallyLayout, start_ms: int) -> PastRows:
        """The start and the rows of each feature of each of them, the newest first."""
        ...

    def sums(self, start_ms: int, tallies: Ints) -> Ints:
        """The tallies of a window, alone and with the windows before, one row a horizon."""
        ...


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What the episodes of a model remember of its features, by name.

    ``since``: the end of the window in which a feature left an episode: no earlier window counts
    against it. ``horizons``: of the features of the open episode, the number of windows that show
    their drift again for as long as it lasts.
    """

    since: Mapping[str, int] = {}
    horizons: Mapping[str, int] = {}


class WindowEvidence:
    """The findings on one window, and the numbers that they were computed from.

    * ``pooled``: the tallies over all horizons.
    * ``budget``: ``float64[features]``, the chance of false evidence that each may spend.
    * ``constraint_alpha``: the part of it for what ``constraints.json`` states.
    * ``width_alpha``: that of records with too few columns, and of those with too many, each.
    * ``inside``: features of the open episode, and ``lingering`` those whose drift is still there.
    * ``past_rows``: the start and rows of each window before, where there are seasons.
    * ``joint``: the dependence of the features; ``None`` where the baseline counts no pairs.
    * ``segments``: the evidence on the features of all segments; ``None`` without any.
    """

    def __init__(
        self,
        pooled: Pooled,
        budget: Floats,
        width_alpha: float,
        results: Results,
        inside: frozenset[int],
        lingering: frozenset[int],
        past_rows: PastRows = (),
        joint: JointEvidence | None = None,
        segments: WindowEvidence | None = None,
    ) -> None:
        self.pooled = pooled
        self.budget = budget
        self.width_alpha = width_alpha
        self.constraint_alpha: Floats = budget * CONSTRAINT_PART
        self._results = results
        self.inside = inside
        self.lingering = lingering
        self.past_rows = past_rows
        self.joint = joint
        self.segments = segments

    @property
    def findings(self) -> Sequence[Mapping[str, EvidenceFinding]]:
        """Of each feature by subject: the strongest on its drift, and others that hold."""
        return self._results.found

    @property
    def any_holds(self) -> bool:
        """Whether any finding holds, also of a feature without a budget."""
        return self._results.any_holds

    def holding(self, i: int) -> dict[str, EvidenceFinding]:
        """The findings of feature ``i`` that hold, by subject; none where it has no budget."""
        if not self.budget[i] or not self.any_holds:
            return {}
        return {subject: each for subject, each in self.findings[i].items() if each.holds}

    def share(self, i: int, name: str, horizon: int) -> tuple[float, float]:
        """The share of a tally at a horizon, and the share to be expected; NaN without a row."""
        h = HORIZONS.index(horizon)
        after, k = self.pooled.after, SHARES.index(name)
        parts, totals = self.pooled.reference.shares
        row = min(h, parts.shape[1] - 1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (
                float(np.float64(after(name)[h, i]) / after(TOTAL_OF[name])[h, i]),
                float(parts[k, row, i] / totals[k, row, i]),
            )

    @property
    def notes(self) -> list[str]:
        """What limits the evidence on all features at once: a sentence, or none.

        In the first windows of a stream a drift of most features looks like rows that depend on
        each other, and is found later than a drift of few.
        """
        factors = self.pooled.factor[0]
        least = float(factors.min(initial=inf))
        if len(factors) < LEAST_FEATURES or least < NOTED_FACTOR:
            return []
        what = "rows depend on each other, or most features differ from the baseline at once"
        return [f"{what}: {least:,.0f} rows count as one"]

    def reported(self, i: int) -> Evidence:
        """The evidence on feature ``i``, as a report has it."""
        found = tuple(self.findings[i].values())
        return Evidence(
            budget=float(self.budget[i]),
            spent=self._results.spent(i) if found else None,
            findings=found,
            factor=float(self.pooled.factor[0, i]),
            lingers=i in self.lingering,
        )


def evidence_of(
    *,
    baseline: Baseline,
    profile: Profile,
    alpha: float,
    weights: Floats,
    effect_limit: Floats,
    start_ms: int,
    length_ms: int,
    past: Past | None,
    memory: Memory,
    reach: Memory,
    screened: bool,
) -> WindowEvidence:
    """The evidence on the features of a layout, which may spend ``alpha`` by their weights.

    Alone and together with the windows before: ``reach`` limits how far back features are judged.
    ``screened``: where no finding holds, they need not be exact; see :class:`Pooled`.
    """
    of_joint = alpha * JOINT_PART if baseline.layout.joint_features else 0.0
    budget = feature_alphas(alpha - of_joint, weights)
    of_tests = np.where(budget > 0.0, budget, alpha / max(len(weights), 1)) * (
        1.0 - CONSTRAINT_PART
    )
    windows = _reach(baseline, start_ms, past, reach)
    judged = Allowance(alpha=of_tests, effect_limit=effect_limit, windows=windows)
    screened = screened and not memory.horizons and bool(of_tests.max(initial=0.0) <= UNSCREENED)
    pooled, by_step, past_rows = _pooled(
        baseline, profile, start_ms, length_ms, past, screened=screened
    )
    outcome = ConfirmedOutcome(pooled, by_step)
    results = outcome.results(judged)
    index = baseline.layout.index
    inside = frozenset(index[name] for name in memory.horizons if name in index)
    lingering = _lingering(pooled, judged, inside, outcome)
    joint = None
    if of_joint:
        joint = JointEvidence(
            before=baseline.in_season(start_ms).profile,
            after=profile,
            factor=pooled.factor[0],
            alpha=of_joint,
            effect_limit=effect_limit,
            drifted=_drifted(results),
            unweighted=frozenset(np.flatnonzero(budget == 0.0).tolist()),
            is_open=JOINT in memory.horizons,
        )
    width_alpha = (alpha - of_joint) * WIDTH_PART / 2.0
    return WindowEvidence(pooled, budget, width_alpha, results, inside, lingering, past_rows, joint)


def _pooled(
    baseline: Baseline,
    profile: Profile,
    start_ms: int,
    length_ms: int,
    past: Past | None,
    *,
    screened: bool,
) -> tuple[Pooled, Pooled | None, PastRows]:
    """The tallies over all horizons beside what they are compared with.

    Where there are seasons: the line between hours; the same tallies beside the hours as they are,
    where these differ; and the rows of the windows before.
    """
    layout = tally_layout(baseline)
    tallies = layout.tallies(profile.counts)
    seasonal = seasonal_tallies(baseline)
    sums = tallies[None, :] if past is None else past.sums(start_ms, tallies)
    shown = factor_of_stream(baseline, past, start_ms, tallies)
    factor = factor_of(layout, baseline.dependence, shown, sums)

    def beside(reference: TallyReference | None) -> Pooled:
        return Pooled(layout, sums, factor, profile.counts, reference, screened=screened)

    if seasonal is None:
        return beside(None), None, ()
    past_rows = () if past is None else past.rows(layout, start_ms)
    over = partial(
        seasonal.over, start_ms, layout.named(tallies, "rows"), past_rows, HORIZONS[: len(sums)]
    )
    starts = (start_ms, *(start for start, _ in past_rows))
    if not seasonal.differs(starts, length_ms):
        return beside(over()), None, past_rows
    return beside(over(length_ms)), beside(over()), past_rows


def factor_of_stream(
    baseline: Baseline, past: Past | None, start_ms: int, tallies: Ints | None = None
) -> Floats:
    """The design effect of dependent rows that a stream shows up to a window, of each feature.

    ``past`` has the windows before it; 1 without. ``tallies``: those of the window itself, so far
    as it goes. They count while there are few windows before, unless the training file shows by its
    order how far rows depend on each other.
    """
    layout = tally_layout(baseline)
    if past is None:
        return np.ones(layout.features)
    own = None if baseline.dependence.factors else tallies
    return past.factor(layout, start_ms, seasonal_tallies(baseline), own)


def _drifted(results: Results) -> set[int]:
    """The features of which a finding holds."""
    found = results.found if results.any_holds else ()
    return {i for i, each in enumerate(found) if any(f.holds for f in each.values())}


def weights_of(baseline: Baseline, own: Sequence[FeatureRules | None]) -> Floats:
    """The weight of each feature; 0 where its checks are off."""
    constraints = baseline.constraints
    if not constraints.thresholds.evaluate_constraints:
        return np.zeros(len(own))
    weights = [1.0 if each is None else each.weight * each.enabled for each in own]
    for i, feature in enumerate(baseline.layout.features):
        constraint = constraints.features.get(feature.name)
        if constraint is not None and not constraint.evaluate:
            weights[i] = 0.0
    return np.array(weights)


def effect_limits(rules: Rules, own: Sequence[FeatureRules | None]) -> Floats:
    """The smallest effect that is worth a signal, of each feature."""
    return np.array(
        [rules.effect if each is None or each.effect is None else each.effect for each in own]
    )


def _reach(baseline: Baseline, start_ms: int, past: Past | None, memory: Memory) -> Ints:
    """The number of windows, the newest included, that each feature may be judged over.

    Not those before it left an episode; and while it is in one, not more than show its drift again:
    what was drifted before a repair does not outweigh the windows after it.
    """
    reach = np.full(len(baseline.layout.features), LONGEST)
    before = past.windows() if past is not None and memory.since else ()
    starts = np.array([window.start_ms for window in before if window.end_ms <= start_ms])
    for name, since_ms in memory.since.items():
        if name in baseline.layout.index:
            later = int(np.sum(starts >= since_ms))
            reach[baseline.layout.index[name]] = 1 + later
    for name, horizon in memory.horizons.items():
        if name in baseline.layout.index:
            i = baseline.layout.index[name]
            reach[i] = min(reach[i], horizon)
    return reach


def _lingering(
    pooled: Pooled, judged: Allowance, inside: frozenset[int], outcome: ConfirmedOutcome
) -> frozenset[int]:
    """The features of the open episode whose drift is still there, or may be.

    Over at most as many windows as show it again, at half of the effect limit, and at a level of
    :data:`LINGERING_ALPHA`. Where there are not so many windows yet, it may still be there; more
    than :data:`OF_ANY_SIZE` windows are not waited for.
    """
    if not inside:
        return frozenset()
    looser = Allowance(
        alpha=np.full(pooled.layout.features, LINGERING_ALPHA),
        effect_limit=judged.effect_limit * LINGERING_EFFECT,
        windows=judged.windows,
    )
    found = outcome.results(looser).found
    known = HORIZONS[len(pooled.sums) - 1]
    return frozenset(
        i
        for i in inside
        if any(each.holds for each in found[i].values())
        or known < min(judged.windows[i], OF_ANY_SIZE)
    )
