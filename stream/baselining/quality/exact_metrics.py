"""Metrics of all rows at once, as SageMaker Model Monitor computes them, without histograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.quality.cell_ratios import RATIOS, ratio
from detectors.quality.config import Problem
from detectors.quality.rows import LabelledRows
from detectors.quality.weighted_scores import BETAS, weighted_f_score

BEST_CONSTANT: Final = "_best_constant_classifier"
"""The suffix of the metrics of the answer that is always the most frequent class."""
LEAST_ROWS: Final = 200
"""The number of rows from which on there are standard deviations."""
SUBSAMPLES: Final = 5
SHARE: Final = 0.8
SEED: Final = 20_201_201
LESS_IS_BETTER: Final = frozenset(
    {"false_positive_rate", "false_negative_rate", "mae", "mse", "rmse"}
)
METRICS: Final[Mapping[Problem, tuple[str, ...]]] = {
    "binary": (*RATIOS, "auc"),
    "multiclass": ("accuracy", "weighted_recall", *BETAS),
    "regression": ("mae", "mse", "rmse", "r2"),
}
"""The metrics of SageMaker Model Monitor that have constraints, by problem."""

Values = dict[str, float]


def exact_metrics(problem: Problem, rows: LabelledRows, classes: int) -> Values:
    """Return the metrics of SageMaker Model Monitor, NaN where one is undefined.

    Those of the best constant classifier are 0 instead, as SageMaker's are: they take the most
    frequent true class for the answer (of two, the one with the lower code). Without a probability
    there is no ``auc``.
    """
    if problem == "regression":
        return _regression(rows)
    matrix = confusion_matrix(rows, classes)
    constant = np.zeros_like(matrix)
    constant[:, int(matrix.sum(1).argmax())] = matrix.sum(1)
    if problem == "multiclass":
        return _multiclass(matrix) | {
            f"{name}{BEST_CONSTANT}": value for name, value in _multiclass(constant).items()
        }
    values = _binary(matrix)
    values |= {
        f"{name}{BEST_CONSTANT}": 0.0 if np.isnan(value) else value
        for name, value in _binary(constant).items()
        if not name.endswith("_rate")
    }
    scored = ~np.isnan(rows.probability)
    if scored.any():
        values["auc"] = exact_auc(rows.probability[scored], rows.label[scored] == 1)
    return values


def confusion_matrix(rows: LabelledRows, classes: int) -> Floats:
    """Return the number of rows by true and predicted class."""
    cells = rows.label.astype(np.int64) * classes + rows.prediction.astype(np.int64)
    counts = np.bincount(cells, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.float64)


def exact_auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return the share of pairs in which the positive row has the higher score; ties count half.

    This is the statistic of Mann and Whitney over the number of pairs. NaN without a row of each
    class.
    """
    positives, negatives = by_score(scores, positive)
    pairs = int(positives.sum()) * int(negatives.sum())
    twice = int((positives * (2 * np.cumsum(negatives) - negatives)).sum())
    return twice / (2 * pairs) if pairs else float("nan")


def by_score(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the positive and the negative rows of each distinct score, in rising order."""
    distinct, inverse = np.unique(scores, return_inverse=True)
    rows = np.bincount(inverse, minlength=len(distinct))
    positives = np.bincount(inverse, positive, len(distinct)).astype(np.int64)
    return positives, rows - positives


def standard_deviations(problem: Problem, rows: LabelledRows, classes: int) -> Values:
    """Return the standard deviation of each metric over five random subsamples of 80 %.

    They are drawn without replacement from a fixed seed; the deviation has n - 1. Empty below 200
    rows, as in SageMaker Model Monitor, which states neither seed nor divisor.
    """
    n = len(rows.label)
    if n < LEAST_ROWS:
        return {}
    random = np.random.default_rng(SEED)
    drawn = []
    for _ in range(SUBSAMPLES):
        chosen = np.zeros(n, bool)
        chosen[random.permutation(n)[: round(SHARE * n)]] = True
        sample = rows.where(chosen)
        drawn.append(exact_metrics(problem, sample, classes))
    names = drawn[0]
    return {name: float(np.std([each[name] for each in drawn], ddof=1)) for name in names}


def _binary(matrix: Floats) -> Values:
    (tn, fp), (fn, tp) = matrix
    cells = np.array([tp, fp, fn, tn])
    return {name: ratio(name, cells) for name in RATIOS}


def _multiclass(matrix: Floats) -> Values:
    accuracy = float(np.trace(matrix) / matrix.sum())
    scores = {name: weighted_f_score(matrix, beta)[0] for name, beta in BETAS.items()}
    return {"accuracy": accuracy, "weighted_recall": accuracy, **scores}


def _regression(rows: LabelledRows) -> Values:
    error = rows.prediction - rows.label
    mse = float(np.mean(error**2))
    spread = float(np.sum((rows.label - rows.label.mean()) ** 2))
    return {
        "mae": float(np.mean(np.abs(error))),
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "r2": 1 - float(np.sum(error**2)) / spread if spread else float("nan"),
    }
