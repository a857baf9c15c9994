"""Converts event times to milliseconds since the epoch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from detectors.profiles.columns import NUMBER
from stream.formats.base import TimeConfig
from stream.formats.faults import type_name

FIRST_MS: Final = 31_536_000_000
"""Event times before 1971 are absurd: a time of today in too coarse a unit would lie in 1970."""
END_MS: Final = 4_102_444_800_000
"""Event times from 2100-01-01 on are absurd."""
MISSING_MS: Final = -1
ABSURD_MS: Final = -2
_YEAR_2000_MS: Final = 946_684_800_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP: Final = b"dddd-dd-ddTdd:dd:ddZ\n"
"""The usual form of a time in ISO 8601, where ``d`` is a digit."""
_LOWEST: Final = np.array([ord("0") if byte == ord("d") else byte for byte in _STAMP], np.uint8)
_RANGE: Final = np.array([9 if byte == ord("d") else 0 for byte in _STAMP], np.uint8)
_SAMPLE: Final = 64
"""The number of stamps that are sampled to decide whether stamps repeat."""
_REPETITIONS: Final = 4
"""Stamps repeat if those of the sample occur this often on average."""
_LONGEST_DIGITS: Final = 25
"""Text with more characters is read as a float."""
_UNITS_PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def event_times(
    values: Sequence[object], time: TimeConfig, arrival_ms: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return event times in ms.

    They are ``MISSING_MS`` for no time (``None``), and ``ABSURD_MS`` for a time that cannot be read
    or is out of range.

    ISO 8601 text is UTC unless it has an offset; fractions of a millisecond are truncated. The
    other units accept a JSON number, or text that is a number. With ``missing: arrival`` a record
    without time gets the time at which the log took it, if that is known.
    """
    times = _from_isos(values) if time.unit == "iso" else _each(values, _from_number(time.unit))
    times[(times != MISSING_MS) & ((times < FIRST_MS) | (times >= END_MS))] = ABSURD_MS
    if time.missing == "arrival":
        missing = times == MISSING_MS
        times[missing] = np.where(arrival_ms[missing] < 0, MISSING_MS, arrival_ms[missing])
    return times


def _each(values: Sequence[object], read: Callable[[object], int]) -> NDArray[np.int64]:
    return np.array([MISSING_MS if value is None else read(value) for value in values], np.int64)


class _IsoTimes(dict[object, int]):
    """The times of ISO stamps; each is parsed when it is first needed."""

    def __missing__(self, value: object) -> int:
        self[value] = ms = MISSING_MS if value is None else _from_iso(value)
        return ms


def _from_isos(values: Sequence[object]) -> NDArray[np.int64]:
    """Return ISO times; where stamps repeat, as those of one second do, each is parsed once."""
    try:
        if len(set(values[:_SAMPLE])) * _REPETITIONS <= _SAMPLE:
            return np.fromiter(map(_IsoTimes().__getitem__, values), np.int64, len(values))
    except TypeError:  # a list or an object in place of a time
        pass
    return _from_distinct_isos(values)


def _from_distinct_isos(values: Sequence[object]) -> NDArray[np.int64]:
    times = _from_stamps(values)
    if times is not None:
        return times
    usual = [
        k for k, text in enumerate(values) if isinstance(text, str) and len(text) == len(_STAMP) - 1
    ]
    parsed = _from_stamps([values[k] for k in usual])
    if parsed is None:
        return _each(values, _from_iso)
    others = np.delete(np.arange(len(values)), usual)
    times = np.empty(len(values), np.int64)
    times[usual] = parsed
    times[others] = _each([values[k] for k in others.tolist()], _from_iso)
    return times


def _from_stamps(values: Sequence[object]) -> NDArray[np.int64] | None:
    """Return all times at once if each is ``YYYY-MM-DDTHH:MM:SSZ``, else None."""
    try:
        joined = ("\n".join(values) + "\n").encode()  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        return None
    if len(joined) != len(values) * len(_STAMP):
        return None
    grid = np.frombuffer(joined, np.uint8).reshape(-1, len(_STAMP))
    if (grid - _LOWEST > _RANGE).any():
        return None
    try:
        parsed = pc.cast(pa.array(values, pa.string()), pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        return None
    times: NDArray[np.int64] = np.array(parsed.cast(pa.int64()))
    return times


def _from_iso(value: object) -> int:
    if not isinstance(value, str):
        return ABSURD_MS
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return ABSURD_MS


def _from_number(unit: str) -> Callable[[object], int]:
    per_second = _UNITS_PER_SECOND[unit]

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(NUMBER, value):
            value = _parsed(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return _in_range(value * 1000 // per_second)
        if isinstance(value, float):
            ms = value * 1000 / per_second
            return _in_range(math.floor(ms)) if math.isfinite(ms) else ABSURD_MS
        return ABSURD_MS

    return read


def likely_unit(value: object, unit: str, setting: str = "time.unit:") -> str:
    """Return what a time that cannot be read in ``unit`` seems to be, without its value.

    ``setting`` is what the unit is given by.

    >>> likely_unit(1_750_000_000, "ms")
    'a number that is a time of 2000 to 2099 in s: set `time.unit: s`'
    """
    if unit != "iso" and isinstance(value, str) and _from_iso(value) != ABSURD_MS:
        return f"ISO 8601 text: set `{setting} iso`"
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return type_name(value)
    if isinstance(value, str) and not re.fullmatch(NUMBER, value):
        if _from_iso(value) != ABSURD_MS:
            return "a time of a year outside of 1971 to 2099"
        return f"text of {len(value):,} characters that is no time"
    fitting = [u for u in _UNITS_PER_SECOND if _from_number(u)(value) >= _YEAR_2000_MS]
    if not fitting:
        return "a number that is in no unit a time of 2000 to 2099"
    [likely] = fitting
    return f"a number that is a time of 2000 to 2099 in {likely}: set `{setting} {likely}`"


def _in_range(ms: int) -> int:
    return ms if FIRST_MS <= ms < END_MS else ABSURD_MS


def _parsed(text: str) -> int | float:
    """Parse text that is a number; NaN with a payload, which Python does not parse, is NaN."""
    if text.lstrip("+-").isdigit() and len(text) <= _LONGEST_DIGITS:
        return int(text)
    return math.nan if "(" in text else float(text)
