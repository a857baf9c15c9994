"""Expected rows: medians of the same hour, what is unusual, nights without events, bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detectors.decisions.traffic import HOUR_MS, WEEK, TrafficMemory, expected_rows, observed

MINUTE_MS = 60_000


def after_hours(
    rows: Sequence[int | None], traffic: TrafficMemory | None = None, first: int = 0
) -> TrafficMemory:
    """The memory after windows of an hour with these rows; ``None``: no window."""
    traffic = traffic or TrafficMemory()
    for hour, count in enumerate(rows, first):
        if count is not None:
            traffic = observed(traffic, hour * HOUR_MS, (hour + 1) * HOUR_MS, count)
    return traffic


def expected(traffic: TrafficMemory, hour: int) -> float | None:
    return expected_rows(traffic, hour * HOUR_MS, (hour + 1) * HOUR_MS)


def after_minutes(rows: Sequence[int]) -> TrafficMemory:
    traffic = TrafficMemory()
    for minute, count in enumerate(rows):
        traffic = observed(traffic, minute * MINUTE_MS, (minute + 1) * MINUTE_MS, count)
    return traffic


def of_minute(traffic: TrafficMemory, minute: int) -> float | None:
    return expected_rows(traffic, minute * MINUTE_MS, (minute + 1) * MINUTE_MS)


def test_nothing_is_expected_before_the_second_window() -> None:
    assert of_minute(TrafficMemory(), 0) is None
    assert of_minute(after_minutes([7]), 1) is None
    assert of_minute(after_minutes([7, 9]), 2) == 8.0


def test_windows_of_the_last_hour_stand_for_hours_that_are_not_known() -> None:
    traffic = after_minutes([100, 0, 100, 5_000, 100, 100])
    assert of_minute(traffic, 6) == 100.0
    assert of_minute(traffic, 6 + 59) == 100.0
    assert of_minute(traffic, 6 + 60) is None


def test_windows_of_an_hour_expect_nothing_on_the_first_two_days() -> None:
    """The first night must not be compared with the first day."""
    traffic = after_hours([1_000] * 47)
    assert [expected(after_hours([1_000] * n), n) for n in (2, 12, 23, 25, 47)] == [None] * 5
    assert expected(after_hours([1_000, 1_000], traffic, first=47), 49) == 1_000.0


def test_the_same_hour_of_the_last_days_stands_for_one_of_the_week() -> None:
    day = [10 * (hour + 1) for hour in range(24)]
    traffic = after_hours(day * 3)
    assert [expected(traffic, 72 + hour) for hour in range(23)] == [float(n) for n in day[:23]]


def test_each_hour_of_the_week_has_its_own_expectation_after_two_weeks() -> None:
    rng = np.random.default_rng(3)
    week = rng.integers(0, 10_000, WEEK).tolist()
    traffic = after_hours([*week, *week, 1])
    assert [expected(traffic, 2 * WEEK + hour) for hour in range(1, WEEK)] == week[1:]


def test_the_hour_of_one_week_ago_comes_before_those_of_the_last_days() -> None:
    """The second weekend is expected to be like the first one."""
    week = [1_000] * 120 + [300] * 48
    traffic = after_hours([*week, *week[:125]])
    assert expected(traffic, WEEK + 125) == 300.0
    assert expected(traffic, WEEK + 20) == 1_000.0


def test_one_unusual_week_of_three_changes_nothing() -> None:
    usual = [1_000] * WEEK
    for unusual in (0, 1, 50_000):
        traffic = after_hours([*usual, *[unusual] * WEEK, *usual, 1])
        assert expected(traffic, 3 * WEEK + 5) == 1_000.0


def test_a_lasting_change_is_expected_after_two_weeks() -> None:
    traffic = after_hours([*[1_000] * (4 * WEEK), *[300] * (2 * WEEK), 1])
    assert expected(traffic, 6 * WEEK + 5) == 300.0


def test_hours_without_events_are_expected_to_have_none() -> None:
    """A site that is open from 8 to 20: nothing is expected at night, nor on the first night."""
    day = [None] * 8 + [500] * 12 + [None] * 4
    traffic = after_hours(day * 3)
    assert expected(traffic, 72 + 3) == 0.0
    assert expected(traffic, 72 + 10) == 500.0


def test_a_long_silence_costs_no_more_than_the_memory_holds() -> None:
    traffic = after_hours([100] * 48)
    late = after_hours([100, 100], traffic, first=10**7)
    assert expected(late, 10**7 + 5) == 0.0
    assert len(late.hours) + len(late.recent) <= 2_200


def test_windows_of_minutes_are_averaged_over_their_hour() -> None:
    traffic = TrafficMemory()
    for minute in range(3 * 24 * 60):
        rows = 10 * (minute // 60 % 24) + minute % 2
        start_ms = minute * MINUTE_MS
        traffic = observed(traffic, start_ms, start_ms + MINUTE_MS, rows)
    at = (72 + 7) * HOUR_MS
    assert expected_rows(traffic, at, at + MINUTE_MS) == pytest.approx(70.5)
    assert expected_rows(traffic, at, at + 5 * MINUTE_MS) == pytest.approx(5 * 70.5)


def test_windows_of_days_have_the_days_of_the_week() -> None:
    day_ms = 24 * HOUR_MS
    traffic = TrafficMemory()
    for day in range(15):
        traffic = observed(traffic, day * day_ms, (day + 1) * day_ms, 100 * (day % 7 + 1))
    for day in range(15, 21):
        start_ms = day * day_ms
        assert expected_rows(traffic, start_ms, start_ms + day_ms) == 100 * (day % 7 + 1)


def test_a_window_that_is_not_newer_is_left_out() -> None:
    traffic = after_hours([100, 100, 100])
    assert observed(traffic, 0, HOUR_MS, 9_999) is traffic
    assert observed(traffic, 2 * HOUR_MS, 3 * HOUR_MS, 9_999) is traffic


def test_half_of_what_is_usual_is_told_and_a_calm_season_is_not() -> None:
    """The condition of the documentation on a daily and weekly cycle with over-dispersed counts."""
    rng = np.random.default_rng(11)
    hours = np.arange(8 * WEEK)
    level = 2_000 * (1.2 + np.sin(2 * np.pi * hours / 24)) * np.where(hours % WEEK >= 120, 0.4, 1)
    rows = rng.negative_binomial(50, 50 / (50 + level))
    traffic = TrafficMemory()
    told = []
    for hour, count in enumerate(rows.tolist()):
        usual = expected(traffic, hour)
        if usual is not None and count < 0.5 * usual:
            told.append(hour)
        traffic = after_hours([count], traffic, first=hour)
    assert [hour for hour in told if hour >= 2 * WEEK] == []
    usual = expected(traffic, 8 * WEEK)
    assert usual is not None
    assert 0.35 * level[0] < 0.5 * usual
