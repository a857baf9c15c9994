"""An aggregator with the reader's part of the protocol: claims and positions as assigned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec.structs import replace

from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.layout import HEAD, INTEGRAL, Feature, Layout
from detectors.profiles.profile import Profile
from detectors.report import WindowReport
from detectors.schedule_report import ScheduleReport
from stream.aggregation.aggregator import Aggregator
from stream.aggregation.histories import MemoryHistories
from stream.aggregation.season_learning import SeasonPlan
from stream.aggregation.state import JobState
from stream.event_time import JobSettings
from stream.events import Assign, DiscoveredPartition, Item, ModelKey, Output, Partial, Tick
from stream.labels.rows import LabelRange
from tests.support.records import covered_range, job_settings
from tests.support.stores import MemoryPanes, MemoryPeriods, MemorySeasons

LAYOUT = Layout(
    (Feature(name="x", type="Integral", kind="grid", edges=(0.5, 1.5), cells=(0, 1, 2)),)
)
OTHER = Layout((Feature(name="x", type="Integral", kind="grid", edges=(0.5,), cells=(0, 1)),))
M = ModelKey("m", "v")


def baseline(layout: Layout) -> Baseline:
    return Baseline(layout, Profile(layout), Constraints(), ("x",))


@dataclass
class Job:
    """A job with one model, whose records are dated and have the value 0."""

    settings: JobSettings
    learning: tuple[str, ...] = ()
    state: JobState = field(default_factory=JobState)
    panes: MemoryPanes = field(default_factory=MemoryPanes)
    periods: MemoryPeriods = field(default_factory=MemoryPeriods)
    histories: MemoryHistories = field(default_factory=MemoryHistories)
    seasons: MemorySeasons = field(default_factory=MemorySeasons)
    season_plans: Mapping[str, SeasonPlan] = field(default_factory=dict)
    assigned: dict[str, Assign] = field(default_factory=dict)
    rules: Rules = field(default_factory=lambda: Rules(mode="threshold", min_n=1))

    def __post_init__(self) -> None:
        self.aggregator = Aggregator(
            settings=self.settings,
            baselines={"m": baseline(LAYOUT)},
            judge=Judge("j", self.rules),
            state=self.state,
            panes=self.panes,
            periods=self.periods,
            histories=self.histories,
            seasons=self.seasons,
            season_plans=self.season_plans,
            learn=lambda *_: baseline(OTHER),
            learning=self.learning,
        )

    def step(self, *items: Item | LabelRange) -> list[Output]:
        outputs = [output for item in items for output in self.aggregator.step(item)]
        self.assigned |= {
            output.partition: output for output in outputs if isinstance(output, Assign)
        }
        return outputs

    def partial(
        self,
        times: Sequence[int],
        partition: str = "p",
        *,
        at_end: bool = False,
        layout: Layout = LAYOUT,
        first: int | None = None,
    ) -> Partial:
        """The partial of records with these times, from the assigned position on."""
        assign = self.assigned[partition]
        start = assign.next if first is None else first
        assert isinstance(start, int)
        marks = [*times, *([] if assign.mark_ms is None else [assign.mark_ms])]
        mark_ms = max(marks, default=None)
        profiles: dict[int, Profile] = {}
        for time_ms in times:
            pane_ms = time_ms // self.settings.every_ms * self.settings.every_ms
            profile = profiles.setdefault(pane_ms, Profile(layout))
            profile.rows += 1
            profile.counts[[INTEGRAL, HEAD]] += 1
        cover = covered_range(
            partition,
            start,
            len(times),
            mark_ms,
            claim=assign.claim,
            at_end=at_end,
            first_ms=None if not times else max(times[0], assign.mark_ms or times[0]),
            bytes={"accepted": 10 * len(times)},
            by_pane={start: (pane.rows, 10 * pane.rows) for start, pane in profiles.items()},
        )
        self.assigned[partition] = Assign(
            claim=assign.claim, partition=partition, next=start + len(times), mark_ms=mark_ms
        )
        return Partial(
            covers=(cover,),
            layouts={"m": layout.fingerprint},
            profiles=[(M, pane_ms, profile) for pane_ms, profile in profiles.items()],
        )

    def send(
        self, times: Sequence[int], partition: str = "p", *, at_end: bool = False
    ) -> list[Output]:
        """Pass the partial of records with these times to the aggregator."""
        return self.step(self.partial(times, partition, at_end=at_end))

    def report_end(self, now_ms: int, partition: str = "p") -> list[Output]:
        """Let the clock tick, and the reader report again that it is at the end of the log."""
        return self.step(Tick(now_ms), self.partial([], partition, at_end=True))

    def send_undated(self, partition: str) -> list[Output]:
        """Pass a record whose time cannot be read to the aggregator."""
        partial = self.partial([], partition)
        cover = replace(partial.covers[0], read=1, outcomes={"undecodable": 1})
        return self.step(replace(partial, covers=(cover,)))

    def restarted(self, **changes: Any) -> Job:
        """The job after a restart with these changes of its settings, from its encoded state."""
        job = Job(
            replace(self.settings, **changes),
            state=JobState.decode(self.state.encode()),
            panes=self.panes,
            periods=self.periods,
            histories=self.histories,
            seasons=self.seasons,
            season_plans=self.season_plans,
            rules=self.rules,
        )
        job.assigned = {assign.partition: assign for assign in job.aggregator.resume()}
        return job


def started(learning: tuple[str, ...] = (), **changes: Any) -> Job:
    """A job with windows of 10 ms that has discovered the partition ``p``."""
    small = {
        "window_ms": 10,
        "every_ms": 10,
        "grace_ms": 0,
        "lateness_ms": 100,
        "idle_ms": 50,
        "tolerance_ms": 0,
    }
    job = Job(job_settings(**{**small, **changes}), learning)
    job.step(DiscoveredPartition("p", 0))
    return job


class Reported(NamedTuple):
    """A window report in short."""

    start_ms: int
    end_ms: int | None
    revision: int
    rows: int
    state: str


def reports(outputs: Sequence[Output]) -> list[Reported]:
    """All reports, of windows and of silences."""
    return [
        Reported(
            start_ms=report.start_ms,
            end_ms=report.end_ms,
            revision=report.revision,
            rows=report.rows,
            state=report.state,
        )
        for report in outputs
        if isinstance(report, WindowReport)
    ]


def silences(outputs: Sequence[Output]) -> list[Reported]:
    return [report for report in reports(outputs) if report.state == "no data"]


def states(outputs: Sequence[Output]) -> list[str]:
    """The states of the reported windows."""
    return [report.state for report in reports(outputs) if report.state != "no data"]


def windows(outputs: Sequence[Output]) -> list[tuple[int, int | None, int, int]]:
    """Start, end, revision and rows of the reported windows."""
    return [report[:4] for report in reports(outputs) if report.state != "no data"]


def periods(outputs: Sequence[Output]) -> list[tuple[int, int, int, int, str]]:
    """Schedule, start, revision, rows and status of the reported periods."""
    return [
        (report.schedule_ms, report.start_ms, report.revision, report.rows, report.status)
        for report in outputs
        if isinstance(report, ScheduleReport)
    ]
