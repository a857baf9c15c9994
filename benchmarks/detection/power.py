"""Drifts in one of twenty features: how soon driftline sends a signal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.detection.driftline_judge import Mode, Stream, rules
from benchmarks.detection.kinds import DRIFTS, DriftTrial, names_of
from benchmarks.detection.streams import baseline_of, fold

FEATURES: Final = 20
"""Each drift is judged with the share of the budget that one of so many features has."""
REFERENCE_ROWS: Final = 20_000


class Trials(NamedTuple):
    """All trials of one drift over one baseline, by one method."""

    drift: str
    method: str
    n: int
    base: int
    repeats: int
    most: int

    def trials(self) -> list[DriftTrial]:
        """The trials; every method has the same."""
        return [
            DriftTrial(self.drift, self.n, REFERENCE_ROWS, self.base, repeat, self.most)
            for repeat in range(self.repeats)
        ]


class Delays(NamedTuple):
    """The number of windows until the drift was found, of each trial; ``None`` is never."""

    trials: Trials
    windows: tuple[int | None, ...]
    reasons: dict[str, int] = {}


def delays(task: Trials, seed: int) -> Delays:
    """The delays of driftline's signals."""
    mode: Mode = "evidence" if task.method.endswith("evidence") else "threshold"
    kinds = (DRIFTS[task.drift].kind,)
    baseline = baseline_of(kinds, {names_of(kinds)[0]: task.trials()[0].reference(seed)})
    found, reasons = [], dict[str, int]()
    for trial in task.trials():
        stream = Stream(baseline, rules(mode, of_features=FEATURES))
        windows, reason = _first_signal(stream, baseline, trial, seed)
        found.append(windows)
        reasons[reason] = reasons.get(reason, 0) + 1
    return Delays(task, tuple(found), reasons)


def _first_signal(
    stream: Stream, baseline: Any, trial: DriftTrial, seed: int
) -> tuple[int | None, str]:
    drift = DRIFTS[trial.drift]
    name = names_of([drift.kind])[0]
    for first, values in trial.windows(seed):
        profiles = fold(baseline, (drift.kind,), {name: values}, trial.n, drift.written_as)
        for k, window in enumerate(stream.judged(profiles), first + 1):
            if window.signals:
                reason = window.violations[0]
                return k, f"{reason.check} {reason.statistic}"
    return None, "never"


def windows_of(drift: str, n: int) -> int:
    """The number of windows that a trial lasts at most."""
    if drift == "shift 0.1" and n <= 100:
        return 200
    return 60 if drift.startswith("ramp") or n == 30 else 20


def trials(methods: Sequence[str], scale: float, drifts: Sequence[str] = ()) -> list[Trials]:
    """Trials of every drift: 40 of each at a scale of 1, and half as many at n = 10,000."""
    bases = max(2, round(5 * scale))
    return [
        Trials(
            drift,
            method,
            n,
            base,
            max(2, round(8 * scale)) // (1 + (n == 10_000)),
            windows_of(drift, n),
        )
        for drift in drifts or DRIFTS
        for n in (30, 100, 1_000, 10_000)
        for base in range(bases)
        for method in methods
    ]


def figures(found: Sequence[Delays]) -> list[dict[str, Any]]:
    """By drift, n and method: the share found within 1, 3 and 10 windows, and the median delay."""
    together: dict[tuple[str, int, str], list[float]] = {}
    reasons: dict[tuple[str, int, str], dict[str, int]] = {}
    for one in found:
        key = (one.trials.drift, one.trials.n, one.trials.method)
        together.setdefault(key, []).extend(np.inf if w is None else w for w in one.windows)
        for reason, count in one.reasons.items():
            of = reasons.setdefault(key, {})
            of[reason] = of.get(reason, 0) + count
    rows = []
    for (drift, n, method), waits in together.items():
        delay = np.array(waits)
        median = float(np.median(delay))
        rows.append(
            {
                "drift": drift,
                "n": n,
                "method": method,
                "trials": len(delay),
                **{f"within_{k}": float(np.mean(delay <= k)) for k in (1, 3, 10)},
                "median_windows": median if np.isfinite(median) else None,
                "reasons": reasons.get((drift, n, method), {}),
            }
        )
    return rows
