"""Positions, claims, idleness and gaps of partitions; advances of watermark and clock."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from stream.errors import GapFound
from stream.events import Assign, DiscoveredPartition, Gap, ReaderLost, Tick
from tests.unit.stream.aggregation.job import Job, reports, silences, started, states, windows


def test_a_discovered_partition_is_assigned_once_from_its_start() -> None:
    job = started()
    assert job.assigned["p"] == Assign(claim=1, partition="p", next=0, mark_ms=None)
    assert job.step(DiscoveredPartition("p", 7)) == []


def test_partitions_of_a_lost_reader_are_assigned_from_the_last_accepted_position() -> None:
    job = started()
    job.send([4, 6])
    assert job.step(ReaderLost(("p", "never discovered"))) == [
        Assign(claim=2, partition="p", next=2, mark_ms=6)
    ]


def test_an_idle_partition_leaves_the_watermark_to_the_clock() -> None:
    job = started()
    job.step(Tick(1_000))
    job.send([5], at_end=True)
    job.report_end(1_025)
    assert reports(job.report_end(1_049)) == []
    outputs = job.report_end(1_050)
    assert windows(outputs) == [(0, 10, 0, 1)]
    assert silences(outputs) == [(10, None, 0, 0, "no data")]


def test_a_partition_that_is_not_at_its_end_is_never_idle() -> None:
    job = started()
    job.step(Tick(1_000))
    job.send([5])
    assert reports(job.step(Tick(50_000))) == []


def test_a_partition_that_is_not_being_read_never_becomes_idle() -> None:
    """A paused service, or a broker that does not respond: the last report grows old."""
    job = started()
    job.step(Tick(1_000))
    job.send([5], at_end=True)
    for now_ms in (1_020, 1_040, 1_060):
        job.report_end(now_ms)
    watermark_ms = job.state.watermark_ms
    assert watermark_ms == 1_060 - 50
    for now_ms in range(1_070, 90_000, 500):
        job.step(Tick(now_ms))
    assert job.state.watermark_ms == watermark_ms + 10
    job.send([2_000, 3_000, 80_000])
    assert job.state.ledger.rows_late_after_idle == 0


def test_reports_from_before_and_after_an_outage_do_not_add_up() -> None:
    """Producers waited for the source too: their events come after the first report."""
    job = started(idle_ms=8_000)
    job.step(Tick(1_000))
    job.send([5], at_end=True)
    job.report_end(3_000)
    assert reports(job.report_end(10_500)) == []
    job.send([6, 7])
    assert job.state.ledger.rows_late_after_idle == 0


def test_no_partition_is_idle_after_a_restart_until_its_reader_reports_the_end() -> None:
    """Events that arrived during the downtime are read before the clock may close a window."""
    job = started()
    job.step(Tick(1_000))
    job.send([5], at_end=True)
    job.report_end(1_100)
    restarted = job.restarted()
    assert reports(restarted.step(Tick(3_600_000))) == []
    restarted.send([1_200, 5_000, 9_000, 3_599_000])
    restarted.step(Tick(3_600_500))
    ledger = restarted.state.ledger
    assert (ledger.rows_late_after_idle, ledger.rows_folded, ledger.imbalance()) == (0, 5, {})


def test_a_partition_with_only_undated_records_does_not_hold_up_the_others() -> None:
    job = started()
    job.step(DiscoveredPartition("q", 0), Tick(1_000))
    job.send([5, 45])
    assert job.state.watermark_ms is None
    for now_ms in (1_000, 1_020, 1_040, 1_060):
        job.step(Tick(now_ms))
        outputs = job.send_undated("q")
    assert windows(outputs) == [(0, 10, 0, 1)]
    job.send([47, 48], "q")
    assert job.state.watermark_ms == 45
    assert job.state.ledger.rows_late_after_idle == 0


def test_rows_of_closed_windows_after_a_long_idle_time_are_counted_as_late_after_idle() -> None:
    job = started(lateness_ms=0)
    job.step(Tick(1_000))
    job.send([5], at_end=True)
    for now_ms in range(1_020, 5_001, 20):
        job.report_end(now_ms)
    job.send([6, 7])
    ledger = job.state.ledger
    assert (ledger.rows_late_after_idle, ledger.imbalance()) == (2, {})
    assert ledger.partitions["p"].outcomes == {"accepted": 1, "late_after_idle": 2}
    assert ledger.bytes == {"accepted": 10, "late_after_idle": 20}


def test_the_first_events_after_an_empty_start_are_not_late_however_old_they_are() -> None:
    job = started(lateness_ms=0)
    for now_ms in range(1_000, 5_001, 40):
        assert job.report_end(now_ms) == []
    assert job.state.watermark_ms is None
    assert windows(job.send([6, 7, 31])) == [(0, 10, 0, 2)]
    assert job.state.ledger.partitions["p"].outcomes == {"accepted": 3}


def test_the_clock_closes_windows_of_events_that_moved_no_mark() -> None:
    """Events dated ahead of their arrival count, but state no time."""
    job = started(lateness_ms=0)
    ahead = job.partial([5])
    cover = replace(ahead.covers[0], mark_ms=None, dated=0, at_end=True)
    job.step(Tick(1_000), replace(ahead, covers=(cover,)))
    job.assigned["p"] = replace(job.assigned["p"], mark_ms=None)
    outputs = [output for now_ms in range(1_020, 1_101, 20) for output in job.report_end(now_ms)]
    assert windows(outputs) == [(0, 10, 0, 1)]


def test_the_watermark_never_falls() -> None:
    job = started()
    job.step(Tick(1_000))
    job.send([5], at_end=True)
    job.report_end(5_000)
    before = job.state.watermark_ms
    job.step(Tick(10), DiscoveredPartition("q", 0))
    job.send([7], "q")
    assert job.state.watermark_ms == before


@pytest.mark.parametrize("jump_ms", [86_400_000, -86_400_000])
def test_a_single_wrong_reading_of_the_clock_loses_nothing(jump_ms: int) -> None:
    job = started(lateness_ms=120_000)
    job.step(Tick(100_000_000))
    job.send([99_999_990], at_end=True)
    job.report_end(100_000_100)
    job.report_end(100_000_100 + jump_ms)
    job.report_end(100_000_600)
    job.send([100_000_601, 100_001_000])
    assert job.state.ledger.rows_late_after_idle == 0
    assert (job.state.now_ms or 0) <= 100_000_600


def test_a_clock_that_was_wrong_at_first_is_followed_within_seconds() -> None:
    job = started()
    job.step(Tick(0))
    for k in range(30):
        job.step(Tick(1_750_000_000_000 + k))
    assert job.state.now_ms == 1_750_000_000_029


def test_a_gap_is_counted_and_the_windows_over_it_are_incomplete() -> None:
    job = started()
    job.send([5])
    assert Assign(claim=2, partition="p", next=9, mark_ms=5) in job.step(
        Gap(partition="p", expected=1, resume=9, lost=8, reason="retention")
    )
    assert states(job.send([35, 61])) == ["incomplete", "incomplete"]
    assert windows(job.send([72])) == [(60, 70, 0, 1)]
    assert reports(job.send([82]))[0].state == "ok"
    assert (job.state.ledger.gaps, job.state.ledger.gap_records) == (1, 8)


def test_a_gap_at_the_end_of_an_idle_partition_ends_at_the_mark_of_the_others() -> None:
    job = started()
    job.step(DiscoveredPartition("q", 0), Tick(1_000))
    job.send([5])
    job.send([5], "q")
    job.step(Gap(partition="q", expected=1, resume=9, lost=8, reason="retention"))
    job.send([25])
    job.send([], "q", at_end=True)
    job.send([65])
    job.report_end(1_025, "q")
    job.report_end(1_050, "q")
    state_of = {report.start_ms: report.state for report in reports(job.send([95, 112]))}
    assert (state_of[60], state_of[90]) == ("incomplete", "ok")
    assert job.state.open_gaps == {}


def test_a_gap_stays_open_until_a_later_time_is_read() -> None:
    """Retention has emptied the only partition: its next event may be much later than the gap."""
    job = started()
    job.step(Tick(1_000))
    job.send([1, 5, 12])
    job.step(Gap(partition="p", expected=3, resume=100, lost=97, reason="retention"))
    for now_ms in (1_000, 1_020, 1_040, 1_060):
        job.report_end(now_ms)
    assert list(job.state.open_gaps) == ["p"]
    assert states(job.send([1_038, 1_051])) == ["incomplete"]
    assert job.state.open_gaps == {}


def from_inside(**changes: Any) -> Job:
    """A job that reads ``q`` from a position inside its log, and nothing else."""
    job = started(**changes)
    job.aggregator.state.partitions.clear()
    job.step(DiscoveredPartition("q", 7, inside=True))
    return job


@pytest.mark.parametrize("times", [[[15, 25, 37, 48]], [[15], [25], [37], [48]]])
def test_windows_that_began_before_the_first_time_read_are_incomplete(
    times: list[list[int]],
) -> None:
    """However the records are divided into partials."""
    job = from_inside()
    outputs = [output for part in times for output in job.send(part, "q")]
    assert [(report.start_ms, report.state) for report in reports(outputs)] == [
        (10, "incomplete"),
        (20, "ok"),
        (30, "ok"),
    ]


def test_the_grace_counts_as_not_read() -> None:
    """The lost records may be that much newer than the first one that is read."""
    outputs = from_inside(grace_ms=7).send([15, 25, 37, 48], "q")
    assert states(outputs) == ["incomplete", "incomplete", "ok"]


def test_a_partition_that_was_quiet_at_the_start_has_lost_nothing_later() -> None:
    job = from_inside()
    job.step(Tick(1_000))
    job.report_end(1_010, "q")
    assert states(job.send([2_005, 2_012], "q")) == ["ok"]
    assert job.state.open_starts == {}


def test_a_start_without_a_time_ends_at_the_mark_of_the_others_once_it_is_idle() -> None:
    job = from_inside()
    job.step(DiscoveredPartition("r", 0), Tick(1_000))
    job.send([5], "r")
    job.send([], "q", at_end=True)
    job.send([35], "r")
    outputs = [out for now_ms in (1_020, 1_040, 1_060) for out in job.report_end(now_ms, "q")]
    outputs += job.send([45, 52, 63], "r")
    states_of = {report.start_ms: report.state for report in reports(outputs)}
    assert (states_of[0], states_of[30], states_of[40]) == ("incomplete", "incomplete", "ok")


def test_a_start_inside_survives_a_restart() -> None:
    assert states(from_inside().restarted().send([15, 25], "q")) == ["incomplete"]


def test_a_partition_that_is_read_from_its_beginning_has_whole_windows() -> None:
    assert states(started().send([15, 25])) == ["ok"]


def test_a_gap_that_is_reported_twice_is_counted_once() -> None:
    job = started()
    job.step(Gap(partition="p", expected=0, resume=9, lost=9, reason="retention"))
    assert job.step(Gap(partition="p", expected=0, resume=9, lost=9, reason="retention")) == []
    assert job.state.ledger.gaps == 1


def test_a_gap_raises_if_the_job_is_configured_to_stop_on_gaps() -> None:
    with pytest.raises(GapFound, match="9 records"):
        started(stop_on_gap=True).step(
            Gap(partition="p", expected=0, resume=9, lost=9, reason="retention")
        )
