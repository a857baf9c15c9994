"""Adds predictions and labelled rows to the quality panes of their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detectors.quality.counts import QualityCounts
from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.labelled_rows import PaneCounts, predicted_rows
from stream.aggregation.quality_model import QualityModel
from stream.aggregation.quality_panes import QualityPane, QualityPaneId, QualityPanes
from stream.events import ModelKey
from stream.labels.rows import Rows


class QualityTotals:
    """The totals of quality panes, and their sums in the label ledger.

    Each method returns the starts of the panes that it has changed.
    """

    def __init__(
        self, models: Mapping[str, QualityModel], panes: QualityPanes, ledger: LabelLedger
    ) -> None:
        self._models = models
        self._panes = panes
        self._ledger = ledger

    def add_predictions(self, key: ModelKey, rows: Rows) -> list[int]:
        """Count the predicted rows of each pane, and tally them if the model has estimates."""
        times_ms, group, counts = np.unique(
            rows["time_ms"], return_inverse=True, return_counts=True
        )
        starts: list[int] = times_ms.tolist()
        model = self._models[key.model]
        tallies: Sequence[QualityCounts | None] = [None] * len(starts)
        if model.estimator is not None:
            columns = predicted_rows(rows, model)
            tallies = model.estimator.tally_predictions(columns, group, len(starts))
        for start, count, tally in zip(starts, counts.tolist(), tallies, strict=True):
            pane_id = QualityPaneId(*key, start)
            pane = self._panes.get(pane_id) or QualityPane()
            pane.predictions += count
            if tally is not None:
                _add_predicted(pane, tally, count, model.judged.fingerprint)
            self._panes.put(pane_id, pane)
        self._ledger.rows_in_panes += len(rows)
        return starts

    def add_labelled(self, key: ModelKey, tallied: Sequence[PaneCounts]) -> list[int]:
        """Add the counts of labelled rows to their panes."""
        problem = self._models[key.model].judged.problem
        for start, counts, labelled in tallied:
            pane_id = QualityPaneId(*key, start)
            pane = self._panes.get(pane_id) or QualityPane()
            pane.counts = problem.merge([pane.counts, counts])
            pane.labelled += labelled
            self._panes.put(pane_id, pane)
        self._ledger.labelled_in_panes += sum(each.labelled for each in tallied)
        return [each.start_ms for each in tallied]


def _add_predicted(pane: QualityPane, tally: QualityCounts, rows: int, fingerprint: str) -> None:
    """Add the tally of the latest ``rows`` of a pane; it is lost if a baseline counted others."""
    if pane.predictions == rows:
        pane.estimator = fingerprint
    if pane.estimator == fingerprint:
        pane.predicted = pane.predicted.plus(tally)
    else:
        pane.estimator, pane.predicted = "", QualityCounts()
