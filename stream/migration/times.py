"""The times of a monitoring schedule: how often it runs, and its offsets."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
_CRON: Final = re.compile(r"cron\(\s*\d+\s+(\*|\d+(?:/(\d+))?)\s+\?\s+\*\s+\*\s+\*\s*\)")
_OFFSET: Final = re.compile(
    r"-?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.IGNORECASE
)


class Period(NamedTuple):
    """The ``length`` of the periods of a schedule, and a ``note`` where something differs."""

    length: str
    note: str = ""


def period_of(expression: str) -> Period:
    """Return the period of a schedule's expression; a day where it has none.

    >>> period_of("cron(0 * ? * * *)"), period_of("cron(0 0/6 ? * * *)")
    (Period(length='1h', note=''), Period(length='6h', note=''))
    """
    if not expression:
        return Period("1d", "the schedule has no expression: SageMaker runs it once a day")
    if expression.upper() == "NOW":
        return Period("1h", "the schedule ran once (NOW): an hour is taken as the period")
    match = _CRON.fullmatch(expression.strip())
    hours, step = match.groups() if match else ("", None)
    if hours == "*":
        return Period("1h")
    every = int(step or 24)
    start = int(hours.partition("/")[0] or -1)
    if not (1 <= every <= 24 and 0 <= start <= 23):
        return Period("1h", f"{expression!r} is not understood: an hour is taken as the period")
    length = "1d" if every == 24 else f"{every}h"
    note = ""
    if 24 % every:
        note = f"the runs of a day are {every} h apart; periods go on over midnight"
    elif start % every:
        note = f"it ran at {start}:00 UTC; periods are aligned to midnight UTC"
    return Period(length, note)


def offset_ms(text: str) -> int | None:
    """Return the size of an offset before the run; ``None`` if it is not understood.

    >>> offset_ms("-P8D"), offset_ms("-PT6H"), offset_ms("-PT0H"), offset_ms("soon")
    (691200000, 21600000, 0, None)
    """
    match = _OFFSET.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((weeks * 7 + days) * 24 + hours) * HOUR_MS + minutes * 60_000 + seconds * 1_000
