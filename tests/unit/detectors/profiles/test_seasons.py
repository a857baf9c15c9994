"""Seasons: sums by key, pools of keys that share their first parts, and their bytes."""

from __future__ import annotations

import itertools

import msgspec
import numpy as np
import pytest

from detectors.errors import BaselineInvalid, LayoutMismatch, SeasonsMismatch
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import LEAST_ROWS, Seasons
from stream.testing.baselines import baseline, window
from tests.support.evidence import known

HOUR_MS = 3_600_000
MONDAY_MS = 4 * 24 * HOUR_MS
"""The first Monday of 1970."""
BY_HOUR = Calendar(by=("hour_of_day",))
BY_BOTH = Calendar(by=("hour_of_day", "weekend"))
SATURDAY_7_MS = MONDAY_MS + (5 * 24 + 7) * HOUR_MS
MONDAY_7_MS = MONDAY_MS + 7 * HOUR_MS
NUMBERS = baseline({"x": np.arange(1_000.0)})


def counted(rows: int, at: float = 0.0) -> Profile:
    """``rows`` rows of one value, in the layout of :data:`NUMBERS`."""
    return window(NUMBERS.layout, {"x": np.full(rows, at)})


def seasons(calendar: Calendar = BY_BOTH, **rows: int) -> Seasons:
    """Seasons of as many rows by key: ``_7_weekend=3`` is the key ``("7", "weekend")``."""
    return Seasons(
        calendar, {tuple(key[1:].split("_")): counted(count) for key, count in rows.items()}
    )


def rows_of(made: Seasons) -> dict[Key, int]:
    return {key: profile.rows for key, profile in made.profiles.items()}


def test_a_season_with_enough_rows_is_compared_with_its_own() -> None:
    made = seasons(_7_weekend=LEAST_ROWS, _7_weekday=900, _8_weekday=900)
    assert made.pool(SATURDAY_7_MS) == (("7", "weekend"),)
    own = made.at(SATURDAY_7_MS)
    assert own is not None
    assert own.rows == LEAST_ROWS
    assert made.words(SATURDAY_7_MS) == "hour_of_day 7, weekend"


def test_one_with_a_row_too_few_is_pooled_with_those_of_its_hour() -> None:
    made = seasons(_7_weekend=LEAST_ROWS - 1, _7_weekday=900, _8_weekday=900)
    assert made.pool(SATURDAY_7_MS) == (("7", "weekday"), ("7", "weekend"))
    pooled = made.at(SATURDAY_7_MS)
    assert pooled is not None
    assert pooled.rows == 900 + LEAST_ROWS - 1
    assert made.words(SATURDAY_7_MS) == "hour_of_day 7"
    assert made.pool(MONDAY_7_MS) == (("7", "weekday"),)  # its own rows are enough


def test_one_of_another_hour_is_pooled_with_no_hour() -> None:
    made = seasons(_7_weekend=LEAST_ROWS - 1, _8_weekday=900)
    assert made.pool(SATURDAY_7_MS) == ()
    assert made.at(SATURDAY_7_MS) is None
    assert made.words(SATURDAY_7_MS) == ""


def test_a_season_that_was_never_seen_is_pooled() -> None:
    made = seasons(_7_weekday=900)
    assert made.pool(SATURDAY_7_MS) == (("7", "weekday"),)


def test_a_pool_of_few_rows_that_together_are_enough() -> None:
    half = LEAST_ROWS // 2
    made = seasons(_7_weekday=half, _7_weekend=LEAST_ROWS - half)
    assert made.words(MONDAY_7_MS) == "hour_of_day 7"


def test_seasons_without_rows_are_the_whole_baseline() -> None:
    empty = seasons(_7_weekday=0)
    assert empty.profiles == {}
    assert empty.layout is None
    assert empty.at(0) is None
    assert NUMBERS.seasonal(empty).in_season(0).profile is NUMBERS.profile


def test_merging_adds_up_rows_by_key_and_changes_neither() -> None:
    one, other = seasons(_7_weekday=3, _8_weekday=4), seasons(_8_weekday=5, _9_weekend=6)
    both = one.merged(other)
    expected = {("7", "weekday"): 3, ("8", "weekday"): 9, ("9", "weekend"): 6}
    assert rows_of(both) == expected
    assert rows_of(one) == {("7", "weekday"): 3, ("8", "weekday"): 4}
    assert rows_of(other) == {("8", "weekday"): 5, ("9", "weekend"): 6}


def test_the_order_of_merging_does_not_matter() -> None:
    parts = [seasons(_7_weekday=3), seasons(_7_weekday=4, _8_weekday=1), seasons(_9_weekend=2)]
    fingerprints = {
        a.merged(b.merged(c)).fingerprint for a, b, c in itertools.permutations(parts)
    } | {a.merged(b).merged(c).fingerprint for a, b, c in itertools.permutations(parts)}
    assert len(fingerprints) == 1


def test_no_rows_are_the_neutral_element() -> None:
    made = seasons(_7_weekday=3)
    assert made.merged(seasons()).fingerprint == made.fingerprint
    assert seasons().merged(made).fingerprint == made.fingerprint


def test_seasons_of_two_calendars_are_not_merged() -> None:
    with pytest.raises(SeasonsMismatch, match="hour_of_day, weekend and hour_of_day"):
        seasons().merged(seasons(BY_HOUR))


def test_seasons_of_two_layouts_are_neither_made_nor_merged() -> None:
    other = Profile(known().layout)
    other.rows = 1
    with pytest.raises(LayoutMismatch):
        Seasons(BY_HOUR, {("7",): counted(1), ("8",): other})
    with pytest.raises(LayoutMismatch):
        Seasons(BY_HOUR, {("7",): counted(1)}).merged(Seasons(BY_HOUR, {("7",): other}))
    with pytest.raises(BaselineInvalid, match="another layout"):
        NUMBERS.seasonal(Seasons(BY_HOUR, {("7",): other}))


def test_the_fingerprint_tells_counts_keys_and_calendars_apart() -> None:
    made = [
        seasons(_7_weekday=3),
        seasons(_7_weekday=4),
        seasons(_8_weekday=3),
        Seasons(BY_BOTH, {("7", "weekday"): counted(3, at=900.0)}),
        Seasons(Calendar(by=("hour_of_day", "weekend"), timezone="Europe/Berlin"), {}),
        seasons(),
    ]
    assert len({each.fingerprint for each in made}) == len(made)


def test_a_baseline_keeps_its_seasons_in_its_file() -> None:
    made = seasons(_7_weekday=300, _8_weekend=4)
    kept = NUMBERS.seasonal(made)
    assert kept.fingerprint == NUMBERS.fingerprint
    again = Baseline.decode(kept.encode())
    assert again.seasons is not None
    assert again.seasons.fingerprint == made.fingerprint
    assert again.seasons.calendar == BY_BOTH
    assert rows_of(again.seasons) == rows_of(made)
    assert again.encode() == kept.encode()


def test_a_baseline_without_seasons_keeps_its_bytes() -> None:
    assert NUMBERS.seasonal(seasons(_7_weekday=300)).seasonal(None).encode() == NUMBERS.encode()
    assert b"seasons" not in NUMBERS.encode()


def test_readers_get_no_seasons() -> None:
    kept = NUMBERS.seasonal(seasons(_7_weekday=300))
    assert kept.encode(with_references=False) == NUMBERS.encode(with_references=False)


def test_seasons_that_were_changed_in_the_file_are_refused() -> None:
    content = msgspec.msgpack.decode(NUMBERS.seasonal(seasons(_7_weekday=300)).encode())
    content["seasons"]["calendar"]["timezone"] = "Asia/Tokyo"
    with pytest.raises(BaselineInvalid, match="seasons: expected"):
        Baseline.decode(msgspec.msgpack.encode(content))
    content["seasons"]["profiles"][0][1] = b"no profile"
    with pytest.raises(BaselineInvalid, match="seasons: damaged"):
        Baseline.decode(msgspec.msgpack.encode(content))


def test_a_baseline_in_season_has_its_counts_and_everything_else_of_the_baseline() -> None:
    kept = NUMBERS.seasonal(seasons(_7_weekday=300, _8_weekday=10))
    view = kept.in_season(MONDAY_7_MS)
    assert view.profile.rows == 300
    assert view.layout is kept.layout
    assert view.constraints is kept.constraints
    assert view is kept.in_season(MONDAY_7_MS + 30 * 60 * 1000)
    assert kept.in_season(MONDAY_7_MS + HOUR_MS) is kept  # ten rows are too few
    assert NUMBERS.in_season(MONDAY_7_MS) is NUMBERS


def test_other_constraints_and_references_leave_the_seasons() -> None:
    kept = NUMBERS.seasonal(seasons(_7_weekday=300))
    for other in (kept.constrained(kept.constraints), kept.referenced({})):
        assert other.seasons is kept.seasons
