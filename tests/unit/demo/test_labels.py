"""Labels: known after the landing, written once and in time order."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa

from demo.flights import MINUTE_MS, Flights
from demo.labels import (
    A_DAY_LATE,
    DAY_MS,
    NEVER,
    REPORTED_WITHIN_MS,
    TAXI_MS,
    UNKNOWN_MS,
    LabelFiles,
    known_ms,
)

NEW_YEAR_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
N = 100_000


def flights(n: int) -> Flights:
    return Flights(
        pa.table({"distance": [0] * n}),
        np.arange(n, dtype=np.float64),
        np.arange(n, dtype=np.int64) * 1000,
        np.full(n, 2 * 60 * MINUTE_MS),
    )


def test_the_delay_is_known_after_the_landing_a_day_later_or_never() -> None:
    some = flights(N)
    known = known_ms(some, np.random.default_rng(1))
    never = known == UNKNOWN_MS
    wait = (known - some.time_ms - some.air_ms)[~never]
    late = wait >= DAY_MS
    on_time = wait - DAY_MS * late
    assert on_time.min() >= TAXI_MS
    assert on_time.max() <= TAXI_MS + REPORTED_WITHIN_MS
    # shares of N draws, within five standard deviations
    for share, found in ((NEVER, never.mean()), (A_DAY_LATE, late.sum() / N)):
        assert abs(found - share) < 5 * np.sqrt(share / N)
    assert (known[~never] % 1000 == 0).all()


def test_equal_seeds_give_equal_times() -> None:
    first, second = (known_ms(flights(50), np.random.default_rng(3)) for _ in range(2))
    assert first.tolist() == second.tolist()


def lines(folder: Path) -> list[dict[str, object]]:
    paths = sorted(folder.rglob("*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def test_each_label_is_written_once_in_the_file_of_the_time_it_is_known(tmp_path: Path) -> None:
    log = LabelFiles(tmp_path, NEW_YEAR_MS)
    minute = 60_000
    log.add(flights(3), np.array([9 * minute, UNKNOWN_MS, 5 * minute]), 7)
    log.add(flights(2), np.array([10 * minute, 4 * minute]), 10)
    assert log.write(10 * minute).tolist() == [1000, 2000, 0]  # times of the requests
    (path,) = tmp_path.rglob("*.jsonl")
    assert path.relative_to(tmp_path).as_posix() == "2026/01/01/00/10-00.jsonl"
    assert lines(tmp_path) == [
        {"inference_id": "11", "arr_delay": 1.0, "known_at": "2026-01-01T00:04:00Z"},
        {"inference_id": "9", "arr_delay": 2.0, "known_at": "2026-01-01T00:05:00Z"},
        {"inference_id": "7", "arr_delay": 0.0, "known_at": "2026-01-01T00:09:00Z"},
    ]
    assert log.write(20 * minute).tolist() == [0]
    assert log.write(DAY_MS * 100).tolist() == []
    assert [line["inference_id"] for line in lines(tmp_path)] == ["11", "9", "7", "10"]


def test_no_file_is_written_without_labels(tmp_path: Path) -> None:
    assert LabelFiles(tmp_path, NEW_YEAR_MS).write(DAY_MS).tolist() == []
    assert list(tmp_path.iterdir()) == []
