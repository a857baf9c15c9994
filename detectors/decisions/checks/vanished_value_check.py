"""The check for vanished values: a frequent value does not occur any more."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.decisions.checks.base import Check, CheckedWindow, Reported, Stage
from detectors.profiles.domains import known_bins
from detectors.violation import BinShift, Violation

SKETCH_ERRORS: Final = 4.0
"""The number of standard errors of a sketch that may explain a count in the baseline."""


class VanishedValueCheck(Check):
    """A known value (a word, a code, an atom) does not occur although it should be frequent.

    Distances overlook small shares: a value of 2 % that vanishes has a PSI of only 0.02. The
    expected count must be above ``vanished_n``, and chance must not explain the absence: with k
    occurrences in the baseline's m rows and none in the window's n, that has the probability
    ``(m / (n + m))**k``, compared with ``alpha`` over all cells of the layout. Counts of a
    sketch are first reduced by its error. Reported only for a feature without another
    violation. A check of driftline, not of SageMaker Model Monitor.
    """

    stage: ClassVar[Stage] = Stage.REMAINDER
    position: ClassVar[int] = 10

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation for the vanished value with the largest expected count."""
        if reported.violations or window.rulings[i].verdict != "ok":
            return None
        bins = _known_bins(window, i)
        if not len(bins):
            return None
        expected = _expected(window, i, bins)
        vanished = _vanished(window, i, bins, expected)
        if not vanished.any():
            return None
        k = int(np.argmax(np.where(vanished, expected, 0.0)))
        shift = _shift(window, i, int(bins[k]))
        value = f"value '{shift.label}'" if window.expose_values else "a known value"
        return self.violation(
            window,
            i,
            statistic="expected_count",
            value=float(expected[k]),
            limit=window.rules.vanished_n,
            description=f"A value with an expected count of {expected[k]:.1f} does not occur.",
            summary=f"{value} vanished: {expected[k]:,.0f} expected, none seen",
            diagnosis="a known value has vanished",
            moved=(shift,),
        )

    def size(self, violation: Violation) -> float:
        """Always 1: a value that has vanished cannot vanish more."""
        return 1.0


def _known_bins(window: CheckedWindow, i: int) -> Ints:
    """The slots of single values of feature ``i``, without those that its domain excludes."""
    domain = window.constraints[i].domains
    return window.layout.lone_bins(i) if domain is None else known_bins(window.layout, i, domain)


def _expected(window: CheckedWindow, i: int, bins: Ints) -> Floats:
    """The occurrences expected in the window, by the baseline's share of each value."""
    before = _sure_counts(window, i, bins)
    expected: Floats = before / max(float(window.pair.m[i]), 1.0) * float(window.pair.n[i])
    return expected


def _sure_counts(window: CheckedWindow, i: int, bins: Ints) -> Floats:
    """The baseline's counts, less four standard errors where they come from a sketch.

    An item of a sketch stands for many rows, and may be a value that occurred once.
    """
    error = SKETCH_ERRORS * float(np.sqrt(window.pair.rank_variance[i]) * window.pair.m[i])
    counts: Floats = np.maximum(window.pair.baseline.counts[bins] - error, 0.0)
    return counts


def _vanished(window: CheckedWindow, i: int, bins: Ints, expected: Floats) -> NDArray[np.bool_]:
    """A mask of the values that are absent although they were expected, and not by chance."""
    m, n = max(float(window.pair.m[i]), 1.0), float(window.pair.n[i])
    before, after = _sure_counts(window, i, bins), window.pair.window.counts[bins]
    level = np.log(window.rules.alpha / len(window.pair.after))
    beyond_chance = before * np.log(m / (n + m)) < level
    vanished: NDArray[np.bool_] = (
        (expected > window.rules.vanished_n) & (after == 0) & beyond_chance
    )
    return vanished


def _shift(window: CheckedWindow, i: int, slot: int) -> BinShift:
    before = int(window.pair.baseline.counts[slot])
    return BinShift(
        label=window.layout.bin_label(i, slot),
        before=before / float(window.pair.m[i]),
        after=0.0,
        before_count=before,
        after_count=0,
        contribution=float(window.contributions[window.layout.cell_of[slot]]),
    )
