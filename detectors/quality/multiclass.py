"""Metrics of classifiers with any number of classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.base import Measured, Metric
from detectors.quality.cells import (
    CODE_BITS,
    CONFUSION,
    EXCLUDED,
    CellTable,
    delay_entries,
    delay_quantiles_s,
    entries,
    is_code,
    tallied,
)
from detectors.quality.counts import QualityCounts
from detectors.quality.custom import CustomMetrics
from detectors.quality.f_score import BETAS
from detectors.quality.intervals import defined, of_bounded, of_share, undefined
from detectors.quality.rows import LabelledRows

MOST_CLASSES: Final = 1 << CODE_BITS
WEIGHTED: Final = (
    "weighted_recall",
    "weighted_precision",
    "weighted_f0_5",
    "weighted_f1",
    "weighted_f2",
)
CONSTANT: Final = "_best_constant_classifier"


class ConfusionCells(NamedTuple):
    """The cells of a confusion matrix that have rows, and their sums by class.

    ``classes`` are the codes that occur, in order; ``label`` and ``prediction`` are places in it,
    ``rows`` the counts of the cells. By class, ``hits`` are the rows that were predicted as it and
    are it, ``labelled`` all that are it, ``predicted`` all that were predicted as it.
    """

    classes: Ints
    label: Ints
    prediction: Ints
    rows: Floats
    hits: Floats
    labelled: Floats
    predicted: Floats


def _added_up(places: Ints, amounts: Floats, count: int) -> Floats:
    return np.bincount(places, amounts, count).astype(np.float64)


class MulticlassQuality:
    """A problem of any number of classes, whose codes are below ``MOST_CLASSES``.

    Rows whose prediction or label is no code are in no metric. Scores are not used.
    """

    def __init__(self, custom: CustomMetrics) -> None:
        self._custom = custom

    def tally(self, rows: LabelledRows, group: Ints, groups: int) -> list[QualityCounts]:
        """Return the counts of each group; ``group`` has a number below ``groups`` for each row."""
        known = is_code(rows.prediction, MOST_CLASSES) & is_code(rows.label, MOST_CLASSES)
        excluded = entries(EXCLUDED, group[~known], 0, rows.weight[~known])
        kept = rows.where(known)
        label, predicted = kept.label.astype(np.int64), kept.prediction.astype(np.int64)
        parts = [
            excluded,
            entries(CONFUSION, group[known], (label << CODE_BITS) + predicted, kept.weight),
            delay_entries(group[known], kept.delay_ms, kept.weight),
        ]
        return self._custom.tallied(tallied(parts, {}, groups), kept, group[known])

    def merge(self, parts: Sequence[QualityCounts]) -> QualityCounts:
        """Return the sum of some counts, custom metrics included; empty for no parts."""
        return self._custom.merged(QualityCounts.total(parts), parts)

    def measure(
        self, counts: QualityCounts, class_names: Sequence[str], confidence: float
    ) -> Measured:
        """Return the metrics; ``class_names[code]`` is the name of a class."""
        table = CellTable(counts)
        cells = _cells(table)
        names = [_name(code, class_names) for code in cells.classes.tolist()]
        n = int(cells.rows.sum())
        metrics = (
            *_all_metrics(cells, confidence),
            *_best_constant(cells, names, confidence),
            *self._custom.metrics(counts.custom, n),
        )
        matrix: dict[str, dict[str, int]] = {}
        of_cells = (cells.label.tolist(), cells.prediction.tolist(), cells.rows.tolist())
        for label, prediction, rows in zip(*of_cells, strict=True):
            matrix.setdefault(names[label], {})[names[prediction]] = int(rows)
        return Measured(n, metrics, matrix, _per_class(cells, names), delay_quantiles_s(table))


def _name(code: int, class_names: Sequence[str]) -> str:
    return class_names[code] if code < len(class_names) else str(code)


def _cells(table: CellTable) -> ConfusionCells:
    body, counts = table.of(CONFUSION)
    return _placed(body >> CODE_BITS, body & (MOST_CLASSES - 1), counts)


def _placed(label: Ints, prediction: Ints, counts: Ints) -> ConfusionCells:
    classes, places = np.unique(np.concatenate([label, prediction]), return_inverse=True)
    label, prediction = places[: len(label)], places[len(label) :]
    rows = counts.astype(np.float64)
    return ConfusionCells(
        classes,
        label,
        prediction,
        rows,
        _added_up(label, rows * (label == prediction), len(classes)),
        _added_up(label, rows, len(classes)),
        _added_up(prediction, rows, len(classes)),
    )


def _all_metrics(cells: ConfusionCells, confidence: float, suffix: str = "") -> Iterator[Metric]:
    """Return accuracy with Wilson's interval, and the means over classes weighted by their labels.

    A class that is never predicted has no precision; it counts as 0 in the weighted mean, as in
    SageMaker Model Monitor. Weighted recall is the accuracy. The intervals of the others are
    Wilson's for the variance of the delta method.
    """
    n = int(cells.rows.sum())
    if not n:
        for name in ("accuracy", *WEIGHTED):
            yield undefined(name + suffix, 0, "no labels")
        return
    accuracy = float(cells.hits.sum()) / n
    interval = of_share(accuracy, n, confidence)
    yield defined("accuracy" + suffix, accuracy, interval, n)
    yield defined("weighted_recall" + suffix, accuracy, interval, n)
    for name, beta in {"precision": 0.0, **BETAS}.items():
        value, variance = weighted_score(cells, beta)
        limits = of_bounded(value, variance, n, confidence)
        yield defined(f"weighted_{name}{suffix}", value, limits, n)


def weighted_score(cells: ConfusionCells, beta: float) -> tuple[float, float]:
    """Return the weighted F-score for ``beta``, 0 for precision, and its sampling variance.

    ``sum(n[c] F[c]) / n`` with ``F = (1 + b^2) TP / (b^2 n[c] + p[c])`` for n[c] labels and p[c]
    predictions of a class. By the delta method for multinomial counts x and a ratio M that does
    not change with their scale, the variance is ``sum(x[i] (dM/dx[i])**2)``. Source: as for
    :func:`~detectors.quality.f_score.f_variance`.
    """
    square = beta**2
    weight = 1 + square
    hits, labelled = cells.hits, cells.labelled
    whole = np.maximum(square * labelled + cells.predicted, 1e-9)
    score = weight * hits / whole
    n = float(cells.rows.sum())
    value = min(float(labelled @ score) / n, 1.0)  # the sum is rounded
    by_prediction = -labelled * score / whole
    by_label = score + square * by_prediction
    slope = by_label[cells.label] + by_prediction[cells.prediction] - value
    slope += np.where(cells.label == cells.prediction, (labelled * weight / whole)[cells.label], 0)
    return value, float(cells.rows @ (slope / n) ** 2)


def _best_constant(
    cells: ConfusionCells, names: Sequence[str], confidence: float
) -> Iterator[Metric]:
    """Return the metrics of a classifier that always answers the class with the most labels.

    Among several of the same size it answers the first by name.
    """
    labelled = cells.labelled
    order = sorted(range(len(names)), key=lambda place: (-labelled[place], names[place]))
    answer = np.full(len(cells.rows), cells.classes[order[0]] if order else 0)
    constant = _placed(cells.classes[cells.label], answer, cells.rows.astype(np.int64))
    yield from _all_metrics(constant, confidence, CONSTANT)


def _per_class(
    cells: ConfusionCells, names: Sequence[str]
) -> Mapping[str, Mapping[str, float | None]]:
    """Return precision, recall and F-scores by class; ``None`` where there is 0/0."""
    found: dict[str, dict[str, float | None]] = {}
    columns = (cells.hits.tolist(), cells.labelled.tolist(), cells.predicted.tolist())
    for name, hits, labelled, predicted in zip(names, *columns, strict=True):
        found[name] = {
            "precision": hits / predicted if predicted else None,
            "recall": hits / labelled if labelled else None,
        }
        for score, beta in BETAS.items():
            weight = 1 + beta**2
            found[name][score] = weight * hits / (beta**2 * labelled + predicted)
    return found
