"""Turns joined rows into labelled ones, and adds them to their quality panes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.quality.counts import QualityCounts
from detectors.quality.error_stream import errors_of
from detectors.quality.rows import LabelledRows
from stream.aggregation.quality_model import QualityModel
from stream.labels.join import JoinChange
from stream.labels.rows import Rows, is_untimed, taken


class PaneCounts(NamedTuple):
    """The counts of the labelled rows that a pane got, and their number (less those it lost)."""

    start_ms: int
    counts: QualityCounts
    labelled: int


def pane_counts(
    change: JoinChange, values: Floats, models: Mapping[int, QualityModel]
) -> Iterator[tuple[int, list[PaneCounts]]]:
    """Yield for each key the counts of the panes that a change touches.

    ``values`` has the meaning of each label, ``models`` the model of each key.
    """
    keys = change.predictions["key"]
    for key in np.unique(keys).tolist():
        of_key = np.flatnonzero(keys == key)
        rows = labelled_rows(change, values, of_key, models[key])
        starts, group = np.unique(change.predictions["time_ms"][of_key], return_inverse=True)
        counts = models[key].judged.problem.tally(rows, group, len(starts))
        labelled = np.zeros(len(starts), np.int64)
        np.add.at(labelled, group, rows.weight)
        yield key, list(map(PaneCounts, starts.tolist(), counts, labelled.tolist()))


def labelled_rows(
    change: JoinChange, values: Floats, chosen: Ints, model: QualityModel
) -> LabelledRows:
    """Return some rows of a change as columns."""
    predictions, labels = taken(change.predictions, chosen), taken(change.labels, chosen)
    return LabelledRows(
        prediction=_predicted(predictions, model),
        probability=predictions["value"].copy(),
        label=values[chosen],
        weight=change.weight[chosen],
        delay_ms=_delays(predictions, labels),
    )


def predicted_rows(predictions: Rows, model: QualityModel) -> LabelledRows:
    """Return predictions without labels as columns, for estimates."""
    nothing = np.zeros(len(predictions))
    return LabelledRows(
        prediction=_predicted(predictions, model),
        probability=predictions["value"].copy(),
        label=nothing,
        weight=np.ones(len(predictions), np.int64),
        delay_ms=nothing.astype(np.int64),
    )


class NewErrors(NamedTuple):
    """The errors of rows of one key that got their first label, and the starts of their panes."""

    key: int
    errors: Floats
    starts_ms: Ints


def new_errors(
    change: JoinChange, values: Floats, models: Mapping[int, QualityModel]
) -> Iterator[NewErrors]:
    """Yield the errors of the rows that got their first label, in the order of the label log.

    0 or 1 for classes, the absolute error for regression. A label that replaces another one is no
    new row. Labels that were read before their predictions follow when these are read.
    """
    lost = change.predictions["id"][change.weight < 0]
    order = np.lexsort(
        (change.labels["row"], change.labels["sequence"], change.labels["partition"])
    )
    fresh = (change.weight > 0) & ~np.isin(change.predictions["id"], lost)
    chosen = order[fresh[order]]
    keys = change.predictions["key"][chosen]
    for key in np.unique(keys).tolist():
        of_key = chosen[keys == key]
        rows = labelled_rows(change, values, of_key, models[key])
        errors = errors_of(rows, models[key].meaning.problem)
        yield NewErrors(key, errors, change.predictions["time_ms"][of_key])


def _predicted(predictions: Rows, model: QualityModel) -> Floats:
    if model.meaning.problem == "regression":
        return predictions["value"].copy()
    return predictions["code"].astype(np.float64)


def _delays(predictions: Rows, labels: Rows) -> Ints:
    """Return the delay of each label, 0 for one dated before its prediction, -1 without a time."""
    delay = np.maximum(labels["time_ms"] - predictions["time_ms"], 0)
    return np.where(is_untimed(labels["time_ms"]), -1, delay)
