"""Windows without drift: how often driftline speaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.detection.dependent import (
    MINUTES_A_DAY,
    autoregressive,
    correlated,
    cycle_history,
    daily_cycle,
)
from benchmarks.detection.driftline_judge import Mode, Stream, rules
from benchmarks.detection.kinds import EVERYDAY, IDENTIFIERS, Random
from benchmarks.detection.streams import Columns, Rows, baseline_of, independent, windows
from detectors.profiles.baseline import Baseline

NORMALS: Final = ("normal",) * 20
CYCLE: Final = ("normal",) * 19 + ("text3",)
CYCLE_SIZE: Final = 0.5
SHUFFLED: Final = "shuffled file"
"""The name of a stream ends with this where the file of the baseline is not in order of time."""
STREAMS: Final[dict[str, tuple[tuple[str, ...], Callable[[Sequence[str], Random], Rows]]]] = {
    "20 features": (EVERYDAY, independent),
    "200 features": (EVERYDAY * 10, independent),
    "identifiers": (IDENTIFIERS, independent),
    "AR(1) .5": (NORMALS, autoregressive(0.5)),
    "AR(1) .9": (NORMALS, autoregressive(0.9)),
    "correlated .9": (NORMALS, correlated(0.9)),
}
"""The features and the rows of each kind of stream; the daily cycle comes beside them."""


class CalmStream(NamedTuple):
    """One stream without drift: which kind, how it is judged, and how long it is."""

    stream: str
    mode: Mode
    m: int
    n: int
    windows: int
    repeat: int


class Spoken(NamedTuple):
    """What driftline said of a stream: windows with a violation, signals by kind, and of what."""

    stream: CalmStream
    violating: int
    signals: dict[str, int]
    reasons: dict[str, int]
    """Windows with a violation, by feature, check and statistic."""
    seconds: float = 0.0


def listen(task: CalmStream, seed: int) -> Spoken:
    """Judge a stream without drift."""
    random = np.random.default_rng([seed, 3, task.m, task.n, task.repeat])
    kinds, history, rows = _source(task, random)
    return heard(task, baseline_of(kinds, history), kinds, rows)


def heard(task: CalmStream, baseline: Baseline, kinds: Sequence[str], rows: Rows) -> Spoken:
    """What is said of the windows of a stream by a baseline."""
    stream = Stream(baseline, rules(task.mode))
    violating, signals, reasons = 0, Counter[str](), Counter[str]()
    for window in stream.judged(windows(baseline, kinds, rows, task.n, task.windows)):
        violating += bool(window.violations)
        signals.update(signal.kind for signal in window.signals)
        reasons.update({f"{v.feature} {v.check} {v.statistic}" for v in window.violations})
    return Spoken(task, violating, dict(signals), dict(reasons.most_common(30)))


def _source(task: CalmStream, random: Random) -> tuple[tuple[str, ...], Columns, Rows]:
    """The kinds, the rows of the baseline, and the stream."""
    if task.stream == "daily cycle":
        history = cycle_history(CYCLE_SIZE)(CYCLE, random)(0, task.m)
        return CYCLE, history, daily_cycle(CYCLE_SIZE, task.n)(CYCLE, random)
    name, _, order = task.stream.partition(", ")
    kinds, stream = STREAMS[name]
    rows = stream(kinds, random)
    history = rows(0, task.m)
    if order == SHUFFLED:
        history = {name: random.permutation(values) for name, values in history.items()}
    return kinds, history, rows


SIZES: Final = {30: 0.15, 100: 0.3, 300: 0.25, 1_000: 0.22, 10_000: 0.06, 100_000: 0.005}
"""The part of the windows that have each number of rows."""
BASELINES: Final = (500, 2_000, 20_000, 200_000)
LONGEST_STREAM: Final = 1_440


def everyday(mode: Mode, total: int) -> list[CalmStream]:
    """About ``total`` windows of 20 and of 200 features, a tenth of them of 200."""
    tasks = []
    for stream, part, sizes in (("20 features", 0.9, SIZES), ("200 features", 0.1, _FEWER)):
        weight = sum(SIZES[n] for n in sizes)
        for n in sizes:
            for m in BASELINES:
                count = max(1, round(total * part * SIZES[n] / weight / len(BASELINES)))
                repeats = -(-count // LONGEST_STREAM)
                tasks += [
                    CalmStream(stream, mode, m, n, -(-count // repeats), k) for k in range(repeats)
                ]
    return tasks


_FEWER: Final = (100, 1_000, 10_000)


def identifiers(mode: Mode, scale: float) -> list[CalmStream]:
    """Identifiers, at any number of rows."""
    counts = {100: 200, 1_000: 200, 10_000: 60, 100_000: 10}
    return [
        CalmStream("identifiers", mode, m, n, max(2, round(count * scale)), 0)
        for m in BASELINES
        for n, count in counts.items()
    ]


def dependent(mode: Mode, scale: float) -> list[CalmStream]:
    """Days of windows of a minute whose rows depend on each other, and with a daily cycle."""
    day = max(200, round(MINUTES_A_DAY * scale))
    streams = [
        CalmStream(stream, mode, 20_000, n, day, 0)
        for stream in ("AR(1) .5", "AR(1) .9", f"AR(1) .9, {SHUFFLED}", "correlated .9")
        for n in (100, 1_000)
    ]
    return streams + [
        CalmStream("daily cycle", mode, 20_000, n, MINUTES_A_DAY, 0) for n in (100, 1_000)
    ]


def figures(spoken: Sequence[Spoken]) -> list[dict[str, Any]]:
    """The sums over the repeats of each stream, mode, m and n."""
    rows: dict[tuple[object, ...], dict[str, Any]] = {}
    for one in spoken:
        task = one.stream
        key = (task.stream, task.mode, task.m, task.n)
        row = rows.setdefault(
            key,
            dict(zip(("stream", "mode", "m", "n"), key, strict=True))
            | {"windows": 0, "violating": 0, "signals": Counter(), "reasons": Counter()},
        )
        row["windows"] += task.windows
        row["violating"] += one.violating
        row["signals"].update(one.signals)
        row["reasons"].update(one.reasons)
    for row in rows.values():
        row["reasons"] = dict(row["reasons"].most_common(12))
        row["signals"] = dict(row["signals"])
    return list(rows.values())
