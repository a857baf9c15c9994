"""Faults planted into the join and the quality windows, to show that the schedules find them."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.aggregation.label_log import LabelLog, NumberedLabels
from stream.aggregation.labels import Labels
from stream.aggregation.partitions import Partitions
from stream.aggregation.quality_windows import QualityWindows
from stream.aggregation.state import JobState, LabelState
from stream.event_time import JobSettings
from stream.events import Assign, CoveredRange, ModelKey, Output
from stream.labels import resolve
from stream.labels.classes import ClassTable
from stream.labels.join import Join
from stream.labels.rows import LabelRange
from stream.labels.store import Kind
from tests.simulation.owner import Committed, LabelStores, Owner
from tests.simulation.planted import Patch, Plant


def counts_refused_ranges(patch: Patch) -> None:
    """A range that is refused is joined all the same, and again when it is read again."""
    accept = LabelLog.accept

    def accept_rows(
        self: LabelLog, labels: LabelRange
    ) -> tuple[NumberedLabels | None, list[Assign]]:
        rows, assigns = accept(self, labels)
        return (self._numbered(labels) if rows is None else rows), assigns

    patch.setattr(LabelLog, "accept", accept_rows)


def accepts_label_ranges_anywhere(patch: Patch) -> None:
    expects = Partitions.expects

    def expects_any(self: Partitions, cover: CoveredRange) -> bool:
        if isinstance(self._state, JobState):
            return expects(self, cover)
        return cover.partition in self._state.partitions

    patch.setattr(Partitions, "expects", expects_any)


def rows_outlive_their_transaction(patch: Patch) -> None:
    """Labels reach the store before the commit, so that a restart reads them a second time."""
    patch.setattr(LabelStores, "copy", lambda self: self)


def loses_waiting_predictions(patch: Patch) -> None:
    def restore(self: Owner, committed: Committed) -> LabelStores:
        stores = committed.labels.copy()
        for slice_ in stores.joins.slices():
            if slice_.kind == "predictions":
                kept = stores.joins._rows[slice_][:-1]
                stores.joins._rows[slice_] = kept
        return stores

    patch.setattr(Owner, "restore_labels", restore)


def forgets_quality_panes(patch: Patch) -> None:
    def restore(self: Owner, committed: Committed) -> LabelStores:
        return committed.labels.copy()._replace(panes=type(committed.labels.panes)())

    patch.setattr(Owner, "restore_labels", restore)


def repeats_revisions(patch: Patch) -> None:
    report = QualityWindows._report

    def report_again(
        self: QualityWindows, key: ModelKey, end_ms: int, judge: bool, final: bool
    ) -> list[Output]:
        pane_id = self._last_pane(key, end_ms)
        pane = self._panes.get(pane_id)
        if pane is not None and pane.revision >= 0:
            pane.revision -= 1
            self._panes.put(pane_id, pane)
        return report(self, key, end_ms, judge, final)

    patch.setattr(QualityWindows, "_report", report_again)


def expires_by_the_clock(patch: Patch) -> None:
    advance = LabelLog.advance_watermark

    def advance_with_clock(self: LabelLog, events_ms: int | None) -> None:
        advance(self, events_ms)
        known_ms, now_ms = self._state.watermark_ms, self._state.log.now_ms
        if known_ms is not None and now_ms is not None:
            self._state.watermark_ms = max(known_ms, now_ms)

    patch.setattr(LabelLog, "advance_watermark", advance_with_clock)


def drops_early(kind: Kind, by_slices: int) -> Plant:
    expire = Join.expire

    def expire_early(self: Join, of_kind: Kind, before_ms: int) -> int:
        early_ms = by_slices * self._slice_ms if of_kind == kind else 0
        return expire(self, of_kind, before_ms + early_ms)

    return lambda patch: patch.setattr(Join, "expire", expire_early)


def expires_without_events(patch: Patch) -> None:
    """Predictions expire by the labels alone, though another event with their id may come."""
    expire = Labels._expire

    def expire_by_labels(self: Labels) -> None:
        known_ms = self._state.watermark_ms
        if known_ms is not None:
            due_ms = known_ms - self._rule.horizon_ms
            self._note_expired("predictions", self._join.expire("predictions", due_ms))
        expire(self)

    patch.setattr(Labels, "_expire", expire_by_labels)


def last_by_arrival(patch: Patch) -> None:
    def ranks(labels: NDArray[np.void]) -> Ints:
        order: Ints = np.arange(len(labels))
        return order

    patch.setattr(resolve, "_ranks", ranks)


def partitions_by_arrival(patch: Patch) -> None:
    """Labels of the same time are ordered by which partition was read first."""
    init = Join.__init__

    def without_names(self: Join, *parts: object) -> None:
        init(self, *parts[:5])  # type: ignore[arg-type]

    patch.setattr(Join, "__init__", without_names)


def reports_after_final(patch: Patch) -> None:
    drop = QualityWindows._report_if_due

    def report(self: QualityWindows, key: ModelKey, end_ms: int, revise: bool) -> list[Output]:
        return [*drop(self, key, end_ms, revise), *self._report(key, end_ms, True, True)]

    patch.setattr(QualityWindows, "_report_if_due", report)


CHAOS: dict[str, Plant] = {
    "a label counts again when a refused range is read again": counts_refused_ranges,
    "a range of labels is accepted at any position": accepts_label_ranges_anywhere,
    "a label counts again after a restart": rows_outlive_their_transaction,
    "a waiting prediction is lost at a restart": loses_waiting_predictions,
    "a restart forgets the quality panes": forgets_quality_panes,
    "a quality revision repeats the number of the previous one": repeats_revisions,
    "a quality window is final and then reported again": reports_after_final,
    "predictions expire by the clock": expires_by_the_clock,
    "a slice of labels is dropped too early": drops_early("labels", 4),
    "a slice of predictions is dropped too early": drops_early("predictions", 4),
    "predictions expire although their events may come again": expires_without_events,
    "the last label is the one that arrived last": last_by_arrival,
    "partitions of labels are ordered by arrival": partitions_by_arrival,
}


def idle_without_delay(patch: Patch) -> None:
    init = LabelLog.__init__

    def without_delay(
        self: LabelLog, settings: JobSettings, state: LabelState, table: ClassTable
    ) -> None:
        init(self, settings, state, table)
        self._settings = replace(settings, idle_ms=0)

    patch.setattr(LabelLog, "__init__", without_delay)


def silence_keeps_waiting(patch: Patch) -> None:
    advance = LabelLog.advance_watermark

    def advance_alone(self: LabelLog, events_ms: int | None) -> None:
        if any(partition.mark_ms is not None for partition in self._state.log.partitions.values()):
            advance(self, events_ms)

    patch.setattr(LabelLog, "advance_watermark", advance_alone)


LIVE: dict[str, Plant] = {
    "predictions expire by the clock": expires_by_the_clock,
    "an idle partition of labels does not delay their watermark": idle_without_delay,
    "predictions wait for ever for labels that are silent": silence_keeps_waiting,
}
