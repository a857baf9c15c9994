"""What `driftline check` says about seasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from detectors.durations import duration_ms
from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar
from detectors.profiles.seasons import LEAST_ROWS, Seasons
from stream.aggregation.state import SeasonState
from stream.check.findings import Finding, format_duration
from stream.config.model import ModelConfig, SeasonConfig
from stream.config.seasons import calendar_of
from stream.state.stored import StoredState


def season_lines(name: str, model: ModelConfig, baseline: Baseline) -> Iterator[str]:
    """Yield a line about the seasons of a model: those of its baseline, or those that it learns."""
    if baseline.seasons is not None:
        seasons = baseline.seasons
        yield f"model {name}: seasons of the baseline {_parts(seasons.calendar)}: {_rows(seasons)}"
    elif model.season is not None:
        calendar = calendar_of(model.season)
        number = len(list(calendar.possible()))
        yield (
            f"model {name}: {counted(number, 'season')} {_parts(calendar)}, learned from the first"
            f" {model.season.learn} of windows; until then the whole baseline is what windows are"
            " compared with"
        )


def season_findings(models: Mapping[str, ModelConfig], stored: StoredState) -> Iterator[Finding]:
    """Yield how far seasons are learned, for each model that learns them from the stream."""
    for name, model in models.items():
        state = stored.state.models.get(name)
        if model.season is not None and state is not None and state.season is not None:
            yield Finding(f"model {name}", _progress(model.season, state.season))


def _progress(season: SeasonConfig, progress: SeasonState) -> str:
    learned = format_duration(progress.learned_ms)
    if progress.frozen_ms is None:
        wanted = format_duration(duration_ms(season.learn))
        return f"seasons: windows of {learned} of {wanted} are learned"
    since = datetime.fromtimestamp(progress.frozen_ms / 1000, UTC)
    return f"seasons: learned from windows of {learned}, in force since {since:%Y-%m-%d %H:%M} UTC"


def _parts(calendar: Calendar) -> str:
    """The calendar in words.

    >>> _parts(Calendar(by=("hour_of_day", "weekend"), timezone="Europe/Berlin", holidays="DE"))
    'by hour_of_day, weekend (Europe/Berlin, holidays of DE)'
    """
    holidays = f", holidays of {calendar.holidays}" if calendar.holidays else ""
    return f"by {', '.join(calendar.by)} ({calendar.timezone}{holidays})"


def _rows(seasons: Seasons) -> str:
    """How many seasons have rows enough, and what becomes of the others."""
    keys = list(seasons.calendar.possible())
    pools = [(key, seasons.pool_of(key)) for key in keys]
    own = sum(pool == (key,) for key, pool in pools)
    whole = sum(not pool for _, pool in pools)
    words = [f"{own} of {len(keys)} have {LEAST_ROWS} rows or more"]
    if pooled := len(keys) - own - whole:
        words.append(f"{pooled} are pooled with those that share their first parts")
    if whole:
        words.append(f"{whole} are compared with the whole baseline")
    return ", ".join(words)
