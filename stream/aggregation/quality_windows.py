"""Quality windows: sums their panes, reports them as labels come, and finishes them.

A window is reported first when the data window closes, as ``awaiting labels``; it is judged once
enough of its labels are there, reported again while labels come, and final at the horizon.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.quality_judge import QualityJudge, QualitySpan
from detectors.quality.counts import QualityCounts
from detectors.quality.error_change import ErrorChange
from detectors.quality_report import EstimateSection
from stream.aggregation.closing import FOREVER_MS
from stream.aggregation.label_log import lost_labels
from stream.aggregation.quality_model import QualityModel
from stream.aggregation.quality_panes import QualityPane, QualityPaneId, QualityPanes
from stream.aggregation.state import JobState, LabelState, joined, split
from stream.event_time import JobSettings, window_ends, window_panes
from stream.events import ModelKey, Output

NEVER_MS: Final = -FOREVER_MS
"""Earlier than every time."""
UNRELIABLE: Final = "the data of this window has drifted: what the estimate assumes no longer holds"
OTHER_BASELINE: Final = (
    "this window closed before the quality baseline was changed: its limits are the new ones"
)

MOST_REVISIONS: Final = 100
"""The largest number of windows of a round that are reported at a time."""
ClosedWindow = tuple[int, ModelKey]
"""The end of a window, and its model and variant."""


class QualityWindows:
    """The part of the aggregator that deals with quality windows; it shares the job's state.

    ``models`` are those whose quality is measured, by name.
    """

    def __init__(
        self,
        settings: JobSettings,
        state: JobState,
        labels: LabelState,
        models: Mapping[str, QualityModel],
        judge: QualityJudge,
        panes: QualityPanes,
        horizon_ms: int,
    ) -> None:
        self._settings = settings
        self._state = state
        self._labels = labels
        self._models = models
        self._judge = judge
        self._panes = panes
        self._horizon_ms = horizon_ms
        self._once: dict[ModelKey, str] = {}
        self._round: list[ClosedWindow] = []
        self._fresh = {split(name): set(ends) for name, ends in labels.touched.items()}

    def follow_baselines(self) -> None:
        """Forget the verdicts under limits of another baseline; an open episode stays open."""
        for name, model in self._models.items():
            fingerprint = model.judged.fingerprint
            if self._labels.fingerprints.get(name, fingerprint) != fingerprint:
                self._forget_verdicts(name)
                self._labels.baselines_since_ms[name] = self._state.closed_ms or 0
            self._labels.fingerprints[name] = fingerprint

    def _forget_verdicts(self, model: str) -> None:
        episodes = self._labels.episodes
        for name in [name for name in episodes if split(name).model == model]:
            episodes[name] = msgspec.structs.replace(episodes[name], windows=(), recovered=None)

    def touch(self, key: ModelKey, panes_ms: Iterable[int]) -> None:
        """Note that panes have changed: their windows that are not final are to be told again."""
        after = self._told_ms(key.model)
        ends = {end for start in panes_ms for end in window_ends(start, self._settings)}
        ends = {end for end in ends if end > after}
        if not ends:
            return
        self._labels.touched.setdefault(joined(key), set()).update(ends)
        self._fresh.setdefault(key, set()).update(ends)

    def add_note(self, key: ModelKey, text: str) -> None:
        """Add a sentence to the next report on a model and variant."""
        self._once[key] = text

    def mark_drifted(self, key: ModelKey, end_ms: int) -> None:
        """Note that the data of a window has drifted, so that estimates are not reliable."""
        pane = self._last_pane(key, end_ms)
        content = self._panes.get(pane)
        if content is not None:
            content.drifted = True
            self._panes.put(pane, content)

    def report_touched(self, now_ms: int, everything: bool = False) -> list[Output]:
        """Report the closed windows that changed, as far as they are due, in order of their ends.

        Those that are due are: windows without a report, windows that may be judged for the first
        time, and all others in rounds, one every ``revise_every``. Each call goes on with
        ``MOST_REVISIONS`` windows of the round: while old labels are read quickly, most of the time
        is left for them. With ``everything`` all windows are due.
        """
        outputs: list[Output] = []
        due = dict.fromkeys([*self._old_enough(), *self._next_fresh()], False)
        due |= dict.fromkeys(self._next_of_round(now_ms, everything), True)
        for (end, key), revise in sorted(due.items()):
            outputs += self._report_if_due(key, end, revise)
        touched = {split(name): ends for name, ends in self._labels.touched.items()}
        self._round = [(end, key) for end, key in self._round if end in touched.get(key, ())]
        self._labels.touched = {name: ends for name, ends in self._labels.touched.items() if ends}
        return outputs

    def _old_enough(self) -> list[ClosedWindow]:
        """Return the windows with enough labels that have been too young to be judged until now."""
        return [
            (end, split(name))
            for name, ends in self._labels.too_young.items()
            if split(name).model in self._models
            for end in ends
            if self._is_old_enough(split(name), end)
        ]

    def _next_fresh(self) -> list[ClosedWindow]:
        """Return the closed windows that have changed since they were returned last."""
        found: list[ClosedWindow] = []
        fresh, self._fresh = self._fresh, {}
        for key, ends in fresh.items():
            if key.model in self._models:
                left = ends & self._labels.touched.get(joined(key), set())
                closed = {end for end in left if self._is_closed(end)}
                self._fresh[key] = left - closed
                found += [(end, key) for end in closed]
        return found

    def _next_of_round(self, now_ms: int, everything: bool) -> list[ClosedWindow]:
        """Return the next windows of the round; a new one begins once it is through."""
        if everything:
            self._round = self._closed_of(self._models)
        found = self._pop(everything)
        if not found:
            self._round = self._closed_of(self._due_for_revision(now_ms))
            found = self._pop(everything)
        return found

    def _closed_of(self, models: Collection[str]) -> list[ClosedWindow]:
        """Return the closed windows of some models that have changed, the latest first."""
        changed = ((split(name), ends) for name, ends in self._labels.touched.items())
        return sorted(
            [
                (end, key)
                for key, ends in changed
                if key.model in models
                for end in ends
                if self._is_closed(end)
            ],
            reverse=True,
        )

    def _pop(self, everything: bool) -> list[ClosedWindow]:
        """Remove the next windows from the round and return them."""
        first = 0 if everything else max(len(self._round) - MOST_REVISIONS, 0)
        found, self._round = self._round[first:], self._round[:first]
        return found

    def _due_for_revision(self, now_ms: int) -> list[str]:
        """Return the models whose windows are due for a revision, and note the time.

        They are once ``revise_every`` has passed, by the clock or by the time of the labels.
        """
        mark_ms = self._labels.watermark_ms or 0
        due = []
        for name, model in self._models.items():
            clock_ms, last_ms = self._labels.revised_ms.get(name, (now_ms, 0))
            is_due = max(now_ms - clock_ms, mark_ms - last_ms) >= model.revise_every_ms
            if is_due:
                due.append(name)
            if is_due or name not in self._labels.revised_ms:
                self._labels.revised_ms[name] = (now_ms, mark_ms)
        return due

    def finish(self) -> list[Output]:
        """Report the windows as final whose labels are all known, and drop their panes."""
        bound = self._final_bound()
        labels = self._labels
        if bound is None or (labels.finished_ms is not None and bound <= labels.finished_ms):
            return []
        outputs: list[Output] = []
        for key, end in sorted(self._ending_by(bound), key=lambda due: (due[1], due[0])):
            outputs += self._report(key, end, judge=True, final=True)
        for pane in list(self._panes.starting_before(bound - self._settings.window_ms + 1)):
            self._drop(pane)
        labels.finished_ms = bound
        return outputs

    def is_told(self, model: str, pane_ms: int) -> bool:
        """Return whether all windows over a pane were told before the join of its model began."""
        begun = self._labels.begun_ms.get(model)
        return begun is not None and max(window_ends(pane_ms, self._settings)) <= begun

    def _told_ms(self, model: str) -> int:
        """Return the end up to which no window of a model is reported any more."""
        finished = self._labels.finished_ms
        return max(
            NEVER_MS if finished is None else finished, self._labels.begun_ms.get(model, NEVER_MS)
        )

    def _begin(self, model: str) -> None:
        """Note that the windows which exist now are not reported any more."""
        ends = [
            max(window_ends(pane.start_ms, self._settings))
            for pane in self._panes.starting_before(FOREVER_MS)
            if pane.model == model
        ]
        if ends:
            self._labels.begun_ms[model] = max(*ends, self._told_ms(model))

    def drop_model(self, model: str) -> None:
        """Drop all panes of a model, and its episodes; its windows are not reported any more."""
        self._begin(model)
        for pane in list(self._panes.starting_before(FOREVER_MS)):
            if pane.model == model:
                self._drop(pane)
        labels = self._labels
        by_key: tuple[dict[str, Any], ...] = (
            labels.touched,
            labels.too_young,
            labels.episodes,
            labels.error_streams,
            labels.changes,
        )
        for known in by_key:
            for name in [name for name in known if split(name).model == model]:
                del known[name]
        self._fresh = {key: ends for key, ends in self._fresh.items() if key.model != model}
        self._round = [(end, key) for end, key in self._round if key.model != model]

    def drop_all(self) -> list[Output]:
        """Report all windows with predictions as final and drop them: panes had another length."""
        outputs: list[Output] = []
        for key, end in sorted(self._ending_by(FOREVER_MS), key=lambda due: (due[1], due[0])):
            if key.model in self._models:
                outputs += self._report(key, end, judge=True, final=True)
        panes = list(self._panes.starting_before(FOREVER_MS))
        for model in sorted({pane.model for pane in panes}):
            self._begin(model)
        for pane in panes:
            self._drop(pane)
        self._labels.touched.clear()
        self._labels.too_young.clear()
        self._fresh.clear()
        self._round.clear()
        return outputs

    def _is_closed(self, end_ms: int) -> bool:
        closed = self._state.closed_ms
        return closed is not None and end_ms <= closed

    def _final_bound(self) -> int | None:
        """Return the time up to which windows can no longer change."""
        known_ms, settled_ms = self._labels.watermark_ms, self._state.settled_ms
        if known_ms is None or settled_ms is None:
            return None
        bound = min(known_ms - self._horizon_ms, settled_ms)
        return bound // self._settings.every_ms * self._settings.every_ms

    def _ending_by(self, bound: int) -> Iterable[tuple[ModelKey, int]]:
        """Return the windows with predictions that end by a time and are not final yet."""
        due = {
            (pane.key, end)
            for pane in self._panes.starting_before(bound)
            if pane.model in self._models
            for end in window_ends(pane.start_ms, self._settings)
            if self._told_ms(pane.model) < end <= bound
        }
        return {(key, end) for key, end in due if self._predictions(key, end)}

    def _report_if_due(self, key: ModelKey, end_ms: int, revise: bool) -> list[Output]:
        last = self._panes.get(self._last_pane(key, end_ms))
        first = last is None or last.revision < 0
        judge = (last is not None and last.judged) or self._may_judge(key, end_ms)
        if not (first or revise or (judge and last is not None and not last.judged)):
            return []
        if not self._predictions(key, end_ms):
            self._labels.touched.get(joined(key), set()).discard(end_ms)
            return []
        return self._report(key, end_ms, judge=judge, final=False)

    def _may_judge(self, key: ModelKey, end_ms: int) -> bool:
        return self._is_old_enough(key, end_ms) and self._is_covered(key, end_ms)

    def _is_old_enough(self, key: ModelKey, end_ms: int) -> bool:
        now_ms = self._state.watermark_ms
        return now_ms is not None and now_ms >= end_ms + self._models[key.model].judge_after_ms

    def _is_covered(self, key: ModelKey, end_ms: int) -> bool:
        total, labelled = self._totals(key, end_ms)
        coverage = self._models[key.model].judged.config.judge_at.coverage
        return labelled >= coverage * total and labelled > 0

    def _report(self, key: ModelKey, end_ms: int, judge: bool, final: bool) -> list[Output]:
        """Report a window; a verdict moves the episodes, which may raise signals."""
        name, pane_id = joined(key), self._last_pane(key, end_ms)
        pane = self._panes.get(pane_id) or QualityPane()
        predictions, labelled = self._totals(key, end_ms)
        tells = judge and labelled >= self._judge.rules.min_n and self._is_newest(name, end_ms)
        span = QualitySpan(
            model=key.model,
            variant=key.variant,
            start_ms=end_ms - self._settings.window_ms,
            end_ms=end_ms,
            revision=pane.revision + 1,
            predictions=predictions,
            labelled=labelled,
            judge=judge,
            final=final,
            labels_until_ms=self._labels.watermark_ms,
            notes=self._notes(key, end_ms),
            estimates=None if judge else self._estimates(key, end_ms, pane),
            changes=self._changes_before(name, end_ms) if tells else (),
        )
        report = self._judge.report(span, self._counts(key, end_ms), self._names(key.model))
        pane.revision += 1
        pane.judged |= judge
        self._panes.put(pane_id, pane)
        self._settle(name, key, end_ms, judge)
        if not judge:
            return [report]
        episodes = self._labels.episodes.get(name, EpisodeState())
        self._labels.episodes[name], signals = self._judge.advance(episodes, report)
        return [report, *signals]

    def _changes_before(self, name: str, end_ms: int) -> tuple[ErrorChange, ...]:
        """Return the changes of the error that were found in predictions before a time, once."""
        dated = self._labels.changes.get(name, [])
        later = [(start, change) for start, change in dated if start >= end_ms]
        self._labels.changes[name] = later
        return tuple(change for start, change in dated if start < end_ms)

    def _is_newest(self, name: str, end_ms: int) -> bool:
        """Return whether no later window has a verdict: only such a one can raise a signal."""
        windows = self._labels.episodes.get(name, EpisodeState()).windows
        return not windows or windows[-1].end_ms <= end_ms

    def _settle(self, name: str, key: ModelKey, end_ms: int, judge: bool) -> None:
        """Note that a window was reported, and whether only its age delays its verdict."""
        self._labels.touched.get(name, set()).discard(end_ms)
        too_young = self._labels.too_young.setdefault(name, set())
        too_young.discard(end_ms)
        if not judge and self._is_covered(key, end_ms):
            too_young.add(end_ms)

    def _estimates(self, key: ModelKey, end_ms: int, last: QualityPane) -> EstimateSection | None:
        model = self._models[key.model]
        if model.estimator is None:
            return None
        panes = self._of_window(key, end_ms)
        if any(p.predictions and p.estimator != model.judged.fingerprint for p in panes):
            return None
        total = QualityCounts.total([pane.predicted for pane in panes])
        names, confidence = self._names(key.model), self._judge.confidence(key.model)
        section = model.estimator.estimate(total, names, confidence)
        if not last.drifted:
            return section
        return EstimateSection(
            method=section.method, metrics=section.metrics, reliable=False, warning=UNRELIABLE
        )

    def _notes(self, key: ModelKey, end_ms: int) -> tuple[str, ...]:
        """Return the reasons why labels of a window may be missing, and what is told once."""
        once = self._once.pop(key, "")
        since_ms = self._labels.baselines_since_ms.get(key.model, end_ms - 1)
        lost = lost_labels(self._labels.log, end_ms - self._settings.window_ms)
        notes = [*lost, once, OTHER_BASELINE if end_ms <= since_ms else ""]
        return tuple(note for note in notes if note)

    def _names(self, model: str) -> list[str] | tuple[str, ...]:
        meaning = self._models[model].meaning
        if meaning.problem == "binary":
            return (meaning.negative, meaning.positive)
        return self._labels.classes

    def _counts(self, key: ModelKey, end_ms: int) -> QualityCounts:
        parts = [pane.counts for pane in self._of_window(key, end_ms)]
        return self._models[key.model].judged.problem.merge(parts)

    def _totals(self, key: ModelKey, end_ms: int) -> tuple[int, int]:
        """Return the predicted rows of a window, and those with a label."""
        panes = self._of_window(key, end_ms)
        return sum(pane.predictions for pane in panes), sum(pane.labelled for pane in panes)

    def _predictions(self, key: ModelKey, end_ms: int) -> int:
        return self._totals(key, end_ms)[0]

    def _of_window(self, key: ModelKey, end_ms: int) -> list[QualityPane]:
        panes = [
            self._panes.get(QualityPaneId(*key, start))
            for start in window_panes(end_ms, self._settings)
        ]
        return [pane for pane in panes if pane is not None]

    def _last_pane(self, key: ModelKey, end_ms: int) -> QualityPaneId:
        return QualityPaneId(*key, end_ms - self._settings.every_ms)

    def _drop(self, pane: QualityPaneId) -> None:
        content = self._panes.get(pane)
        if content is not None:
            ledger = self._labels.ledger
            ledger.rows_in_panes -= content.predictions
            ledger.rows_closed += content.predictions
            ledger.labelled_in_panes -= content.labelled
            ledger.labelled_closed += content.labelled
            self._panes.drop(pane)
