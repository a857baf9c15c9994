"""The contract of an estimate: predictions become counts, counts become estimated metrics."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np

from detectors.arrays import Ints
from detectors.quality.counts import QualityCounts
from detectors.quality.intervals import of_bounded
from detectors.quality.laws import normal_quantile
from detectors.quality.rows import LabelledRows
from detectors.quality_report import EstimateReport, EstimateSection


class Estimator(Protocol):
    """One way to estimate metrics from predictions alone; holds a table, and no state."""

    def tally_predictions(
        self, rows: LabelledRows, group: Ints, groups: int
    ) -> list[QualityCounts]:
        """Return the counts of each group; labels and delays of the rows are not looked at."""

    def estimate(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> EstimateSection:
        """Return the estimates; ``class_names[code]`` is the name of a class.

        ``confidence`` is that of the intervals, such as 0.999. An interval is one for the value
        that the labels of these predictions would give, if scores and errors mean what they meant
        in the baseline: it covers the chance of the labels and the error of the baseline's table.
        Without a usable prediction every estimate is ``None``.
        """


def counts_of_cells(cells: Ints, weight: Ints, group: Ints, groups: int) -> list[QualityCounts]:
    """Return the weights of the cells, added up in each group; cells are not negative."""
    width = int(cells.max(initial=0)) + 1
    distinct, inverse = np.unique(group * width + cells, return_inverse=True)
    total = np.zeros(len(distinct), np.int64)
    np.add.at(total, inverse, weight)
    distinct, total = distinct[total != 0], total[total != 0]
    bounds = np.searchsorted(distinct, np.arange(groups + 1) * width)
    return [
        QualityCounts(distinct[first:last] - k * width, total[first:last])
        for k, (first, last) in enumerate(pairwise(bounds.tolist()))
    ]


def share_estimate(
    name: str, value: float, variance: float, n: int, confidence: float
) -> EstimateReport:
    """Return the estimate of a metric from 0 to 1; NaN becomes ``None``.

    The interval is that of :func:`~detectors.quality.intervals.of_bounded`.
    """
    if not np.isfinite(value):
        return EstimateReport(name=name, value=None, low=None, high=None, n=n)
    inside = min(max(value, 0.0), 1.0)
    interval = of_bounded(inside, max(variance, 0.0), n, confidence)
    return EstimateReport(name=name, value=inside, low=interval.low, high=interval.high, n=n)


def loss_estimate(
    name: str, value: float, variance: float, n: int, confidence: float
) -> EstimateReport:
    """Return the estimate of a loss with a normal interval from 0; NaN becomes ``None``."""
    if not np.isfinite(value):
        return EstimateReport(name=name, value=None, low=None, high=None, n=n)
    reach = normal_quantile(confidence) * float(np.sqrt(max(variance, 0.0)))
    low = max(value - reach, 0.0)
    return EstimateReport(name=name, value=value, low=low, high=value + reach, n=n)
