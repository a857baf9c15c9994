"""Metrics of regression."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, sqrt
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.phrases import counted
from detectors.quality.base import Measured, Metric
from detectors.quality.cells import (
    ERRORS,
    EXCLUDED,
    STEP_ZERO,
    CellTable,
    delay_entries,
    delay_quantiles_s,
    entries,
    tallied,
)
from detectors.quality.counts import QualityCounts, added
from detectors.quality.custom import CustomMetrics
from detectors.quality.exact_sum import exact_square_sums, exact_sums, float_of, ratio
from detectors.quality.intervals import (
    UNKNOWN,
    SamplingInterval,
    defined,
    of_mean,
    of_variance,
    undefined,
)
from detectors.quality.ladder import quantiles, steps_of
from detectors.quality.laws import normal_quantile
from detectors.quality.rows import LabelledRows

LARGEST: Final = 2.0**250
"""Predictions and labels beyond this, 1.8e75, are excluded: fourth powers must be doubles."""
PLAIN: Final = (
    "error",
    "absolute",
    "label",
    "label_3",
    "label_4",
    "error_2_label",
    "error_2_label_2",
)
SQUARED: Final = ("error_2", "error_4", "label_2")
ERROR_QUANTILES: Final = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
ABSOLUTE_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
"""The quantiles of the error and of its absolute value that are reported."""
MOST_CANCELLED: Final = 1e6
"""How many times the fourth moment about 0 may be the one about the mean, for an interval of R2."""


class RegressionQuality:
    """A regression problem.

    The error of a row is the double nearest to prediction minus label. Rows whose prediction or
    label is not finite, or beyond ``LARGEST``, are in no metric.
    """

    def __init__(self, custom: CustomMetrics) -> None:
        self._custom = custom

    def tally(self, rows: LabelledRows, group: Ints, groups: int) -> list[QualityCounts]:
        """Return the counts of each group; ``group`` has a number below ``groups`` for each row."""
        known = (np.abs(rows.prediction) <= LARGEST) & (np.abs(rows.label) <= LARGEST)
        excluded = entries(EXCLUDED, group[~known], 0, rows.weight[~known])
        kept = rows.where(known)
        of = group[known]
        error = kept.prediction - kept.label
        parts = [
            excluded,
            entries(ERRORS, of, STEP_ZERO + steps_of(error), kept.weight),
            delay_entries(of, kept.delay_ms, kept.weight),
        ]
        counts = tallied(parts, _sums(error, kept.label, kept.weight, of, groups), groups)
        return self._custom.tallied(counts, kept, of)

    def merge(self, parts: Sequence[QualityCounts]) -> QualityCounts:
        """Return the sum of some counts, custom metrics included; empty for no parts."""
        return self._custom.merged(QualityCounts.total(parts), parts)

    def measure(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> Measured:
        """Return the metrics; ``class_names`` are not read."""
        table = CellTable(counts)
        n = table.number(ERRORS)
        metrics = (
            *(_moment_metrics(counts.sums, n, confidence) if n else _without_rows()),
            *error_quantiles(table, confidence),
            *self._custom.metrics(counts.custom, n),
        )
        return Measured(n, metrics, {}, {}, delay_quantiles_s(table), _notes(table))


def _notes(table: CellTable) -> tuple[str, ...]:
    excluded = table.number(EXCLUDED)
    if not excluded:
        return ()
    rows = counted(excluded, "labelled row")
    return (f"{rows} with a prediction or label beyond {LARGEST:.1e} are in no metric",)


def _sums(
    error: Floats, label: Floats, weight: Ints, group: Ints, groups: int
) -> dict[str, list[int]]:
    """Return the exact sums of the errors, the labels, their powers and products.

    Sums of products are sums of doubles: each product is rounded, the sum is not.
    """
    square, label_square = error * error, label * label
    plain = (
        error,
        np.abs(error),
        label,
        label_square * label,
        label_square * label_square,
        square * label,
        square * label_square,
    )
    rows = weight, group, groups
    return {
        **dict(zip(PLAIN, exact_sums(plain, *rows), strict=True)),
        **dict(zip(SQUARED, exact_square_sums((error, square, label), *rows), strict=True)),
    }


def _without_rows() -> Iterator[Metric]:
    directions = {"r2": "better", "bias": "neither"}
    for name in ("mae", "mse", "rmse", "r2", "bias"):
        yield undefined(name, 0, "no labels", directions.get(name, "worse"))


def _moment_metrics(sums: Mapping[str, int], n: int, confidence: float) -> Iterator[Metric]:
    """Return MAE, MSE, RMSE, R2 and the bias, which is the mean error.

    MAE, MSE and bias have the interval of a mean. That of RMSE has the square roots of the ends of
    that of MSE; its standard error is that of MSE divided by ``2 RMSE`` (delta method).
    """
    mean = {name: float_of(sums.get(name, 0), n) for name in PLAIN}
    mean |= {name: float_of(sums.get(name, 0), n, squares=True) for name in SQUARED}
    mse = mean["error_2"]
    of_mse = of_mean(mse, mean["error_4"], n, confidence)
    of_mae = of_mean(mean["absolute"], mse, n, confidence)
    yield defined("mae", mean["absolute"], of_mae, n, "worse")
    yield defined("mse", mse, of_mse, n, "worse")
    yield defined("rmse", sqrt(mse), _root(of_mse, sqrt(mse)), n, "worse")
    yield _r2(sums, mean, n, confidence)
    yield defined("bias", mean["error"], of_mean(mean["error"], mse, n, confidence), n, "neither")


def _root(of_mse: SamplingInterval, rmse: float) -> SamplingInterval:
    low, high, error = of_mse
    if low is None or high is None or error is None:
        return UNKNOWN
    return SamplingInterval(
        sqrt(max(low, 0.0)), sqrt(high), error / (2 * rmse) if rmse > 0 else 0.0
    )


def _r2(sums: Mapping[str, int], mean: Mapping[str, float], n: int, confidence: float) -> Metric:
    """Return ``1 - SSE / SST``, computed with integers and rounded once.

    SSE is the sum of the squared errors, SST that of the squared differences of the labels from
    their mean. Undefined if all labels are equal.
    """
    label = sums.get("label", 0)
    sst = n * sums.get("label_2", 0) - label * label
    if sst <= 0:
        return undefined("r2", n, "all labels are equal" if n > 1 else "only one label")
    value = ratio(sst - n * sums.get("error_2", 0), sst)
    variance = ratio(sst, (n * n) << 2148)
    return defined("r2", value, _r2_interval(value, variance, mean, n, confidence), n)


def _r2_interval(
    value: float, variance: float, mean: Mapping[str, float], n: int, confidence: float
) -> SamplingInterval:
    """Return the interval of R2 by the delta method.

    With ``u`` the squared difference of a label from the mean label, s its mean and
    ``q = 1 - R2``, R2 is a ratio of means, with the variance ``mean((e^2 - q u)^2) / (n s^2)``.
    Unknown where the labels are so far from 0, compared to their spread, that the moments about
    their mean are lost in rounding.
    """
    centre, q = mean["label"], 1.0 - value
    fourth = (
        mean["label_4"]
        - 4 * centre * mean["label_3"]
        + 6 * centre**2 * mean["label_2"]
        - 3 * centre**4
    )
    crossed = (
        mean["error_2_label_2"] - 2 * centre * mean["error_2_label"] + centre**2 * mean["error_2"]
    )
    lost = not fourth > 0 or mean["label_4"] > MOST_CANCELLED * fourth
    if lost or variance**2 == 0:
        return UNKNOWN
    spread = (mean["error_4"] - 2 * q * crossed + q * q * fourth) / variance**2
    return of_variance(value, max(spread, 0.0) / n, n, confidence)


def error_quantiles(table: CellTable, confidence: float) -> Iterator[Metric]:
    """Return quantiles of the error and of its absolute value.

    They are interpolated in the bins of a ladder, so that their error is below 1/32 of their value.
    The interval has the order statistics at ``q +- z sqrt(q (1 - q) / n)``: the normal
    approximation of the binomial interval, which holds for any distribution (W. J. Conover,
    Practical nonparametric statistics, 1999, section 3.2).
    """
    body, counts = table.of(ERRORS)
    at = body - STEP_ZERO, counts
    of_size = added(np.abs(at[0]), counts)
    yield from _quantile_metrics("error", ERROR_QUANTILES, at, confidence, "neither")
    yield from _quantile_metrics("absolute_error", ABSOLUTE_QUANTILES, of_size, confidence, "worse")


def _quantile_metrics(
    prefix: str,
    ranks: Mapping[str, float],
    histogram: tuple[Ints, Ints],
    confidence: float,
    larger_is: str,
) -> Iterator[Metric]:
    n = int(histogram[1].sum())
    q = np.array(list(ranks.values()))
    half = normal_quantile(confidence) * np.sqrt(q * (1 - q) / max(n, 1))
    found = quantiles(*histogram, np.concatenate([q, q - half, q + half])).reshape(3, -1)
    for name, (value, low, high) in zip(ranks, found.T.tolist(), strict=True):
        full = f"{prefix}_{name}"
        if isfinite(value):
            yield Metric(full, value, low, high, None, n, larger_is)
        else:
            yield undefined(full, 0, "no labels", larger_is)
