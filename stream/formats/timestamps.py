"""Event times of records as milliseconds."""

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

FIRST_MS: Final = 86_400_000
"""Event times before 1970-01-02 are absurd."""
END_MS: Final = 4_102_444_800_000
"""Event times from 2100-01-01 on are absurd."""
MISSING_MS: Final = -1
ABSURD_MS: Final = -2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_STAMP: Final = b"dddd-dd-ddTdd:dd:ddZ\n"
_LOWEST: Final = np.array([ord("0") if byte == ord("d") else byte for byte in _STAMP], np.uint8)
_ABOVE: Final = np.array([9 if byte == ord("d") else 0 for byte in _STAMP], np.uint8)
_SAMPLE: Final = 64
"""Stamps that are looked at to see whether they repeat."""
_TICKS_A_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def event_times(
    found: Sequence[object], time: TimeConfig, arrival_ms: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Event times in ms; ``MISSING_MS`` where there is none, ``ABSURD_MS`` where it cannot be read
    or lies out of range.

    ISO 8601 text is UTC unless it names an offset; a fraction of a millisecond is cut off. The
    other units take a JSON number or text that is a number. With ``missing: arrival`` a record
    without time has the time at which the log took it, if that is known.
    """
    times = _each_once(found) if time.unit == "iso" else _each(found, _from_number(time.unit))
    times[(times != MISSING_MS) & ((times < FIRST_MS) | (times >= END_MS))] = ABSURD_MS
    if time.missing == "arrival":
        lost = times == MISSING_MS
        times[lost] = np.where(arrival_ms[lost] < 0, MISSING_MS, arrival_ms[lost])
    return times


def _each(found: Sequence[object], read: Callable[[object], int]) -> NDArray[np.int64]:
    return np.array([MISSING_MS if cell is None else read(cell) for cell in found], np.int64)


class _Read(dict[object, int]):
    """ISO stamps that were read, and their times."""

    def __missing__(self, cell: object) -> int:
        self[cell] = ms = MISSING_MS if cell is None else _from_iso(cell)
        return ms


def _each_once(found: Sequence[object]) -> NDArray[np.int64]:
    """ISO times; where stamps repeat, as those of one second do, each is read once."""
    try:
        if len(set(found[:_SAMPLE])) * 4 <= _SAMPLE:
            return np.fromiter(map(_Read().__getitem__, found), np.int64, len(found))
    except TypeError:  # a list or an object stands where a time should
        pass
    return _iso_times(found)


def _iso_times(found: Sequence[object]) -> NDArray[np.int64]:
    times = _stamps(found)
    if times is not None:
        return times
    usual = [
        k for k, cell in enumerate(found) if isinstance(cell, str) and len(cell) == len(_STAMP) - 1
    ]
    read = _stamps([found[k] for k in usual])
    if read is None:
        return _each(found, _from_iso)
    rest = np.delete(np.arange(len(found)), usual)
    times = np.empty(len(found), np.int64)
    times[usual], times[rest] = read, _each([found[k] for k in rest.tolist()], _from_iso)
    return times


def _stamps(found: Sequence[object]) -> NDArray[np.int64] | None:
    """All times at once if each is ``YYYY-MM-DDTHH:MM:SSZ``, else nothing."""
    try:
        joined = ("\n".join(found) + "\n").encode()  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        return None
    if len(joined) != len(found) * len(_STAMP):
        return None
    grid = np.frombuffer(joined, np.uint8).reshape(-1, len(_STAMP))
    if (grid - _LOWEST > _ABOVE).any():
        return None
    try:
        parsed = pc.cast(pa.array(found, pa.string()), pa.timestamp("ms", "UTC"))
    except pa.ArrowInvalid:
        return None
    times: NDArray[np.int64] = np.array(parsed.cast(pa.int64()))
    return times


def _from_iso(cell: object) -> int:
    if not isinstance(cell, str):
        return ABSURD_MS
    try:
        moment = datetime.fromisoformat(cell)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return ABSURD_MS


def _from_number(unit: str) -> Callable[[object], int]:
    ticks = _TICKS_A_SECOND[unit]

    def read(cell: object) -> int:
        if isinstance(cell, str) and re.fullmatch(NUMBER, cell):
            cell = int(cell) if cell.lstrip("+-").isdigit() and len(cell) < 26 else _float(cell)
        if isinstance(cell, int) and not isinstance(cell, bool):
            return _sane(cell * 1000 // ticks)
        if isinstance(cell, float) and math.isfinite(cell):
            return _sane(math.floor(cell * 1000 / ticks))
        return ABSURD_MS

    return read


def _sane(ms: int) -> int:
    return ms if FIRST_MS <= ms < END_MS else ABSURD_MS


def _float(text: str) -> float:
    return math.nan if "(" in text else float(text)
