"""The aggregator: merges partials, moves the watermark, and closes and judges windows.

It has no thread, no clock and no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from detectors.decisions.judge import Judge
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from stream.aggregation.closing import WindowCloser
from stream.aggregation.early_looks import EarlyLooks
from stream.aggregation.histories import HistoryStore, MemoryHistories
from stream.aggregation.labels import LabelParts, Labels
from stream.aggregation.learning import collect, is_due
from stream.aggregation.panes import NoProfiles, PaneId, PaneStore, PeriodStore, SeasonStore
from stream.aggregation.partitions import Partitions
from stream.aggregation.schedules import Schedules
from stream.aggregation.season_learning import SeasonLearning, SeasonPlan
from stream.aggregation.state import JobState, ModelState
from stream.aggregation.variants import OTHER, NamedVariants
from stream.dedupe.index import DEDUPE_OFF, RememberedIds
from stream.event_time import JobSettings, window_ends
from stream.events import (
    Assign,
    BaselineInstalled,
    DeadLetters,
    DiscoveredPartition,
    EndOfInput,
    ForgetQuality,
    Gap,
    Item,
    ModelKey,
    OfLabels,
    Output,
    Partial,
    PartitionsExpired,
    ReaderLost,
    RemoveModel,
    ReplaceBaseline,
    RestartJoin,
    Sample,
    Tick,
    WidthMismatches,
)
from stream.labels.rows import LabelRange

MAX_STEP_MS = 60_000
"""The furthest that one tick moves the clock; after a longer pause, several ticks catch up."""
MAX_DOUBLINGS = 40
"""The largest number of times that this bound is doubled."""

Learn = Callable[[str, Baseline, Sequence[bytes]], Baseline]
"""Makes a model's baseline from its name, its baseline so far, and samples (Arrow IPC streams)."""


class Aggregator:
    """``step(item) -> outputs``: the result depends on the state and the item alone.

    A partial is **accepted** as a whole if each partition in it is being read (not ended, not
    waiting for parents), each range begins at the position expected there, and its layouts are the
    ones in force. Otherwise it is dropped as a whole, and its partitions are assigned again from
    the expected positions under a new claim, unless the partial's own claim is already stale.
    Exactness rests on ``first`` alone.

    ``state`` and the panes hold everything between two items; a commit writes both together with
    the outputs. ``baselines`` are the ones in force, by model. A model in ``learning`` gets its
    baseline from ``learn`` once there are enough samples. ``ids`` are the ids of accepted events,
    if duplicates are to be found. ``labels`` are the parts of a job whose predictions are joined
    with labels. ``periods`` holds the sums of the schedules. ``histories`` are the windows that
    later ones are judged together with; without it they are those of this aggregator alone.
    ``seasons`` holds the counts of the seasons that models with a plan in ``season_plans`` learn.
    """

    def __init__(
        self,
        settings: JobSettings,
        baselines: Mapping[str, Baseline],
        judge: Judge,
        state: JobState,
        panes: PaneStore,
        learn: Learn | None = None,
        learning: Sequence[str] = (),
        ids: RememberedIds = DEDUPE_OFF,
        labels: LabelParts | None = None,
        periods: PeriodStore | None = None,
        histories: HistoryStore | None = None,
        seasons: SeasonStore | None = None,
        season_plans: Mapping[str, SeasonPlan] | None = None,
    ) -> None:
        self.settings = settings
        self.state = state
        self.panes = panes
        self.baselines = dict(baselines)
        self._ids = ids
        self._learn = learn
        self._partitions = Partitions(settings, state, ids)
        self._variants = NamedVariants(state, settings.most_variants)
        for name, baseline in self.baselines.items():
            model = state.models.setdefault(name, ModelState(baseline.fingerprint))
            model.learning |= name in learning
        self._seasons = SeasonLearning(season_plans or {}, seasons, state, settings.window_ms)
        self._windows = WindowCloser(
            settings=settings,
            judge=judge,
            state=state,
            panes=panes,
            histories=histories or MemoryHistories(),
            seasons=self._seasons,
            baselines=self.baselines,
        )
        self._looks = EarlyLooks(settings, judge, state, self._windows)
        self._labels = None if labels is None else Labels(settings, labels, state, self._variants)
        self._schedules = Schedules(
            settings=settings,
            judge=judge,
            state=state,
            periods=periods or NoProfiles("periods"),
            windows=self._windows,
        )

    def step(self, item: Item | LabelRange) -> list[Output]:  # noqa: PLR0911  # one for each kind
        """Process one item; returns the outputs to deliver once the state is committed.

        Raises ``GapFound``, and the errors of ``learn``.
        """
        match item:
            case Partial():
                return self._take_partial(item)
            case Tick():
                return self._take_tick(item)
            case DiscoveredPartition() | ReaderLost() | PartitionsExpired():
                return self._take_partitions(item)
            case Gap():
                return self._take_gap(item)
            case ReplaceBaseline():
                return self._install(item.model, item.baseline, item.learning)
            case RemoveModel():
                return self._remove(item.model)
            case LabelRange() | OfLabels() | ForgetQuality() | RestartJoin():
                return [] if self._labels is None else self._labels.step(item)
            case EndOfInput():
                return self._end()

    def _take_partitions(
        self, item: DiscoveredPartition | ReaderLost | PartitionsExpired
    ) -> list[Output]:
        match item:
            case DiscoveredPartition():
                return [*self._partitions.discover(item)]
            case ReaderLost():
                return [*self._partitions.assign_again(item.partitions)]
            case PartitionsExpired():
                self._partitions.expire(item.partitions)
                return []

    def resume(self) -> list[Assign]:
        """Assign all partitions from the committed positions, after a start.

        The time since the last commit is unknown: no partition is idle, and the clock is that of
        the next tick.
        """
        self.state.now_ms = None
        assigns = self._partitions.assign_all()
        return assigns if self._labels is None else [*assigns, *self._labels.resume()]

    def close_early(self) -> list[Output]:
        """Close all open windows early, because the window length has changed."""
        outputs = [out for model in self.baselines for out in self._close_early(model)]
        return outputs if self._labels is None else [*outputs, *self._labels.begin_anew()]

    def _close_early(self, model: str) -> list[Output]:
        """Close the open periods and windows of a model early; all its panes are dropped."""
        self._looks.forget(model)
        return [*self._schedules.close_early(model), *self._windows.close_early(model)]

    def _take_partial(self, partial: Partial) -> list[Output]:
        if not self._is_acceptable(partial):
            self.state.ledger.partials_dropped += 1
            return [*self._partitions.refuse(partial.covers)]
        self._enter(partial)
        assigns = self._advance_partitions(partial)
        for key, pane_ms, profile in partial.profiles:
            self._merge(key, pane_ms, profile)
        for key, pane_ms, mismatches in partial.width_mismatches:
            self._add_width_mismatches(key, pane_ms, mismatches)
        outputs: list[Output] = []
        if partial.predictions and self._labels is not None:
            outputs += self._labels.take_predictions(partial.predictions)
        if partial.dead_letters:
            outputs.append(DeadLetters(tuple(partial.dead_letters)))
        outputs += [*assigns, *self._advance_watermark()]
        for sample in partial.samples:
            outputs += self._take_sample(sample)
        return outputs

    def _is_acceptable(self, partial: Partial) -> bool:
        in_force = {name: baseline.layout.fingerprint for name, baseline in self.baselines.items()}
        return partial.layouts == in_force and all(map(self._partitions.expects, partial.covers))

    def _enter(self, partial: Partial) -> None:
        ledger = self.state.ledger
        ledger.partials_accepted += 1
        ledger.future += partial.future
        ledger.unremembered += partial.unremembered
        for cover in partial.covers:
            ledger.enter(cover, [pane for pane in cover.by_pane if self._is_settled(pane)])

    def _advance_partitions(self, partial: Partial) -> list[Assign]:
        """Move the partitions of an accepted partial, and assign the children of those that ended.

        Children are assigned last, when all partitions of the partial have moved.
        """
        self._ids.take(partial.seen)
        children = [child for cover in partial.covers for child in self._partitions.advance(cover)]
        return [self._partitions.assign(child) for child in children]

    def _merge(self, key: ModelKey, pane_ms: int, profile: Profile) -> None:
        """Add the rows of a pane to it, or to the ledger if the pane is settled."""
        ledger = self.state.ledger
        ledger.rows_folded += profile.rows
        key = self._variants.named(key)
        if key.variant == OTHER:
            ledger.rows_of_other_variants += profile.rows
        if self._is_settled(pane_ms):
            ledger.rows_late_after_idle += profile.rows
            return
        pane = PaneId(key.model, key.variant, profile.layout.fingerprint, pane_ms)
        total = self.panes.get(pane)
        if total is None:
            total = profile.copy()
        else:
            total.merge(profile)
        self.panes.put(pane, total)
        ledger.rows_in_panes += profile.rows
        self._windows.add_pane(key, pane_ms)
        self._looks.touch(key, pane_ms)
        self._revise_windows(key, pane_ms)

    def _add_width_mismatches(
        self, key: ModelKey, pane_ms: int, mismatches: WidthMismatches
    ) -> None:
        if self._is_settled(pane_ms):
            self.state.ledger.width_mismatches_late_after_idle += sum(mismatches)
            return
        key = self._variants.named(key)
        self._windows.add_width_mismatches(key, pane_ms, mismatches)
        self._revise_windows(key, pane_ms)

    def _is_settled(self, pane_ms: int) -> bool:
        """Return whether a pane gets no more events: it was dropped, or may be at any time."""
        settled = self.state.settled_ms
        return settled is not None and pane_ms + self.settings.every_ms <= settled

    def _revise_windows(self, key: ModelKey, pane_ms: int) -> None:
        """Mark the closed windows over a pane to be reported again."""
        closed = self.state.closed_ms
        if closed is not None and pane_ms + self.settings.every_ms <= closed:
            late = [end for end in window_ends(pane_ms, self.settings) if end <= closed]
            self.state.key_state(key).touched.update(late)
        self._schedules.touch(key, pane_ms)

    def _advance_watermark(self) -> list[Output]:
        """Move the watermark, which never falls; close windows and settle panes up to it."""
        state = self.state
        # Before the first event there is no window to close, and the first events are not late.
        watermark_ms = self._partitions.watermark(follow_clock=bool(state.keys))
        if watermark_ms is None:
            return []
        if state.watermark_ms is not None and watermark_ms <= state.watermark_ms:
            return []
        state.watermark_ms = watermark_ms
        self._ids.settle(self._partitions.ended(), watermark_ms)
        outputs = [*self._windows.close_up_to(watermark_ms), *self._schedules.close()]
        keep_from = self._partitions.retained_from(watermark_ms)
        if keep_from is not None:
            outputs += self._settle(min(keep_from, watermark_ms))
        if self._labels is not None:
            self._labels.close(outputs)
            outputs += self._labels.advance()
        return outputs

    def _settle(self, before_ms: int) -> list[Output]:
        """Drop the panes that get no more events, up to this time, and the spans of lost records
        that lie before all windows and periods that are not settled.
        """
        state, settings = self.state, self.settings
        bound_ms = before_ms // settings.every_ms * settings.every_ms
        if state.settled_ms is not None and bound_ms <= state.settled_ms:
            return []
        outputs = self._schedules.finish(bound_ms)
        outputs += self._windows.settle(bound_ms, self._schedules.keep)
        from_ms = min(bound_ms - settings.window_ms, self._schedules.open_from() - 1)
        state.spans = [span for span in state.spans if span.to_ms is None or span.to_ms > from_ms]
        return outputs

    def _take_tick(self, tick: Tick) -> list[Output]:
        now_ms = self.state.now_ms = self._bounded_clock(tick.now_ms)
        self._partitions.follow_clock(now_ms)
        outputs = [*self._advance_watermark(), *self._windows.revisions(), *self._schedules.close()]
        outputs += self._looks.look(now_ms)
        return outputs if self._labels is None else [*outputs, *self._labels.tick(now_ms)]

    def _end(self) -> list[Output]:
        """Close all windows, at the end of the input."""
        outputs = [*self._windows.close_all(), *self._windows.revisions()]
        outputs += self._schedules.close_all()
        if self._labels is None:
            return outputs
        self._labels.close(outputs)
        return [*outputs, *self._labels.end()]

    def _bounded_clock(self, now_ms: int) -> int:
        """Return the time to continue with after a reading of the clock.

        The clock may be set back, but one tick moves it forward by at most ``MAX_STEP_MS``, so that
        one wrong reading does not close all windows. A persistent step is followed soon: the bound
        doubles with each consecutive tick that exceeds it.
        """
        state = self.state
        if state.now_ms is None:
            latest_ms = now_ms
        else:
            latest_ms = state.now_ms + (MAX_STEP_MS << state.clock_jumps)
        state.clock_jumps = min(state.clock_jumps + 1, MAX_DOUBLINGS) if now_ms > latest_ms else 0
        return min(now_ms, latest_ms)

    def _take_gap(self, gap: Gap) -> list[Output]:
        if not self._partitions.meets(gap):
            return []
        assign = self._partitions.skip(gap)
        self.state.ledger.gaps += 1
        self.state.ledger.gap_records += gap.lost or 0
        return [assign]

    def _take_sample(self, sample: Sample) -> list[Output]:
        """Collect the samples of a model that is learning, and install its baseline when due."""
        name = sample.key.model
        model = self.state.models[name]
        if not model.learning or self._learn is None:
            return []
        rule = self.settings.learn_rule(name)
        collect(model, sample, rule, self.settings.every_ms)
        if not is_due(model, rule, self.settings.every_ms):
            return []
        return self._install(name, self._learn(name, self.baselines[name], model.samples))

    def _install(self, name: str, baseline: Baseline, learning: bool = False) -> list[Output]:
        """Continue with another baseline: open windows are closed early, their panes dropped."""
        outputs = self._close_early(name)
        self.baselines[name] = baseline
        self._windows.baselines[name] = baseline
        self._seasons.clear(name)
        incomplete_before_ms = self.state.models[name].incomplete_before_ms
        self.state.models[name] = ModelState(
            baseline.fingerprint, learning, incomplete_before_ms=incomplete_before_ms
        )
        return [*outputs, BaselineInstalled(name, baseline)]

    def _remove(self, name: str) -> list[Output]:
        """Stop monitoring a model.

        Its reported windows stay known, so that no report id is used twice if the model returns.
        """
        outputs = self._close_early(name)
        del self.baselines[name]
        self._windows.forget(name)
        self._schedules.forget(name)
        if self._labels is not None:
            self._labels.remove(name)
        return outputs
