"""Rows with a daily cycle, and baselines that know it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar, Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import Seasons
from stream.testing.baselines import Values, baseline, window

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BY_HOUR = Calendar(by=("hour_of_day",))
WORDS = np.array(["car", "bus", "tram"])


def cycle_rows(
    rng: np.random.Generator, hour: int, rows: int, size: float = 0.5
) -> dict[str, Values]:
    """Rows of one hour: numbers that move by ``size`` deviations either way in the course of a day,
    and codes, words and missing values that are more frequent at other hours.
    """
    wave = np.sin(2.0 * np.pi * hour / 24.0)
    share = 0.5 + wave / 8.0
    words = WORDS[rng.choice(3, rows, p=[share, 0.9 - share, 0.1])]
    missing = rng.random(rows) < 0.1 + wave / 20.0
    holes = [
        None if gone else value for gone, value in zip(missing, rng.normal(size=rows), strict=True)
    ]
    return {
        "number": rng.normal(size * wave, 1.0, rows),
        "codes": rng.binomial(4, 0.5 + wave / 10.0, rows).astype(float),
        "words": words.tolist(),
        "holes": holes,
    }


def joined(parts: Mapping[int, Mapping[str, Values]]) -> dict[str, Values]:
    """The rows of several hours together."""
    names = next(iter(parts.values()))
    return {
        name: [value for part in parts.values() for value in list(part[name])] for name in names
    }


def with_cycle(rng: np.random.Generator, rows: int, hours: int = 24, size: float = 0.5) -> Baseline:
    """A baseline with ``rows`` rows of each hour, and the seasons by the hour."""
    parts = {hour: cycle_rows(rng, hour * 24 // hours, rows, size) for hour in range(hours)}
    whole = baseline(joined(parts))
    profiles: dict[Key, Profile] = {
        (str(hour),): window(whole.layout, part) for hour, part in parts.items()
    }
    return whole.seasonal(Seasons(BY_HOUR, profiles))
