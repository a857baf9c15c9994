"""Decides which arrival times of records are believed, and the clock that stands in for others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Ints
from stream.events import RawBatch

EARLIEST_MS: Final = 946_684_800_000
"""The year 2000: no log took a record earlier, so such an arrival is not a measured time."""
UNKNOWN_MS: Final = -1


class ForwardClock:
    """The time in milliseconds, by a wall clock that never goes back.

    When the host's clock is set back, the time passes on at the pace of the monotonic clock until
    the wall clock has caught up. When the host was suspended, the wall clock is ahead and counts.

    >>> readings = iter([1_000.0, 400.0, 400.0])
    >>> clock = ForwardClock(lambda: next(readings))
    >>> clock() <= clock()
    True
    """

    def __init__(self, wall_s: Callable[[], float] = time.time) -> None:
        self._wall_s = wall_s
        self._latest_s = wall_s()
        self._read_s = time.monotonic()

    def __call__(self) -> int:
        read_s = time.monotonic()
        self._latest_s = max(self._wall_s(), self._latest_s + read_s - self._read_s)
        self._read_s = read_s
        return int(self._latest_s * 1000)


class Arrivals(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The arrivals of some records: ``stated`` marks those that the log states credibly.

    ``limit_ms`` is the clock, which stands in for all others.
    """

    stated: NDArray[np.bool_]
    limit_ms: int


def bounded_arrivals(raws: Sequence[RawBatch], limit_ms: int) -> tuple[list[RawBatch], Arrivals]:
    """Return raw batches whose arrivals are believed, and which of these the log states.

    An arrival before the year 2000 is unknown. One after the clock is the clock's time, unless the
    log measured it by itself.
    """
    bounded = [_bounded(raw, limit_ms) for raw in raws]
    stated = np.concatenate([np.zeros(0, bool), *(stated for _, stated in bounded)])
    return [raw for raw, _ in bounded], Arrivals(stated=stated, limit_ms=limit_ms)


def _bounded(raw: RawBatch, limit_ms: int) -> tuple[RawBatch, NDArray[np.bool_]]:
    arrival_ms = raw.arrival_ms
    known = arrival_ms >= EARLIEST_MS
    stated = known if raw.arrival_measured else known & (arrival_ms <= limit_ms)
    if stated.all():
        return raw, stated
    instead: Ints = np.where(known, limit_ms, UNKNOWN_MS)
    return msgspec.structs.replace(raw, arrival_ms=np.where(stated, arrival_ms, instead)), stated
