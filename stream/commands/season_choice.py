"""The seasons that the options of `driftline baseline` ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

import msgspec

from detectors.faults import did_you_mean
from detectors.profiles.calendar import Calendar, SeasonPart
from stream.baselining.seasonal import TimeColumn
from stream.commands.name_lists import parse_names
from stream.commands.season_options import OF_SEASONS
from stream.commands.usage import wrong_option, wrong_usage
from stream.formats.base import TimeUnit

PARTS: Final[tuple[SeasonPart, ...]] = get_args(SeasonPart)
_OF_CALENDAR: Final = {"by": "--season", "timezone": "--timezone", "holidays": "--holidays"}


class SeasonOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command about seasons; its help describes them."""

    season: tuple[str, ...] = ()
    time: str | None = None
    time_unit: TimeUnit | None = None
    timezone: str | None = None
    holidays: str | None = None
    model: str | None = None

    @property
    def calendar(self) -> Calendar:
        """The calendar that the options describe; raises ``click.UsageError`` for a wrong one."""
        parts = parse_names(self.season)
        for part in parts:
            if part not in PARTS:
                expected = f"expected some of {', '.join(PARTS)}, found {part!r}"
                raise wrong_option("--season", f"{expected}{did_you_mean(part, PARTS)}")
        calendar = Calendar(
            by=msgspec.convert(parts, tuple[SeasonPart, ...]),
            timezone=self.timezone or "UTC",
            holidays=self.holidays or "",
        )
        for fault in calendar.check():
            raise wrong_option(_OF_CALENDAR[fault.key], fault.message)
        return calendar

    @property
    def excluded(self) -> tuple[str, ...]:
        """The column that is no feature, since it holds the times."""
        return (self.time,) if self.time else ()

    @property
    def time_column(self) -> TimeColumn:
        """The column of times; raises ``click.UsageError`` if none is named."""
        if self.time is None:
            raise wrong_usage("--season needs --time, the column with the time of each row.")
        return TimeColumn(self.time, self.time_unit or "iso")

    def check(self, from_reports: bool) -> None:
        """Raise ``click.UsageError`` for an option that has no meaning beside the others."""
        given = {
            f"--{name.replace('_', '-')}": getattr(self, name) for name in self.__struct_fields__
        }
        if not self.season:
            for name, value in given.items():
                if value not in (None, ()):
                    raise wrong_usage(f"{name} can be given only with --season.")
            if from_reports:
                raise wrong_usage("--from-reports needs --season, such as hour_of_day,weekend.")
        elif from_reports and (self.time or self.time_unit):
            raise wrong_usage("--time has no meaning with --from-reports: windows have a time.")
        elif self.model and not from_reports:
            raise wrong_usage("--model can be given only with --from-reports.")


def read_season(given: Mapping[str, Any], *, from_reports: bool) -> SeasonOptions:
    """Return the options about seasons among those of the command, checked against each other."""
    options = SeasonOptions(**{name: given[name] for name in OF_SEASONS})
    options.check(from_reports)
    return options
