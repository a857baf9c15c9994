"""Labels of a job: joins them with predictions, and keeps the quality of the predictions' windows.

No thread, no clock and no I/O: the result depends on the state and the items alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.decisions.quality_judge import QualityJudge
from detectors.errors import ErrorStateInvalid
from detectors.quality.error_stream import ErrorStream
from detectors.report import WindowReport
from stream.aggregation.closing import FOREVER_MS
from stream.aggregation.label_keys import MOST_KEYS, LabelKeys
from stream.aggregation.label_ledger import EXPIRED, LABELLED, TAKEN, WAITING
from stream.aggregation.label_log import (
    TOO_MANY_CLASSES,
    LabelLog,
    set_untimed,
    untimed_number,
)
from stream.aggregation.labelled_rows import (
    NewErrors,
    new_errors,
    pane_counts,
)
from stream.aggregation.ledger import add
from stream.aggregation.quality_model import LabelSettings, QualityModel
from stream.aggregation.quality_panes import QualityPanes
from stream.aggregation.quality_totals import QualityTotals
from stream.aggregation.quality_windows import QualityWindows
from stream.aggregation.state import JobState, LabelState, joined
from stream.aggregation.variants import NamedVariants
from stream.event_time import JobSettings
from stream.events import (
    Assign,
    DeadLetter,
    DeadLetters,
    DiscoveredPartition,
    ForgetQuality,
    Gap,
    ModelKey,
    OfLabels,
    Output,
    PartitionsExpired,
    Position,
    RestartJoin,
)
from stream.labels.classes import (
    MOST_CLASSES,
    UNKNOWN,
    ClassTable,
    LabelMeaning,
)
from stream.labels.join import OUTCOMES, Join, JoinChange
from stream.labels.rows import LabelRange, Predictions, Rows, taken
from stream.labels.store import JoinStore

DRIFT: Final = "baseline_drift_check"


DETAILS: Final = {
    TOO_MANY_CLASSES: f"more than {MOST_CLASSES:,} different texts came as labels",
    "row_count": "the label is of another number of rows than the event",
    "wrong_label_type": "the label is a text, and the model predicts a number",
    "unknown_class": "the label is none of the classes of the model",
    "model_removed": "the prediction came before the quality of its model was changed or removed",
}
"""The details of dead letters, by reason; they name no label."""


class LabelParts(NamedTuple):
    """What a job with labels has: the rule of its join, its models, and its stores.

    ``models`` are those whose quality is measured, by name. ``store`` and ``panes`` hold rows and
    counts; a commit writes them together with the state.
    """

    settings: LabelSettings
    models: Mapping[str, QualityModel]
    judge: QualityJudge
    store: JoinStore
    panes: QualityPanes


class Labels:
    """The part of the aggregator that deals with labels; it shares the job's state."""

    def __init__(
        self, settings: JobSettings, parts: LabelParts, state: JobState, variants: NamedVariants
    ) -> None:
        self._job = state
        self._state = state.labels = state.labels or LabelState()
        self._settings = settings
        self._slice_ms = parts.settings.slice_ms
        self._rule = parts.settings.rule
        self._models = parts.models
        self._totals = QualityTotals(parts.models, parts.panes, self._state.ledger)
        self._table = ClassTable(self._state.classes)
        self._table.reserve(name for model in self._models.values() for name in model.meaning.names)
        self._keys = LabelKeys(self._state, self._models, variants, self._table)
        self._meaning = LabelMeaning(self._keys.meanings, self._table)
        self.log = LabelLog(settings, self._state, self._table)
        self._join = Join(
            self._rule,
            self._slice_ms,
            parts.store,
            self._meaning,
            self._state.slices,
            self._state.partitions,
        )
        self._windows = QualityWindows(
            settings,
            state,
            self._state,
            parts.models,
            parts.judge,
            parts.panes,
            self._rule.horizon_ms,
        )
        self._windows.follow_baselines()

    def step(self, item: LabelRange | OfLabels | ForgetQuality | RestartJoin) -> list[Output]:
        """Process one item about labels."""
        match item:
            case LabelRange():
                return self._take_labels(item)
            case OfLabels():
                return self._of_log(item.item)
            case ForgetQuality():
                self.remove(item.model)
                return []
            case RestartJoin():
                return self.begin_anew()

    def _of_log(self, of: DiscoveredPartition | Gap | PartitionsExpired) -> list[Output]:
        if isinstance(of, DiscoveredPartition):
            return [*self.log.discover(of)]
        if isinstance(of, Gap):
            return [*self.log.skip(of)]
        self.log.expire(of.partitions)
        return []

    def resume(self) -> list[Assign]:
        """Assign all partitions from the committed positions, after a start."""
        return self.log.assign_all()

    def take_predictions(self, data: bytes) -> list[Output]:
        """Let the predictions of an accepted partial wait for labels; some have theirs already.

        Returns the dead letters of labels that waited for them and do not fit.
        """
        predictions = msgspec.msgpack.decode(data, type=Predictions)
        ledger = self._state.ledger
        add(ledger.untaken, predictions.untaken)
        rows = self._usable(predictions)
        if not len(rows):
            return []
        events = int((rows["row"] == 0).sum())
        add(ledger.predictions, {TAKEN: events, WAITING: events})
        ledger.rows_taken += len(rows)
        self._count_predictions(rows)
        change = self._join.take_predictions(rows)
        self._apply(change)
        letters = self._letters(change)
        return [DeadLetters(tuple(letters))] if letters else []

    def close(self, reports: Sequence[Output]) -> None:
        """Note which closed windows have drifted data."""
        for report in reports:
            if isinstance(report, WindowReport) and report.end_ms is not None:
                drifted = any(violation.check == DRIFT for violation in report.violations)
                if drifted and report.model in self._models:
                    key = ModelKey(report.model, report.variant)
                    self._windows.mark_drifted(key, report.end_ms)

    def advance(self) -> list[Output]:
        """Follow the watermarks: finish windows, and remove rows that nothing can match."""
        self.log.advance_watermark(self._job.watermark_ms)
        outputs = self._windows.finish()
        self._expire()
        return outputs

    def tick(self, now_ms: int) -> list[Output]:
        """Follow the clock: report windows that are due."""
        self.log.follow_clock(now_ms)
        return [*self.advance(), *self._windows.report_touched(now_ms)]

    def end(self) -> list[Output]:
        """Report all windows that changed, at the end of the input."""
        now_ms = self._state.log.now_ms or 0
        return [*self.advance(), *self._windows.report_touched(now_ms, everything=True)]

    def remove(self, model: str) -> None:
        """Stop joining the predictions of a model, and forget the quality of its windows."""
        self._keys.remove(model)
        self._windows.drop_model(model)

    def begin_anew(self) -> list[Output]:
        """Finish all windows, because panes had another length; nothing waits any more."""
        outputs = self._windows.drop_all()
        for kind in ("predictions", "labels"):
            self._note_expired(kind, self._join.expire(kind, FOREVER_MS))
        self._note_expired("labels", self._join.expire_untimed(FOREVER_MS))
        return outputs

    def _usable(self, predictions: Predictions) -> Rows:
        """Return the rows of a partial that may wait, with the numbers of the job."""
        rows = self._keys.numbered(predictions)
        unknown = (rows["code"] == UNKNOWN) & (rows["key"] != MOST_KEYS)
        if unknown.any():
            rows = self._without(rows, _of_events(rows, unknown), TOO_MANY_CLASSES)
        rows = self._without(rows, rows["key"] == MOST_KEYS, "too_many_variants")
        return self._without_told(self._without_settled(rows))

    def _without_settled(self, rows: Rows) -> Rows:
        """Return the rows of panes that may still change: the windows of others are final."""
        settled = self._job.settled_ms
        if settled is None:
            return rows
        late = rows["time_ms"] + self._settings.every_ms <= settled
        return self._without(rows, late, "late_after_idle")

    def _without_told(self, rows: Rows) -> Rows:
        """Return the rows of which a window may still be reported, after the join began anew."""
        if not self._state.begun_ms or not len(rows):
            return rows
        pairs, group = np.unique(rows[["key", "time_ms"]], return_inverse=True)
        told = [
            self._windows.is_told(self._keys.key(key).model, start) for key, start in pairs.tolist()
        ]
        return self._without(rows, np.array(told)[group], "window_final")

    def _without(self, rows: Rows, left_out: NDArray[np.bool_], reason: str) -> Rows:
        if left_out.any():
            events = int((rows["row"][left_out] == 0).sum())
            add(self._state.ledger.untaken, {reason: events})
            return taken(rows, ~left_out)
        return rows

    def _count_predictions(self, rows: Rows) -> None:
        """Count the predicted rows of each pane, for coverage and estimates."""
        for number in np.unique(rows["key"]).tolist():
            key = self._keys.key(number)
            starts = self._totals.add_predictions(key, taken(rows, rows["key"] == number))
            self._windows.touch(key, starts)

    def _take_labels(self, labels: LabelRange) -> list[Output]:
        numbered, assigns = self.log.accept(labels)
        outputs: list[Output] = [*assigns]
        if numbered is None:
            return outputs
        rows = numbered.rows
        letters = list(labels.letters)
        letters += [
            _letter(labels.partition, self._position(each, labels), TOO_MANY_CLASSES)
            for each in numbered.refused
        ]
        if len(rows):
            set_untimed(rows, untimed_number(self._job.watermark_ms, self._slice_ms))
            change = self._join.take_labels(rows)
            letters += self._letters(change, labels)
            self._apply(change)
        if letters:
            outputs.append(DeadLetters(tuple(letters)))
        return [*outputs, *self.advance()]

    def _apply(self, change: JoinChange) -> None:
        """Add what a change of the join means: to the ledger, the panes and the error streams."""
        ledger = self._state.ledger
        add(ledger.labels, change.outcomes)
        add(ledger.predictions, {LABELLED: change.labelled, WAITING: -change.labelled})
        if not len(change.predictions):
            return
        ledger.rows_labelled += int(change.weight.sum())
        values = self._meaning.values(change.predictions, change.labels)
        models = {key: self._models[self._keys.key(key).model] for key in self._live(change)}
        for number, tallied in pane_counts(change, values, models):
            key = self._keys.key(number)
            self._windows.touch(key, self._totals.add_labelled(key, tallied))
        if any(model.judged.config.error_detectors for model in models.values()):
            for found in new_errors(change, values, models):
                self._watch_errors(found)

    def _live(self, change: JoinChange) -> list[int]:
        return [int(key) for key in np.unique(change.predictions["key"])]

    def _watch_errors(self, found: NewErrors) -> None:
        key = self._keys.key(found.key)
        detectors = self._models[key.model].judged.config.error_detectors
        if not detectors:
            return
        name = joined(key)
        try:
            stream = ErrorStream(detectors, self._state.error_streams.get(name))
        except ErrorStateInvalid as error:
            stream = ErrorStream(detectors)
            self._windows.add_note(key, f"the detectors of the error began anew: {error}")
        changes = stream.update(found.errors)
        self._state.error_streams[name] = stream.state()
        if changes:
            dated = [(int(found.starts_ms[change.index]), change) for change in changes]
            self._state.changes.setdefault(name, []).extend(dated)

    def _expire(self) -> None:
        """Remove the slices that nothing can match any more, and count what never matched.

        A prediction is kept for ``early`` longer than a label or an event can come for it, since a
        label may belong to several events with one id, and has one outcome: it is exact if they are
        at most ``early`` apart. A label is kept for as long as a prediction that it may belong to.
        """
        known_ms, settled_ms = self._state.watermark_ms, self._job.settled_ms
        if known_ms is None or settled_ms is None:
            return
        rule = self._rule
        latest_ms = min(known_ms - rule.horizon_ms, settled_ms - self._settings.every_ms)
        before_ms = latest_ms - rule.early_ms
        self._note_expired("predictions", self._join.expire("predictions", before_ms))
        before_ms -= rule.early_ms + self._slice_ms
        self._note_expired("labels", self._join.expire("labels", before_ms))
        self._expire_untimed()

    def _expire_untimed(self) -> None:
        events_ms, first_ms = self._job.watermark_ms, self._state.first_mark_ms
        if events_ms is None or first_ms is None:
            return
        passed_ms = events_ms - self._rule.horizon_ms - self._rule.early_ms
        if passed_ms > first_ms:
            number = passed_ms // self._slice_ms
            self._note_expired("labels", self._join.expire_untimed(number))

    def _note_expired(self, kind: str, events: int) -> None:
        counts = self._state.ledger.labels if kind == "labels" else self._state.ledger.predictions
        if events:
            add(counts, {WAITING: -events, EXPIRED: events})

    def _letters(self, change: JoinChange, labels: LabelRange | None = None) -> list[DeadLetter]:
        """Return the dead letters of labels that do not fit; ``labels`` were read just now."""
        letters = []
        for row, reason in zip(change.rejected, change.reasons, strict=True):
            partition = self._state.partitions[row["partition"]]
            of_range = labels if labels is not None and labels.partition == partition else None
            position = self._position(int(row["sequence"]), of_range)
            letters.append(_letter(partition, position, OUTCOMES[reason]))
        return letters

    def _position(self, sequence: int, labels: LabelRange | None) -> Position:
        """Return the position of a label, of one that was read before the number of its record."""
        if labels is not None:
            first = self._state.sequences[labels.partition] - labels.read
            if sequence >= first:
                return labels.positions[sequence - first]
        return ("record", sequence)


def _letter(partition: str, position: Position, reason: str) -> DeadLetter:
    """Return the dead letter of a label that was refused once it was decoded."""
    return DeadLetter(
        partition=partition,
        position=position,
        reason=reason,
        length=0,
        sha256="",
        detail=DETAILS.get(reason, ""),
    )


def _of_events(rows: Rows, marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask of all rows of the events that have a marked row."""
    event = np.cumsum(rows["row"] == 0) - 1
    return np.isin(event, event[marked])
