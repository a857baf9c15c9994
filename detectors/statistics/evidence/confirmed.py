"""What tests say against two references, of which either may be right."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from detectors.arrays import Mask
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.findings import Allowance, Results, outcome_of


class ConfirmedOutcome:
    """The outcome of all tests, confirmed against a second reference where there is one.

    Without drift, a window looks like one of both or lies between them. What holds against the
    first is tested against the second too, and has the weaker numbers of both: the larger p-value
    and the smaller effect. Where it lies above one and below the other, it is no evidence.

    The largest p-value over all that may be true is one itself (Berger 1982).
    """

    def __init__(self, pooled: Pooled, second: Pooled | None = None) -> None:
        self._pooled = pooled
        self._second = second

    def results(self, judged: Allowance) -> Results:
        """The results by what each feature may spend."""
        results = Results(self._pooled, judged, self._first_outcome)
        if self._second is None or not results.any_holds:
            return results
        outcome = _weaker(self._first_outcome, self._second_outcome, results.holds)
        return Results(self._pooled, judged, outcome)

    @cached_property
    def _first_outcome(self) -> Outcome:
        return outcome_of(self._pooled)

    @cached_property
    def _second_outcome(self) -> Outcome:
        return outcome_of(self._second or self._pooled)


def _weaker(one: Outcome, other: Outcome, where: Mask) -> Outcome:
    """The weaker numbers of both outcomes in some places, those of the first in all others."""
    between = one.direction * other.direction < 0.0
    p_value = np.where(between, 1.0, np.maximum(one.p_value, other.p_value))
    return Outcome(
        p_value=np.where(where, p_value, one.p_value),
        effect=np.where(where, np.minimum(one.effect, other.effect), one.effect),
        direction=one.direction,
    )
