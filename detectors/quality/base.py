"""The contract of a problem: labelled rows become counts, counts become metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from detectors.arrays import Ints
from detectors.quality.counts import QualityCounts
from detectors.quality.rows import LabelledRows


class Metric(NamedTuple):
    """One metric of some rows.

    ``value`` is ``None`` where the metric is undefined, with the ``reason``. ``low`` and ``high``
    are the ends of its confidence interval, ``standard_error`` is its sampling error, all ``None``
    where they are unknown. ``n`` is the number of rows that it was computed from. ``larger_is``
    says which direction is good.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    n: int
    larger_is: str = "better"
    reason: str = ""


class Measured(NamedTuple):
    """All metrics of some rows.

    ``confusion`` maps the true class to the predicted ones and their counts, by name; empty for
    regression. ``per_class`` has precision, recall and F-scores of each class of a multiclass
    problem. ``delay_s`` has quantiles of the delay of the labels, by name (``p50``, ``p95``).
    ``notes`` say which rows are in no metric.
    """

    rows: int
    metrics: tuple[Metric, ...]
    confusion: Mapping[str, Mapping[str, int]]
    per_class: Mapping[str, Mapping[str, float | None]]
    delay_s: Mapping[str, float]
    notes: tuple[str, ...] = ()


class QualityProblem(Protocol):
    """One kind of problem with its parameters; holds no state."""

    def tally(self, rows: LabelledRows, group: Ints, groups: int) -> list[QualityCounts]:
        """Return the counts of each group; ``group`` has a number below ``groups`` for each row."""

    def merge(self, parts: Sequence[QualityCounts]) -> QualityCounts:
        """Return the sum of some counts, custom metrics included; empty for no parts."""

    def measure(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> Measured:
        """Return the metrics; ``class_names[code]`` is the name of a class.

        ``confidence`` is that of the intervals, such as 0.999.
        """
