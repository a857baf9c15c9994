"""The calendar of seasons: which values of the calendar a window has, by where its start lies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from itertools import product
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import numpy as np
import numpy.typing as npt

from detectors.faults import Fault, did_you_mean, nearest

if TYPE_CHECKING:
    from holidays import HolidayBase

SeasonPart = Literal["hour_of_day", "weekday", "weekend", "month"]
"""What seasons differ by: the hour, the day of the week, the weekend, the month."""
Key = tuple[str, ...]
"""One value for each part of a calendar, such as ``("7", "weekend")``."""

HOLIDAY: Final = "holiday"
WEEKDAYS: Final = (
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
)  # fmt: skip
SATURDAY, SUNDAY = 5, 6
HOUR_MS: Final = 60 * 60 * 1000
QUARTER_MS: Final = 15 * 60 * 1000
"""The step that every offset of a time zone has been a multiple of since 1972."""
_VALUES: Final[dict[SeasonPart, tuple[str, ...]]] = {
    "hour_of_day": tuple(map(str, range(24))),
    "weekday": WEEKDAYS,
    "weekend": ("weekday", "weekend"),
    "month": tuple(map(str, range(1, 13))),
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Calendar(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of the calendar that seasons differ by, in a time zone.

    ``by`` holds the parts in the order of their priority: where a key has too few rows, those
    that share its first parts are pooled. ``timezone`` is a name of the IANA database; the hour
    that is repeated in autumn has the same value twice, and the one that spring leaves out none.
    ``holidays`` is a country (``DE``) or a subdivision (``DE-BY``), empty for none: a holiday is
    the value ``holiday`` of ``weekday``, and a day of the weekend for ``weekend``. The weekend is
    that of the country, else Saturday and Sunday; a Saturday that is worked in exchange for a
    bridge day, as in China, is a weekday.

    >>> Calendar(by=("hour_of_day", "weekend")).key(0)
    ('0', 'weekday')
    >>> germany = Calendar(by=("weekday",), timezone="Europe/Berlin", holidays="DE")
    >>> germany.key(1_735_686_000_000), germany.key(1_735_772_400_000)  # 1 and 2 January 2025
    (('holiday',), ('thursday',))
    """

    by: tuple[SeasonPart, ...]
    timezone: str = "UTC"
    holidays: str = ""

    def key(self, start_ms: int) -> Key:
        """The values of the moment at which a window begins, one for each part of ``by``."""
        local = (_EPOCH + timedelta(milliseconds=start_ms)).astimezone(_zone(self.timezone))
        return tuple(self._value(part, local) for part in self.by)

    def keys(self, starts_ms: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.intp], list[Key]]:
        """The keys of many moments: the position of each one's key, and the distinct keys, sorted.

        Each quarter of an hour is looked up once, which is exact from 1972 on. Without moments
        both are empty.
        """
        quarters, position = np.unique(starts_ms // QUARTER_MS, return_inverse=True)
        found = [self.key(int(quarter) * QUARTER_MS) for quarter in quarters]
        distinct = sorted(set(found))
        place = {key: i for i, key in enumerate(distinct)}
        return np.array([place[key] for key in found], np.intp)[position], distinct

    def between(self, middle_ms: int) -> tuple[int, float]:
        """The moment an hour away whose season has a part in a window with this middle, and its
        part: none in the middle of an hour, half at the full hour, in proportion between them.

        No part without hours among ``by``.

        >>> hour = 3_600_000
        >>> Calendar(by=("hour_of_day",)).between(7 * hour + hour // 4)
        (22500000, 0.25)
        """
        if "hour_of_day" not in self.by:
            return middle_ms, 0.0
        local = (_EPOCH + timedelta(milliseconds=middle_ms)).astimezone(_zone(self.timezone))
        into_ms = (local.minute * 60 + local.second) * 1000 + local.microsecond // 1000
        part = abs(2 * into_ms - HOUR_MS) / (2 * HOUR_MS)
        return middle_ms + (HOUR_MS if 2 * into_ms > HOUR_MS else -HOUR_MS), part

    def possible(self) -> Iterator[Key]:
        """All keys that moments may have, in the order of the calendar."""
        values = [self._values(part) for part in self.by]
        return product(*values)

    def check(self) -> list[Fault]:
        """Find what is wrong with the parts, the time zone and the holidays."""
        return [*self._part_faults(), *_zone_faults(self.timezone), *_place_faults(self.holidays)]

    def _part_faults(self) -> Iterator[Fault]:
        if not self.by:
            yield Fault("by", "it names no part of the calendar, such as hour_of_day")
        for part in sorted({part for part in self.by if self.by.count(part) > 1}):
            yield Fault("by", f"{part} is given more than once")
        if {"weekday", "weekend"} <= set(self.by):
            yield Fault("by", "weekday tells the days of the weekend already; leave out weekend")
        if self.holidays and not {"weekday", "weekend"} & set(self.by):
            yield Fault("holidays", "holidays need weekday or weekend among the parts of by")

    def _values(self, part: SeasonPart) -> tuple[str, ...]:
        more = (HOLIDAY,) if part == "weekday" and self.holidays else ()
        return (*_VALUES[part], *more)

    def _value(self, part: SeasonPart, local: datetime) -> str:
        if part == "hour_of_day":
            return str(local.hour)
        if part == "month":
            return str(local.month)
        day = local.date()
        if part == "weekday":
            is_holiday = bool(self.holidays) and _is_holiday(self.holidays, day)
            return HOLIDAY if is_holiday else WEEKDAYS[local.weekday()]
        return "weekend" if _is_free(self.holidays, day) else "weekday"


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _days(place: str) -> HolidayBase:
    # Imported here, since it takes as long as the rest of a short command.
    import holidays

    country, _, subdivision = place.partition("-")
    return holidays.country_holidays(country, subdiv=subdivision or None)


@lru_cache(maxsize=4096)
def _is_holiday(place: str, day: date) -> bool:
    return day in _days(place)


@lru_cache(maxsize=4096)
def _is_free(place: str, day: date) -> bool:
    """Whether a day is of the weekend or a holiday, and not one that is worked in exchange."""
    if not place:
        return day.weekday() in {SATURDAY, SUNDAY}
    return not _days(place).is_working_day(day)


def _zone_faults(name: str) -> Iterator[Fault]:
    try:
        ZoneInfo(name)
    # A folder of zones, such as "Europe", or text that is no relative path.
    except (OSError, ValueError, KeyError):
        known = available_timezones()
        by_city = {zone.rpartition("/")[2].lower(): zone for zone in sorted(known)}
        city = by_city.get(name.rpartition("/")[2].replace(" ", "_").lower())
        near = f"; did you mean {city!r}?" if city else did_you_mean(name, known)
        advice = near or ", such as Europe/Berlin"
        yield Fault("timezone", f"no time zone of the IANA database is named {name!r}{advice}")


def _place_faults(place: str) -> Iterator[Fault]:
    if not place:
        return
    import holidays

    countries = holidays.list_supported_countries()
    country, _, subdivision = place.partition("-")
    if country not in countries:
        yield Fault("holidays", f"no country has the code {country!r}{_near_country(country)}")
    elif "-" in place and subdivision not in countries[country]:
        valid = ", ".join(f"{country}-{each}" for each in countries[country][:20])
        known = f"known are {valid}" if valid else f"{country} has none, give {country} alone"
        near = did_you_mean(subdivision.upper(), countries[country])
        found = f"no subdivision of {country} is named {subdivision!r}"
        yield Fault("holidays", f"{found}{near}; {known}")


def _near_country(text: str) -> str:
    """The end of a message about an unknown country: by its name, else by its code."""
    from holidays.registry import COUNTRIES

    codes = {name.replace("_", " "): entry[1] for name, entry in COUNTRIES.items()}
    name = nearest(text.replace("_", " ").lower(), codes)
    if name:
        return f"; did you mean {codes[name]!r}?"
    return did_you_mean(text.upper(), codes.values()) or ", such as DE or US"
