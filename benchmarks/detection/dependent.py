"""Rows that depend on each other or on the hour, without any drift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from scipy.signal import lfilter

from benchmarks.detection.kinds import Random, names_of
from benchmarks.detection.streams import Columns, Rows

MINUTES_A_DAY: Final = 1_440


def autoregressive(rho: float) -> Callable[[Sequence[str], Random], Rows]:
    """Each feature an AR(1) series of variance 1 that goes on from call to call."""

    def stream(kinds: Sequence[str], random: Random) -> Rows:
        last = {name: random.normal() for name in names_of(kinds)}

        def rows(first: int, count: int) -> Columns:
            columns = {}
            for name, value in last.items():
                noise = random.normal(0.0, np.sqrt(1.0 - rho * rho), count)
                columns[name], _ = lfilter([1.0], [1.0, -rho], noise, zi=[rho * value])
            last.update({name: values[-1] for name, values in columns.items()})
            return columns

        return rows

    return stream


def correlated(rho: float) -> Callable[[Sequence[str], Random], Rows]:
    """Independent rows whose features share a normal part: any two correlate with ``rho``."""

    def stream(kinds: Sequence[str], random: Random) -> Rows:
        def rows(first: int, count: int) -> Columns:
            common = np.sqrt(rho) * random.normal(size=count)
            own = np.sqrt(1.0 - rho)
            return {name: common + own * random.normal(size=count) for name in names_of(kinds)}

        return rows

    return stream


def cycle_rows(kinds: Sequence[str], random: Random, hours: Columns, size: float) -> Columns:
    """Normal features, two of which have a daily cycle of ``size`` deviations of their mean, and a
    text whose shares have one of a distance of ``size / 5``.
    """
    hour = hours["hour"]
    wave = np.sin(2.0 * np.pi * hour / 24.0)
    columns = {
        name: random.normal(size=len(hour)) for name in names_of(kinds) if "text" not in name
    }
    for name in list(columns)[:2]:
        columns[name] = columns[name] + size * wave
    drawn = random.random(len(hour))
    texts = np.where(drawn < 0.5 + size / 5.0 * wave, 0, np.where(drawn < 0.8, 1, 2))
    return columns | {"text3#0": texts}


def daily_cycle(size: float, n: int) -> Callable[[Sequence[str], Random], Rows]:
    """Windows of a minute with ``n`` rows each, from midnight on."""

    def stream(kinds: Sequence[str], random: Random) -> Rows:
        def rows(first: int, count: int) -> Columns:
            hours = (first + np.arange(count)) // n / 60.0 % 24.0
            return cycle_rows(kinds, random, {"hour": hours}, size)

        return rows

    return stream


def cycle_history(size: float) -> Callable[[Sequence[str], Random], Rows]:
    """Rows of all hours, in no order: a baseline that covers whole days."""

    def stream(kinds: Sequence[str], random: Random) -> Rows:
        return lambda first, count: cycle_rows(
            kinds, random, {"hour": random.random(count) * 24.0}, size
        )

    return stream
