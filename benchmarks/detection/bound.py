"""The bound: CUSUM on single events with the law before and after the drift known.

No test finds a shift of a normal mean sooner at the same run length (Moustakides 1986). Formulas of
the run length: Siegmund 1985.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from benchmarks.detection.power import FEATURES

RUN_LENGTH_WINDOWS: Final = 43_200
"""The mean number of windows between false signals of all features: 30 days of minutes."""
OVERSHOOT: Final = 1.166
"""What the discrete steps of normal values add to the limit at both of its ends."""
SHIFTS: Final = (0.1, 0.25, 0.5, 1.0)


def run_length(drift: float, limit: float) -> float:
    """The mean number of values until ``S = max(0, S + x - k)`` exceeds ``limit``.

    ``drift`` is the mean of ``x - k`` for x of deviation 1.

    >>> round(run_length(-0.5, 4.0)), round(run_length(0.5, 4.0), 1)
    (338, 8.3)
    """
    b = limit + OVERSHOOT
    if drift == 0.0:
        return b * b
    return float((np.exp(-2.0 * drift * b) + 2.0 * drift * b - 1.0) / (2.0 * drift * drift))


def limit_for(shift: float, length: float) -> float:
    """The limit at which the run length without a shift is ``length``."""
    low, high = 0.0, 1.0
    while run_length(-shift / 2.0, high) < length:
        high *= 2.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if run_length(-shift / 2.0, middle) < length else (low, middle)
    return high


def events_to_signal(shift: float, n: int, seed: int, repeats: int = 400) -> float:
    """The median number of events until CUSUM finds the shift.

    It may speak falsely as seldom as one of ``FEATURES`` features with windows of ``n`` rows.
    """
    limit = limit_for(shift, float(RUN_LENGTH_WINDOWS * FEATURES * n))
    random = np.random.default_rng([seed, 4, round(1000 * shift), n])
    most = int(6 * run_length(shift / 2.0, limit))
    reached = np.zeros(repeats)
    found = np.full(repeats, np.inf)
    for event in range(1, most + 1):
        reached = np.maximum(0.0, reached + random.normal(shift / 2.0, 1.0, repeats))
        found[(reached > limit) & np.isinf(found)] = event
        if np.isfinite(found).all():
            break
    return float(np.median(found))


def figures(power: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """The events to the signal of driftline over those of CUSUM plus one window."""
    rows = []
    for row in power:
        name, _, size = row["drift"].partition(" ")
        if name != "shift" or "driftline" not in row["method"]:
            continue
        best = events_to_signal(float(size), row["n"], seed)
        waited = row["median_windows"]
        events = None if waited is None else waited * row["n"]
        rows.append(
            {key: row[key] for key in ("drift", "n", "method")}
            | {
                "events": events,
                "cusum_events": best,
                "ratio": None if events is None else events / (best + row["n"]),
            }
        )
    return rows
