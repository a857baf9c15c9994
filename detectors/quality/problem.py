"""The problem of a configuration, ready to count and to measure."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.arrays import Floats
from detectors.faults import Fault
from detectors.quality.base import QualityProblem
from detectors.quality.binary import BinaryQuality
from detectors.quality.config import QualityConfig
from detectors.quality.custom import CustomMetricInvalid, CustomMetrics, metric_class
from detectors.quality.multiclass import MulticlassQuality
from detectors.quality.regression import RegressionQuality
from detectors.quality.score_grid import ScoreGrid, fixed_grid


def problem_of(config: QualityConfig, score_edges: Floats | None = None) -> QualityProblem:
    """Return the problem that a configuration describes.

    ``score_edges`` are the bins of a binary problem's scores, from the baseline
    (:func:`~detectors.quality.score_grid.quantile_edges`); without them, or with none, the fixed
    grid has the bins. Raises :class:`~detectors.quality.custom.CustomMetricInvalid` for a custom
    metric that cannot be used, ``ValueError`` for edges that are not increasing.
    """
    classes = {name: metric_class(name, path) for name, path in config.custom.items()}
    custom = CustomMetrics(classes)
    if config.problem == "regression":
        return RegressionQuality(custom)
    if config.problem == "multiclass":
        return MulticlassQuality(custom)
    if score_edges is None or not len(score_edges):
        return BinaryQuality(fixed_grid(), custom)
    return BinaryQuality(ScoreGrid.of_edges(score_edges), custom)


def custom_faults(config: QualityConfig) -> Iterator[Fault]:
    """Return a fault for each custom metric that cannot be used."""
    for name, path in config.custom.items():
        try:
            metric_class(name, path)
        except CustomMetricInvalid as error:
            yield Fault(f"custom.{name}", f"{path}: {error.reason}")
