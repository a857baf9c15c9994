"""Expressions and offsets of schedules."""

from __future__ import annotations

import pytest

from stream.migration.times import offset_ms, period_of


@pytest.mark.parametrize(
    ("expression", "length", "noted"),
    [
        ("cron(0 * ? * * *)", "1h", ""),
        ("cron(0 12 ? * * *)", "1d", "it ran at 12:00 UTC"),
        ("cron(0 00 ? * * *)", "1d", ""),
        ("cron(0 0/2 ? * * *)", "2h", ""),
        ("cron(0 17/12 ? * * *)", "12h", "it ran at 17:00 UTC"),
        ("cron(0 0/5 ? * * *)", "5h", "the runs of a day are 5 h apart"),
        ("cron(0 0/24 ? * * *)", "1d", ""),
        ("NOW", "1h", "the schedule ran once"),
        ("", "1d", "SageMaker runs it once a day"),
        ("rate(1 hour)", "1h", "is not understood"),
        ("cron(0 0/0 ? * * *)", "1h", "is not understood"),
        ("cron(0 0/25 ? * * *)", "1h", "is not understood"),
        ("cron(0 24 ? * * *)", "1h", "is not understood"),
    ],
)
def test_the_period_is_the_time_between_two_runs(expression: str, length: str, noted: str) -> None:
    period = period_of(expression)
    assert period.length == length
    assert noted in period.note
    assert bool(period.note) == bool(noted)


@pytest.mark.parametrize(
    ("text", "hours"),
    [("-P8D", 192), ("-PT6H", 6), ("PT0H", 0), ("-P1DT12H", 36), ("P1W", 168), ("-PT90M", 1.5)],
)
def test_an_offset_is_its_size(text: str, hours: float) -> None:
    assert offset_ms(text) == hours * 3_600_000


@pytest.mark.parametrize("text", ["", "P", "-PT", "8D", "P1Y"])
def test_what_is_no_offset_has_none(text: str) -> None:
    assert offset_ms(text) is None
