"""Seasons learned from the stream: which windows count, when they freeze, and over restarts."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from detectors.decisions.rules import Rules
from detectors.profiles.calendar import Calendar
from detectors.profiles.layout import MISSING
from stream.aggregation.season_learning import SeasonPlan
from stream.aggregation.state import JobState
from stream.events import DiscoveredPartition, Output, ReplaceBaseline, SeasonsLearned
from tests.support.records import job_settings
from tests.unit.stream.aggregation.job import OTHER, Job, baseline, started

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
CALENDAR = Calendar(by=("hour_of_day",))
PLAN = SeasonPlan(CALENDAR, DAY_MS)


def learning(plan: SeasonPlan = PLAN, **changes: int) -> Job:
    """A job with hourly windows whose model learns the hours of the day from one day."""
    settings = job_settings(
        **{
            "window_ms": HOUR_MS,
            "every_ms": HOUR_MS,
            "grace_ms": 0,
            "lateness_ms": 2 * HOUR_MS,
            "idle_ms": HOUR_MS,
            "tolerance_ms": 0,
            **changes,
        }
    )
    job = Job(settings, season_plans={"m": plan})
    job.step(DiscoveredPartition("p", 0))
    return job


def hour(number: int, rows: int = 1) -> list[int]:
    """The times of some rows in one hour since the epoch."""
    return [number * HOUR_MS + k for k in range(rows)]


def frozen(outputs: list[Output]) -> list[SeasonsLearned]:
    return [output for output in outputs if isinstance(output, SeasonsLearned)]


def rows_by_season(job: Job) -> dict[str, int]:
    """The rows of each season in the store."""
    found = {id_.season: job.seasons.get(id_) for id_ in job.seasons.ids()}
    return {key: profile.rows for key, profile in found.items() if profile is not None}


def test_a_day_of_windows_is_learned_and_the_next_window_freezes_it() -> None:
    job = learning()
    outputs = [out for number in range(25) for out in job.send(hour(number, number + 1))]
    assert frozen(outputs) == []
    assert rows_by_season(job) == {str(number): number + 1 for number in range(24)}
    # The window of hour 24 closes with the first record of hour 25.
    (learned,) = frozen(job.send(hour(25)))
    assert learned.learned_ms == DAY_MS
    seasons = learned.baseline.seasons
    assert seasons is not None
    assert {key: profile.rows for key, profile in seasons.profiles.items()} == {
        (str(number),): number + 1 for number in range(24)
    }
    assert job.state.models["m"].season is not None
    assert job.state.models["m"].season.frozen_ms == 25 * HOUR_MS
    assert learned.baseline.fingerprint == job.aggregator.baselines["m"].fingerprint


def test_frozen_seasons_do_not_change() -> None:
    job = learning()
    for number in range(26):
        job.send(hour(number))
    before = rows_by_season(job)
    for number in range(26, 60):
        assert frozen(job.send(hour(number, 5))) == []
    assert rows_by_season(job) == before == {str(number): 1 for number in range(24)}


def with_values(job: Job, times: list[int]) -> list[Output]:
    """Send records whose value is a number without an end in binary, another one of each time."""
    partial = job.partial(times)
    for _, pane_ms, profile in partial.profiles:
        for time in [time for time in times if time // HOUR_MS * HOUR_MS == pane_ms]:
            profile.sums += float(np.random.default_rng(time).normal(0.1, 1e3))
    return job.step(partial)


def test_what_is_learned_does_not_depend_on_the_size_of_the_partials() -> None:
    times = [time for number in range(40) for time in hour(number, 1 + number % 9)]
    jobs, checksums, fingerprints = [], set(), set()
    for size in (1, 4, len(times)):
        job = learning()
        parts = [times[k : k + size] for k in range(0, len(times), size)]
        (learned,) = frozen([out for part in parts for out in with_values(job, part)])
        assert learned.baseline.seasons is not None
        checksums.add(learned.baseline.seasons.checksum)
        fingerprints.add(learned.baseline.seasons.fingerprint)
        jobs.append((rows_by_season(job), job.state.models["m"].season))
    assert jobs[0] == jobs[1] == jobs[2]
    assert len(checksums) > 1  # sums of floats depend on their order
    assert len(fingerprints) == 1


def test_hours_without_windows_take_no_time_of_the_learning() -> None:
    job = learning()
    present = [number for number in range(60) if number % 2]
    outputs = [out for number in present for out in job.send(hour(number))]
    assert job.state.models["m"].season is not None
    assert job.state.models["m"].season.learned_ms == DAY_MS
    assert job.state.models["m"].season.last_ms == 48 * HOUR_MS
    assert len(frozen(outputs)) == 1
    assert set(rows_by_season(job)) == {str(number) for number in range(1, 24, 2)}


def test_late_events_of_a_reported_window_do_not_count() -> None:
    job = learning()
    job.send(hour(0))
    job.send(hour(1))
    job.send(hour(0, 7))
    job.send(hour(2))
    assert rows_by_season(job) == {"0": 1, "1": 1}


def test_a_window_with_missing_values_does_not_count() -> None:
    job = learning()
    job.send(hour(0))
    broken = job.partial(hour(1, 500))
    for _, _, profile in broken.profiles:
        profile.counts[:] = 0
        profile.counts[MISSING] = 500
    job.step(broken)
    job.send(hour(2))
    job.send(hour(3))
    assert set(rows_by_season(job)) == {"0", "2"}


@pytest.mark.parametrize("cut", [0, 1, 7, 23, 24, 25, 26, 30])
def test_a_restart_changes_nothing(cut: int) -> None:
    straight, job = learning(), learning()
    for number in range(31):
        straight.send(hour(number, 1 + number % 2))
        job.send(hour(number, 1 + number % 2))
        if number == cut:
            job = job.restarted()
    assert rows_by_season(job) == rows_by_season(straight)
    assert job.state.models["m"].season == straight.state.models["m"].season
    mine, other = (each.aggregator._windows.baselines["m"].seasons for each in (job, straight))
    assert mine is not None
    assert other is not None
    assert mine.fingerprint == other.fingerprint


def test_what_was_not_committed_is_learned_again() -> None:
    job = learning()
    for number in range(5):
        job.send(hour(number))
    committed = job.state.encode(), copy.deepcopy((job.panes, job.seasons))
    job.send(hour(5, 9))
    job.send(hour(6))
    assert rows_by_season(job)["5"] == 9
    job.state = JobState.decode(committed[0])
    job.panes, job.seasons = committed[1]
    job = job.restarted()
    assert "5" not in rows_by_season(job)
    job.send(hour(5, 9))
    job.send(hour(6))
    assert rows_by_season(job) == {**{str(number): 1 for number in range(5)}, "5": 9}


def test_another_calendar_begins_anew() -> None:
    job = learning()
    for number in range(30):
        job.send(hour(number))
    job.season_plans = {"m": SeasonPlan(Calendar(by=("weekday",)), 7 * DAY_MS)}
    job = job.restarted()
    assert job.aggregator._windows.baselines["m"].seasons is None
    job.send(hour(30))
    job.send(hour(31))
    assert rows_by_season(job) == {"friday": 2}  # 2 January 1970


def test_another_baseline_begins_anew() -> None:
    job = learning()
    for number in range(30):
        job.send(hour(number))
    job.step(ReplaceBaseline("m", baseline(OTHER)))
    assert rows_by_season(job) == {}
    assert job.state.models["m"].season is None
    assert job.aggregator._windows.baselines["m"].seasons is None


def test_sliding_windows_count_each_row_once() -> None:
    job = learning(SeasonPlan(CALENDAR, 100 * DAY_MS), every_ms=HOUR_MS // 4)
    for number in range(10):
        job.send([number * HOUR_MS + k * HOUR_MS // 4 for k in range(4)])
    # The first window with a row ends at 00:15, and each that counts begins where the last ended.
    assert rows_by_season(job) == {"23": 1, **{str(number): 4 for number in range(9)}}


def test_a_job_without_plans_learns_nothing() -> None:
    job = started()
    job.send([4, 30])
    assert rows_by_season(job) == {}
    assert job.state.models["m"].season is None


def test_the_state_of_an_earlier_version_has_no_progress() -> None:
    job = learning()
    old = job.state.encode().replace(b"\xa6season", b"\xa6former")
    assert JobState.decode(old).models["m"].season is None


def test_the_mode_does_not_change_what_is_learned() -> None:
    threshold, evidence = learning(), learning()
    evidence = Job(evidence.settings, season_plans={"m": PLAN}, rules=Rules())
    evidence.step(DiscoveredPartition("p", 0))
    for number in range(30):
        threshold.send(hour(number))
        evidence.send(hour(number))
    assert rows_by_season(threshold) == rows_by_season(evidence)
