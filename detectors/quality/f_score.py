"""F-scores, their sampling variances, and the metrics of a classifier that answers one class."""

from __future__ import annotations

from typing import Final

BETAS: Final = {"f0_5": 0.5, "f1": 1.0, "f2": 2.0}
"""The F-scores that are reported, with how many times recall counts more than precision."""


def f_score(hits: float, false_alarms: float, misses: float, beta: float) -> float | None:
    """Return ``(1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP)``; ``None`` for 0/0.

    It is the weighted harmonic mean of precision and recall, and 0 where both are 0.

    >>> f_score(2, 1, 1, 1.0)
    0.6666666666666666
    """
    weight = 1 + beta**2
    whole = weight * hits + beta**2 * misses + false_alarms
    return weight * hits / whole if whole > 0 else None


def f_variance(hits: int, false_alarms: int, misses: int, beta: float) -> float:
    """Return the sampling variance of an F-score that is defined, by the delta method.

    For multinomial counts x and a ratio that does not change with their scale it is
    ``sum(x[i] (dF/dx[i])**2)``. Source: K. Takahashi, K. Yamamoto, A. Kuchiba and T. Koyama,
    Confidence interval for micro-averaged F1 and macro-averaged F1 scores, Applied Intelligence
    52, 2022.
    """
    square = beta**2
    weight = 1 + square
    whole = weight * hits + square * misses + false_alarms
    of_hits = weight * (square * misses + false_alarms) / whole**2
    of_alarms = weight * hits / whole**2
    return hits * of_hits**2 + (false_alarms + misses * square**2) * of_alarms**2
