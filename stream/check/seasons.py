"""What `driftline check` says about seasons."""

from __future__ import annotations

from collections.abc import Iterator

from detectors.phrases import counted
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar
from detectors.profiles.seasons import LEAST_ROWS, Seasons
from stream.config.model import ModelConfig
from stream.config.seasons import calendar_of


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
