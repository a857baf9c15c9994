"""The pane in which an event counts, the advance of the mark, and the limit of lateness."""

from __future__ import annotations

import numpy as np
import pytest

from stream.events import RawBatch
from stream.readers.arrival import Arrivals
from stream.readers.lateness import RecordTimes, record_times
from stream.testing.records import raw_batch
from tests.support.records import job_settings

SETTINGS = job_settings(every_ms=10, grace_ms=5, lateness_ms=20, tolerance_ms=3)
UNKNOWN = -1


def times_of(
    *batches: tuple[str, list[int]],
    mark_ms: int | None = None,
    arrival_ms: int = -1,
    clock_ms: int = 10**15,
) -> RecordTimes:
    """The times of raw batches: partitions, and the event times of their records."""
    raws: list[RawBatch] = [
        raw_batch([b""] * len(times), partition, arrival_ms=arrival_ms)
        for partition, times in batches
    ]
    bounds = np.cumsum([0, *(len(times) for _, times in batches)])
    time_ms = np.array([time for _, times in batches for time in times], np.int64)
    marks = {partition: mark_ms for partition, _ in batches}
    arrivals = Arrivals(stated=np.full(len(time_ms), arrival_ms >= 0), limit_ms=clock_ms)
    return record_times(
        time_ms=time_ms,
        raws=raws,
        bounds=bounds,
        marks=marks,
        settings=SETTINGS,
        arrivals=arrivals,
    )


def test_an_event_is_too_late_when_its_pane_end_plus_grace_and_lateness_is_at_the_mark() -> None:
    """The pane ``[40, 50)`` is closed for good when the mark reaches 50 + 5 + 20."""
    assert times_of(("p", [74, 45])).late.tolist() == [False, False]
    assert times_of(("p", [75, 45])).late.tolist() == [False, True]
    assert times_of(("p", [75, 50])).late.tolist() == [False, False]


def test_lateness_is_decided_by_the_mark_of_the_events_own_partition() -> None:
    times = times_of(("p", [500]), ("q", [5, 100]), ("p", [400]), ("q", [5]))
    assert times.late.tolist() == [False, False, False, True, True]
    assert times.mark_ms.tolist() == [500, 5, 100, 500, 100]
    assert times.end_marks == [500, 100, 500, 100]


def test_the_mark_of_the_assignment_counts_for_the_first_record() -> None:
    times = times_of(("p", [45, 46]), mark_ms=75)
    assert (times.late.tolist(), times.end_marks) == ([True, True], [75])


def test_a_record_without_a_time_is_never_late_and_does_not_move_the_mark() -> None:
    times = times_of(("p", [UNKNOWN, 75, UNKNOWN]))
    assert times.dated.tolist() == [False, True, False]
    assert times.late.tolist() == [False, False, False]
    assert times.mark_ms.tolist() == [-1, 75, 75]
    assert times_of(("p", [UNKNOWN])).end_marks == [None]
    assert times_of(("p", [])).end_marks == [None]


@pytest.mark.parametrize(("time_ms", "ahead"), [(103, False), (104, True)])
def test_an_event_far_ahead_of_its_arrival_counts_at_its_arrival(time_ms: int, ahead: bool) -> None:
    times = times_of(("p", [time_ms]), arrival_ms=100)
    assert times.ahead.tolist() == [ahead]
    assert times.pane_ms.tolist() == [100]
    assert times.end_marks == [None if ahead else time_ms]


def test_an_event_ahead_of_its_arrival_is_never_too_late() -> None:
    """The log took it after the event at the mark: that is the earliest time it can have."""
    times = times_of(("p", [9_999, 200, 9_999]), mark_ms=135, arrival_ms=100)
    assert times.ahead.tolist() == [True, True, True]
    assert times.late.tolist() == [False, False, False]
    assert times.pane_ms.tolist() == [130, 130, 130]
    assert times.end_marks == [135]


def test_an_event_without_arrival_that_is_ahead_of_the_clock_counts_at_the_mark() -> None:
    times = times_of(("p", [150, 9_999, 160]), mark_ms=135, clock_ms=500)
    assert times.ahead.tolist() == [False, True, False]
    assert times.pane_ms.tolist() == [150, 150, 160]
    assert times.end_marks == [160]


def test_the_first_event_without_arrival_that_is_ahead_counts_by_the_clock() -> None:
    times = times_of(("p", [9_999, 60]), clock_ms=500)
    assert times.pane_ms.tolist() == [500, 60]
    assert (times.late.tolist(), times.end_marks) == ([False, False], [60])


def test_events_that_continue_the_log_are_not_ahead_of_a_clock_that_was_set_back() -> None:
    times = times_of(("p", [136, 138, 139]), mark_ms=135, clock_ms=20)
    assert (times.ahead.tolist(), times.end_marks) == ([False, False, True], [138])


def test_no_records_have_no_times() -> None:
    assert times_of().late.tolist() == []
