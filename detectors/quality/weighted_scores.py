"""F-scores of a multiclass confusion matrix, weighted by the rows of the true classes."""

from __future__ import annotations

from typing import Final

import numpy as np

from detectors.arrays import Floats

BETAS: Final = {
    "weighted_precision": 0.0,
    "weighted_f0_5": 0.5,
    "weighted_f1": 1.0,
    "weighted_f2": 2.0,
}
"""The weight of recall in each F-score; precision is the F-score without recall."""


def weighted_f_score(matrix: Floats, beta: float) -> tuple[float, Floats]:
    """Return a weighted F-score and its derivatives by the cells of a confusion matrix.

    ``matrix`` is by true and predicted class. The score of class j is
    ``F_j = (1 + beta**2) M_jj / (beta**2 n_j + a_j)`` with its n_j rows and a_j answers, 0 where
    neither occurs in a denominator; the whole is ``sum(n_j F_j) / n``. NaN without rows.
    """
    square = beta * beta
    of_class, answers, right = matrix.sum(1), matrix.sum(0), np.diagonal(matrix)
    n = matrix.sum()
    below = square * of_class + answers
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(below > 0, 1 / below, 0.0)
        score = (1 + square) * right * inverse
        value = of_class @ score / n
        slopes = ((score - value) / n)[:, None] - (of_class * square * score * inverse / n)[:, None]
        slopes = slopes - (of_class * score * inverse / n)[None, :]
        slopes = slopes + np.diag(of_class * (1 + square) * inverse / n)
    return float(value), slopes
