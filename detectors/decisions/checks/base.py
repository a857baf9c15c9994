"""The contract of a check, and what a check may look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cached_property
from typing import ClassVar, Final, Literal, NamedTuple

import numpy as np

from detectors.arrays import Floats
from detectors.decisions.masking import is_value, public_label
from detectors.decisions.rules import FeatureRules, Rules, Ruling, binomial_excess
from detectors.diagnosis.moved_bins import top_contributors
from detectors.profiles.baseline import Baseline, Constraint
from detectors.profiles.layout import Layout
from detectors.report import BinShift, Violation
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair
from detectors.statistics.measures import Measures

COLUMNS: Final = "(columns)"
"""Stands in ``Violation.feature`` where all columns together are meant."""
OVERWHELMING_LOSS: Final = 0.05
"""Share of the rows that must be lost before a loss alone is enough for a signal."""

_UNCONSTRAINED: Final = Constraint()

CellKind = Literal["missing", "unreadable", "bin"]


class Stage(IntEnum):
    """When a check runs: a check sees what earlier stages have reported on its feature.

    ``VALUES``: values are missing, of another type, outside of their domain. ``DRIFT``: the
    distribution moved. ``REMAINDER``: for checks that report only what nothing before has reported.
    """

    VALUES = 1
    DRIFT = 2
    REMAINDER = 3


class Reported(NamedTuple):
    """What earlier stages have reported on a feature, and which kinds of cells that explains."""

    violations: tuple[Violation, ...]
    explained: frozenset[CellKind]


class CheckedWindow:
    """One window, its baseline, and the rules in force: everything that a check may look at.

    * ``measures``: the numbers of the window, see :class:`~detectors.statistics.measures.Measures`;
      ``measures.pair`` holds the counts of both sides.
    * ``rulings``: the verdict on each feature's deciding distance.
    * ``rules`` of the job, and ``feature_rules`` of the features that differ, by name.
    * ``rows`` in the counts; ``too_narrow`` and ``too_wide``: records that had too few or too many
      columns and were kept as dead letters.
    * ``expose_values``: whether summaries may name feature values.
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

    @property
    def pair(self) -> Pair:
        """The counts of baseline and window, side by side."""
        return self.measures.pair

    @property
    def layout(self) -> Layout:
        """The layout of both."""
        return self.measures.layout

    @cached_property
    def alpha(self) -> float:
        """The chance of a false verdict that each feature gets: ``alpha`` shared out among them."""
        return self.rules.alpha / max(len(self.layout.features), 1)

    @cached_property
    def contributions(self) -> Floats:
        """What each coarse cell adds to PSI, see :func:`detectors.statistics.distances.psi`."""
        return psi.contributions(self.pair)

    def checked_features(self) -> list[int]:
        """Positions of the features whose checks are on and that have at least ``min_n`` rows."""
        if not self.baseline.constraints.thresholds.evaluate_constraints:
            return []
        enough = (self.measures.n >= self.rules.min_n).tolist()
        return [i for i in range(len(self.layout.features)) if enough[i] and self._enabled(i)]

    @cached_property
    def constraints(self) -> list[Constraint]:
        """What the baseline asks of each feature, in the order of the layout."""
        asked = self.baseline.constraints.features
        return [asked.get(feature.name, _UNCONSTRAINED) for feature in self.layout.features]

    def beyond_chance(self, i: int, bad: float, n: float, allowed: float) -> bool:
        """Whether ``bad`` of ``n`` values are more than the share ``allowed`` explains.

        At the feature's level :attr:`alpha`, with that share estimated from the baseline's rows;
        see :func:`~detectors.decisions.rules.binomial_excess`.
        """
        return binomial_excess(bad, n, allowed, float(self.pair.m[i]), self.alpha)

    def overwhelming_loss(self, i: int, share: float, required: float) -> bool:
        """Whether a share of good rows is so far below ``required`` that one window is enough.

        It misses more than twice what is allowed, at least 5 % of the rows more than that, in at
        least ``overwhelming_n`` rows, and more than chance explains at ``overwhelming_alpha``.
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
                float(self.pair.m[i]),
                self.rules.overwhelming_alpha / max(len(self.rulings), 1),
            )
        )

    def main_cell(self, i: int) -> CellKind:
        """The kind of the coarse cell that contributes most to the distance of feature ``i``."""
        start, stop = self.layout.cell_starts[i : i + 2].tolist()
        largest = int(np.argmax(self.contributions[start:stop]))
        if largest == stop - start - 2:
            return "missing"
        return "unreadable" if largest == stop - start - 1 else "bin"

    def label(self, i: int, cell: int) -> str:
        """The name of coarse cell ``cell`` of feature ``i`` (from 0), for use in a summary.

        With ``expose_values`` a value stands in quotes; otherwise under the name that signals use.
        """
        public = public_label(self.layout, i, cell)
        if not self.expose_values:
            return public
        label = self.layout.cell_labels(i)[cell]
        return f"'{label}'" if is_value(public) else label

    def top_contributors(self, i: int) -> tuple[BinShift, ...]:
        """The bins of feature ``i`` that moved most, largest contribution first."""
        return top_contributors(self.pair, i, self.contributions)

    def _enabled(self, i: int) -> bool:
        own = self.feature_rules.get(self.layout.features[i].name)
        return self.constraints[i].evaluate and (own is None or own.enabled)


class Check:
    """One kind of fault that a window can have.

    Base of the checks: one subclass a file. The file's name, or the name of an entry point of
    ``driftline.checks``, is the ``check`` of its violations; it is passed to the constructor. A
    check holds no state between windows.

    It returns at most one violation for a feature (:meth:`of_feature`) and at most one for all
    columns together (:meth:`of_columns`). One cause is reported once: ``stage`` says which other
    checks of the same feature come first, and ``explains`` which kind of cell its violation
    accounts for, so that a drift which lies mainly in that cell is not reported as well. Checks of
    one stage do not see each other; ``position`` and then the name order them in the report.

    Two rules hold for every check: no verdict below ``rules.min_n`` rows, and no share is a
    violation that its own sampling noise explains (:meth:`CheckedWindow.beyond_chance`).
    """

    stage: ClassVar[Stage] = Stage.VALUES
    position: ClassVar[int] = 100
    explains: ClassVar[CellKind | None] = None

    def __init__(self, name: str) -> None:
        self.name = name

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """The violation of feature ``i``, if there is one.

        Called for features whose checks are on and that have enough rows. ``reported`` is what
        earlier stages found on the same feature.
        """
        return None

    def of_columns(self, window: CheckedWindow) -> Violation | None:
        """The violation of all columns together, if there is one; its feature is ``(columns)``.

        Called once a window, also when it has too few rows for a verdict.
        """
        return None

    def size(self, violation: Violation) -> float:
        """How large a violation of this check is: an episode has worsened when it has doubled.

        A distance or a share of bad rows is its own size; of a share of good rows it is what lacks.
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
        ``window.expose_values`` is set; :meth:`CheckedWindow.label` keeps to that.
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
