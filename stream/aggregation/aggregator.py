"""The owner of a job's counts: takes items, moves the watermark, closes windows, judges. No thread,
no clock, no socket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from detectors.decisions.judge import Judge
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from stream.aggregation.closing import WindowCloser
from stream.aggregation.lineage import await_parents, end, let_go
from stream.aggregation.panes import PaneId, PaneStore
from stream.aggregation.state import JobState, ModelState
from stream.dedupe.index import IdIndex
from stream.errors import GapFound
from stream.event_time import JobSettings, is_idle, retained_from, watermark, window_ends
from stream.events import (
    Assign,
    BaselineInstalled,
    CoveredRange,
    DeadLetters,
    DiscoveredPartition,
    EndOfInput,
    Gap,
    Item,
    ModelKey,
    Output,
    Partial,
    PartitionsExpired,
    ReaderLost,
    RemoveModel,
    ReplaceBaseline,
    Sample,
    Tick,
    WidthMismatches,
)

MOST_STEP_MS = 60_000
"""How far the clock goes at one tick; after a longer pause it takes a few ticks to catch up."""

Learn = Callable[[str, Baseline, Sequence[bytes]], Baseline]
"""Makes a model's baseline from what is known of it and raw samples (Arrow IPC streams)."""


class Aggregator:
    """``step(item) -> outputs``: what it does depends on its state and the item alone.

    A partial is **accepted** whole if each partition in it is read now (not ended, not waiting for
    parents), ``first`` is the offset expected there, and its layouts are the ones in force.
    Otherwise it is dropped whole, and its partitions are assigned again from the expected offsets
    under a new claim (unless its own is stale: somebody was asked already). Exactness rests on
    ``first`` alone.

    ``state`` and the panes are all that is remembered; a commit writes both together with the
    outputs. ``baselines`` are the ones in force, by model; a model in ``learning`` gets its
    baseline from ``learn`` once enough samples are in. ``memory``: the ids of accepted events, if
    duplicates are to be found.
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
        memory: IdIndex | None = None,
    ) -> None:
        self.settings, self.state, self.panes = settings, state, panes
        self.memory = memory
        self.baselines = dict(baselines)
        self._learn = learn
        self._closing = WindowCloser(settings, judge, state, panes, self.baselines)
        for model, baseline in self.baselines.items():
            state.models.setdefault(model, ModelState(baseline.fingerprint)).learning |= (
                model in learning
            )

    def step(self, item: Item) -> list[Output]:  # noqa: PLR0911  # one return a kind of item
        """Take one item; returns what must go out once the state is committed. Raises ``GapFound``,
        and what ``learn`` raises.
        """
        match item:
            case Partial():
                return self._partial(item)
            case Tick():
                return self._tick(item)
            case DiscoveredPartition():
                return self._discovered(item)
            case ReaderLost():
                return [
                    self._assign(name)
                    for name in item.partitions
                    if name in self.state.partitions and self.state.partitions[name].read
                ]
            case Gap():
                return self._gap(item)
            case ReplaceBaseline():
                return self._relayout(item.model, item.baseline, item.learning)
            case RemoveModel():
                return self._retire(item.model)
            case PartitionsExpired():
                return self._unlisted(item)
            case EndOfInput():
                return [*self._closing.everything(), *self._closing.revisions()]

    def resume(self) -> list[Assign]:
        """Assignments of all partitions from the committed offsets, under new claims: for a reader
        that has nothing.

        Nobody knows what happened meanwhile: no partition is idle, and the clock starts anew.
        """
        self.state.now_ms = None
        return [
            self._assign(partition)
            for partition, place in self.state.partitions.items()
            if place.read
        ]

    def cut(self) -> list[Output]:
        """Close all open windows as they are, since windows will be of another length from now on."""
        return [output for model in self.baselines for output in self._closing.cut(model)]

    def _partial(self, partial: Partial) -> list[Output]:
        if not self._acceptable(partial):
            return self._refuse(partial)
        ledger = self.state.ledger
        ledger.partials_accepted += 1
        ledger.future += partial.future
        ledger.unremembered += partial.unremembered
        if self.memory is not None:
            self.memory.take(partial.seen)
        freed: list[str] = []
        for cover in partial.covers:
            ledger.enter(cover)
            self._move(cover)
            if cover.ended:
                freed += self._end(cover)
            elif self.memory is not None:
                self.memory.forget(cover.partition, cover.mark_ms)
        for key, pane_ms, profile in partial.profiles:
            self._keep(key, pane_ms, profile)
        for key, pane_ms, width_mismatches in partial.width_mismatches:
            self._keep_width_mismatches(key, pane_ms, width_mismatches)
        out: list[Output] = [DeadLetters(tuple(partial.dead))] if partial.dead else []
        out += [*map(self._assign, freed), *self._advance()]
        for sample in partial.samples:
            out += self._sampled(sample)
        return out

    def _acceptable(self, partial: Partial) -> bool:
        partitions = self.state.partitions
        ours = {model: baseline.layout.fingerprint for model, baseline in self.baselines.items()}
        return partial.layouts == ours and all(
            (place := partitions.get(cover.partition)) is not None
            and place.read
            and cover.first == place.next
            for cover in partial.covers
        )

    def _refuse(self, partial: Partial) -> list[Output]:
        self.state.ledger.partials_dropped += 1
        partitions = self.state.partitions
        fresh = [
            c.partition
            for c in partial.covers
            if (place := partitions.get(c.partition)) and place.read and c.claim == place.claim
        ]
        return [self._assign(partition) for partition in fresh]

    def _assign(self, partition: str) -> Assign:
        place = self.state.partitions[partition]
        place = msgspec.structs.replace(
            place, claim=place.claim + 1, quiet_ms=None, said_ms=None, idle=False
        )
        self.state.partitions[partition] = place
        seen = () if self.memory is None else tuple(self.memory.ids.of(partition))
        return Assign(place.claim, partition, place.next, place.mark_ms, seen)

    def _end(self, cover: CoveredRange) -> list[str]:
        """A partition is read to its end; returns those that may be read now, which take over its
        ids.
        """
        freed = end(self.state.partitions, cover)
        if self.memory is not None:
            for name, parents in freed.items():
                self.memory.hand_down(parents, name)
        return list(freed)

    def _move(self, cover: CoveredRange) -> None:
        place, now = self.state.partitions[cover.partition], self.state.now_ms
        quiet = not cover.dated and (cover.at_end or cover.read > 0)
        heard = (
            now is not None
            and place.said_ms is not None
            and now - place.said_ms <= self.settings.idle_ms
        )
        since = place.quiet_ms if quiet and heard and place.quiet_ms is not None else now
        moved = msgspec.structs.replace(
            place,
            next=cover.next,
            mark_ms=cover.mark_ms,
            quiet_ms=since if quiet or cover.at_end else None,
            said_ms=now,
            arrival_ms=None if cover.at_end else cover.arrival_ms or place.arrival_ms,
        )
        idle = now is not None and is_idle(moved, now, self.settings.idle_ms)
        self.state.partitions[cover.partition] = msgspec.structs.replace(moved, idle=idle)
        if cover.partition in self.state.open_gaps and (cover.dated or idle or cover.ended):
            self.state.end_gap(cover)

    def _keep(self, key: ModelKey, pane_ms: int, profile: Profile) -> None:
        state = self.state
        state.ledger.rows_folded += profile.rows
        if self._settled(pane_ms):
            state.ledger.rows_late_after_idle += profile.rows
            return
        pane = PaneId(key.model, key.variant, profile.layout.fingerprint, pane_ms)
        kept = self.panes.get(pane)
        if kept is None:
            kept = profile.copy()
        else:
            kept.merge(profile)
        self.panes.put(pane, kept)
        state.ledger.rows_in_panes += profile.rows
        self._closing.note(key, pane_ms)
        self._touch(key, pane_ms)

    def _keep_width_mismatches(
        self, key: ModelKey, pane_ms: int, width_mismatches: WidthMismatches
    ) -> None:
        if self._settled(pane_ms):
            self.state.ledger.width_mismatches_late_after_idle += sum(width_mismatches)
            return
        self._closing.misfit(key, pane_ms, width_mismatches)
        self._touch(key, pane_ms)

    def _settled(self, pane_ms: int) -> bool:
        """True if the pane gets no more events: it was let go, or may be at any time."""
        settled = self.state.settled_ms
        return settled is not None and pane_ms + self.settings.every_ms <= settled

    def _touch(self, key: ModelKey, pane_ms: int) -> None:
        """Windows over this pane that are closed must be reported again."""
        closed = self.state.closed_ms
        if closed is not None and pane_ms + self.settings.every_ms <= closed:
            late = [end for end in window_ends(pane_ms, self.settings) if end <= closed]
            self.state.key_state(key).touched.update(late)

    def _advance(self) -> list[Output]:
        state = self.state
        mark = watermark(state.partitions.values(), state.now_ms, self.settings)
        if mark is None or (state.watermark_ms is not None and mark <= state.watermark_ms):
            return []
        state.watermark_ms = mark
        if self.memory is not None:
            self.memory.settle(
                (name for name, place in state.partitions.items() if place.ended), mark
            )
        out = self._closing.up_to(mark)
        keep_from = retained_from(state.partitions.values(), mark, self.settings)
        if keep_from is not None:
            out += self._closing.settle(min(keep_from, mark))
        return out

    def _tick(self, tick: Tick) -> list[Output]:
        """The clock may be set back, and goes forward by at most ``MOST_STEP_MS``: one wrong
        reading must not end all windows. A step that lasts is taken in time: the most doubles with
        each tick in a row that asks for more.
        """
        state = self.state
        most = (
            tick.now_ms if state.now_ms is None else state.now_ms + (MOST_STEP_MS << state.hurried)
        )
        state.hurried = min(state.hurried + 1, 40) if tick.now_ms > most else 0
        now = state.now_ms = min(tick.now_ms, most)
        for partition, place in state.partitions.items():
            quiet, said = (
                None if when is None else min(when, now) for when in (place.quiet_ms, place.said_ms)
            )
            seen = msgspec.structs.replace(place, quiet_ms=quiet, said_ms=said)
            state.partitions[partition] = msgspec.structs.replace(
                seen, idle=is_idle(seen, now, self.settings.idle_ms)
            )
        return [*self._advance(), *self._closing.revisions()]

    def _discovered(self, found: DiscoveredPartition) -> list[Output]:
        if found.partition in self.state.partitions:
            return []
        place = self.state.partitions[found.partition] = await_parents(self.state.partitions, found)
        if self.memory is not None and place.read:
            self.memory.hand_down(found.parents, found.partition)
        return [self._assign(found.partition)] if place.read else []

    def _unlisted(self, gone: PartitionsExpired) -> list[Output]:
        let_go(
            self.state,
            [
                name
                for name in gone.partitions
                if self.memory is None or not tuple(self.memory.ids.slices(name))
            ],
        )
        return []

    def _gap(self, gap: Gap) -> list[Output]:
        place = self.state.partitions.get(gap.partition)
        if place is None or not place.read or gap.expected != place.next:
            return []
        if self.settings.stop_on_gap:
            raise GapFound(gap.partition, str(gap.expected), str(gap.resume), gap.lost)
        self.state.ledger.gaps += 1
        self.state.ledger.gap_records += gap.lost or 0
        self.state.open_gaps.setdefault(gap.partition, self.state.closed_ms)
        self.state.partitions[gap.partition] = msgspec.structs.replace(place, next=gap.resume)
        return [self._assign(gap.partition)]

    def _sampled(self, sample: Sample) -> list[Output]:
        model = self.state.models[sample.key.model]
        if not model.learning or self._learn is None:
            return []
        model.samples.append(sample.data)
        model.sampled_rows += sample.rows
        if model.sampled_rows < self.settings.learn_rows:
            return []
        baseline = self._learn(sample.key.model, self.baselines[sample.key.model], model.samples)
        return self._relayout(sample.key.model, baseline)

    def _retire(self, name: str) -> list[Output]:
        """Watch a model no longer; what was reported of it stays known, so that no id is given
        twice if it comes back.
        """
        out = self._closing.cut(name)
        del self.baselines[name]
        self._closing.forget(name)
        return out

    def _relayout(self, name: str, baseline: Baseline, learning: bool = False) -> list[Output]:
        """Go on with another baseline: windows that are open close as they are, their panes go."""
        out = self._closing.cut(name)
        self.baselines[name] = baseline
        self._closing.baselines[name] = baseline
        model = self.state.models[name]
        self.state.models[name] = ModelState(baseline.fingerprint, learning, cut_ms=model.cut_ms)
        return [*out, BaselineInstalled(name, baseline)]
