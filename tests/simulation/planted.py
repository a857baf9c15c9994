"""Faults that are planted into the protocol, to show that the schedules find them."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
from msgspec.structs import replace

from detectors.decisions.early_episodes import EarlyState
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence import horizons
from detectors.statistics.evidence.horizons import History
from detectors.statistics.evidence.tallies import tally_layout
from stream.aggregation import closing, lineage, partitions, season_learning
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.closing import WindowCloser
from stream.aggregation.early_looks import EarlyLooks, Window
from stream.aggregation.histories import MemoryHistories
from stream.aggregation.ledger import Ledger
from stream.aggregation.partitions import Partitions
from stream.aggregation.schedules import Schedules
from stream.aggregation.season_learning import SeasonLearning
from stream.aggregation.state import KeyState
from stream.event_time import JobSettings, PartitionState, watermark
from stream.events import Assign, CoveredRange, DiscoveredPartition, ModelKey, Output
from tests.simulation import reading
from tests.simulation.judging import PlainJudge
from tests.simulation.logs import Record, too_late
from tests.simulation.owner import Committed, Owner, SharedStore
from tests.simulation.planted_parts import OF_PARTS
from tests.simulation.planted_silences import OF_SILENCES
from tests.simulation.world import World

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def accepts_if(rule: Callable[[CoveredRange, PartitionState], bool]) -> Plant:
    """Accept a range if this rule holds for it and its partition."""

    def expects(self: Partitions, cover: CoveredRange) -> bool:
        known = self._state.partitions
        return cover.partition in known and rule(cover, known[cover.partition])

    return lambda patch: patch.setattr(Partitions, "expects", expects)


def forgets_panes(patch: Patch) -> None:
    def restore_nothing(self: Owner, committed: Committed) -> None:
        pass

    patch.setattr(Owner, "restore", restore_nothing)


def repeats_revisions(patch: Patch) -> None:
    close = WindowCloser._close

    def close_again(
        self: WindowCloser, key: ModelKey, end_ms: int, cut: bool = False
    ) -> list[Output]:
        reported = self._state.key_state(key).reported
        window = (self._settings.window_ms, end_ms)
        if window in reported:
            reported[window] -= 1
        return close(self, key, end_ms, cut)

    patch.setattr(WindowCloser, "_close", close_again)


def late_by_the_watermark(patch: Patch) -> None:
    read = World.read
    watermarks = [0]

    def read_with_watermark(self: World, owner: Owner | None = None) -> None:
        watermarks.append((owner or self.owner).aggregator.state.watermark_ms or 0)
        read(self, owner)

    def late(record: Record, mark_ms: int, settings: JobSettings) -> bool:
        return too_late(record, watermarks[-1] + settings.grace_ms, settings)

    patch.setattr(World, "read", read_with_watermark)
    patch.setattr(reading, "too_late", late)


def delivers_before_the_commit(patch: Patch) -> None:
    take = Owner.take

    def deliver_at_once(self: Owner, outputs: list[Output]) -> None:
        for output in outputs:
            if not isinstance(output, Assign):
                self._sink.take(output)
        take(self, outputs)

    patch.setattr(Owner, "take", deliver_at_once)


def children_start_with(**changes: object) -> Plant:
    """Apply these changes to the state of a partition with parents."""
    await_parents = lineage.await_parents

    def await_wrongly(
        known: MutableMapping[str, PartitionState], discovered: DiscoveredPartition
    ) -> PartitionState:
        state = await_parents(known, discovered)
        return replace(state, **changes) if discovered.parents else state

    def plant(patch: Patch) -> None:
        patch.setattr(partitions, "await_parents", await_wrongly)
        patch.setattr(lineage, "await_parents", await_wrongly)

    return plant


def children_enter_later(patch: Patch) -> None:
    end = lineage.end

    def end_without_children(
        known: MutableMapping[str, PartitionState], cover: CoveredRange
    ) -> dict[str, tuple[str, ...]]:
        return end(known, replace(cover, children=()))

    patch.setattr(partitions, "end", end_without_children)


def accepts_old_owners(patch: Patch) -> None:
    patch.setattr(SharedStore, "allows", lambda self, epoch: True)


def late_records_are_accepted(patch: Patch) -> None:
    enter = Ledger.enter
    patch.setattr(Ledger, "enter", lambda self, cover, settled=(): enter(self, cover))


def starts_are_complete(patch: Patch) -> None:
    discover = Partitions.discover
    patch.setattr(
        Partitions, "discover", lambda self, found: discover(self, found._replace(inside=False))
    )


def starts_end_with_the_first_range(patch: Patch) -> None:
    close = Partitions._close_start
    patch.setattr(
        Partitions,
        "_close_start",
        lambda self, cover: close(self, replace(cover, first_ms=cover.mark_ms)),
    )


def dropped_panes_are_in_no_period(patch: Patch) -> None:
    patch.setattr(Schedules, "keep", lambda self, key, pane_ms, profile, mismatches: None)


def late_events_change_no_period(patch: Patch) -> None:
    patch.setattr(Schedules, "touch", lambda self, key, pane_ms: None)


def periods_are_finished_when_they_are_reported(patch: Patch) -> None:
    finish = Schedules.finish
    patch.setattr(Schedules, "finish", lambda self, bound_ms: finish(self, bound_ms + 1_000))


def sums_outlive_their_periods(patch: Patch) -> None:
    patch.setattr(Schedules, "_is_finished", lambda self, period: False)


def forgets_periods(patch: Patch) -> None:
    restore = Owner.restore

    def restore_panes_alone(self: Owner, committed: Committed) -> None:
        restore(self, committed._replace(periods={}))

    patch.setattr(Owner, "restore", restore_panes_alone)


def forgets_histories(patch: Patch) -> None:
    patch.setattr(Owner, "restore_histories", lambda self, committed: MemoryHistories())


def forgets_seasons(patch: Patch) -> None:
    restore = Owner.restore

    def restore_others(self: Owner, committed: Committed) -> None:
        restore(self, committed._replace(seasons={}))

    patch.setattr(Owner, "restore", restore_others)


def revisions_enter_the_season(patch: Patch) -> None:
    learn = SeasonLearning.learn
    close = WindowCloser._close

    def close_and_learn(
        self: WindowCloser, key: ModelKey, end_ms: int, early: bool = False
    ) -> list[Output]:
        outputs = close(self, key, end_ms, early)
        for report in outputs:
            if isinstance(report, WindowReport) and report.revision:
                learn(self._seasons, report, self.baselines[key.model], self.sum(key, end_ms))
        return outputs

    patch.setattr(WindowCloser, "_close", close_and_learn)


def incomplete_windows_enter_the_season(patch: Patch) -> None:
    patch.setattr(season_learning, "is_season", lambda state, checks: True)


def overlapping_windows_enter_the_season(patch: Patch) -> None:
    init = SeasonLearning.__init__

    def with_short_windows(self: SeasonLearning, *args: Any) -> None:
        init(self, *args)
        self._window_ms = 1

    patch.setattr(SeasonLearning, "__init__", with_short_windows)


def seasons_never_freeze(patch: Patch) -> None:
    patch.setattr(SeasonLearning, "freeze", lambda self, model, current, end_ms: None)


def writes_histories_at_once(patch: Patch) -> None:
    """Let all owners share one store of histories, which knows no commit."""
    shared: dict[int, MemoryHistories] = {}

    def live(self: Owner, committed: Committed) -> MemoryHistories:
        return shared.setdefault(id(self._store), MemoryHistories())

    patch.setattr(Owner, "restore_histories", live)


def revisions_enter_the_history(patch: Patch) -> None:
    close = WindowCloser._close
    layout = tally_layout(reading.BASELINE)

    def close_and_replace(
        self: WindowCloser, key: ModelKey, end_ms: int, early: bool = False
    ) -> list[Output]:
        outputs = close(self, key, end_ms, early)
        tallies = layout.tallies(self.sum(key, end_ms).counts)
        kept = self._histories.get(key, layout)._windows
        for k, window in enumerate(kept):
            if window.end_ms == end_ms:
                kept[k] = window._replace(tallies=tallies)
        return outputs

    patch.setattr(WindowCloser, "_close", close_and_replace)


def windows_that_are_not_judged_enter_the_history(patch: Patch) -> None:
    patch.setattr(PlainJudge, "remembers", lambda self, report: True)


def pools_windows_that_overlap(patch: Patch) -> None:
    before, sums = History.before, History.sums
    patch.setattr(History, "before", lambda self, start_ms: before(self, start_ms + 10))
    patch.setattr(
        History, "sums", lambda self, start_ms, tallies: sums(self, start_ms + 10, tallies)
    )


def overlapping_windows_enter_the_history(patch: Patch) -> None:
    patch.setattr(History, "continues", lambda self, start_ms: True)


def judges_revisions_by_the_present(patch: Patch) -> None:
    patch.setattr(KeyState, "episodes_as_of", lambda self, window: self.episodes)


def cuts_histories_before_the_last_revision(patch: Patch) -> None:
    add = History.add
    patch.setattr(horizons, "LONGEST", 4)
    patch.setattr(History, "add", lambda self, window, final_ms=None: add(self, window))


def early_signals_are_not_recorded(patch: Patch) -> None:
    open_early = PlainJudge.open_early

    def open_without_state(self: PlainJudge, *args: Any) -> tuple[EarlyState, list[Signal]]:
        early: EarlyState = args[-1]
        return early, open_early(self, *args)[1]

    patch.setattr(PlainJudge, "open_early", open_without_state)


def windows_open_what_was_told_early(patch: Patch) -> None:
    patch.setattr(
        closing, "follow", lambda early, episodes, report, signals, rules: (early, signals)
    )


def looks_move_the_episodes(patch: Patch) -> None:
    look_into = EarlyLooks._look_into

    def look_and_note(
        self: EarlyLooks, window: Window, panes: set[int], now_ms: int
    ) -> list[Output]:
        signals = look_into(self, window, panes, now_ms)
        if signals:
            state = self._state.key_state(window[0])
            state.episodes = replace(state.episodes, signalled={"x": window[1]})
        return signals

    patch.setattr(EarlyLooks, "_look_into", look_and_note)


CHAOS: dict[str, Plant] = {
    "an early signal is not in the state that is committed with it": early_signals_are_not_recorded,
    "a window opens the episode that a look has opened": windows_open_what_was_told_early,
    "a look moves the episodes of the closed windows": looks_move_the_episodes,
    "a restart forgets the histories": forgets_histories,
    "histories are not committed with the state": writes_histories_at_once,
    "a restart forgets the seasons": forgets_seasons,
    "a revision enters the season": revisions_enter_the_season,
    "an incomplete window enters the season": incomplete_windows_enter_the_season,
    "windows of a season overlap": overlapping_windows_enter_the_season,
    "seasons are never frozen": seasons_never_freeze,
    "a revision enters the history": revisions_enter_the_history,
    "a window that is not judged enters the history": windows_that_are_not_judged_enter_the_history,
    "a window is judged together with one that overlaps it": pools_windows_that_overlap,
    "a history is cut while its windows may be reported again": (
        cuts_histories_before_the_last_revision
    ),
    "a revision is judged by what is remembered when it is": judges_revisions_by_the_present,
    "windows of a history overlap": overlapping_windows_enter_the_history,
    "panes that are dropped are in no sum of a period": dropped_panes_are_in_no_period,
    "late events do not change a period that was reported": late_events_change_no_period,
    "a period is finished as soon as it is reported": periods_are_finished_when_they_are_reported,
    "sums outlive their periods": sums_outlive_their_periods,
    "a restart forgets the sums of periods": forgets_periods,
    "windows that began before a partition was read are complete": starts_are_complete,
    "a start is settled by the size of the first range": starts_end_with_the_first_range,
    "records that are late after idle count as accepted": late_records_are_accepted,
    "a partial is accepted at any position": accepts_if(lambda cover, partition: True),
    "a partial is accepted by its claim instead of its position": accepts_if(
        lambda cover, partition: cover.claim == partition.claim
    ),
    "a partial of a partition that waits for parents is accepted": accepts_if(
        lambda cover, partition: cover.first == partition.next
    ),
    "a restart forgets the panes": forgets_panes,
    "a revision repeats the number of the previous one": repeats_revisions,
    "lateness is decided by the watermark": late_by_the_watermark,
    "reports are delivered before the commit": delivers_before_the_commit,
    "a child is read before its parents are read to their ends": children_start_with(parents=()),
    "a child starts without the mark of its parents": children_start_with(mark_ms=None),
    "the watermark moves between the end of a partition and its children": children_enter_later,
    "the commit of an old owner is accepted": accepts_old_owners,
    **OF_SILENCES,
    **OF_PARTS,
}


def idle_without_reports(partition: PartitionState, now_ms: int, idle_ms: int) -> bool:
    return partition.quiet_ms is not None and now_ms - partition.quiet_ms >= idle_ms


def idle_without_a_reader(patch: Patch) -> None:
    patch.setattr(partitions, "is_idle", idle_without_reports)


def idle_over_a_restart(patch: Patch) -> None:
    def assign_unchanged(self: Partitions, name: str) -> Assign:
        before = self._state.partitions[name]
        self._state.partitions[name] = partition = replace(before, claim=before.claim + 1)
        return Assign(
            claim=partition.claim, partition=name, next=partition.next, mark_ms=partition.mark_ms
        )

    idle_without_a_reader(patch)
    patch.setattr(Partitions, "assign", assign_unchanged)
    patch.setattr(Aggregator, "resume", lambda self: self._partitions.assign_all())


def quiet_over_a_pause(patch: Patch) -> None:
    advance = Partitions.advance

    def advance_unbroken(self: Partitions, cover: CoveredRange) -> list[str]:
        before = self._state.partitions[cover.partition]
        reported_now = replace(before, reported_ms=self._state.now_ms)
        self._state.partitions[cover.partition] = reported_now
        return advance(self, cover)

    patch.setattr(Partitions, "advance", advance_unbroken)


def clock_before_the_first_event(patch: Patch) -> None:
    def follow_clock(self: Partitions, follow_clock: bool) -> int | None:
        return watermark(self._state.partitions.values(), self._state.now_ms, self._settings)

    patch.setattr(Partitions, "watermark", follow_clock)


LIVE: dict[str, Plant] = {
    "the watermark follows the clock before the first event": clock_before_the_first_event,
    "a partition is idle although it is not being read": idle_without_a_reader,
    "a partition stays idle over a restart": idle_over_a_restart,
    "reports from before and after a pause add up to idleness": quiet_over_a_pause,
}
