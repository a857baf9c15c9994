"""Metrics of a binary confusion matrix that are ratios of weighted sums of its four cells."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats

TP, FP, FN, TN = range(4)
"""The positions of the cells in a vector."""


def _f_score(beta: float) -> tuple[Floats, Floats]:
    square = beta * beta
    return np.array([1 + square, 0, 0, 0]), np.array([1 + square, 1.0, square, 0])


def _ratio(above: tuple[int, ...], below: tuple[int, ...]) -> tuple[Floats, Floats]:
    return (
        np.isin(np.arange(4), above).astype(np.float64),
        np.isin(np.arange(4), below).astype(np.float64),
    )


RATIOS: Final = {
    "recall": _ratio((TP,), (TP, FN)),
    "precision": _ratio((TP,), (TP, FP)),
    "accuracy": _ratio((TP, TN), (TP, FP, FN, TN)),
    "true_positive_rate": _ratio((TP,), (TP, FN)),
    "true_negative_rate": _ratio((TN,), (TN, FP)),
    "false_positive_rate": _ratio((FP,), (FP, TN)),
    "false_negative_rate": _ratio((FN,), (FN, TP)),
    "f0_5": _f_score(0.5),
    "f1": _f_score(1.0),
    "f2": _f_score(2.0),
}
"""The weights of the cells above and below the line, by metric."""


def ratio(name: str, cells: Floats) -> float:
    """Return a metric of the cells ``[tp, fp, fn, tn]``; NaN where it divides by 0.

    >>> ratio("precision", np.array([3.0, 1.0, 0.0, 6.0]))
    0.75
    """
    above, below = RATIOS[name]
    total = float(below @ cells)
    return float(above @ cells) / total if total else float("nan")


def gradient(name: str, cells: Floats) -> Floats:
    """Return the derivatives of a metric by its four cells; NaN where it divides by 0."""
    above, below = RATIOS[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes: Floats = (above - ratio(name, cells) * below) / float(below @ cells)
    return slopes
