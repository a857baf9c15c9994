"""Windows: their closing, their reports and revisions, and the dropping of their panes."""

from __future__ import annotations

from msgspec.structs import replace

from detectors.report import WindowReport
from stream.events import DiscoveredPartition, EndOfInput, Tick, WidthMismatches
from tests.unit.stream.aggregation.job import M, reports, silences, started, windows


def test_a_window_closes_when_the_watermark_reaches_its_end_and_not_before() -> None:
    job = started(grace_ms=3)
    assert windows(job.send([1, 5, 12])) == []
    assert windows(job.send([13])) == [(0, 10, 0, 2)]
    assert windows(job.send([22, 22])) == []
    assert windows(job.send([23])) == [(10, 20, 0, 2)]


def test_the_slowest_partition_holds_the_windows_open() -> None:
    job = started()
    job.step(DiscoveredPartition("q", 0))
    assert windows(job.send([5, 95])) == []
    assert windows(job.send([7, 12], "q")) == [(0, 10, 0, 2)]


def test_late_events_lead_to_a_revision_at_the_next_tick() -> None:
    job = started()
    job.send([5, 25])
    assert windows(job.send([6, 7])) == []
    assert windows(job.step(Tick(1))) == [(0, 10, 1, 3)]
    assert windows(job.step(Tick(2))) == []


def test_sliding_windows_are_sums_of_panes_and_a_late_event_revises_each_of_them() -> None:
    job = started(window_ms=30)
    closed = windows(job.send([5, 15, 25, 35]))
    assert closed == [(-20, 10, 0, 1), (-10, 20, 0, 2), (0, 30, 0, 3)]
    job.send([16])
    assert windows(job.step(Tick(1))) == [(-10, 20, 1, 3), (0, 30, 1, 4)]


def test_a_pane_is_dropped_when_settled_and_its_last_revision_is_reported_first() -> None:
    job = started(lateness_ms=20)
    job.send([5, 25])
    assert windows(job.send([6, 33])) == [(20, 30, 0, 1), (0, 10, 1, 2)]
    assert sorted(pane.start_ms for pane in job.panes.ids()) == [20, 30]
    assert job.state.ledger.rows_closed == 2
    assert job.state.ledger.imbalance() == {}


def test_silence_is_reported_when_it_begins_and_when_it_ends() -> None:
    job = started()
    assert reports(job.send([5, 85]))[1:] == [(10, None, 0, 0, "no data")]
    assert silences(job.send([91])) == [(10, 80, 1, 0, "no data")]
    assert silences(job.send([101, 112])) == []


def test_the_end_of_input_closes_all_windows_and_more_input_may_follow() -> None:
    job = started()
    outputs = [*job.send([5, 17]), *job.step(EndOfInput())]
    assert windows(outputs) == [(0, 10, 0, 1), (10, 20, 0, 1)]
    outputs = [*job.send([18, 25, 31]), *job.step(EndOfInput())]
    assert sorted(windows(outputs)) == [(10, 20, 1, 2), (20, 30, 0, 1), (30, 40, 0, 1)]


def test_windows_that_began_before_a_cut_are_incomplete_after_their_panes_are_dropped() -> None:
    job = started(lateness_ms=0)
    job.send([5, 95])
    job.send([105, 115])
    assert min(pane.start_ms for pane in job.panes.ids()) > 5
    job.aggregator.close_early()
    assert job.state.models["m"].incomplete_before_ms == 120


def test_records_of_a_wrong_width_are_reported_by_their_windows() -> None:
    job = started()
    mismatches = [(M, 0, WidthMismatches(2, 5)), (M, 10, WidthMismatches(1, 0))]
    job.step(replace(job.partial([5]), width_mismatches=mismatches))
    checks = [
        (report.start_ms, report.rows, sorted(violation.check for violation in report.violations))
        for report in job.send([25])
        if isinstance(report, WindowReport)
    ]
    assert checks == [
        (0, 1, ["extra_column_check", "missing_column_check"]),
        (10, 0, ["missing_column_check"]),
    ]


def test_late_records_of_a_wrong_width_lead_to_a_revision() -> None:
    job = started()
    job.send([5, 25])
    late = [(M, 0, WidthMismatches(too_narrow=3))]
    job.step(replace(job.partial([]), width_mismatches=late))
    assert windows(job.step(Tick(1))) == [(0, 10, 1, 1)]
