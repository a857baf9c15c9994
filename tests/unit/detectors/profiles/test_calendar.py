"""The calendar of seasons against dates that are known from almanacs, and a slow oracle."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from detectors.profiles.calendar import Calendar

HOUR_MS = 3_600_000


def at(*date: int, zone: str = "UTC") -> int:
    return int(datetime(*date, tzinfo=ZoneInfo(zone)).timestamp()) * 1000  # type: ignore[misc,arg-type]


def keys_from(start_ms: int, hours: int, calendar: Calendar) -> list[str]:
    return [calendar.key(start_ms + hour * HOUR_MS)[0] for hour in range(hours)]


def test_the_hour_that_spring_leaves_out_never_comes() -> None:
    berlin = Calendar(by=("hour_of_day",), timezone="Europe/Berlin")
    found = keys_from(at(2025, 3, 30, zone="Europe/Berlin"), 5, berlin)
    assert found == ["0", "1", "3", "4", "5"]


def test_the_hour_that_autumn_repeats_comes_twice() -> None:
    berlin = Calendar(by=("hour_of_day",), timezone="Europe/Berlin")
    found = keys_from(at(2025, 10, 26, zone="Europe/Berlin"), 5, berlin)
    assert found == ["0", "1", "2", "2", "3"]


def test_a_zone_of_half_an_hour_begins_its_hours_at_half_past() -> None:
    india = Calendar(by=("hour_of_day", "weekday"), timezone="Asia/Kolkata")
    monday = at(2025, 6, 2, 18, 29)
    assert india.key(monday) == ("23", "monday")
    assert india.key(monday + 60_000) == ("0", "tuesday")


def test_a_zone_of_three_quarters_of_an_hour() -> None:
    nepal = Calendar(by=("hour_of_day",), timezone="Asia/Kathmandu")
    assert nepal.key(at(2025, 6, 2, 0, 14)) == ("5",)
    assert nepal.key(at(2025, 6, 2, 0, 15)) == ("6",)


def test_a_month_begins_by_local_time() -> None:
    samoa = Calendar(by=("month",), timezone="Pacific/Apia")  # 13 hours ahead
    assert samoa.key(at(2025, 1, 31, 10)) == ("1",)
    assert samoa.key(at(2025, 1, 31, 11)) == ("2",)


@pytest.mark.parametrize(
    ("holidays", "day", "weekday", "weekend"),
    [
        ("DE", (2025, 10, 3), "holiday", "weekend"),  # Day of German Unity, a Friday
        ("DE", (2025, 1, 6), "monday", "weekday"),  # Epiphany is a holiday in Bavaria, not in Hesse
        ("DE-HE", (2025, 1, 6), "monday", "weekday"),
        ("DE-BY", (2025, 1, 6), "holiday", "weekend"),
        ("US", (2013, 7, 4), "holiday", "weekend"),
        ("US", (2013, 11, 28), "holiday", "weekend"),  # Thanksgiving
        ("", (2025, 10, 3), "friday", "weekday"),
        ("", (2025, 10, 4), "saturday", "weekend"),
        ("SA", (2025, 10, 3), "friday", "weekend"),  # the weekend is Friday and Saturday
        ("SA", (2025, 10, 5), "sunday", "weekday"),
        ("CN", (2024, 2, 18), "sunday", "weekday"),  # worked in exchange, after the Spring Festival
    ],
)
def test_holidays_and_weekends_of_a_place(
    holidays: str, day: tuple[int, int, int], weekday: str, weekend: str
) -> None:
    assert Calendar(by=("weekday",), holidays=holidays).key(at(*day)) == (weekday,)
    assert Calendar(by=("weekend",), holidays=holidays).key(at(*day)) == (weekend,)


def test_a_holiday_ends_at_local_midnight() -> None:
    unity = Calendar(by=("weekday",), timezone="Europe/Berlin", holidays="DE")
    assert unity.key(at(2025, 10, 3, 21, 59)) == ("holiday",)
    assert unity.key(at(2025, 10, 3, 22, 0)) == ("saturday",)


def test_many_keys_are_those_of_each_moment_alone() -> None:
    seed = 2_974_108_333
    starts = np.random.default_rng(seed).integers(at(1972, 1, 2), at(2037, 1, 1), 3_000)
    for zone in ("Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Monrovia"):
        calendar = Calendar(by=("month", "hour_of_day", "weekday"), timezone=zone, holidays="DE")
        positions, keys = calendar.keys(starts)
        assert keys == sorted(set(keys))
        for start, position in zip(starts.tolist(), positions, strict=True):
            local = datetime.fromtimestamp(start / 1000, UTC).astimezone(ZoneInfo(zone))
            assert keys[position][:2] == (str(local.month), str(local.hour))
            assert keys[position] == calendar.key(start)


def test_no_moments_have_no_keys() -> None:
    positions, keys = Calendar(by=("month",)).keys(np.array([], np.int64))
    assert len(positions) == 0
    assert keys == []


@pytest.mark.parametrize(
    ("calendar", "expected"),
    [
        (Calendar(by=()), "by: it names no part"),
        (Calendar(by=("month", "month")), "by: month is given more than once"),
        (Calendar(by=("weekday", "weekend")), "leave out weekend"),
        (Calendar(by=("month",), holidays="DE"), "holidays need weekday or weekend"),
        (Calendar(by=("month",), timezone="Europe/Berln"), "did you mean 'Europe/Berlin'?"),
        (Calendar(by=("month",), timezone="new york"), "did you mean 'America/New_York'?"),
        (Calendar(by=("month",), timezone="../etc/passwd"), "named '../etc/passwd', such as"),
        (Calendar(by=("month",), timezone="Europe"), "no time zone"),
        (Calendar(by=("weekend",), holidays="Germany"), "did you mean 'DE'?"),
        (Calendar(by=("weekend",), holidays="de"), "did you mean 'DE'?"),
        (Calendar(by=("weekend",), holidays="DE-by"), "did you mean 'BY'?"),
        (Calendar(by=("weekend",), holidays="DE-QQ"), "known are DE-BB, DE-BE"),
        (Calendar(by=("weekend",), holidays="DE-"), "no subdivision of DE is named ''"),
    ],
)
def test_a_fault_names_what_is_valid(calendar: Calendar, expected: str) -> None:
    (fault,) = calendar.check()
    assert expected in str(fault)


def test_a_valid_calendar_has_no_fault() -> None:
    for zone, place in (("UTC", ""), ("Asia/Kolkata", "IN"), ("America/New_York", "US-NY")):
        calendar = Calendar(by=("hour_of_day", "weekday"), timezone=zone, holidays=place)
        assert calendar.check() == []


@pytest.mark.parametrize(
    ("timezone", "middle", "other", "part"),
    [
        ("UTC", "2026-03-02T07:15", "2026-03-02T06:15", 0.25),
        ("UTC", "2026-03-02T07:30", "2026-03-02T06:30", 0.0),
        ("UTC", "2026-03-02T07:59:59.999", "2026-03-02T08:59:59.999", 0.5 - 1e-3 / 3600),
        ("UTC", "2026-03-02T08:00", "2026-03-02T07:00", 0.5),
        # Half past seven there is two o'clock here.
        ("Asia/Kolkata", "2026-03-02T02:00", "2026-03-02T01:00", 0.0),
        ("Asia/Kolkata", "2026-03-02T02:15", "2026-03-02T03:15", 0.25),
    ],
)
def test_a_moment_has_a_part_in_the_nearer_hour(
    timezone: str, middle: str, other: str, part: float
) -> None:
    calendar = Calendar(by=("hour_of_day", "weekend"), timezone=timezone)
    found_ms, found = calendar.between(_utc_ms(middle))
    assert found_ms == _utc_ms(other)
    assert found == pytest.approx(part, abs=1e-12)


def test_the_hour_that_spring_leaves_out_has_no_part() -> None:
    calendar = Calendar(by=("hour_of_day",), timezone="Europe/Berlin")
    before_ms = _utc_ms("2026-03-29T00:45")
    other_ms, part = calendar.between(before_ms)
    assert part == 0.25
    assert (calendar.key(before_ms), calendar.key(other_ms)) == (("1",), ("3",))


def test_a_calendar_without_hours_has_no_part_of_another() -> None:
    moment_ms = _utc_ms("2026-03-01T00:00")
    assert Calendar(by=("weekend",)).between(moment_ms) == (moment_ms, 0.0)


def _utc_ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
