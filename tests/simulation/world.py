"""A small world to run the aggregator in: logs, readers that crash and lie, a store that forgets what was not committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import numpy as np

from detectors.baseline import Baseline, Constraints
from detectors.episodes import EpisodeState, advance
from detectors.judge import Span
from detectors.layout import HEAD, INTEGRAL, Feature, Layout
from detectors.profile import Profile
from detectors.report import Signal, Violation, WindowReport
from detectors.rules import Rules
from stream.aggregator import Aggregator
from stream.events import Assign, Cover, Item, Misfits, ModelKey, Output, Partial
from stream.job_state import JobState
from stream.panes import MemoryPanes, PaneId
from stream.windows import Settings

LAYOUT = Layout((Feature("x", "Integral", "grid", edges=(0.5, 1.5, 2.5), cells=(0, 1, 2, 3)),))
BASELINE = Baseline(LAYOUT, Profile(LAYOUT), Constraints(), ("x",))
MODELS = ("a", "b")
MISFIT = 4
RULES = Rules(k=2, of=3, min_n=1, cooldown_ms=100)


class Record(NamedTuple):
    """One event: which model, when, and a value from 0 to 3, or ``MISFIT`` for one with too few columns; a ``None`` model is a
    record that no format can read.
    """

    model: str | None
    time_ms: int
    value: int


class PlainJudge:
    """Reports the plain counts: the protocol is under test, not the statistics. Value 3 in the majority is a violation."""

    job, rules = "sim", RULES

    def report(self, span: Span, baseline: Baseline, profile: Profile, state: EpisodeState) -> WindowReport:
        counts = profile.counts[LAYOUT.bins(0)]
        bad = profile.rows > 0 and counts[3] * 2 > profile.rows
        name = f"sim/{span.model}/{span.variant}/{span.start_ms}/{span.end_ms}/{baseline.fingerprint}/{span.revision}"
        violations = (Violation("x", "baseline_drift_check", "psi", 1.0, 0.1, profile.rows, ""),) if bad else ()
        found = "incomplete" if span.incomplete else "violations" if bad else "ok"
        return WindowReport(
            1, name, "sim", span.model, span.variant, span.start_ms, span.end_ms, span.revision, found, profile.rows,  # type: ignore[arg-type]
            baseline.fingerprint, "l", (), violations, {}, span.notes, np.append(counts, span.fewer).tobytes(),
        )  # fmt: skip

    def silence(self, model: str, variant: str, start_ms: int, end_ms: int | None) -> WindowReport:
        name = f"sim/{model}/{variant}/{start_ms}/silence/{0 if end_ms is None else 1}"
        return WindowReport(1, name, "sim", model, variant, start_ms, end_ms, int(end_ms is not None), "no data", 0, "-", "-")

    def advance(
        self, state: EpisodeState, report: WindowReport, baseline: Baseline
    ) -> tuple[EpisodeState, list[Signal]]:
        return advance(state, report, RULES)


def too_late(record: Record, mark: int, settings: Settings) -> bool:
    """The rule of lateness for one record, as its documentation says it."""
    pane = record.time_ms // settings.every_ms * settings.every_ms
    return pane + settings.every_ms + settings.grace_ms + settings.lateness_ms <= mark


def count(log: list[Record], first: int, stop: int, mark: int | None, settings: Settings, claim: int, name: str,
          wall: int | None = None) -> tuple[Cover, dict[tuple[str, int], Profile], Counter[tuple[str, int]]]:  # fmt: skip
    """What a reader makes of a range: a pure function of the range and the mark (``wall``: a bug that asks the watermark)."""
    outcomes: Counter[str] = Counter()
    profiles: dict[tuple[str, int], Profile] = {}
    misfits: Counter[tuple[str, int]] = Counter()
    for record in log[first:stop]:
        if record.model is None:
            outcomes["undecodable"] += 1
            continue
        mark = record.time_ms if mark is None else max(mark, record.time_ms)
        late = too_late(record, mark if wall is None else wall + settings.grace_ms, settings)
        pane = record.time_ms // settings.every_ms * settings.every_ms
        outcomes["too_few_columns" if record.value == MISFIT else "too_late" if late else "accepted"] += 1
        if late:
            continue
        if record.value == MISFIT:
            misfits[record.model, pane] += 1
            continue
        profile = profiles.setdefault((record.model, pane), Profile(LAYOUT))
        profile.rows += 1
        profile.counts[[INTEGRAL, HEAD + record.value]] += 1
    dated = sum(record.model is not None for record in log[first:stop])
    cover = Cover(name, claim, first, stop, mark, stop == len(log), stop - first, dict(outcomes), dated, outcomes["accepted"])
    return cover, profiles, misfits


@dataclass
class Bugs:
    """Faults that can be planted, to see that the simulation catches them."""

    accept_any_first: bool = False
    restore_without_panes: bool = False
    reuse_revision: bool = False
    late_by_watermark: bool = False
    deliver_before_commit: bool = False


class Committed(NamedTuple):
    """What the last commit wrote."""

    state: bytes
    panes: dict[PaneId, Profile]
    outbox: tuple[Output, ...]
    cursor: int


@dataclass
class World:
    """One schedule: logs of some partitions, an aggregator, a reader, partials under way, a store, a sink."""

    seed: int
    bugs: Bugs = field(default_factory=Bugs)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        r = self.random
        every = 10
        window = every * r.choice((1, 1, 2, 3))
        lateness, grace = r.choice((0, 10, 30)), r.choice((0, 5, 15))
        self.settings = Settings(
            job="sim", window_ms=window, every_ms=every, grace_ms=grace, lateness_ms=lateness, idle_ms=r.choice((50, 10**9))
        )
        self.logs = {f"p{k}": self._log() for k in range(r.randint(1, 3))}
        self.now = 10_000
        self.committed = Committed(JobState().encode(), {}, (), 0)
        self.places: dict[str, tuple[int, int, int | None]] = {}
        self.flying: list[Partial] = []
        self.delivered: dict[str, Output] = {}
        self.changed: list[str] = []
        self.start()

    def _log(self) -> list[Record]:
        r, now, out = self.random, self.random.randint(0, 30), []
        for _ in range(r.randint(5, 40)):
            now += r.choice((0, 1, 3, 8, 8, 40 if r.random() < 0.1 else 2))
            back = r.choice((0, 0, 0, 4, 12, r.randint(0, 80)))
            model = None if r.random() < 0.03 else r.choice(MODELS)
            value = MISFIT if r.random() < 0.05 else 3 if 60 < now < 120 else r.randint(0, 3)
            out.append(Record(model, max(now - back, 0), value))
        return out

    def start(self) -> None:
        """The owner starts from what is committed; the reader knows nothing yet."""
        kept = self.committed
        self.panes = MemoryPanes()
        if not self.bugs.restore_without_panes:
            for pane, profile in kept.panes.items():
                self.panes.put(pane, profile.copy())
        self.panes.changed.clear()
        self.waiting: list[Output] = []
        self.outbox = list(kept.outbox)
        self.cursor = kept.cursor
        self.places = {}
        state = JobState.decode(kept.state)
        self.aggregator = Aggregator(self.settings, dict.fromkeys(MODELS, BASELINE), PlainJudge(), state, self.panes)  # type: ignore[arg-type]
        self._plant()
        self.take(list(self.aggregator.resume()))

    def _plant(self) -> None:
        if self.bugs.accept_any_first:
            self.aggregator._acceptable = lambda partial: all(  # type: ignore[method-assign]
                cover.partition in self.aggregator.state.places for cover in partial.covers
            )
        if self.bugs.reuse_revision:
            closing = self.aggregator._closing
            close: Callable[..., list[Output]] = closing._close

            def again(key: ModelKey, end_ms: int, cut: bool = False) -> list[Output]:
                reported = self.aggregator.state.key_state(key).reported
                window = self.settings.window_ms, end_ms
                if window in reported:
                    reported[window] -= 1
                return close(key, end_ms, cut)

            closing._close = again  # type: ignore[method-assign]

    def step(self, item: Item) -> None:
        """One item for the aggregator."""
        self.take(self.aggregator.step(item))

    def take(self, outputs: list[Output]) -> None:
        """Assignments go to the reader, everything else waits for the commit."""
        for output in outputs:
            if isinstance(output, Assign):
                assert isinstance(output.next, int)
                self.places[output.partition] = (output.claim, output.next, output.mark_ms)
            elif self.bugs.deliver_before_commit:
                self.deliver(output)
            else:
                self.waiting.append(output)

    def read(self) -> None:
        """The reader makes a partial of one or two partitions and sends it off."""
        names = [name for name in self.places if name in self.logs]
        covers, profiles, misfits = [], [], Counter[tuple[str, int]]()
        for name in self.random.sample(names, min(len(names), self.random.choice((1, 1, 2)))):
            claim, first, mark = self.places[name]
            stop = min(first + self.random.randint(0, 12), len(self.logs[name]))
            wall = (self.aggregator.state.watermark_ms or 0) if self.bugs.late_by_watermark else None
            cover, counted, misfit = count(self.logs[name], first, stop, mark, self.settings, claim, name, wall)
            covers.append(cover)
            profiles.append(counted)
            misfits += misfit
            self.places[name] = (claim, stop, cover.mark_ms)
        if covers:
            together: dict[tuple[str, int], Profile] = {}
            for counted in profiles:
                for place, profile in counted.items():
                    together.setdefault(place, Profile(LAYOUT)).merge(profile)
            listed = [(ModelKey(model, "v"), pane, profile) for (model, pane), profile in together.items()]
            odd = [(ModelKey(model, "v"), pane, Misfits(fewer=number)) for (model, pane), number in misfits.items()]
            self.flying.append(Partial(tuple(covers), dict.fromkeys(MODELS, LAYOUT.fingerprint), listed, [], misfits=odd))

    def land(self) -> None:
        """A partial arrives: the oldest, or any; and may arrive again."""
        if self.flying:
            place = 0 if self.random.random() < 0.8 else self.random.randrange(len(self.flying))
            partial = self.flying[place]
            if self.random.random() < 0.95:
                del self.flying[place]
            self.step(partial)

    def commit(self) -> None:
        """One transaction: state, panes, outbox, cursor."""
        state = self.aggregator.state
        off = state.ledger.imbalance()
        assert not off, f"seed {self.seed}: the ledger is off by {off}"
        before = JobState.decode(self.committed.state).watermark_ms
        if before is not None:
            assert state.watermark_ms is not None, f"seed {self.seed}: the watermark is gone"
            assert state.watermark_ms >= before, f"seed {self.seed}: the watermark fell"
        self.outbox += self.waiting
        self.waiting = []
        panes = {pane: profile.copy() for pane in self.panes.ids() if (profile := self.panes.get(pane)) is not None}
        self.committed = Committed(state.encode(), panes, tuple(self.outbox), self.cursor)

    def deliver_some(self) -> None:
        """The sink takes what is committed, from its cursor on; sometimes it fails in the middle."""
        for item in self.committed.outbox[self.cursor :]:
            if self.random.random() < 0.2:
                return
            self.deliver(item)
            if self.random.random() < 0.9:
                self.cursor += 1
            else:
                return

    def deliver(self, item: Output) -> None:
        """An item goes out into the world: one id must never have two contents."""
        if isinstance(item, WindowReport | Signal):
            name = item.id if isinstance(item, WindowReport) else item.dedupe_id
            if name in self.delivered and self.delivered[name] != item:
                self.changed.append(name)
            self.delivered.setdefault(name, item)

    def totals(self) -> dict[tuple[str, int], list[int]]:
        """The counts of each window in its last delivered revision, misfits last."""
        newest: dict[tuple[str, int], WindowReport] = {}
        for item in self.delivered.values():
            if isinstance(item, WindowReport) and item.end_ms is not None and item.state != "no data":
                key = (item.model, item.end_ms)
                if key not in newest or item.revision > newest[key].revision:
                    newest[key] = item
        return {key: np.frombuffer(report.profile, np.int64).tolist() for key, report in newest.items()}

    def expected(self) -> dict[tuple[str, int], list[int]]:
        """The counts of each window as the logs have them: plain loops, one partition after the other."""
        out: dict[tuple[str, int], list[int]] = {}
        for log in self.logs.values():
            mark: int | None = None
            for record in log:
                if record.model is None:
                    continue
                mark = record.time_ms if mark is None else max(mark, record.time_ms)
                if not too_late(record, mark, self.settings):
                    pane = record.time_ms // self.settings.every_ms * self.settings.every_ms
                    for k in range(1, self.settings.window_ms // self.settings.every_ms + 1):
                        counts = out.setdefault((record.model, pane + k * self.settings.every_ms), [0] * 5)
                        counts[record.value] += 1
        return out
