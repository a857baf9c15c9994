"""Fits the tables of a quality baseline: calibration by isotonic regression, and losses."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats
from detectors.quality.calibration import (
    Calibration,
    CalibrationTable,
    LossTable,
    bin_of,
    quantile_edges,
)
from detectors.quality.config import Problem
from detectors.quality.rows import LabelledRows
from stream.baselining.quality.rows import QualityRows

MOST_SCORE_BINS: Final = 512
"""The largest number of score bins: AUC within a bin counts half of its pairs."""
MOST_LOSS_BINS: Final = 64
LEAST_LOSS_ROWS: Final = 50
"""The baseline rows that a bin of losses should have, so that its variance means something."""
LEAST_CLASS_ROWS: Final = 200
"""The rows from which on a predicted class has a calibration of its own."""


def can_calibrate() -> bool:
    """Return whether scikit-learn is installed, which the extra ``quality`` brings."""
    return find_spec("sklearn") is not None


def fit_calibration(problem: Problem, data: QualityRows) -> Calibration | None:
    """Return the calibration of the scores; ``None`` without a score.

    Scores are counted in at most 512 bins with about as many rows in each, and the shares of right
    answers of the bins are made monotone by isotonic regression weighted by their rows (Zadrozny
    and Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates",
    2002). Needs scikit-learn.
    """
    rows = data.rows
    scored = ~np.isnan(rows.probability)
    if not scored.any():
        return None
    rows = rows.where(scored)
    edges = quantile_edges(rows.probability, MOST_SCORE_BINS)
    if problem == "binary":
        return Calibration(
            edges=edges, tables={"": _table(rows.probability, rows.label == 1, edges)}
        )
    right = rows.label == rows.prediction
    tables = {"": _table(rows.probability, right, edges)}
    for code, name in enumerate(data.classes):
        chosen = rows.prediction == code
        if chosen.sum() >= LEAST_CLASS_ROWS:
            tables[name] = _table(rows.probability[chosen], right[chosen], edges)
    return Calibration(edges=edges, tables=tables)


def _table(scores: Floats, right: NDArray[np.bool_], edges: tuple[float, ...]) -> CalibrationTable:
    """The table of some rows; a bin without one has the share of the bin below it."""
    from sklearn.isotonic import IsotonicRegression

    bins = bin_of(scores, edges)
    rows = np.bincount(bins, minlength=len(edges) + 1)
    hits = np.bincount(bins, right, len(edges) + 1)
    known = np.flatnonzero(rows)
    fit = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    fit.fit(known, hits[known] / rows[known], sample_weight=rows[known])
    nearest = known[np.maximum(np.searchsorted(known, np.arange(len(rows)), "right") - 1, 0)]
    shares = fit.predict(nearest).astype(np.float64)
    return CalibrationTable(shares=tuple(shares.tolist()), rows=tuple(rows.tolist()))


def fit_losses(rows: LabelledRows) -> LossTable:
    """Return mean and variance of the losses, by bin of the predicted number.

    At most 64 bins with about as many rows in each, and no more than give each 50 rows. A bin with
    fewer than two rows, as ties can leave one, has the numbers of all rows.
    """
    most = max(min(MOST_LOSS_BINS, len(rows.label) // LEAST_LOSS_ROWS), 1)
    edges = quantile_edges(rows.prediction, most)
    bins = bin_of(rows.prediction, edges)
    error = rows.prediction - rows.label
    counts = np.bincount(bins, minlength=len(edges) + 1)
    absolute, absolute_variance = _moments(np.abs(error), bins, counts)
    squared, squared_variance = _moments(error**2, bins, counts)
    return LossTable(
        edges=edges,
        rows=tuple(counts.tolist()),
        absolute=absolute,
        absolute_variance=absolute_variance,
        squared=squared,
        squared_variance=squared_variance,
    )


def _moments(
    loss: Floats, bins: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the variance of a loss in each bin."""
    sums = np.bincount(bins, loss, len(counts))
    means = np.where(counts >= 2, sums / np.maximum(counts, 1), loss.mean())
    squares = np.bincount(bins, (loss - means[bins]) ** 2, len(counts))
    whole = float(loss.var(ddof=1)) if len(loss) > 1 else 0.0
    variances = np.where(counts >= 2, squares / np.maximum(counts - 1, 1), whole)
    return tuple(means.tolist()), tuple(variances.tolist())
