"""Schedules: the reports on whole periods, beside the windows."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from msgspec.structs import replace

from detectors.schedule_report import ScheduleReport
from stream.aggregation.schedules import MOST_EMPTY
from stream.events import (
    EndOfInput,
    Gap,
    ModelKey,
    Output,
    RemoveModel,
    ReplaceBaseline,
    Tick,
    WidthMismatches,
)
from tests.unit.stream.aggregation.job import LAYOUT, OTHER, Job, M, baseline, periods, started


def hourly(*lengths: int, **changes: Any) -> Job:
    """A job with panes and windows of 10 ms, and a schedule of 60 ms or these lengths."""
    return started(schedules_ms=lengths or (60,), **changes)


def ids(outputs: list[Output]) -> list[str]:
    return [output.id for output in outputs if isinstance(output, ScheduleReport)]


def test_a_period_is_reported_when_the_watermark_reaches_its_end_and_not_before() -> None:
    job = hourly(grace_ms=3)
    assert periods(job.send([5, 25, 59, 62])) == []
    assert periods(job.send([63])) == [(60, 0, 0, 3, "Completed")]


def test_a_period_is_the_sum_of_dropped_and_of_held_panes() -> None:
    job = hourly(lateness_ms=10)
    sent = [periods(job.send([time_ms])) for time_ms in (5, 15, 25, 35, 45, 55, 65)]
    assert sent[-1] == [(60, 0, 0, 6, "Completed")]
    assert sent[:-1] == [[]] * 6
    assert [period.start_ms for period in job.periods.ids()] == [0]
    assert min(pane.start_ms for pane in job.panes.ids()) > 20
    assert job.state.ledger.imbalance() == {}


def test_late_events_lead_to_one_revision_when_the_period_is_settled() -> None:
    job = hourly(lateness_ms=30)
    assert periods(job.send([5, 65])) == [(60, 0, 0, 1, "Completed")]
    assert periods(job.send([51])) == []
    assert periods(job.step(Tick(1))) == []
    assert periods(job.send([52, 88])) == []
    assert periods(job.send([90])) == [(60, 0, 1, 3, "Completed")]
    assert periods(job.send([125])) == [(60, 60, 0, 3, "Completed")]
    assert [period.start_ms for period in job.periods.ids()] == [60]


def test_a_period_without_late_events_is_reported_once_and_then_forgotten() -> None:
    job = hourly(lateness_ms=10)
    outputs = [out for time_ms in range(5, 400, 10) for out in job.send([time_ms])]
    expected = [(60, start, 0, 6, "Completed") for start in range(0, 360, 60)]
    assert periods(outputs) == expected
    assert len(list(job.periods.ids())) == 1
    assert list(job.state.key_state(M).periods) in ([], [(60, 300)])


def test_each_schedule_has_periods_of_its_own_and_shorter_ones_come_first() -> None:
    job = hourly(30, 60)
    assert periods(job.send([5, 35, 65])) == [
        (30, 0, 0, 1, "Completed"),
        (30, 30, 0, 1, "Completed"),
        (60, 0, 0, 2, "Completed"),
    ]


def test_periods_without_events_are_reported_once_each_for_models_that_had_events() -> None:
    job = hourly(lateness_ms=0)
    assert periods(job.send([75, 250])) == [
        (60, 60, 0, 1, "Completed"),
        (60, 120, 0, 0, "NoData"),
        (60, 180, 0, 0, "NoData"),
    ]
    assert periods(job.send([305])) == [(60, 240, 0, 1, "Completed")]


def test_an_event_that_comes_late_to_an_empty_period_leads_to_a_revision() -> None:
    job = hourly(lateness_ms=200)
    assert (60, 60, 0, 0, "NoData") in periods(job.send([5, 125]))
    assert periods(job.send([70])) == []
    assert (60, 60, 1, 1, "Completed") in periods(job.send([330]))


def test_a_long_silence_is_reported_up_to_a_limit() -> None:
    job = hourly(lateness_ms=0)
    silence_ms = 60 * (MOST_EMPTY + 1_000_000)
    outputs = job.send([5, silence_ms])
    for _ in range(3):
        outputs += job.step(Tick(1))
    empty = [period for period in periods(outputs) if period[-1] == "NoData"]
    assert [start for _, start, *_ in empty] == [60 * k for k in range(1, MOST_EMPTY + 1)]
    assert len(set(ids(outputs))) == len(ids(outputs)) == MOST_EMPTY + 1


def test_many_periods_at_once_are_reported_in_several_steps_with_the_same_result() -> None:
    with patch("stream.aggregation.schedules.MOST_EMPTY_AT_ONCE", 2):
        job = hourly(lateness_ms=0)
        steps = [job.send([5, 255, 605]), *(job.step(Tick(k)) for k in range(6))]
    assert [len(periods(step)) for step in steps] == [2, 2, 2, 2, 2, 0, 0]
    expected = [(60, 60 * k, 0, int(k in (0, 4)), "") for k in range(10)]
    assert [(*period[:4], "") for step in steps for period in periods(step)] == expected
    assert list(job.periods.ids()) == []


def test_many_variants_are_reported_in_several_steps_and_late_events_change_those_reported() -> (
    None
):
    job = hourly(lateness_ms=20)
    partial = job.partial([5, 65])
    keys = [ModelKey("m", name) for name in "abc"]
    counted = [(key, at, profile) for key in keys for _, at, profile in partial.profiles]
    rows = replace(partial.covers[0], rows=6)
    with patch("stream.aggregation.schedules.MOST_AT_ONCE", 2):
        steps = [job.step(replace(partial, profiles=counted, covers=(rows,)))]
        late = job.partial([55])
        for key in (keys[0], keys[2]):
            one = replace(late, profiles=[(key, at, profile) for _, at, profile in late.profiles])
            steps.append(job.step(one))
            late = job.partial([55])
        job = job.restarted()
        steps += [job.step(Tick(1)), job.send([85])]
    reported = [[out for out in step if isinstance(out, ScheduleReport)] for step in steps]
    found = [[(each.variant, each.revision, each.rows) for each in step] for step in reported]
    assert found == [
        [("a", 0, 1), ("b", 0, 1)],
        [],
        [],
        [("c", 0, 2)],
        [("a", 1, 2)],
    ]
    assert job.state.ledger.imbalance() == {}


def test_the_end_of_input_reports_open_and_changed_periods_and_more_input_may_follow() -> None:
    job = hourly()
    outputs = [*job.send([5, 65]), *job.send([6]), *job.step(EndOfInput())]
    assert periods(outputs) == [
        (60, 0, 0, 1, "Completed"),
        (60, 60, 0, 1, "Completed"),
        (60, 0, 1, 2, "Completed"),
    ]
    outputs = [*job.send([66, 130]), *job.step(EndOfInput())]
    assert sorted(periods(outputs)) == [(60, 60, 1, 2, "Completed"), (60, 120, 0, 1, "Completed")]


def test_records_of_a_wrong_width_are_reported_by_their_period_when_their_panes_are_dropped() -> (
    None
):
    job = hourly(lateness_ms=0)
    partial = replace(job.partial([5]), profiles=[], width_mismatches=[(M, 0, WidthMismatches(2))])
    job.step(replace(partial, covers=(replace(partial.covers[0], rows=0, by_pane={}),)))
    job.send([45])
    outputs = job.send([61])
    [report] = [output for output in outputs if isinstance(output, ScheduleReport)]
    assert (report.rows, report.status) == (1, "CompletedWithViolations")
    assert [violation.check for violation in report.violations] == ["missing_column_check"]


def test_a_gap_makes_the_whole_period_incomplete_even_if_its_windows_are_settled() -> None:
    job = hourly(lateness_ms=0)
    job.send([5])
    job.step(Gap(partition="p", expected=1, resume=3, lost=2, reason="expired"))
    job.assigned["p"] = replace(job.assigned["p"], next=3)
    outputs = [out for time_ms in range(15, 130, 10) for out in job.send([time_ms])]
    assert periods(outputs) == [(60, 0, 0, 6, "Incomplete"), (60, 60, 0, 6, "Completed")]
    assert job.state.spans == []


def test_a_replaced_baseline_reports_open_periods_early_and_the_rest_of_them_is_incomplete() -> (
    None
):
    job = hourly()
    job.send([5, 65, 75])
    job.send([7])
    outputs = job.step(ReplaceBaseline("m", baseline(OTHER)))
    assert periods(outputs) == [(60, 0, 1, 2, "Incomplete"), (60, 60, 0, 2, "Incomplete")]
    assert not [*job.periods.ids(), *job.panes.ids()]
    outputs += job.step(job.partial([85, 125, 185], layout=OTHER))
    assert periods(outputs)[2:] == [(60, 60, 1, 1, "Incomplete"), (60, 120, 0, 1, "Completed")]
    assert len(set(ids(outputs))) == 4
    [first] = [out for out in outputs if isinstance(out, ScheduleReport)][:1]
    assert first.notes == ("baseline or window length changed in this period",)


def test_a_period_that_was_reported_early_is_not_reported_as_empty() -> None:
    job = hourly()
    job.send([5, 65])
    job.step(ReplaceBaseline("m", baseline(OTHER)))
    outputs = job.step(job.partial([125, 185], layout=OTHER))
    assert periods(outputs) == [(60, 120, 0, 1, "Completed")]


def test_a_removed_model_is_reported_early_and_never_as_empty() -> None:
    job = hourly()
    job.send([5])
    assert periods(job.step(RemoveModel("m"))) == [(60, 0, 0, 1, "Incomplete")]
    outputs = [*job.step(replace(job.partial([500]), profiles=[], layouts={})), *job.step(Tick(1))]
    assert periods(outputs) == []


def test_a_restart_continues_with_sums_and_revisions() -> None:
    job = hourly(lateness_ms=20)
    job.send([5, 15, 25, 45, 65])
    job = job.restarted()
    assert periods(job.send([50])) == []
    assert periods(job.send([85])) == [(60, 0, 1, 5, "Completed")]
    assert job.state.ledger.imbalance() == {}


def test_an_added_schedule_begins_with_the_panes_that_are_held() -> None:
    job = started(lateness_ms=0, window_ms=20)
    job.send([5, 15, 35, 45, 65])
    job = job.restarted(schedules_ms=(60,))
    with patch("stream.aggregation.schedules.keeps_all_values", lambda _: True):
        job = job.restarted(schedules_ms=(60,))
    assert job.state.schedules[60].closed_ms == 60
    outputs = [*job.send([75, 115, 125]), *job.send([185])]
    assert periods(outputs) == [(60, 60, 0, 3, "Incomplete"), (60, 120, 0, 1, "Completed")]
    [first] = [out for out in outputs if isinstance(out, ScheduleReport)][:1]
    assert first.notes == ("the schedule was added in this period",)


def test_an_added_schedule_is_complete_if_its_first_period_was_seen_whole() -> None:
    job = started(lateness_ms=50)
    job.send([65])
    with patch("stream.aggregation.schedules.keeps_all_values", lambda _: True):
        job = job.restarted(schedules_ms=(60,))
    assert periods(job.send([75, 125])) == [(60, 60, 0, 2, "Completed")]


def test_a_removed_schedule_drops_its_sums_and_uses_no_id_twice_when_it_returns() -> None:
    job = hourly(lateness_ms=100)
    outputs = job.send([5, 65, 75])
    job = job.restarted(schedules_ms=(30,))
    assert [period for period in job.periods.ids() if period.schedule_ms == 60] == []
    outputs += job.send([6, 95])
    job = job.restarted(schedules_ms=(60,))
    outputs += [*job.send([76, 130, 170]), *job.send([400]), *job.step(EndOfInput())]
    assert len(set(ids(outputs))) == len(ids(outputs))
    assert {period[:2] for period in periods(outputs)} >= {(60, 0), (30, 60), (60, 60)}


def test_a_schedule_that_returns_after_the_end_of_input_continues_its_revisions() -> None:
    job = hourly(lateness_ms=500)
    outputs = [*job.send([5, 65]), *job.step(EndOfInput())]
    job = job.restarted(schedules_ms=()).restarted(schedules_ms=(60,))
    outputs += [*job.send([66, 125]), *job.step(EndOfInput())]
    assert (60, 60, 1, 2, "Incomplete") in periods(outputs)
    assert len(set(ids(outputs))) == len(ids(outputs))


@pytest.mark.parametrize("variant", ["v", "w"])
def test_variants_have_periods_of_their_own(variant: str) -> None:
    job = hourly()
    partial = job.partial([5, 65])
    key = ModelKey("m", variant)
    partial = replace(partial, profiles=[(key, at, counted) for _, at, counted in partial.profiles])
    [report] = [out for out in job.step(partial) if isinstance(out, ScheduleReport)]
    assert report.variant == variant
    assert report.id == f"j/m/{variant}/0/60/60/{baseline(LAYOUT).fingerprint}/0"
