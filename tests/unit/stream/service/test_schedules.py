"""A job with schedules is reopened with another configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from detectors.profiles.layout import HEAD, INTEGRAL
from detectors.profiles.profile import Profile
from detectors.schedule_report import ScheduleReport
from stream.baselining.build import make_from_files, write
from stream.config.load import parse
from stream.events import DiscoveredPartition, ModelKey, Output, Partial
from stream.service.job import Job, open_job
from tests.support.records import covered_range

MINUTE_MS = 60_000
KEY = ModelKey("a", "AllTraffic")


class Period(NamedTuple):
    """A report on a period in short."""

    start_ms: int
    revision: int
    rows: int
    status: str
    notes: tuple[str, ...] = ()


class Runs:
    """Runs of a job over one partition; each ends with a commit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ids: list[str] = []

    def run(self, *minutes: float, accept: bool = False, **changes: Any) -> list[Period]:
        """Reopen the job, count a row at each of these times, and commit."""
        job = self._opened(accept, changes)
        outputs: list[Output] = [*job.pending, *job.aggregator.resume()]
        outputs += job.aggregator.step(DiscoveredPartition("s", 0))
        for minute in minutes:
            outputs += job.aggregator.step(partial(job, round(minute * MINUTE_MS)))
        reports = [output for output in outputs if isinstance(output, ScheduleReport)]
        self.ids += [report.id for report in reports]
        job.store.commit(job.identity, job.aggregator.state, job.tables, reports, {"s": 0})
        assert job.aggregator.state.ledger.imbalance() == {}
        job.store.close()
        return [Period(r.start_ms, r.revision, r.rows, r.status, r.notes) for r in reports]

    def _opened(self, accept: bool, changes: dict[str, Any]) -> Job:
        schedule = changes.pop("schedule", "1h")
        defaults = {
            "job": "j",
            "source": {"type": "jsonl", "path": "captures"},
            "format": {"type": "sagemaker"},
            "window": "1m",
            "grace": "0s",
            "lateness": "5m",
            "models": {"a": {"baseline": "base"}},
            "model": {"from": "const", "name": "a"},
            "rules": {"mode": "threshold", "min_n": 1},
            "sinks": [{"type": "jsonl", "path": "reports", "schedule": schedule}],
        }
        return open_job(parse({**defaults, **changes}, self._folder), accept)


def partial(job: Job, time_ms: int) -> Partial:
    """One row, of ones, at this time."""
    partition = job.aggregator.state.partitions["s"]
    layout = job.aggregator.baselines["a"].layout
    profile = Profile(layout)
    profile.rows = 1
    for start in layout.starts[:-1]:
        profile.counts[[start + INTEGRAL, start + HEAD]] += 1
    every = job.aggregator.settings.every_ms
    assert isinstance(partition.next, int)
    mark_ms = max(time_ms, partition.mark_ms or 0)
    return Partial(
        covers=(covered_range("s", partition.next, 1, mark_ms, claim=partition.claim),),
        layouts={"a": layout.fingerprint},
        profiles=[(KEY, time_ms // every * every, profile)],
    )


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    rng = np.random.default_rng(0)
    for name in ("base", "other"):
        rows = "".join(f"{x:.3f},{y:.3f}\n" for x, y in rng.normal(size=(300, 2)))
        (tmp_path / f"{name}.csv").write_text("p,x\n" + rows)
        write(make_from_files(tmp_path / f"{name}.csv", ["p"]), tmp_path / name)
    runs = Runs(tmp_path)
    yield runs
    assert len(set(runs.ids)) == len(runs.ids), "no id is used twice"


def test_a_period_continues_over_restarts(runs: Runs) -> None:
    for minute in (0, 7, 20, 59):
        assert runs.run(minute) == []
    assert runs.run(60) == [Period(0, 0, 4, "Completed")]
    assert runs.run(58) == []
    assert runs.run(65) == [Period(0, 1, 5, "Completed")]


def test_another_window_length_reports_open_periods_early(runs: Runs) -> None:
    note = "baseline or window length changed in this period"
    assert runs.run(0, 10, 20) == []
    assert runs.run(30, 65, accept=True, window="2m") == [
        Period(0, 0, 3, "Incomplete", (note,)),
        Period(0, 1, 1, "Incomplete", (note,)),
    ]
    assert runs.run(125, window="2m") == [Period(3_600_000, 0, 1, "Completed")]


def test_another_window_length_may_come_with_another_schedule(runs: Runs) -> None:
    assert runs.run(0, 10, 20) == []
    [early] = runs.run(accept=True, window="7m", schedule="21m")
    assert early[:4] == (0, 0, 3, "Incomplete")
    assert runs.run(21, 30, 45, window="7m", schedule="21m") == [
        Period(21 * MINUTE_MS, 0, 2, "Completed")
    ]


def test_another_baseline_reports_open_periods_early(runs: Runs) -> None:
    runs.run(0, 10)
    [early] = runs.run(accept=True, models={"a": {"baseline": "other"}})
    assert early[:4] == (0, 0, 2, "Incomplete")


def test_a_schedule_may_be_added_and_removed_without_accept_change(runs: Runs) -> None:
    note = "the schedule was added in this period"
    assert runs.run(0, 10, 20, schedule=None) == []
    assert runs.run(30, 61) == [Period(0, 0, 2, "Incomplete", (note,))]
    assert runs.run(70, 125, schedule=None) == []
    assert runs.run(185) == [Period(7_200_000, 0, 1, "Incomplete", (note,))]
