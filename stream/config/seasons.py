"""The seasons that a configuration asks for, and their faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detectors.durations import duration_ms
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar, SeasonPart
from stream.config.faults import mismatch
from stream.config.model import Config, SeasonConfig
from stream.errors import ConfigFault

LENGTHS: Final[dict[SeasonPart, tuple[str, str]]] = {
    "hour_of_day": ("1h", "1d"),
    "weekday": ("1d", "7d"),
    "weekend": ("1d", "7d"),
    "month": ("1d", "365d"),
}
"""The longest window that lies in one value of a part, and the shortest time to learn it from."""


def season_faults(config: Config) -> Iterator[ConfigFault]:
    """Yield the faults of calendars, of windows longer than a season, and of too little time."""
    for name, model in config.models.items():
        if model.season is not None:
            path = f"models.{name}.season"
            for fault in calendar_of(model.season).check():
                yield ConfigFault(path=f"{path}.{fault.key}", reason=fault.message)
            yield from _lengths(config, path, model.season)


def seasonal_baseline_faults(
    config: Config, model: str, baseline: Baseline
) -> Iterator[ConfigFault]:
    """Yield what keeps the seasons of a baseline from being used: its windows, another calendar."""
    if baseline.seasons is None:
        return
    calendar, season = baseline.seasons.calendar, config.models[model].season
    path = f"models.{model}.season"
    if season is not None and calendar_of(season) != calendar:
        reason = (
            f"the baseline has seasons by {', '.join(calendar.by)} in {calendar.timezone}, which"
            " are used as they are: leave out the key, or make a baseline without --season"
        )
        yield ConfigFault(path=path, reason=reason)
    for part in calendar.by:
        longest, _ = LENGTHS[part]
        if duration_ms(config.window) > duration_ms(longest):
            reason = (
                f"windows of at most {longest}: the baseline of model {model} has seasons by {part}"
            )
            yield ConfigFault(path="window", reason=f"expected {reason}, found {config.window}")


def calendar_of(season: SeasonConfig) -> Calendar:
    """The calendar of a model's seasons."""
    return Calendar(by=tuple(season.by), timezone=season.timezone, holidays=season.holidays)


def _lengths(config: Config, path: str, season: SeasonConfig) -> Iterator[ConfigFault]:
    for part in season.by:
        longest, shortest = LENGTHS[part]
        if duration_ms(config.window) > duration_ms(longest):
            expected = f"at most {longest}, as {path}.by has {part}"
            yield mismatch("window", expected, config.window)
        if duration_ms(season.learn) < duration_ms(shortest):
            expected = f"at least {shortest}, as {path}.by has {part}"
            yield mismatch(f"{path}.learn", expected, season.learn)
