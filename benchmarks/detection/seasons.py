"""A daily cycle against a baseline with seasons: quiet days, and shifts within an hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.detection.calm import CYCLE, CYCLE_SIZE, CalmStream, Spoken, heard
from benchmarks.detection.dependent import (
    MINUTES_A_DAY,
    cycle_history,
    cycle_rows,
    daily_cycle,
)
from benchmarks.detection.driftline_judge import Stream, rules
from benchmarks.detection.kinds import Random
from benchmarks.detection.streams import baseline_of, fold, windows
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons

M: Final = 20_000
"""The rows of the baseline as a whole."""
DAYS: Final = 7
"""The days of history that seasons are learned from."""
MOST_ROWS: Final = 42_000
"""The largest number of rows of one season: a week of minutes of 100 rows."""
SHIFTS: Final = {100: 0.5, 1_000: 0.25}
"""The planted shift in deviations, by the rows of a window."""
SHIFTED: Final = "normal#5"
WITHIN: Final = 3
"""The number of windows within which a shift is to be signalled."""


class PlantedShift(NamedTuple):
    """A shift of one feature, from the middle of an hour on."""

    n: int
    hour: int


class ShiftFound(NamedTuple):
    """The windows until it was signalled, ``None`` for never; and what was signalled before."""

    task: PlantedShift
    windows: int | None
    before: int


def quiet(scale: float) -> list[CalmStream]:
    """Days of windows of a minute with a daily cycle, judged with seasons of the hour."""
    return [
        CalmStream("daily cycle, seasons", "evidence", M, n, MINUTES_A_DAY, repeat)
        for n in (100, 1_000)
        for repeat in range(max(1, round(3 * scale)))
    ]


def listen(task: CalmStream, seed: int) -> Spoken:
    """Judge a quiet day."""
    random = np.random.default_rng([seed, 4, task.n, task.repeat])
    rows = daily_cycle(CYCLE_SIZE, task.n)(CYCLE, random)
    return heard(task, seasonal(task.n, random), CYCLE, rows)


def planted(scale: float) -> list[PlantedShift]:
    """A shift in each hour of the day."""
    return [PlantedShift(n, hour) for n in SHIFTS for hour in range(0, 24, 1 if scale >= 1 else 4)]


def seasonal(n: int, random: Random) -> Baseline:
    """A baseline of all hours, with the seasons of a week of windows of a minute."""
    baseline = baseline_of(CYCLE, cycle_history(CYCLE_SIZE)(CYCLE, random)(0, M))
    count = min(DAYS * 60 * n, MOST_ROWS)
    profiles: dict[Key, Profile] = {}
    for hour in range(24):
        minutes = hour + np.arange(count) % 60 / 60.0
        columns = cycle_rows(CYCLE, random, {"hour": minutes}, CYCLE_SIZE)
        profiles[(str(hour),)] = fold(baseline, CYCLE, columns, count)[0]
    return baseline.seasonal(Seasons(Calendar(by=("hour_of_day",)), profiles))


def find(task: PlantedShift, seed: int) -> ShiftFound:
    """Judge half an hour of quiet windows, and then some with the shift."""
    random = np.random.default_rng([seed, 5, task.n, task.hour])
    baseline = seasonal(task.n, random)
    first = task.hour * 60
    cycle = daily_cycle(CYCLE_SIZE, task.n)(CYCLE, random)

    def rows(start: int, count: int) -> Any:
        columns = dict(cycle(first * task.n + start, count))
        shifted = (start + np.arange(count)) // task.n >= 30
        return columns | {SHIFTED: columns[SHIFTED] + SHIFTS[task.n] * shifted}

    stream = Stream(baseline, rules("evidence"), first_window=first)
    before = 0
    for k, window in enumerate(stream.judged(windows(baseline, CYCLE, rows, task.n, 45))):
        opened = [signal for signal in window.signals if signal.kind in ("opened", "worsened")]
        if opened and k >= 30 and any(SHIFTED in signal.features for signal in opened):
            return ShiftFound(task, k - 29, before)
        before += len(opened)
    return ShiftFound(task, None, before)


def figures(found: Sequence[ShiftFound]) -> list[dict[str, Any]]:
    """By rows a window: the hours, those whose shift was found in time, and the longest wait."""
    out = []
    for n in sorted({each.task.n for each in found}):
        waits = [each.windows for each in found if each.task.n == n]
        told = [wait for wait in waits if wait is not None]
        out.append(
            {
                "n": n,
                "shift": SHIFTS[n],
                "hours": len(waits),
                "found": sum(wait <= WITHIN for wait in told),
                "longest": max(told, default=None),
                "signals_before": sum(each.before for each in found if each.task.n == n),
            }
        )
    return out
