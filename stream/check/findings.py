"""The findings of the live check, and the formats of their figures."""

from __future__ import annotations

from math import ceil
from typing import Final, Literal, NamedTuple

from stream.errors import DriftlineError, SourceUnavailable, StateUnwritable

FindingLevel = Literal["ok", "warning", "fault"]

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
_ROUND_S: Final = (
    *(1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1_200, 1_800),
    *(3_600, 7_200, 14_400, 28_800, 43_200, 86_400),
)
"""Round durations, in seconds."""


class Finding(NamedTuple):
    """One result of the live check: its ``subject``, a ``message``, its ``level``, and ``advice``.

    A ``fault`` keeps the job from working or loses events. A ``warning`` may do so, or concerns
    something that could not be checked.
    """

    subject: str
    message: str
    level: FindingLevel = "ok"
    advice: str = ""


def fault_of(subject: str, error: DriftlineError) -> Finding:
    """Return an error with which the service would end, as a finding.

    >>> fault_of("topic t", SourceUnavailable("kafka topic 't'", ["no answer"], "Start the broker"))
    Finding(subject='topic t', message='no answer', level='fault', advice='Start the broker')
    """
    if isinstance(error, SourceUnavailable):
        return Finding(subject, "; ".join(error.causes), "fault", error.advice)
    if isinstance(error, StateUnwritable):
        return Finding(f"state {error.path}", error.reason, "fault")
    return Finding(subject, str(error), "fault")


def gap_finding(subject: str, partition: str) -> Finding:
    """The fault that the log no longer has the next record to read."""
    message = f"position of {partition} is no longer in the log"
    return Finding(subject, message, "fault", "This is a gap: see on_gap, and raise the retention")


def format_duration(ms: float) -> str:
    """Format a duration in its two largest units.

    >>> format_duration(350), format_duration(1_500)
    ('350 ms', '1.5 s')
    >>> format_duration(7_500_000), format_duration(694_800_000)
    ('2 h 5 min', '8 d 1 h')
    """
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{round(ms / 1_000, 1):g} s"
    position = next(k for k, (size, _) in enumerate(_UNITS) if ms >= size)
    size, unit = _UNITS[position]
    whole, rest = divmod(int(ms), size)
    smaller_size, smaller_unit = _UNITS[position + 1]
    smaller = f" {rest // smaller_size} {smaller_unit}" if rest >= smaller_size else ""
    return f"{whole} {unit}{smaller}"


def format_size(count: float) -> str:
    """Format a number of bytes.

    >>> format_size(512), format_size(20_480), format_size(3 << 30)
    ('512 B', '20 KB', '3.0 GB')
    """
    for unit, size in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1024:.0f} KB" if count >= 1024 else f"{count:.0f} B"


def format_share(part: int, whole: int) -> str:
    """Format a share in per cent; only an exact 0 or 100 is shown as such.

    >>> format_share(0, 7), format_share(1, 3), format_share(1, 10_000), format_share(9_999, 10_000)
    ('0 %', '33.3 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "less than 0.1 %"
    return "more than 99.9 %" if 99.9 < share < 100 else f"{round(share, 1):g} %"


def counted(count: int, noun: str) -> str:
    """Format a number with its noun.

    >>> counted(1, "partition"), counted(12_000, "record")
    ('1 partition', '12,000 records')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def round_up(ms: float) -> str:
    """Format the next longer round duration, in the form of the configuration.

    >>> round_up(0), round_up(1_200), round_up(61_000), round_up(90_000_000)
    ('1s', '2s', '2m', '2d')
    """
    days = 86_400 * ceil(ms / 86_400_000)
    seconds = next((length_s for length_s in _ROUND_S if length_s * 1_000 >= ms), days)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
