"""Training rows counted by season, against a loop over the rows."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.fold import fold
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from stream.baselining.build import make
from stream.baselining.chunk_columns import chunk_columns
from stream.baselining.seasonal import SeasonCount, TimeColumn, count_seasons
from stream.errors import ColumnsUnknown, DataError

CALENDAR = Calendar(by=("hour_of_day", "weekday"), timezone="Europe/Berlin", holidays="DE")
START_S = 1_746_000_000  # 30 April 2025, the day before a holiday


def table(rows: int, seed: int) -> pa.Table:
    """Rows of three weeks with the columns t, x, c; each hundredth has no time."""
    rng = np.random.default_rng(seed)
    times = START_S + rng.integers(0, 21 * 86_400, rows)
    texts = [None if k % 100 == 7 else str(time) for k, time in enumerate(times.tolist())]
    x, c = rng.normal(size=rows), rng.choice(["a", "b", "c"], rows)
    return pa.table({"t": texts, "x": [f"{value:.3f}" for value in x], "c": c.tolist()})


def layout_of(rows: pa.Table) -> Layout:
    return make(lambda: [rows.select(["x", "c"])]).baseline.layout


def counted(rows: pa.Table, unit: str = "s") -> SeasonCount:
    chunks = [rows.slice(start, 700) for start in range(0, rows.num_rows, 700)]
    return count_seasons(chunks, layout_of(rows), CALENDAR, TimeColumn("t", unit))  # type: ignore[arg-type]


def by_loop(rows: pa.Table) -> dict[Key, list[int]]:
    """The rows of each key, by the moment of each row alone."""
    found: dict[Key, list[int]] = {}
    for k, text in enumerate(rows["t"].to_pylist()):
        if text is not None:
            found.setdefault(CALENDAR.key(int(text) * 1000), []).append(k)
    return found


def test_each_season_has_the_counts_of_its_rows() -> None:
    rows = table(3_000, 3_186_402_755)
    seasons, untimed = counted(rows)
    expected = by_loop(rows)
    layout = layout_of(rows)
    assert untimed == 30
    assert set(seasons.profiles) == set(expected)
    for key, numbers in expected.items():
        alone = fold(layout, chunk_columns(rows.take(numbers), layout))
        assert (seasons.profiles[key].counts == alone.counts).all()
        assert seasons.profiles[key].rows == len(numbers)


def test_all_seasons_together_are_all_rows_with_a_time() -> None:
    rows = table(2_000, 4_021_337_118)
    seasons, untimed = counted(rows)
    layout = layout_of(rows)
    total = Profile(layout)
    for profile in seasons.profiles.values():
        total.merge(profile)
    numbers = [k for k, text in enumerate(rows["t"].to_pylist()) if text is not None]
    whole = fold(layout, chunk_columns(rows.take(numbers), layout))
    assert untimed == 20
    assert (total.counts == whole.counts).all()


def test_the_first_of_may_is_a_holiday_from_local_midnight_on() -> None:
    midnight = int(datetime(2025, 4, 30, 22, tzinfo=UTC).timestamp())
    times = [str(midnight - 1), str(midnight), str(midnight + 86_400)]
    rows = pa.table({"t": times, "x": ["1", "2", "3"], "c": ["a", "a", "b"]})
    seasons, _ = counted(rows)
    assert set(seasons.profiles) == {("23", "wednesday"), ("0", "holiday"), ("0", "friday")}


def test_times_in_another_unit_name_the_right_one() -> None:
    with pytest.raises(DataError, match=r"a time of 2000 to 2099 in s: set `--time-unit s`"):
        counted(table(200, 1), "ms")


def test_a_column_without_any_value_has_no_time() -> None:
    rows = pa.table({"t": pa.array([None, None], pa.string()), "x": ["1", "2"], "c": ["a", "b"]})
    with pytest.raises(DataError, match="no value"):
        counted(rows)


def test_a_column_that_is_not_there_is_named() -> None:
    rows = table(200, 2).rename_columns(["date", "x", "c"])
    with pytest.raises(ColumnsUnknown, match="'t'"):
        counted(rows)
