"""Looks into open windows, through the aggregator and the judge."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.early_finding import EarlyFinding
from detectors.profiles.calendar import Calendar
from detectors.profiles.seasons import Seasons
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.tallies import tally_layout
from stream.aggregation import early_looks
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.state import JobState
from stream.event_time import JobSettings
from stream.events import DiscoveredPartition, ModelKey, Output, Partial, Tick
from stream.testing.baselines import baseline, window
from tests.support.records import covered_range
from tests.support.stores import MemoryPanes

BASELINE = baseline(
    {
        "a": np.random.default_rng(1).normal(60, 15, 20_000),
        "b": np.random.default_rng(2).normal(0, 1, 20_000),
    }
)
EVIDENCE = Rules(mode="evidence", early=True)
SECOND, MINUTE = 1_000, 60_000


class Job:
    """A job with one partition, and 500 rows at a time."""

    def __init__(
        self,
        rules: Rules = EVIDENCE,
        every_ms: int = MINUTE,
        state: JobState | None = None,
        panes: MemoryPanes | None = None,
    ) -> None:
        self.random = np.random.default_rng(3)
        self.now_ms = 0
        self.settings = JobSettings(
            window_ms=MINUTE,
            every_ms=every_ms,
            grace_ms=2 * SECOND,
            lateness_ms=0,
            idle_ms=10**9,
            tolerance_ms=0,
        )
        self.state = state or JobState()
        self.panes = panes or MemoryPanes()
        self.aggregator = Aggregator(
            settings=self.settings,
            baselines={"m": BASELINE},
            judge=Judge("j", rules, every_ms=every_ms),
            state=self.state,
            panes=self.panes,
        )
        if state is None:
            self.aggregator.step(DiscoveredPartition("p", 0, (), inside=False))
        else:
            self.aggregator.resume()

    def second(self, k: int, a: Floats | None = None) -> list[Output]:
        """Take the rows of second ``k``, and let the clock tick after it."""
        return [*self.take(k, a), *self.aggregator.step(Tick((k + 1) * SECOND))]

    def take(self, k: int, a: Floats | None = None, variant: str = "v") -> list[Output]:
        """Take 500 rows of second ``k``."""
        partition = self.state.partitions["p"]
        assert isinstance(partition.next, int)
        rows = {"a": self.random.normal(60, 15, 500), "b": self.random.normal(0, 1, 500)}
        rows |= {} if a is None else {"a": a}
        profile = window(BASELINE.layout, rows)
        start, mark_ms = partition.next, k * SECOND + 999
        pane_ms = k * SECOND // self.settings.every_ms * self.settings.every_ms
        cover = covered_range(
            "p",
            start,
            500,
            mark_ms,
            claim=partition.claim,
            at_end=False,
            first_ms=k * SECOND,
            bytes={"accepted": 5_000},
            by_pane={pane_ms: (500, 5_000)},
        )
        partial = Partial(
            covers=(cover,),
            layouts={"m": BASELINE.layout.fingerprint},
            profiles=[(ModelKey("m", variant), pane_ms, profile)],
        )
        return self.aggregator.step(partial)

    def restarted(self) -> Job:
        """The job as another process continues it from the last commit."""
        panes = MemoryPanes()
        for pane in self.panes.ids():
            profile = self.panes.get(pane)
            assert profile is not None
            panes.put(pane, profile.copy())
        return Job(state=JobState.decode(self.state.encode()), panes=panes)


def celsius(job: Job) -> Floats:
    return (job.random.normal(60, 15, 500) - 32) / 1.8


def signals(outputs: list[Output]) -> list[Signal]:
    return [output for output in outputs if isinstance(output, Signal)]


def broken_at(job: Job, at: int, until: int) -> tuple[list[Signal], list[WindowReport]]:
    """The signals and reports while ``a`` is in Celsius from second ``at`` on."""
    outputs: list[Output] = []
    for k in range(until):
        outputs += job.second(k, celsius(job) if k >= at else None)
    return signals(outputs), [out for out in outputs if isinstance(out, WindowReport)]


def test_a_unit_change_is_signalled_within_a_second_and_once() -> None:
    job = Job()
    for k in range(20):
        assert job.second(k) == []
    (opened,) = signals(job.second(20, celsius(job)))
    assert (opened.kind, opened.features, opened.early) == ("opened", ("a",), True)
    assert (opened.start_ms, opened.end_ms) == (0, MINUTE)
    finding = opened.early_findings[0]
    assert (finding.n, finding.since_ms) == (500, 20 * SECOND)
    outputs = [out for k in range(21, 70) for out in job.second(k, celsius(job))]
    (report,) = [out for out in outputs if isinstance(out, WindowReport)]
    assert (report.id, report.state) == (opened.report, "violations")
    assert signals(outputs) == []


def test_reports_and_their_episodes_are_the_same_without_looks() -> None:
    seeing, blind = Job(), Job()
    blind.aggregator._looks.look = lambda now_ms: []  # type: ignore[method-assign]
    early, with_looks = broken_at(seeing, 20, 130)
    late, without = broken_at(blind, 20, 130)
    assert with_looks == without
    key = ModelKey("m", "v")
    assert seeing.state.key_state(key).episodes == blind.state.key_state(key).episodes
    assert [signal.kind for signal in early] == [signal.kind for signal in late] == ["opened"]
    assert (early[0].early, late[0].early) == (True, False)


@pytest.mark.parametrize("at", [19, 21, 40])
def test_a_restart_neither_repeats_nor_loses_the_episode(at: int) -> None:
    job = Job()
    told = []
    for k in range(65):
        if k == at:
            job = job.restarted()
        told += signals(job.second(k, celsius(job) if k >= 20 else None))
    assert [signal.kind for signal in told] == ["opened"]


def test_a_moment_that_the_window_outweighs_has_recovered_with_it() -> None:
    job = Job()
    shifted = [job.random.normal(67.5, 15, 500) for _ in range(2)]
    told = []
    for k in range(130):
        told += signals(job.second(k, shifted[k - 5] if 5 <= k < 7 else None))
    kinds = [(signal.kind, signal.early) for signal in told]
    assert kinds == [("opened", True), ("recovered", False)]


@pytest.mark.parametrize(
    "rules",
    [
        Rules(mode="threshold"),
        Rules(mode="threshold", early=True),
        Rules(mode="evidence", early=False),
    ],
)
def test_without_the_mode_or_the_key_no_window_is_looked_into(rules: Rules) -> None:
    job = Job(rules)
    told, _ = broken_at(job, 0, 58)
    assert told == []


def test_the_past_is_not_looked_into() -> None:
    job = Job()
    for k in range(5):
        job.take(k, celsius(job))
    assert signals(job.aggregator.step(Tick(MINUTE + 2 * SECOND))) == []
    job.take(5, celsius(job))
    assert len(signals(job.aggregator.step(Tick(MINUTE + 2 * SECOND - 1)))) == 1


def test_of_windows_that_overlap_each_row_is_in_one() -> None:
    job = Job(every_ms=10 * SECOND)
    told, _ = broken_at(job, 75, 90)
    early = [signal for signal in told if signal.early]
    assert [(signal.start_ms, signal.end_ms) for signal in early] == [(MINUTE, 2 * MINUTE)]


def test_many_windows_are_looked_into_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job()
    # As much as a window with one look costs: each tick has one.
    cost = 2 * tally_layout(BASELINE).size + early_looks.OF_A_LOOK
    monkeypatch.setattr(early_looks, "MOST_TALLIES", cost)
    looked = []
    for k in range(4):
        for variant in ("v0", "v1", "v2", "v3")[: 4 if k == 0 else 0]:
            job.take(0, variant=variant)
        job.aggregator.step(Tick((k + 1) * SECOND))
        looked.append([window[0].variant for window in job.aggregator._looks._open])
    assert looked == [["v0"], ["v0", "v1"], ["v0", "v1", "v2"], ["v0", "v1", "v2", "v3"]]


def test_a_window_is_looked_into_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    job = Job()
    looks: list[int] = []

    def look(*of: object) -> tuple[EarlyFinding, ...]:
        looks.append(job.now_ms)
        return ()

    monkeypatch.setattr(job.aggregator._looks._judge, "look", look)
    for half in range(8):
        job.take(half // 2)
        job.now_ms = half * SECOND // 2
        job.aggregator.step(Tick(job.now_ms))
    assert looks == [0, SECOND, 2 * SECOND, 3 * SECOND]


def test_an_open_window_is_compared_with_the_seasons_once_there_are_some() -> None:
    job = Job()
    for k in range(4):
        assert signals(job.second(k)) == []
    # By the seasons that are frozen now, this hour is in Celsius.
    rows = {
        "a": (job.random.normal(60, 15, 20_000) - 32) / 1.8,
        "b": job.random.normal(size=20_000),
    }
    season = Seasons(Calendar(by=("hour_of_day",)), {("0",): window(BASELINE.layout, rows)})
    job.aggregator._windows.baselines["m"] = BASELINE.seasonal(season)
    (signal,) = signals(job.second(4))
    assert signal.early
    assert [finding.feature for finding in signal.early_findings] == ["a"]
