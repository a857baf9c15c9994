"""The number of rows that a window usually has, learned from the windows before it."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

HOUR_MS: Final = 3_600_000
DAY: Final = 24
WEEK: Final = 7 * DAY
WEEKS: Final = 3
"""The number of weeks of which the rate of each hour is remembered: a median of three passes over
one that was unusual."""
RECENT: Final = 24
"""The number of windows, of the last hour, whose median stands for hours that are not known."""
LEAST: Final = 2
"""The number of earlier days, or of recent windows, below which nothing is expected of them."""

Rates = NDArray[np.float32]


class TrafficMemory(msgspec.Struct, frozen=True, array_like=True):
    """What is remembered of the traffic of one model and variant: at most 2.2 kB.

    ``hours``: rows an hour in each hour of the week (``float32[168, 3]``, the newest week first;
    NaN where nothing is known), and ``recent`` those of the last windows, the newest last; both as
    bytes. ``hour``, ``total`` and ``windows`` are the hour since 1970 that the newest window began
    in, and the sum and number of the rates of the windows in it. ``end_ms`` is the end of the
    newest window.
    """

    hours: bytes = b""
    recent: bytes = b""
    hour: int = 0
    total: float = 0.0
    windows: int = 0
    end_ms: int | None = None


def observed(traffic: TrafficMemory, start_ms: int, end_ms: int, rows: int) -> TrafficMemory:
    """The memory after a window ``[start_ms, end_ms)`` of so many rows.

    Windows come in order of time; one that ends before the newest one is left out. Hours without
    any window have no rows: a site that is closed at night is expected to be.
    """
    if traffic.end_ms is not None and end_ms <= traffic.end_ms:
        return traffic
    rate = rows * HOUR_MS / (end_ms - start_ms)
    hour = start_ms // HOUR_MS
    if traffic.windows and hour != traffic.hour:
        traffic = _next_hour(traffic, hour)
    recent = np.append(np.frombuffer(traffic.recent, np.float32), np.float32(rate))[-RECENT:]
    return msgspec.structs.replace(
        traffic,
        recent=recent.astype(np.float32).tobytes(),
        hour=hour,
        total=traffic.total + rate,
        windows=traffic.windows + 1,
        end_ms=end_ms,
    )


def _next_hour(traffic: TrafficMemory, hour: int) -> TrafficMemory:
    """The memory once the hour of the newest window is over, and the next window is in ``hour``."""
    hours = _hours(traffic).copy()
    _put(hours, traffic.hour, traffic.total / traffic.windows)
    silent_from = max(-(-(traffic.end_ms or 0) // HOUR_MS), hour - WEEK * WEEKS)
    for silent in range(silent_from, hour):
        _put(hours, silent, 0.0)
    return msgspec.structs.replace(traffic, hours=hours.tobytes(), total=0.0, windows=0)


def _put(hours: Rates, hour: int, rate: float) -> None:
    of_hour = hours[hour % WEEK]
    of_hour[1:] = of_hour[:-1].copy()
    of_hour[0] = rate


def _hours(traffic: TrafficMemory) -> Rates:
    if not traffic.hours:
        return np.full((WEEK, WEEKS), np.nan, np.float32)
    return np.frombuffer(traffic.hours, np.float32).reshape(WEEK, WEEKS)


def expected_rows(traffic: TrafficMemory, start_ms: int, end_ms: int) -> float | None:
    """The rows that are expected in the window ``[start_ms, end_ms)``, ``None`` if not known.

    The median of the same hour of the last three weeks; in the first week of the same hour of the
    last days, if there are two; before that of the last windows, if two of them lie in the last
    hour: longer ones would compare day and night. Hours are those of UTC. A median is moved by no
    single outage or rush.

    >>> traffic = TrafficMemory()
    >>> for k, rows in enumerate([100, 102, 98, 0, 101]):
    ...     traffic = observed(traffic, k * 60_000, (k + 1) * 60_000, rows)
    >>> expected_rows(traffic, 300_000, 360_000)
    100.0
    """
    hour = start_ms // HOUR_MS
    length_ms = end_ms - start_ms
    hours = _hours(traffic)
    of_day = hours[(hour + DAY * np.arange(7)) % WEEK, 0]
    for rates, least in (
        (hours[hour % WEEK], 1),
        (of_day, LEAST),
        (_last_hour(traffic, start_ms, length_ms), LEAST),
    ):
        known = rates[~np.isnan(rates)]
        if len(known) >= least:
            rows = float(np.median(known.astype(np.float64))) * length_ms / HOUR_MS
            return float(f"{rows:.6g}")  # as exact as the rates are
    return None


def _last_hour(traffic: TrafficMemory, start_ms: int, length_ms: int) -> Rates:
    """The rates of the windows in the hour before ``start_ms``."""
    count = HOUR_MS // length_ms
    is_recent = traffic.end_ms is not None and start_ms - traffic.end_ms < HOUR_MS
    return np.frombuffer(traffic.recent, np.float32)[-count:] if count and is_recent else _NONE


_NONE: Final[Rates] = np.empty(0, np.float32)
