"""What `driftline check` says about the seasons that a model has or learns."""

from __future__ import annotations

from typing import Any

import pytest

from detectors.profiles.calendar import Calendar
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from stream.aggregation.state import JobState, ModelState, SeasonState
from stream.check.findings import Finding
from stream.check.seasons import season_findings, season_lines
from stream.config.model import ModelConfig, SeasonConfig
from stream.state.stored import StoredState
from stream.testing.baselines import baseline, normal
from tests.support.waiting import IDENTITY

PLAIN = baseline({"x": normal(1, 500)})
LEARNS = ModelConfig(baseline="b", season=SeasonConfig(by=["hour_of_day", "weekend"], learn="14d"))


def rows(number: int) -> Profile:
    profile = Profile(PLAIN.layout)
    profile.rows = number
    return profile


def test_a_model_without_seasons_has_no_line() -> None:
    assert list(season_lines("m", ModelConfig(baseline="b"), PLAIN)) == []


def test_what_is_learned_is_told_with_its_number_and_time() -> None:
    (line,) = season_lines("m", LEARNS, PLAIN)
    assert line.startswith("model m: 48 seasons by hour_of_day, weekend (UTC), learned from")
    assert "the first 14d of windows" in line


def test_the_seasons_of_a_baseline_are_told_with_those_that_have_few_rows() -> None:
    calendar = Calendar(by=("hour_of_day", "weekend"))
    counted = {("7", "weekday"): 900, ("7", "weekend"): 100, ("8", "weekday"): 50}
    seasonal = PLAIN.seasonal(Seasons(calendar, {key: rows(n) for key, n in counted.items()}))
    (line,) = season_lines("m", LEARNS, seasonal)
    assert line == (
        "model m: seasons of the baseline by hour_of_day, weekend (UTC): 1 of 48 have 200 rows or"
        " more, 1 are pooled with those that share their first parts, 46 are compared with the"
        " whole baseline"
    )


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({"learned_ms": 356_400_000}, "windows of 4 d 3 h of 14 d are learned"),
        (
            {"learned_ms": 1_209_600_000, "frozen_ms": 1_795_590_060_000},
            "learned from windows of 14 d, in force since 2026-11-25 07:01 UTC",
        ),
    ],
)
def test_the_state_tells_how_far_seasons_are_learned(progress: dict[str, Any], told: str) -> None:
    state = ModelState(
        PLAIN.fingerprint, season=SeasonState(Calendar(by=("hour_of_day",)), **progress)
    )
    stored = StoredState(
        identity=IDENTITY, state=JobState(models={"m": state}), baselines={}, limits={}
    )
    (finding,) = season_findings({"m": LEARNS, "other": LEARNS}, stored)
    assert finding == Finding("model m", f"seasons: {told}")
