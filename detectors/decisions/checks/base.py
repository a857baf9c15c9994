"""The contract of a check, and the window that it checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from typing import ClassVar, Final, NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.decisions.evidence.window_evidence import WindowEvidence
from detectors.decisions.masking import is_value, public_label
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.rulings import Ruling, binomial_excess, rule
from detectors.diagnosis.moved_bins import top_contributors
from detectors.diagnosis.new_values import new_values_in_words
from detectors.profiles.baseline import Baseline, Constraint
from detectors.profiles.domains import known_bins
from detectors.profiles.layout import Layout
from detectors.report import SagemakerFigures
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair
from detectors.statistics.measures import Measures
from detectors.violation import BinShift, Violation

COLUMNS: Final = "(columns)"
"""The value of ``Violation.feature`` for a violation of all columns together."""
OVERWHELMING_LOSS: Final = 0.05
"""Share of the rows that must be lost before a loss alone is enough for a signal."""

_UNCONSTRAINED: Final = Constraint()


class Stage(IntEnum):
    """The order in which checks run: a check receives what earlier stages reported on its feature.

    ``VALUES``: values are missing, of another type, or outside of their domain. ``DRIFT``: the
    distribution moved. ``REMAINDER``: checks that report only what no earlier stage has reported.
    """

    VALUES = 1
    DRIFT = 2
    REMAINDER = 3


class Reported(NamedTuple):
    """The violations of a feature found by earlier stages."""

    violations: tuple[Violation, ...]


class CheckedWindow:
    """One window, its baseline, and the rules in force: everything that a check may use.

    * ``measures``: the numbers of the window, see :class:`~detectors.statistics.measures.Measures`;
      ``measures.pair`` holds the counts of both sides.
    * ``rulings``: the verdict on each feature's deciding distance.
    * ``rules`` of the job, and ``feature_rules`` of the features that differ, by name.
    * ``rows`` in the counts; ``too_narrow`` and ``too_wide``: records that had too few or too many
      columns and were kept as dead letters.
    * ``expose_values``: whether summaries may name feature values.
    * ``sagemaker``: SageMaker's own distance of each feature; empty if it was not computed.
    * ``evidence``: the findings on the window; ``None`` unless the mode is ``evidence``.
    """

    def __init__(
        self,
        *,
        baseline: Baseline,
        measures: Measures,
        rulings: Sequence[Ruling],
        rules: Rules,
        feature_rules: Mapping[str, FeatureRules] | None = None,
        rows: int,
        too_narrow: int = 0,
        too_wide: int = 0,
        expose_values: bool = False,
        sagemaker: Sequence[SagemakerFigures | None] = (),
        evidence: WindowEvidence | None = None,
    ) -> None:
        self.baseline = baseline
        self.measures = measures
        self.rulings = rulings
        self.rules = rules
        self.feature_rules = feature_rules or {}
        self.rows = rows
        self.too_narrow = too_narrow
        self.too_wide = too_wide
        self.expose_values = expose_values
        self.sagemaker = sagemaker
        self.evidence = evidence

    @property
    def pair(self) -> Pair:
        """The counts of baseline and window, side by side."""
        return self.measures.pair

    @property
    def layout(self) -> Layout:
        """The layout of baseline and window."""
        return self.measures.layout

    @property
    def judged_features(self) -> int:
        """The number of features among which ``alpha`` is divided."""
        return sum(ruling.verdict != "disabled" for ruling in self.rulings)

    @cached_property
    def alpha(self) -> float:
        """The chance of a false verdict per feature: ``alpha`` over the number of features."""
        return self.rules.alpha / max(len(self.layout.features), 1)

    @cached_property
    def contributions(self) -> Floats:
        """The part of PSI that each coarse cell adds, see :func:`psi.contributions`."""
        return psi.contributions(self.pair)

    @cached_property
    def inside_domains(self) -> CheckedWindow:
        """The same window with the values that the check for domains passes, on both of its sides.

        In a feature with a domain, these are the values in it that the baseline has. All others
        are taken for those that the window has too few of: a value that is spelled anew is one
        fault and not two. What that check allows is no drift, and what it reports is reported once.
        """
        domains = self._domains()
        slots = np.concatenate([np.empty(0, np.int64), *(outside for _, outside in domains)])
        baseline, window = (side.copy() for side in (self.pair.baseline, self.pair.window))
        if not any(side.counts[slots].any() for side in (baseline, window)):
            return self
        for known, outside in domains:
            baseline.counts[outside] = 0
            _attribute(baseline.counts, window.counts, known, outside)
        measures = Measures(baseline, window)
        constraints = self.baseline.constraints
        return CheckedWindow(
            baseline=self.baseline,
            measures=measures,
            rulings=rule(self.rules, self.feature_rules, constraints, measures, self.rows),
            rules=self.rules,
            feature_rules=self.feature_rules,
            rows=self.rows,
            expose_values=self.expose_values,
        )

    def _domains(self) -> list[tuple[Ints, Ints]]:
        """Of each feature with a domain, the slots of its known values and those of all others."""
        domains = []
        for i, constraint in enumerate(self.constraints):
            if constraint.domains is not None:
                bins = self.layout.bins(i)
                known = known_bins(self.layout, i, constraint.domains)
                domains.append((known, np.setdiff1d(np.arange(bins.start, bins.stop), known)))
        return domains

    def checked_features(self) -> list[int]:
        """Positions of the features whose checks are on and that have enough rows.

        That is at least ``min_n``, or one by the checks of SageMaker.
        """
        if not self.baseline.constraints.thresholds.evaluate_constraints:
            return []
        large = (self.measures.n >= self.rules.least_rows).tolist()
        return [i for i in range(len(self.layout.features)) if large[i] and self._enabled(i)]

    @cached_property
    def constraints(self) -> list[Constraint]:
        """The baseline's constraint on each feature, in the order of the layout."""
        constraints = self.baseline.constraints.features
        return [constraints.get(feature.name, _UNCONSTRAINED) for feature in self.layout.features]

    def beyond_chance(self, i: int, bad: float, n: float, allowed: float) -> bool:
        """Return whether ``bad`` of ``n`` values are more than the share ``allowed`` explains.

        At the feature's level :attr:`alpha`, with that share estimated from the baseline's rows;
        see :func:`~detectors.decisions.rulings.binomial_excess`.
        """
        return binomial_excess(bad, n, allowed, float(self.measures.baseline_rows[i]), self.alpha)

    def overwhelming_loss(self, i: int, share: float, required: float) -> bool:
        """Return whether a share of good rows is so low that one window is enough for a signal.

        That needs at least ``overwhelming_n`` rows, a share below ``required`` by more than 5 % and
        by more than ``1 - required``, and more bad rows than chance explains at
        ``overwhelming_alpha``.
        """
        n = float(self.measures.n[i])
        lost = required - share
        return (
            n >= self.rules.overwhelming_n
            and lost > max(OVERWHELMING_LOSS, 1.0 - required)
            and binomial_excess(
                (1.0 - share) * n,
                n,
                1.0 - required,
                float(self.measures.baseline_rows[i]),
                self.rules.overwhelming_alpha / max(len(self.rulings), 1),
            )
        )

    def label(self, i: int, cell: int) -> str:
        """The name of coarse cell ``cell`` of feature ``i`` (from 0), for use in a summary.

        With ``expose_values`` a value is in quotes; otherwise it has the name that signals use.
        """
        public = public_label(self.layout, i, cell)
        if not self.expose_values:
            return public
        label = self.layout.cell_labels(i)[cell]
        return f"'{label}'" if is_value(public) else label

    def new_values(self, i: int, allowed: Ints | None = None) -> str:
        """The new values of feature ``i`` that are known by name, in quotes, for use in a summary.

        The most frequent ones, without those in the ``allowed`` slots. Empty if there are none,
        and without ``expose_values``.
        """
        side = self.pair.window
        return new_values_in_words(side, i, allowed) if self.expose_values else ""

    def top_contributors(self, i: int) -> tuple[BinShift, ...]:
        """The bins of feature ``i`` that moved most, largest contribution first."""
        return top_contributors(self.pair, i, self.contributions)

    def _enabled(self, i: int) -> bool:
        own = self.feature_rules.get(self.layout.features[i].name)
        return self.constraints[i].evaluate and (own is None or own.enabled)


def _attribute(baseline: Ints, window: Ints, known: Ints, outside: Ints) -> None:
    """Move the ``outside`` counts of a window to ``known`` slots, where it has too few values.

    Too few are less than the baseline's shares of all its values. Each of these slots gets the same
    part of what it lacks.
    """
    moved = int(window[outside].sum())
    window[outside] = 0
    total = baseline[known].sum()
    if not moved or not total:
        return
    expected = baseline[known] / total * (window[known].sum() + moved)
    lacking = np.maximum(expected - window[known], 0.0)
    upto = np.rint(np.cumsum(lacking) * (moved / lacking.sum())).astype(np.int64)
    window[known] += np.diff(upto, prepend=0).astype(window.dtype)


class Check:
    """One kind of fault that a window can have.

    Base of the checks: one subclass per file. The file's name, or the name of an entry point of
    ``driftline.checks``, is the ``check`` of its violations; it is passed to the constructor. A
    check holds no state between windows, and must not change the window.

    It returns at most one violation per feature (:meth:`of_feature`) and at most one for all
    columns together (:meth:`of_columns`). One cause is reported once: missing values, unreadable
    ones and those outside of a domain are no part of a drift, and ``stage`` determines which other
    checks of the same feature run first. Checks of one stage do not receive each other's
    violations; ``position`` and then the name order them in the report.

    Two rules hold for every check: no verdict below ``rules.min_n`` rows, and no violation for a
    share that sampling noise alone explains (:meth:`CheckedWindow.beyond_chance`).
    """

    stage: ClassVar[Stage] = Stage.VALUES
    position: ClassVar[int] = 100

    def __init__(self, name: str) -> None:
        self.name = name

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """Return the violation of feature ``i`` (its position in the layout), or ``None``.

        Called for features whose checks are enabled and that have at least ``min_n`` rows.
        ``reported`` holds the violations of earlier stages on the same feature.
        """
        return None

    def of_columns(self, window: CheckedWindow) -> Violation | None:
        """Return the violation of all columns together, or ``None``; its feature is ``(columns)``.

        Called once per window, also if the window has too few rows for a verdict.
        """
        return None

    def size(self, violation: Violation) -> float:
        """Return the size of a violation: an episode has worsened when it has doubled.

        By default the value where it is above its limit (a distance, a share of bad rows), else the
        limit minus the value (a share of good rows that is too low).
        """
        if violation.value > violation.limit:
            return violation.value
        return violation.limit - violation.value

    def violation(
        self,
        window: CheckedWindow,
        i: int,
        *,
        statistic: str,
        value: float,
        limit: float,
        description: str,
        summary: str,
        diagnosis: str = "",
        overwhelming: bool = False,
        moved: tuple[BinShift, ...] | None = None,
    ) -> Violation:
        """A violation of feature ``i``, with its rows and the bins that moved most.

        ``description`` and ``summary`` must hold no feature value unless
        ``window.expose_values`` is set; :meth:`CheckedWindow.label` names a cell accordingly.
        """
        return Violation(
            feature=window.layout.features[i].name,
            check=self.name,
            statistic=statistic,
            value=value,
            limit=limit,
            n=int(window.measures.n[i]),
            description=description,
            summary=summary,
            overwhelming=overwhelming,
            diagnosis=diagnosis,
            moved=window.top_contributors(i) if moved is None else moved,
        )
