"""Owners of the simulated job, the store that they share, and the sink: only the newest owner may
commit.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple, TypeVar

import numpy as np

from detectors.decisions.quality_judge import QualityJudge
from detectors.profiles.calendar import Calendar
from detectors.profiles.profile import Profile
from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from detectors.schedule_report import ScheduleReport
from stream.aggregation.aggregator import Aggregator, Learn
from stream.aggregation.histories import MemoryHistories
from stream.aggregation.label_ledger import LabelLedger
from stream.aggregation.labels import LabelParts
from stream.aggregation.panes import PaneId, PeriodId, SeasonId
from stream.aggregation.quality_model import LabelSettings, QualityModel
from stream.aggregation.season_learning import SeasonPlan
from stream.aggregation.state import JobState
from stream.event_time import JobSettings
from stream.events import Assign, Item, Output, Partial
from stream.labels.rows import LabelRange
from tests.simulation.judging import PlainJudge
from tests.simulation.label_reading import LabelReader
from tests.simulation.logs import MODELS, Counts, Period, PeriodCounts
from tests.simulation.reading import BASELINE, Reader
from tests.support.stores import (
    MemoryJoinStore,
    MemoryPanes,
    MemoryPeriods,
    MemoryProfiles,
    MemoryQualityPanes,
    MemorySeasons,
)

Delivered = WindowReport | Signal | QualityReport | ScheduleReport
Range = tuple[str, int, int]
"""A partition, and the offsets ``[first, next)`` in it."""


class LabelStores(NamedTuple):
    """What the state keeps of labels besides the job's own state."""

    joins: MemoryJoinStore
    panes: MemoryQualityPanes

    def copy(self) -> LabelStores:
        return LabelStores(self.joins.copy(), self.panes.copy())


class LabelJob(NamedTuple):
    """The part of the configuration that concerns labels."""

    settings: LabelSettings
    models: dict[str, QualityModel]
    judge: QualityJudge


class Committed(NamedTuple):
    """The content of one commit. ``accepted`` are the ranges that were accepted, in order."""

    state: bytes
    panes: dict[PaneId, Profile]
    periods: dict[PeriodId, Profile]
    histories: MemoryHistories
    seasons: dict[SeasonId, Profile]
    outbox: tuple[Output, ...]
    cursor: int
    accepted: tuple[Range, ...]
    labels: LabelStores


class SharedStore:
    """The last commit, and the epoch of the newest owner; older owners cannot commit."""

    def __init__(self) -> None:
        self.epoch = 0
        self.committed = Committed(
            state=JobState().encode(),
            panes={},
            periods={},
            histories=MemoryHistories(),
            seasons={},
            outbox=(),
            cursor=0,
            accepted=(),
            labels=LabelStores(MemoryJoinStore(), MemoryQualityPanes()),
        )

    def take_over(self) -> int:
        """Return the epoch of a new owner; commits of earlier owners are refused from now on."""
        self.epoch += 1
        return self.epoch

    def commit(self, epoch: int, content: Committed) -> bool:
        """Replace the last commit, unless a newer owner has taken over."""
        if not self.allows(epoch):
            return False
        before = JobState.decode(self.committed.state).watermark_ms
        after = JobState.decode(content.state).watermark_ms
        if before is not None:
            assert after is not None, "the watermark was lost"
            assert after >= before, "the watermark fell"
        self.committed = content
        return True

    def allows(self, epoch: int) -> bool:
        """Return whether an owner may commit: no newer owner has taken over."""
        return epoch == self.epoch


class Sink:
    """All delivered items; two items with the same id must not differ."""

    def __init__(self) -> None:
        self.delivered: dict[str, Delivered] = {}
        self.changed: list[str] = []

    def take(self, item: Output) -> None:
        """Accept an item, which may be a repeat."""
        if isinstance(item, Delivered):
            name = id_of(item)
            if self.delivered.setdefault(name, item) != item:
                self.changed.append(name)

    def totals(self) -> Counts:
        """Return the counts of each window in its last delivered revision."""
        newest: dict[tuple[str, int], WindowReport] = {}
        for item in self.delivered.values():
            if not isinstance(item, WindowReport) or item.end_ms is None or not item.profile:
                continue
            window = item.model, item.end_ms
            if window not in newest or item.revision > newest[window].revision:
                newest[window] = item
        return {
            window: np.frombuffer(report.profile, np.int64).tolist()
            for window, report in newest.items()
        }

    def scheduled(self) -> list[ScheduleReport]:
        """Return the delivered reports on periods, in the order of period and revision."""
        reports = [item for item in self.delivered.values() if isinstance(item, ScheduleReport)]
        return sorted(reports, key=lambda item: (*period_of(item), item.revision))

    def periods(self) -> PeriodCounts:
        """Return the counts of each period in its last delivered revision."""
        newest = {period_of(report): report for report in self.scheduled()}
        return {
            period: [int(count) for count in report.rules.values()]
            for period, report in newest.items()
        }


Id = TypeVar("Id")
SEASON_WINDOWS = 5
"""The number of windows that the seasons of a model are learned from."""


def season_plan(settings: JobSettings) -> SeasonPlan:
    """What each model learns: all its windows are of one month."""
    return SeasonPlan(Calendar(by=("month",)), SEASON_WINDOWS * settings.window_ms)


def _copied(store: MemoryProfiles[Id]) -> dict[Id, Profile]:
    """Return copies of all profiles of a store."""
    found = {id_: store.get(id_) for id_ in store.ids()}
    return {id_: profile.copy() for id_, profile in found.items() if profile is not None}


def period_of(report: ScheduleReport) -> Period:
    """Return the model, the schedule and the start of a report on a period."""
    return report.model, report.schedule_ms, report.start_ms


def id_of(item: Delivered) -> str:
    """Return the id by which a repeat is recognized."""
    return item.dedupe_id if isinstance(item, Signal) else item.id


class Owner:
    """One service, which starts from the last commit with an epoch of its own and new readers.

    ``waiting`` holds the outputs since its last commit, ``lost`` the partitions of readers
    that were given up. With ``learn`` all models learn their baseline.
    """

    def __init__(
        self,
        store: SharedStore,
        sink: Sink,
        settings: JobSettings,
        random: Random,
        readers: list[Reader],
        labels: LabelJob | None = None,
        learn: Learn | None = None,
    ) -> None:
        self._store = store
        self._sink = sink
        self._random = random
        self.readers = readers
        self.epoch = store.take_over()
        self._committed = store.committed
        self.panes = MemoryPanes()
        self.periods = MemoryPeriods()
        self.seasons = MemorySeasons()
        self.cursor = self._committed.cursor
        self.accepted = list(self._committed.accepted)
        self.waiting: list[Output] = []
        self.lost: list[tuple[str, ...]] = []
        self.label_reader: LabelReader | None = None
        self.restore(self._committed)
        self.histories = self.restore_histories(self._committed)
        self.stores = self.restore_labels(self._committed)
        state = JobState.decode(self._committed.state)
        baselines = dict.fromkeys(MODELS, BASELINE)
        judge = PlainJudge()
        self.aggregator = Aggregator(
            settings=settings,
            baselines=baselines,
            judge=judge,  # type: ignore[arg-type]
            state=state,
            panes=self.panes,
            periods=self.periods,
            histories=self.histories,
            seasons=self.seasons,
            learn=learn,
            learning=[name for name in MODELS if learn and name not in state.models],
            season_plans=dict.fromkeys(MODELS, season_plan(settings)),
            labels=None if labels is None else LabelParts(*labels, *self.stores),
        )

        # The clock of a world is far ahead of its events.
        self.aggregator._looks._is_over = lambda *of: False  # type: ignore[method-assign]

    @property
    def label_ledger(self) -> LabelLedger:
        """The ledger of the labels, of a job that has them."""
        assert self.aggregator.state.labels is not None
        return self.aggregator.state.labels.ledger

    def begin(self) -> None:
        """Assign all partitions from the committed positions."""
        self.take(list(self.aggregator.resume()))

    def restore(self, committed: Committed) -> None:
        """Restore the committed panes, the sums of periods and the counts of seasons."""
        for pane, profile in committed.panes.items():
            self.panes.put(pane, profile.copy())
        for period, profile in committed.periods.items():
            self.periods.put(period, profile.copy())
        for season, profile in committed.seasons.items():
            self.seasons.put(season, profile.copy())

    def restore_histories(self, committed: Committed) -> MemoryHistories:
        """Return the committed histories."""
        return committed.histories.copy()

    def restore_labels(self, committed: Committed) -> LabelStores:
        """Return the committed stores of labels."""
        return committed.labels.copy()

    def step(self, item: Item | LabelRange) -> None:
        """Pass one item to the aggregator."""
        ledger = self.aggregator.state.ledger
        before = ledger.partials_accepted
        outputs = self.aggregator.step(item)
        if ledger.partials_accepted > before:
            assert isinstance(item, Partial)
            self.accepted += [
                (cover.partition, cover.first, cover.next)  # type: ignore[misc]  # offsets
                for cover in item.covers
            ]
        self.take(outputs)

    def take(self, outputs: list[Output]) -> None:
        """Pass assignments to the readers; all other outputs wait for the commit."""
        for output in outputs:
            if isinstance(output, Assign) and output.of_labels:
                assert self.label_reader is not None
                self.label_reader.assign(output)
            elif isinstance(output, Assign):
                self._reader_of(output.partition).assign(output)
            else:
                self.waiting.append(output)

    def _reader_of(self, partition: str) -> Reader:
        """Return the reader that holds the partition, or the one that holds the fewest."""
        for reader in self.readers:
            if partition in reader.holds:
                return reader
        return min(self.readers, key=lambda reader: len(reader.holds))

    def commit(self) -> bool:
        """Commit state, panes, outbox and cursor; return false if another owner has taken over."""
        off = self.aggregator.state.ledger.imbalance()
        assert not off, f"the ledger is off by {off}"
        self._require_balanced_labels()
        self._require_open_periods()
        content = Committed(
            state=self.aggregator.state.encode(),
            panes=_copied(self.panes),
            periods=_copied(self.periods),
            histories=self.histories.copy(),
            seasons=_copied(self.seasons),
            outbox=(*self._committed.outbox, *self.waiting),
            cursor=self.cursor,
            accepted=tuple(self.accepted),
            labels=self.stores.copy(),
        )
        if not self._store.commit(self.epoch, content):
            return False
        self._committed = content
        self.waiting = []
        return True

    def _require_open_periods(self) -> None:
        """Fail if there is a sum of a period that is finished, or of a removed schedule."""
        schedules = self.aggregator.state.schedules
        for period in self.periods.ids():
            finished_ms = schedules[period.schedule_ms].finished_ms
            end_ms = period.start_ms + period.schedule_ms
            assert finished_ms is None or end_ms > finished_ms, f"{period} is finished"

    def _require_balanced_labels(self) -> None:
        """Fail unless the label ledger balances, and equals what is in the stores."""
        labels = self.aggregator.state.labels
        if labels is None:
            return
        ledger = labels.ledger
        off = ledger.imbalance()
        assert not off, f"the label ledger is off by {off}"
        for kind, totals in (("labels", ledger.labels), ("predictions", ledger.predictions)):
            of_kind = [count for slice_, count in labels.slices.items() if slice_.kind == kind]
            waiting = sum(count.events - count.settled for count in of_kind)
            assert waiting == totals.get("waiting", 0), f"{kind}: {waiting} wait, {totals}"
            assert min(totals.values(), default=0) >= 0, f"{kind}: {totals}"
        stored = set(self.stores.joins.slices())
        assert stored == set(labels.slices), f"slices {stored} are stored, not {labels.slices}"

    def deliver(self, everything: bool = False) -> None:
        """Deliver committed items from the cursor on; without ``everything``, the sink may fail
        before or after it has taken an item.
        """
        for item in self._committed.outbox[self.cursor :]:
            if not everything and self._random.random() < 0.2:
                return
            self._sink.take(item)
            if not everything and self._random.random() < 0.1:
                return
            self.cursor += 1
