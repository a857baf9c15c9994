"""Arrivals that the log cannot have measured are not believed, and the clock never goes back."""

from __future__ import annotations

import time

import numpy as np
import pytest
from msgspec.structs import replace

from stream.events import RawBatch
from stream.readers.arrival import ForwardClock, bounded_arrivals
from stream.testing.records import raw_batch

NOW_MS = 1_750_000_000_000


def arriving(*arrival_ms: int, measured: bool = False) -> RawBatch:
    raw = raw_batch([b""] * len(arrival_ms))
    return replace(raw, arrival_ms=np.array(arrival_ms, np.int64), arrival_measured=measured)


@pytest.mark.parametrize(
    ("arrival_ms", "believed", "stated"),
    [
        (NOW_MS, NOW_MS, True),
        (NOW_MS - 10**9, NOW_MS - 10**9, True),
        (NOW_MS + 1, NOW_MS, False),
        (4_070_908_800_000, NOW_MS, False),
        (-1, -1, False),
        (0, -1, False),
        (NOW_MS // 1000, -1, False),
        (-(10**12), -1, False),
    ],
    ids=["now", "earlier", "ahead", "2099", "unknown", "zero", "in seconds", "before 1970"],
)
def test_an_arrival_is_believed_from_2000_until_now(
    arrival_ms: int, believed: int, stated: bool
) -> None:
    [raw], arrivals = bounded_arrivals([arriving(NOW_MS, arrival_ms)], NOW_MS)
    assert raw.arrival_ms.tolist() == [NOW_MS, believed]
    assert (arrivals.stated.tolist(), arrivals.limit_ms) == ([True, stated], NOW_MS)


def test_no_clock_corrects_an_arrival_that_the_log_measured() -> None:
    [raw], arrivals = bounded_arrivals([arriving(NOW_MS + 3_600_000, measured=True)], NOW_MS)
    assert (raw.arrival_ms.tolist(), arrivals.stated.tolist()) == ([NOW_MS + 3_600_000], [True])


def test_batches_keep_their_own_arrivals() -> None:
    raws, arrivals = bounded_arrivals([arriving(0, NOW_MS), arriving(), arriving(NOW_MS)], NOW_MS)
    assert [raw.arrival_ms.tolist() for raw in raws] == [[-1, NOW_MS], [], [NOW_MS]]
    assert arrivals.stated.tolist() == [False, True, True]
    assert bounded_arrivals([], NOW_MS)[1].stated.tolist() == []


def test_a_clock_that_is_set_back_passes_on_at_its_pace() -> None:
    wall = [5_000.0]
    clock = ForwardClock(lambda: wall[0])
    assert clock() == 5_000_000
    wall[0] = 1_400.0
    time.sleep(0.02)
    assert 5_000_020 <= clock() < 5_010_000
    wall[0] = 8_000.0
    assert clock() == 8_000_000
