"""The key `season` of a model: its faults, and its fit with the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detectors.profiles.calendar import Calendar
from detectors.profiles.seasons import Seasons
from stream.config.load import parse
from stream.config.seasons import calendar_of, seasonal_baseline_faults
from stream.errors import ConfigError
from stream.service.seasons import season_plans
from stream.testing.baselines import baseline, normal

HOURS = ["hour_of_day", "weekend"]


def config(season: dict[str, Any] | None, **other: Any) -> dict[str, Any]:
    return {
        "job": "j",
        "source": {"type": "jsonl", "path": "p"},
        "format": {"type": "json"},
        "model": {"from": "const", "name": "m"},
        "models": {"m": {"baseline": "b", **({"season": season} if season else {})}},
        **other,
    }


def test_a_model_learns_what_its_season_says() -> None:
    season = {"by": HOURS, "timezone": "Europe/Berlin", "holidays": "DE-BY", "learn": "14d"}
    (plan,) = season_plans(parse(config(season), Path())).values()
    assert plan.calendar == Calendar(
        by=("hour_of_day", "weekend"), timezone="Europe/Berlin", holidays="DE-BY"
    )
    assert plan.learn_ms == 14 * 86_400_000
    assert season_plans(parse(config(None), Path())) == {}


@pytest.mark.parametrize(
    ("season", "window", "path", "expected"),
    [
        ({"by": ["hour"]}, "1h", "models.m.season.by[0]", "hour_of_day"),
        ({"by": []}, "1h", "models.m.season.by", ""),
        (
            {"by": ["month", "month"], "learn": "365d"},
            "1h",
            "models.m.season.by",
            "more than once",
        ),
        ({"by": ["month"]}, "1h", "models.m.season.learn", "at least 365d"),
        ({"by": HOURS, "timezone": "Berlin"}, "1h", "models.m.season.timezone", "Europe/Berlin"),
        ({"by": HOURS, "holidays": "Germany"}, "1h", "models.m.season.holidays", "'DE'"),
        ({"by": HOURS}, "2h", "window", "at most 1h"),
        ({"by": ["weekday"]}, "2d", "window", "at most 1d"),
        ({"by": HOURS, "learn": "3d"}, "1h", "models.m.season.learn", "at least 7d"),
        ({"by": ["hour_of_day"], "learn": "23h"}, "1h", "models.m.season.learn", "at least 1d"),
    ],
)
def test_a_fault_names_its_key(
    season: dict[str, Any], window: str, path: str, expected: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(config(season, window=window), Path())
    faults = {fault.path: fault.reason for fault in raised.value.faults}
    assert list(faults) == [path]
    assert expected in faults[path]


def test_the_seasons_of_a_baseline_need_short_windows_and_the_same_calendar() -> None:
    plain = baseline({"x": normal(1, 500)})
    calendar = Calendar(by=("hour_of_day", "weekend"))
    seasonal = plain.seasonal(Seasons(calendar, {("7", "weekend"): plain.profile}))
    same = parse(config({"by": HOURS}, window="1h"), Path())
    other = parse(config({"by": ["hour_of_day"]}, window="1h"), Path())
    long = parse(config(None, window="3h"), Path())
    assert calendar_of(same.models["m"].season) == calendar  # type: ignore[arg-type]
    assert list(seasonal_baseline_faults(same, "m", seasonal)) == []
    assert list(seasonal_baseline_faults(long, "m", plain)) == []
    (fault,) = seasonal_baseline_faults(other, "m", seasonal)
    assert fault.path == "models.m.season"
    assert "hour_of_day, weekend in UTC" in fault.reason
    (fault,) = seasonal_baseline_faults(long, "m", seasonal)
    assert (fault.path, "at most 1h" in fault.reason) == ("window", True)
