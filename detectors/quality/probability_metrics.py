"""Metrics of probabilities of a binary problem: Brier score, log-loss and calibration error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.base import Metric
from detectors.quality.cells import OUTSIDE, RELIABLE, RELIABLE_P, CellTable, Entries, entries
from detectors.quality.exact_sum import exact_square_sums, exact_sums, float_of
from detectors.quality.intervals import SamplingInterval, defined, of_mean, undefined
from detectors.quality.laws import normal_quantile

TENTHS: Final = 10
CLIP: Final = float(np.finfo(np.float64).eps)
"""Probabilities are at least this and at most 1 minus this in the log-loss, as in scikit-learn."""
_P_UNITS: Final = 2.0**32
NAMES: Final = ("brier", "log_loss", "calibration_error")


def probability_entries(group: Ints, scores: Floats, label: Ints, weight: Ints) -> list[Entries]:
    """Return the entries of rows with a score; those outside 0 and 1 are only counted."""
    inside = (scores >= 0) & (scores <= 1)
    outside = entries(OUTSIDE, group[~inside], 0, weight[~inside])
    group, p, label, weight = group[inside], scores[inside], label[inside], weight[inside]
    tenth = np.minimum((p * TENTHS).astype(np.int64), TENTHS - 1)
    units = np.rint(p * _P_UNITS).astype(np.int64)
    return [
        outside,
        entries(RELIABLE, group, 2 * tenth + label, weight),
        entries(RELIABLE_P, group, tenth, weight * units),
    ]


def probability_sums(
    group: Ints, scores: Floats, label: Ints, weight: Ints, groups: int
) -> dict[str, list[int]]:
    """Return the exact sums of losses and of their squares, for rows with a score in 0 to 1."""
    inside = (scores >= 0) & (scores <= 1)
    p, y = scores[inside], label[inside].astype(np.float64)
    squared = (p - y) ** 2
    of_label = np.where(y > 0, p, 1.0 - p)
    log = -np.log(np.clip(of_label, CLIP, 1.0 - CLIP))
    rows = weight[inside], group[inside], groups
    brier, loss = exact_sums([squared, log], *rows)
    brier_squares, loss_squares = exact_square_sums([squared, log], *rows)
    return {
        "brier": brier,
        "brier_squares": brier_squares,
        "log_loss": loss,
        "log_loss_squares": loss_squares,
    }


def probability_metrics(
    table: CellTable, sums: Mapping[str, int], confidence: float
) -> Iterator[Metric]:
    """Return the metrics; all are undefined with the reason if a score is outside 0 and 1.

    * Brier score: the mean of ``(p - y)**2``. Source: G. W. Brier, Verification of forecasts
      expressed in terms of probability, Monthly Weather Review 78, 1950.
    * Log-loss: the mean of ``-log`` of the probability of the true class, clipped to ``CLIP``.

    Both have the interval of a mean. The calibration error is described with its function.
    """
    outside = table.number(OUTSIDE)
    n = table.number(RELIABLE)
    if outside or not n:
        reason = f"{outside} scores are not between 0 and 1" if outside else "no scores"
        yield from (undefined(name, n, reason, "worse") for name in NAMES)
        return
    for name in ("brier", "log_loss"):
        mean = float_of(sums.get(name, 0), n)
        square = float_of(sums.get(f"{name}_squares", 0), n, squares=True)
        yield defined(name, mean, of_mean(mean, square, n, confidence), n, "worse")
    yield _calibration_error(table, n, confidence)


def _calibration_error(table: CellTable, n: int, confidence: float) -> Metric:
    """Return the expected calibration error over ten equal bins of the score.

    ``sum(n[b]/n |y[b] - p[b]|)`` with the share of positives and the mean score of each bin (M. P.
    Naeini, G. F. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian
    binning, AAAI 2015). Scores are rounded to ``2**-32``. It is biased upwards: a calibrated bin
    differs by ``sqrt(2/pi) s[b]`` on average, s the standard error of its share. The interval is
    normal with the standard error ``sqrt(sum((n[b]/n)**2 s[b]**2))``, its lower end reduced by that
    bias. ``s[b]`` is the larger one of those for the share of positives and for the mean score: a
    bin of few rows or rare positives often has none, which does not make its share exact.
    """
    rows, total = np.zeros((TENTHS, 2)), np.zeros(TENTHS)
    body, counts = table.of(RELIABLE)
    rows.ravel()[body] = counts
    tenth, units = table.of(RELIABLE_P)
    total[tenth] = units / _P_UNITS
    used = rows.sum(axis=1) > 0
    of_bin, positive = rows[used].sum(axis=1), rows[used, 1]
    value = float(np.abs(positive - total[used]).sum() / n)
    share = positive / of_bin
    mean_score = total[used] / of_bin
    variance = np.maximum(share * (1 - share), mean_score * (1 - mean_score))
    spread = np.sqrt(variance * of_bin) / n
    error = float(np.sqrt((spread**2).sum()))
    half = normal_quantile(confidence) * error
    bias = float(np.sqrt(2 / np.pi) * spread.sum())
    interval = SamplingInterval(max(0.0, value - bias - half), min(1.0, value + half), error)
    return defined("calibration_error", value, interval, n, "worse")
