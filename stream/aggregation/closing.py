"""Closes windows: sums their panes, reports them in order of time, and drops settled panes.

Also reports revisions of closed windows, and silences of models.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec

from detectors.decisions.early_episodes import follow
from detectors.decisions.empty_windows import EmptyWindows
from detectors.decisions.evidence.window_evidence import Memory
from detectors.decisions.judge import Judge
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import tally_layout
from stream.aggregation.histories import HistoryStore, segments_key
from stream.aggregation.missing_records import missing_reasons
from stream.aggregation.panes import PaneId, PaneStore
from stream.aggregation.row_expectation import expectation, forget, learn, learn_silence
from stream.aggregation.season_learning import SeasonLearning
from stream.aggregation.silences import Silences
from stream.aggregation.state import JobState, KeyState
from stream.event_time import JobSettings, window_ends, window_panes
from stream.events import ModelKey, Output, SeasonsLearned, WidthMismatches

FOREVER_MS = 1 << 62
"""Later than every time."""
Keep = Callable[[ModelKey, int, Profile | None, WidthMismatches], None]
"""Takes the counts of a pane: of a model and variant, by its start."""


class WindowCloser:
    """The part of the aggregator that deals with windows; it shares the aggregator's state.

    A window closes once, when the watermark reaches its end, if one of its panes has events, or if
    conditions may be met without any. Late events that are accepted afterwards lead to a revision
    at the next tick. Only revision 0, in order of time, moves the episodes and enters the history.
    """

    def __init__(
        self,
        settings: JobSettings,
        judge: Judge,
        state: JobState,
        panes: PaneStore,
        histories: HistoryStore,
        seasons: SeasonLearning,
        baselines: dict[str, Baseline],
    ) -> None:
        self.baselines = seasons.applied(baselines)
        self._seasons = seasons
        self._settings = settings
        self._judge = judge
        self._state = state
        self._panes = panes
        self._histories = histories
        self._silences = Silences(settings, judge, state)
        self._empty = EmptyWindows(judge)
        self._starts: dict[ModelKey, set[int]] = {
            key: set(key_state.width_mismatches)
            for key, key_state in state.known()
            if key.model in baselines
        }
        for pane in panes.ids():
            if pane.model in baselines:
                self.add_pane(pane.key, pane.start_ms)

    def monitored(self) -> list[ModelKey]:
        """Return the models and variants that are monitored and ever had events, in order."""
        return sorted(self._starts)

    def held(self, key: ModelKey) -> Collection[int]:
        """Return the starts of the panes that have events and are not dropped."""
        return self._starts.get(key, frozenset())

    def profile(self, key: ModelKey, start_ms: int) -> Profile | None:
        """Return the counts of a pane; ``None`` if it has no rows."""
        return self._panes.get(self._pane(key, start_ms))

    def add_pane(self, key: ModelKey, start_ms: int) -> None:
        """Note that a pane has events."""
        self._starts.setdefault(key, set()).add(start_ms)
        key_state = self._state.key_state(key)
        first_ms = key_state.active_until_ms
        if first_ms is None or self._is_first(key, start_ms, first_ms):
            key_state.active_until_ms = start_ms

    def _is_first(self, key: ModelKey, start_ms: int, first_ms: int) -> bool:
        """Whether a pane is earlier than the first one so far, of which no window is closed yet."""
        since_ms = self._state.models[key.model].incomplete_before_ms
        bounds = [bound for bound in (self._state.closed_ms, since_ms) if bound is not None]
        return max(bounds, default=start_ms) <= start_ms < first_ms

    def add_width_mismatches(
        self, key: ModelKey, start_ms: int, mismatches: WidthMismatches
    ) -> None:
        """Count records of a pane that have a wrong width.

        The windows of the pane report them, even if they contain nothing else.
        """
        counted = self._state.key_state(key).width_mismatches
        counted[start_ms] = counted.get(start_ms, WidthMismatches()).plus(mismatches)
        self.add_pane(key, start_ms)

    def close_up_to(self, watermark_ms: int) -> list[Output]:
        """Close the windows that end at or before the watermark, and report silences up to it."""
        every = self._settings.every_ms
        closed = self._state.closed_ms
        boundary = watermark_ms // every * every
        if closed is not None and boundary <= closed:
            return []
        outputs: list[Output] = []
        for end, key in self._due(closed, boundary):
            outputs += self._close(key, end)
        self._state.closed_ms = boundary
        for key in sorted(self._starts):
            outputs += self._silences.report(key, self._starts[key], boundary)
        return outputs

    def close_all(self) -> list[Output]:
        """Close all windows that have events, at the end of the input."""
        state = self._state
        window_ms = self._settings.window_ms
        ends = [max(starts) + window_ms for starts in self._starts.values() if starts]
        if not ends:
            return []
        outputs: list[Output] = []
        for end, key in self._due(state.closed_ms, max(ends), at_end=True):
            outputs += self._close(key, end)
        for key, starts in sorted(self._starts.items()):
            outputs += self._silences.report(key, starts)
        state.closed_ms = max(*ends, state.closed_ms or max(ends))
        state.watermark_ms = max(state.closed_ms, state.watermark_ms or state.closed_ms)
        return outputs

    def revisions(self) -> list[Output]:
        """Report again the closed windows that late events have changed since."""
        outputs: list[Output] = []
        for key in sorted(self._starts):
            outputs += self._report_touched(key)
        return outputs

    def close_early(self, model: str) -> list[Output]:
        """Close a model's open windows early and drop all its panes.

        Windows that began before now are incomplete. Violations and counts of the old baseline do
        not count under the new one; only an open episode is kept.
        """
        outputs: list[Output] = []
        latest = self._state.models[model].incomplete_before_ms
        for key in [key for key in sorted(self._starts) if key.model == model]:
            outputs += self._close_early(key)
            active_until_ms = self._state.key_state(key).active_until_ms
            if active_until_ms is not None:
                latest = max(latest or -FOREVER_MS, active_until_ms)
        self._state.models[model].incomplete_before_ms = latest
        self._histories.clear(model)
        return outputs

    def forget(self, model: str) -> None:
        """Stop monitoring a model: none of its windows closes, and its silence is not reported."""
        self.baselines.pop(model)
        for key in [key for key in self._starts if key.model == model]:
            state = self._state.key_state(key)
            state.active_until_ms = state.silent_ms = None
            del self._starts[key]

    def settle(self, bound_ms: int, keep: Keep) -> list[Output]:
        """Report the last revisions of windows whose panes get no more events, and drop the panes.

        Panes that end at or before ``bound_ms``, a multiple of their length, get no more events. A
        pane is kept for as long as another pane of one of its windows may still change. ``keep`` is
        called with each pane that is dropped.
        """
        outputs: list[Output] = []
        for key, starts in sorted(self._starts.items()):
            outputs += self._report_touched(key, bound_ms)
            for start in sorted(
                start for start in starts if start + self._settings.window_ms <= bound_ms
            ):
                counted = self._state.key_state(key).width_mismatches.get(start, WidthMismatches())
                keep(key, start, self.profile(key, start), counted)
                self._drop(key, start)
            self._forget_reported(key, bound_ms)
        self._state.settled_ms = bound_ms
        return outputs

    def _close_early(self, key: ModelKey) -> list[Output]:
        state = self._state.key_state(key)
        starts = self._starts[key]
        outputs: list[Output] = []
        for end in self._open_or_touched(key):
            outputs += self._close(key, end, early=True)
        state.touched.clear()
        outputs += self._silences.report(key, starts)
        for start in sorted(starts):
            self._drop(key, start)
        state.episodes = msgspec.structs.replace(
            state.episodes, windows=(), series={}, changed={}, recovered=None
        )
        return outputs

    def _open_or_touched(self, key: ModelKey) -> list[int]:
        """Return the ends of the windows with events that are open or must be reported again."""
        touched = self._state.key_state(key).touched
        closed = self._state.closed_ms
        ends = {end for start in self._starts[key] for end in window_ends(start, self._settings)}
        return sorted(end for end in ends if closed is None or end > closed or end in touched)

    def _report_touched(self, key: ModelKey, bound: int = FOREVER_MS) -> list[Output]:
        """Report again the touched windows that end at or before ``bound``."""
        touched = self._state.key_state(key).touched
        due = sorted(end for end in touched if end <= bound)
        outputs: list[Output] = []
        for end in due:
            outputs += self._close(key, end)
        touched.difference_update(due)
        return outputs

    def _forget_reported(self, key: ModelKey, bound: int) -> None:
        state = self._state.key_state(key)
        state.reported = {
            (length, end): revision
            for (length, end), revision in state.reported.items()
            if end > bound
        }
        state.memories = {
            window: memory for window, memory in state.memories.items() if window in state.reported
        }
        forget(state, bound)

    def _drop(self, key: ModelKey, start_ms: int) -> None:
        self._starts[key].discard(start_ms)
        self._state.key_state(key).width_mismatches.pop(start_ms, None)
        profile = self.profile(key, start_ms)
        if profile is not None:
            self._state.ledger.rows_closed += profile.rows
            self._state.ledger.rows_in_panes -= profile.rows
            self._panes.drop(self._pane(key, start_ms))

    def _pane(self, key: ModelKey, start_ms: int) -> PaneId:
        layout = self.baselines[key.model].layout
        return PaneId(key.model, key.variant, layout.fingerprint, start_ms)

    def _due(
        self, closed: int | None, boundary: int, at_end: bool = False
    ) -> list[tuple[int, ModelKey]]:
        """Return the ends of windows in ``(closed, boundary]`` to be judged, in order of time.

        Those with events, and where conditions can say something of them, those without. ``at_end``
        of the input, the windows after the last event of a model are not judged.
        """
        due: set[tuple[int, ModelKey]] = set()
        if self._empty.are_judged:
            for key, starts in self._starts.items():
                until = None if at_end else boundary
                due.update((end, key) for end in self._silences.ends(key, starts, closed, until))
        for key, starts in self._starts.items():
            for start in starts:
                if closed is None or start + self._settings.window_ms > closed:
                    due.update(
                        (end, key)
                        for end in window_ends(start, self._settings)
                        if (closed is None or end > closed) and end <= boundary
                    )
        return sorted(due)

    def _close(self, key: ModelKey, end_ms: int, early: bool = False) -> list[Output]:
        """Report a window; its first report also moves the episodes, which may raise signals, and
        is remembered.
        """
        if not early and self._starts[key].isdisjoint(window_panes(end_ms, self._settings)):
            return self._close_empty(key, end_ms)
        state = self._state.key_state(key)
        window = self._settings.window_ms, end_ms
        revision = state.reported.get(window, -1) + 1
        frozen = [] if revision or early else self._freeze_seasons(key.model, end_ms)
        baseline = self._seasons.baseline(key.model, self.baselines[key.model], end_ms)
        profile = self.sum(key, end_ms)
        span = self.span(key, end_ms, revision, early)
        pasts = self._pasts(key, baseline, span.start_ms)
        episodes = state.episodes_as_of(window) if revision else state.episodes
        report = self._judge.report(span, baseline, profile, episodes, *pasts)
        state.reported[window] = revision
        if not revision:
            self._note_first(state, report)
            self._seasons.learn(report, baseline, profile)
        if revision or not self._is_newest(state, report):
            return [*frozen, report]
        if self._judge.remembers(report):
            self._remember(key, span, baseline, profile)
        return [*frozen, report, *self._advance(state, report, baseline)]

    def _close_empty(self, key: ModelKey, end_ms: int) -> list[Output]:
        """Judge a window without any event by the conditions, and report it if that is news."""
        state = self._state.key_state(key)
        span = self.span(key, end_ms)
        baseline = self._seasons.baseline(key.model, self.baselines[key.model], end_ms)
        report = self._empty.report(span, baseline, state.episodes)
        if report is None:
            if self._judge.expects_rows:
                learn_silence(state, span)
            return []
        self._note_first(state, report)
        return [report, *self._advance(state, report, baseline)]

    def _note_first(self, state: KeyState, report: WindowReport) -> None:
        """Note what revisions of a window need to know of its first report."""
        window = self._settings.window_ms, report.end_ms or 0
        state.reported[window] = 0
        if self._judge.expects_rows:
            learn(state, report)
        if state.episodes.memory != Memory():
            state.memories[window] = state.episodes.memory

    def _advance(self, state: KeyState, report: WindowReport, baseline: Baseline) -> list[Signal]:
        """Move the episodes by the first report of a window; returns the signals that it raises."""
        state.episodes, signals = self._judge.advance(state.episodes, report, baseline)
        rules = self._judge.rules
        state.early, signals = follow(state.early, state.episodes, report, signals, rules)
        return signals

    def _freeze_seasons(self, model: str, end_ms: int) -> list[Output]:
        """Compare windows with the seasons of the stream from now on, if enough is learned."""
        baseline = self._seasons.freeze(model, self.baselines[model], end_ms)
        season = self._state.models[model].season
        if baseline is None or season is None:
            return []
        self.baselines[model] = baseline
        return [SeasonsLearned(model, baseline, season.learned_ms)]

    def history(self, key: ModelKey, baseline: Baseline | None, start_ms: int) -> History | None:
        """Return the windows before this time, of a job that judges windows together with them."""
        by_evidence = self._judge.rules.by_evidence and not self._state.models[key.model].learning
        if baseline is None or not by_evidence:
            return None
        return self._histories.get(key, tally_layout(baseline)).before(start_ms)

    def _pasts(self, key: ModelKey, baseline: Baseline, start_ms: int) -> list[History | None]:
        """Return the windows before this time, and those of their segments."""
        sides = [(key, baseline), (segments_key(key), baseline.by_segment)]
        return [self.history(*side, start_ms) for side in sides]

    def _remember(self, key: ModelKey, span: WindowSpan, known: Baseline, side: Profile) -> None:
        """Add a window to the history, and its segments to theirs."""
        if known.by_segment is not None and side.segments is not None:
            self._remember(segments_key(key), span, known.by_segment, side.segments)
        layout = tally_layout(known)
        window = PastWindow(span.start_ms, span.end_ms, layout.tallies(side.counts))
        settled_ms = self._state.settled_ms
        final_ms = -FOREVER_MS if settled_ms is None else settled_ms - self._settings.window_ms
        self._histories.add(key, layout, window, final_ms)

    @staticmethod
    def _is_newest(state: KeyState, report: WindowReport) -> bool:
        windows = state.episodes.windows
        return not windows or (report.end_ms or 0) > windows[-1].end_ms

    def sum(self, key: ModelKey, end_ms: int) -> Profile:
        """Return the sum of a window's panes."""
        total = Profile(self.baselines[key.model].layout)
        starts = self._starts.get(key, ())
        for start in window_panes(end_ms, self._settings):
            profile = self.profile(key, start) if start in starts else None
            if profile is not None:
                total.merge(profile)
        return total

    def span(
        self, key: ModelKey, end_ms: int, revision: int = 0, early: bool = False
    ) -> WindowSpan:
        """Return the facts about a window that the judge needs in addition to its counts."""
        start_ms = end_ms - self._settings.window_ms
        model = self._state.models[key.model]
        notes = missing_reasons(self._state, start_ms, end_ms)
        if early or (
            model.incomplete_before_ms is not None and start_ms < model.incomplete_before_ms
        ):
            notes.append("baseline or window length changed in this window")
        mismatches = self._sum_width_mismatches(key, end_ms)
        return WindowSpan(
            model=key.model,
            variant=key.variant,
            start_ms=start_ms,
            end_ms=end_ms,
            revision=revision,
            incomplete=bool(notes) and not model.learning,
            learning=model.learning,
            too_narrow=mismatches.too_narrow,
            too_wide=mismatches.too_wide,
            notes=tuple(notes),
            expected_rows=expectation(self._state.key_state(key), start_ms, end_ms, revision)
            if self._judge.expects_rows
            else None,
        )

    def _sum_width_mismatches(self, key: ModelKey, end_ms: int) -> WidthMismatches:
        counted = self._state.key_state(key).width_mismatches
        total = WidthMismatches()
        for start in window_panes(end_ms, self._settings):
            total = total.plus(counted.get(start, WidthMismatches()))
        return total
