"""Owners of the small world's job, the store that they share, and the sink: only the newest owner
may commit."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import numpy as np

from detectors.decisions.episodes import EpisodeState, advance
from detectors.decisions.judge import WindowSpan
from detectors.decisions.rules import Rules
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal, Violation, WindowReport
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.panes import MemoryPanes, PaneId
from stream.aggregation.state import JobState
from stream.event_time import JobSettings
from stream.events import Assign, Item, Output
from tests.simulation.logs import MODELS, Counts
from tests.simulation.reading import BASELINE, LAYOUT, Reader

RULES = Rules(k=2, of=3, min_n=1, cooldown="100ms")

Range = tuple[str, int, int]


class PlainJudge:
    """Reports the plain counts: the protocol is under test, not the statistics. Value 3 in the
    majority is a violation."""

    job, rules = "sim", RULES

    def report(
        self, span: WindowSpan, baseline: Baseline, profile: Profile, state: EpisodeState
    ) -> WindowReport:
        counts = profile.counts[LAYOUT.bins(0)]
        bad = profile.rows > 0 and counts[3] * 2 > profile.rows
        name = f"sim/{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}/{baseline.fingerprint}/{span.revision}"
        violations = (
            (Violation("x", "baseline_drift_check", "psi", 1.0, 0.1, profile.rows, ""),)
            if bad
            else ()
        )
        found = "incomplete" if span.incomplete else "violations" if bad else "ok"
        return WindowReport(
            1, name, "sim", span.model, span.variant, span.start_ms, span.end_ms, span.revision, found, profile.rows,  # type: ignore[arg-type]
            baseline.fingerprint, "l", "", (), violations, {}, span.notes, np.append(counts, span.too_narrow).tobytes(),
        )  # fmt: skip

    def silence(self, model: str, variant: str, start_ms: int, end_ms: int | None) -> WindowReport:
        name = f"sim/{model}/{variant}/{start_ms}/silence/{0 if end_ms is None else 1}"
        return WindowReport(
            1,
            name,
            "sim",
            model,
            variant,
            start_ms,
            end_ms,
            int(end_ms is not None),
            "no data",
            0,
            "-",
            "-",
        )

    def advance(
        self, state: EpisodeState, report: WindowReport, baseline: Baseline
    ) -> tuple[EpisodeState, list[Signal]]:
        return advance(state, report, RULES)


class Committed(NamedTuple):
    """What one commit wrote. ``counted``: the ranges that were accepted, in order."""

    state: bytes
    panes: dict[PaneId, Profile]
    outbox: tuple[Output, ...]
    cursor: int
    counted: tuple[Range, ...]


class SharedStore:
    """What is committed, and the number of the newest owner. Nothing older than that can write."""

    def __init__(self) -> None:
        self.epoch = 0
        self.committed = Committed(JobState().encode(), {}, (), 0, ())

    def take_over(self) -> int:
        """The number of a new owner: what others commit from now on is refused."""
        self.epoch += 1
        return self.epoch

    def commit(self, epoch: int, what: Committed) -> bool:
        """Write, if nobody newer has taken over."""
        if not self.allows(epoch):
            return False
        before, after = (JobState.decode(one.state).watermark_ms for one in (self.committed, what))
        if before is not None:
            assert after is not None, "the watermark is gone"
            assert after >= before, "the watermark fell"
        self.committed = what
        return True

    def allows(self, epoch: int) -> bool:
        """True if no newer owner has taken over."""
        return epoch == self.epoch


class Sink:
    """What went out into the world: one id must never have two contents."""

    def __init__(self) -> None:
        self.delivered: dict[str, WindowReport | Signal] = {}
        self.changed: list[str] = []

    def take(self, item: Output) -> None:
        """Deliver an item, perhaps not for the first time."""
        if isinstance(item, WindowReport | Signal):
            name = name_of(item)
            if name in self.delivered and self.delivered[name] != item:
                self.changed.append(name)
            self.delivered.setdefault(name, item)

    def totals(self) -> Counts:
        """The counts of each window in its last delivered revision, misfits last."""
        newest: dict[tuple[str, int], WindowReport] = {}
        for item in self.delivered.values():
            if (
                isinstance(item, WindowReport)
                and item.end_ms is not None
                and item.state != "no data"
            ):
                key = (item.model, item.end_ms)
                if key not in newest or item.revision > newest[key].revision:
                    newest[key] = item
        return {
            key: np.frombuffer(report.profile, np.int64).tolist() for key, report in newest.items()
        }


def name_of(item: WindowReport | Signal) -> str:
    """By what a repeat is known."""
    return item.id if isinstance(item, WindowReport) else item.dedupe_id


class Owner:
    """One service: starts from what is committed, under an epoch of its own; its readers know
    nothing yet."""

    def __init__(
        self,
        store: SharedStore,
        sink: Sink,
        settings: JobSettings,
        random: Random,
        readers: list[Reader],
    ) -> None:
        self._store, self._sink, self._random, self.readers = store, sink, random, readers
        self.epoch = store.take_over()
        kept = self._kept = store.committed
        self.panes, self.waiting = MemoryPanes(), list[Output]()
        self.cursor, self.counted, self.orphans = (
            kept.cursor,
            list(kept.counted),
            list[tuple[str, ...]](),
        )
        self.restore(kept)
        state = JobState.decode(kept.state)
        baselines, judge = dict.fromkeys(MODELS, BASELINE), PlainJudge()
        self.aggregator = Aggregator(settings, baselines, judge, state, self.panes)  # type: ignore[arg-type]
        self.take(list(self.aggregator.resume()))

    def restore(self, kept: Committed) -> None:
        """The panes that were committed."""
        for pane, profile in kept.panes.items():
            self.panes.put(pane, profile.copy())
        self.panes.changed.clear()

    def step(self, item: Item) -> None:
        """One item for the aggregator."""
        ledger = self.aggregator.state.ledger
        before = ledger.partials_accepted
        out = self.aggregator.step(item)
        if ledger.partials_accepted > before:
            self.counted += [(cover.partition, cover.first, cover.next) for cover in item.covers]  # type: ignore[union-attr,misc]
        self.take(out)

    def take(self, outputs: list[Output]) -> None:
        """Assignments go to the reader that has the partition, or to the one with the fewest; all
        else waits for the commit."""
        for output in outputs:
            if isinstance(output, Assign):
                holding = [reader for reader in self.readers if output.partition in reader.holds]
                (holding or sorted(self.readers, key=lambda reader: len(reader.holds)))[0].assign(
                    output
                )
            else:
                self.waiting.append(output)

    def commit(self) -> bool:
        """One transaction: state, panes, outbox, cursor. False if another owner has taken over."""
        off = self.aggregator.state.ledger.imbalance()
        assert not off, f"the ledger is off by {off}"
        panes = {
            pane: profile.copy()
            for pane in self.panes.ids()
            if (profile := self.panes.get(pane)) is not None
        }
        outbox = (*self._kept.outbox, *self.waiting)
        wanted = Committed(
            self.aggregator.state.encode(), panes, outbox, self.cursor, tuple(self.counted)
        )
        if not self._store.commit(self.epoch, wanted):
            return False
        self._kept, self.waiting = wanted, []
        return True

    def deliver(self, all_of_it: bool = False) -> None:
        """The sink takes what this owner has committed, from its cursor on; sometimes it fails in
        the middle."""
        for item in self._kept.outbox[self.cursor :]:
            if not all_of_it and self._random.random() < 0.2:
                return
            self._sink.take(item)
            if not all_of_it and self._random.random() < 0.1:
                return
            self.cursor += 1
