"""One line of the live check, and how its figures are written."""

from __future__ import annotations

from math import ceil
from typing import Final, Literal, NamedTuple

from stream.errors import DriftlineError, SourceUnavailable, StateUnwritable

Level = Literal["ok", "warning", "fault"]
LEVELS: Final[tuple[Level, ...]] = ("ok", "warning", "fault")

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
_TIDY_S: Final = (
    1,
    2,
    5,
    10,
    20,
    30,
    60,
    120,
    300,
    600,
    1_200,
    1_800,
    3_600,
    7_200,
    14_400,
    28_800,
    43_200,
    86_400,
)


class Finding(NamedTuple):
    """What was looked at (``where``), the figure (``what``), what it means (``level``), and what to
    do (``advice``).

    A ``fault`` keeps the job from working or loses events; a ``warning`` may do so, or is something
    that could not be found out.
    """

    where: str
    what: str
    level: Level = "ok"
    advice: str = ""


def fault_of(where: str, error: DriftlineError) -> Finding:
    """What the service would end with, as a finding.

    >>> fault_of("topic t", SourceUnavailable("kafka topic 't'", ["no answer"], "Start the broker"))
    Finding(where='topic t', what='no answer', level='fault', advice='Start the broker')
    """
    if isinstance(error, SourceUnavailable):
        return Finding(where, "; ".join(error.causes), "fault", error.advice)
    if isinstance(error, StateUnwritable):
        return Finding(f"state {error.path}", error.reason, "fault")
    return Finding(where, str(error), "fault")


def gone(where: str, partition: str) -> Finding:
    """The log has lost what this job would read next."""
    return Finding(
        where,
        f"position of {partition} is no longer in the log",
        "fault",
        "A gap: see on_gap, and raise retention",
    )


def told_ms(ms: float) -> str:
    """A length of time in its two largest units.

    >>> told_ms(350), told_ms(1_500), told_ms(7_500_000), told_ms(694_800_000)
    ('350 ms', '1.5 s', '2 h 5 min', '8 d 1 h')
    """
    if ms < 1_000:
        return f"{ms:.0f} ms"
    if ms < 60_000:
        return f"{round(ms / 1_000, 1):g} s"
    for k, (size, name) in enumerate(_UNITS):
        if ms >= size:
            whole, rest = divmod(int(ms), size)
            smaller, its_name = _UNITS[k + 1]
            return f"{whole} {name}" + (f" {rest // smaller} {its_name}" if rest >= smaller else "")
    raise AssertionError(ms)


def told_bytes(count: float) -> str:
    """A number of bytes.

    >>> told_bytes(512), told_bytes(20_480), told_bytes(3 << 30)
    ('512 B', '20 KB', '3.0 GB')
    """
    for name, size in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20)):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count / 1024:.0f} KB" if count >= 1024 else f"{count:.0f} B"


def told_share(part: int, whole: int) -> str:
    """A share in per cent: nothing is rounded to 0 or 100 that is not.

    >>> told_share(0, 7), told_share(1, 3), told_share(1, 10_000), told_share(9_999, 10_000)
    ('0 %', '33.3 %', 'less than 0.1 %', 'more than 99.9 %')
    """
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 0.1:
        return "less than 0.1 %"
    return "more than 99.9 %" if 99.9 < share < 100 else f"{round(share, 1):g} %"


def counted(count: int, thing: str) -> str:
    """A number and its noun.

    >>> counted(1, "partition"), counted(12_000, "record")
    ('1 partition', '12,000 records')
    """
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def tidy(ms: float) -> str:
    """The next larger duration that a person would write, as the configuration takes it.

    >>> tidy(0), tidy(1_200), tidy(61_000), tidy(90_000_000)
    ('1s', '2s', '2m', '2d')
    """
    seconds = next((one for one in _TIDY_S if one * 1_000 >= ms), 86_400 * ceil(ms / 86_400_000))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
