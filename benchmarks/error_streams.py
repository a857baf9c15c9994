"""Delay and false alarms of the error detectors on streams whose error rate is 0.10 and 0.90 in
turn for 20,000 rows each, as in SINE1, and their rows per
second of one core.

``python -m benchmarks.error_streams FIRST_SEED STREAMS [DETECTOR ...]`` prints a table. A change is
found by an alarm within 1,000 rows; every other alarm is false.
"""

from __future__ import annotations

import sys
from statistics import median
from time import process_time
from typing import Final, NamedTuple, get_args

import numpy as np

from detectors.arrays import Floats
from detectors.quality.error_detectors import AnyErrorDetector
from detectors.quality.error_stream import ErrorStream

SEGMENTS: Final = 9
SEGMENT: Final = 20_000
REACH: Final = 1_000
BATCH: Final = 10_000


class Found(NamedTuple):
    """What a detector found: delays of rises and of falls, false alarms, rows and seconds."""

    rises: list[int]
    falls: list[int]
    false: int
    rows: int
    seconds: float


def main() -> None:
    """Print the table."""
    first, streams, *names = sys.argv[1:]
    kinds = {kind().type: kind for kind in get_args(AnyErrorDetector)}
    print("| detector | rises found | delay of rises: median, longest | falls found | ", end="")
    print("delay of falls: median, longest | false alarms | rows/s |")
    print("| --- " * 7 + "|")
    for name in names or kinds:
        seeds = range(int(first), int(first) + int(streams))
        print(_line(name, [_found(kinds[name](), _errors(seed)) for seed in seeds]), flush=True)


def _errors(seed: int) -> Floats:
    random = np.random.default_rng(seed)
    rate = np.tile([0.1, 0.9], SEGMENTS)[:SEGMENTS].repeat(SEGMENT)
    return (random.random(len(rate)) < rate).astype(np.float64)


def _found(detector: AnyErrorDetector, errors: Floats) -> Found:
    stream = ErrorStream([detector])
    start = process_time()
    rows = [
        change.row
        for at in range(0, len(errors), BATCH)
        for change in stream.update(errors[at : at + BATCH])
    ]
    seconds = process_time() - start
    delays = [_delay(rows, change * SEGMENT) for change in range(1, SEGMENTS)]
    rises, falls = ([delay for delay in some if delay] for some in (delays[::2], delays[1::2]))
    false = len(rows) - len(rises) - len(falls)
    return Found(rises, falls, false, len(errors), seconds)


def _delay(rows: list[int], change: int) -> int:
    return next((row - change for row in rows if 0 < row - change <= REACH), 0)


def _line(name: str, found: list[Found]) -> str:
    half = len(found) * (SEGMENTS - 1) // 2
    cells = [f"`{name}`"]
    for delays in ([d for f in found for d in f.rises], [d for f in found for d in f.falls]):
        cells += [f"{len(delays)} of {half}"]
        cells += [f"{median(delays):.0f}, {max(delays)}" if delays else ""]
    rows = sum(each.rows for each in found)
    speed = rows / sum(each.seconds for each in found)
    cells += [f"{sum(each.false for each in found):,} in {rows:,} rows", f"{speed:,.0f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
