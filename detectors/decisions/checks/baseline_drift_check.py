"""The check for drift: the distribution has moved away from that of the baseline."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from detectors.arrays import Floats
from detectors.decisions.checks.base import Check, CheckedWindow, Reported, Stage
from detectors.decisions.checks.negative_values import explain_drift
from detectors.decisions.rulings import Ruling
from detectors.p_values import evidence_a_row, is_p_value
from detectors.phrases import distinguishable
from detectors.statistics.catalogue import DISTANCES
from detectors.violation import Violation

NOTICEABLE: Final = 0.01
"""The share that a bin must gain to be named."""
NEW_VALUES: Final = "new values"
"""The name of all hashed bins of a text feature together."""


class BaselineDriftCheck(Check):
    """The deciding distance is above its limit, or the deciding p-value below it.

    See :mod:`detectors.decisions.rules`.

    Distances hold neither missing nor unreadable values. In a feature with a domain, the distance
    must be above its limit, too, when the values outside of it are taken for those that are fewer
    than in the baseline: what other checks allow is no drift, and what they report is one
    violation. A drift that consists mainly of negative values is left to ``non_negative_check``.
    Named as in SageMaker Model Monitor.
    """

    stage: ClassVar[Stage] = Stage.DRIFT

    def of_feature(self, window: CheckedWindow, i: int, reported: Reported) -> Violation | None:
        """A violation if the ruling is one, also with values outside of a domain explained."""
        if window.rulings[i].verdict != "violation":
            return None
        window = window.inside_domains
        ruling = window.rulings[i]
        if ruling.verdict != "violation" or explain_drift(window, i):
            return None
        title = DISTANCES[ruling.statistic].title
        value, limit = distinguishable(ruling.value, ruling.limit)
        relation = "below the limit" if is_p_value(ruling.statistic) else "limit"
        shift = moved_in_bins(window, i)
        return self.violation(
            window,
            i,
            statistic=ruling.statistic,
            value=ruling.value,
            limit=ruling.limit,
            description=_description(ruling),
            summary=f"{title} {value}, {relation} {limit}" + (f": {shift}" if shift else ""),
            overwhelming=ruling.overwhelming,
        )

    def size(self, violation: Violation) -> float:
        """The distance; of a p-value, its decimal places a row."""
        if is_p_value(violation.statistic):
            return evidence_a_row(violation.value, violation.n)
        return super().size(violation)


def _description(ruling: Ruling) -> str:
    """The sentence of SageMaker Model Monitor; its sentence on a p-value is not known."""
    if is_p_value(ruling.statistic):
        return f"Baseline drift p-value: {ruling.value!r} is below threshold: {ruling.limit!r}"
    return f"Baseline drift distance: {ruling.value!r} exceeds threshold: {ruling.limit!r}"


def moved_in_bins(window: CheckedWindow, i: int) -> str:
    """The bins between which most values moved, in words; empty if no share moved noticeably."""
    cells, gaps = _share_gaps(window, i)
    lost, gained = int(np.argmin(gaps)), int(np.argmax(gaps))
    if not gaps[gained] >= NOTICEABLE:  # NaN where a side has no value
        return ""
    source, target = (_in_words(window, i, cells[k]) for k in (lost, gained))
    names = window.new_values(i) if target == NEW_VALUES else ""
    return f"values moved from {source} to {target}" + (f": {names}" if names else "")


def _share_gaps(window: CheckedWindow, i: int) -> tuple[list[int], Floats]:
    """Cells of feature ``i`` (from 0), and the rise of the share of each.

    The hashed bins of a text feature count as one cell, the first of them. So do its rare values.
    """
    start, stop = window.layout.cell_starts[i : i + 2].tolist()
    gaps = window.pair.q[start:stop] - window.pair.p[start:stop]
    cells = list(range(stop - start))
    feature = window.layout.features[i]
    if feature.numeric:
        return cells, gaps
    known = len(feature.vocabulary)
    firsts = list(range(known + 1)) + ([] if feature.rare_bin is None else [feature.rare_bin])
    return firsts, np.add.reduceat(gaps, firsts)


def _in_words(window: CheckedWindow, i: int, cell: int) -> str:
    label = window.label(i, cell)
    if label.startswith("unseen #"):
        return NEW_VALUES
    return "values not in the baseline" if label == "other" else label
