"""Looks into open windows: the time from a fault to the signal, and looks without a fault."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.detection.driftline_judge import MINUTE_MS, rules
from benchmarks.detection.kinds import DRIFTS, EVERYDAY, KINDS, Random, Values, names_of
from benchmarks.detection.power import FEATURES, REFERENCE_ROWS
from benchmarks.detection.streams import baseline_of, fold, independent
from detectors.decisions.early_look import process_of
from detectors.decisions.judge import Judge
from detectors.decisions.window_span import WindowSpan
from detectors.early_finding import EarlyFinding
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.statistics.evidence.early_starts import EarlyStarts

SECOND_MS: Final = 1_000
ROWS_PER_SECOND: Final = 1_000
SECONDS: Final = MINUTE_MS // SECOND_MS
Change = Callable[[Random, Values], Values]
FAULTS: Final[dict[str, tuple[str, Change]]] = {
    "unit F to C": ("fahrenheit", lambda r, x: (x - 32.0) / 1.8),
    "frozen at the mean": ("normal", lambda r, x: np.zeros(len(x))),
    "all null": ("normal", lambda r, x: np.full(len(x), np.nan)),
    "nulls 5 %": ("normal", lambda r, x: DRIFTS["nulls 5 %"].change(r, x, x)),
    "shift 0.5": ("normal", lambda r, x: x + 0.5),
    "shift 0.25": ("normal", lambda r, x: x + 0.25),
}
"""The kind of the feature, and what a fault makes of its values."""


class EarlyFault(NamedTuple):
    """Trials of a fault at random moments of a window."""

    name: str
    base: int
    repeats: int


class QuietLooks(NamedTuple):
    """Windows of everyday features without a fault."""

    base: int
    windows: int


class OpenWindows:
    """Windows of a minute that are looked into each second, one after another."""

    def __init__(self, baseline: Baseline, of_features: int) -> None:
        self._judge = Judge("bench", rules("evidence", of_features))
        self._baseline = baseline
        self._process = process_of(baseline, np.ones(len(baseline.layout.features)))
        self._layout = self._process.layout
        self._second = -1

    def look(self, second: Profile) -> tuple[EarlyFinding, ...]:
        """Add the rows of a second, and look."""
        self._second += 1
        start_ms = self._second // SECONDS * MINUTE_MS
        if self._second % SECONDS == 0:
            self._starts = EarlyStarts(start_ms, self._layout.size, SECONDS)
            self._tallies = np.zeros(self._layout.size, np.int64)
        self._tallies = self._tallies + self._layout.tallies(second.counts)
        span = WindowSpan(model="m", variant="v", start_ms=start_ms, end_ms=start_ms + MINUTE_MS)
        found = self._judge.look(span, self._baseline, self._process, self._tallies, self._starts)
        self._starts.add((self._second + 1) * SECOND_MS, self._tallies)
        return found


def seconds_to_signal(task: EarlyFault, seed: int) -> list[float]:
    """From the fault to the look that signals it, of each trial; infinite after two minutes."""
    kind, change = FAULTS[task.name]
    (name,) = names_of([kind])
    random = np.random.default_rng([seed, 6, list(FAULTS).index(task.name), task.base])
    baseline = baseline_of([kind], {name: KINDS[kind].draw(random, REFERENCE_ROWS)})
    waits = []
    for _ in range(task.repeats):
        values = KINDS[kind].draw(random, 2 * SECONDS * ROWS_PER_SECOND)
        fault = int(random.integers(0, SECONDS * ROWS_PER_SECOND))
        values[fault:] = change(random, values[fault:])
        windows = OpenWindows(baseline, FEATURES)
        waits.append(_wait(windows, fold(baseline, [kind], {name: values}, ROWS_PER_SECOND), fault))
    return waits


def _wait(windows: OpenWindows, profiles: Sequence[Profile], fault: int) -> float:
    for second, profile in enumerate(profiles, 1):
        if windows.look(profile):
            return second - fault / ROWS_PER_SECOND
    return float("inf")


def false_looks(task: QuietLooks, seed: int) -> tuple[int, int]:
    """The windows without a fault, and those of them that were signalled early."""
    random = np.random.default_rng([seed, 7, task.base])
    rows = independent(EVERYDAY, random)
    baseline = baseline_of(EVERYDAY, rows(0, REFERENCE_ROWS))
    windows = OpenWindows(baseline, 1)
    signalled = 0
    for k in range(task.windows):
        columns = rows(k, SECONDS * ROWS_PER_SECOND)
        profiles = fold(baseline, EVERYDAY, columns, ROWS_PER_SECOND)
        found = [windows.look(profile) for profile in profiles]
        signalled += any(found)
    return task.windows, signalled


def run(task: EarlyFault | QuietLooks, seed: int) -> tuple[EarlyFault | QuietLooks, Any]:
    """A task with its result."""
    if isinstance(task, EarlyFault):
        return task, seconds_to_signal(task, seed)
    return task, false_looks(task, seed)


def faults(scale: float) -> list[EarlyFault]:
    """Forty trials of each fault over four baselines at a scale of 1."""
    return [
        EarlyFault(name, base, max(2, round(10 * scale))) for name in FAULTS for base in range(4)
    ]


def quiet(scale: float) -> list[QuietLooks]:
    """Four hundred windows over eight baselines at a scale of 1."""
    return [QuietLooks(base, max(2, round(50 * scale))) for base in range(8)]


def figures(results: Sequence[tuple[EarlyFault | QuietLooks, Any]]) -> dict[str, Any]:
    """Seconds to the signal by fault, and false signals.

    ``before``: the trials with a signal before the fault. ``p95_s``: that of 95 of 100 trials.
    """
    together: dict[str, list[float]] = {}
    looks = [result for task, result in results if isinstance(task, QuietLooks)]
    for task, waits in results:
        if isinstance(task, EarlyFault):
            together.setdefault(task.name, []).extend(waits)
    return {
        "faults": [
            {
                "fault": name,
                "trials": len(some),
                "before": sum(wait <= 0 for wait in some),
                "median_s": _quantile(some, 0.5),
                "p95_s": _quantile(some, 0.95),
            }
            for name, some in together.items()
        ],
        "quiet_windows": sum(windows for windows, _ in looks),
        "false_signals": sum(signalled for _, signalled in looks),
    }


def _quantile(waits: Sequence[float], share: float) -> float | None:
    value = float(np.quantile(waits, share, method="inverted_cdf"))
    return value if np.isfinite(value) else None
