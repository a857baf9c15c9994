"""Streams of rows of several countries, judged with a segment for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import Layout
from detectors.profiles.segments import segmentation_of
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import tally_layout
from stream.testing.baselines import Values, baseline, window

HOUR_MS = 3_600_000
COUNTRIES = ("DE", "FR", "US", "GB", "PL", "IT", "ES", "NL", "BR")
SHARES = (0.3, 0.2, 0.15, 0.1, 0.06, 0.05, 0.05, 0.04, 0.05)


class Judged(NamedTuple):
    """The report on one window, its signals, and the state after it."""

    report: WindowReport
    signals: list[Signal]
    state: EpisodeState


def rows(
    rng: np.random.Generator, n: int, shift: Mapping[str, float] | None = None
) -> dict[str, Values]:
    """Rows with areas of deviation 10 that differ by country; ``shift``: by country, in them."""
    country = rng.choice(COUNTRIES, n, p=SHARES)
    means = np.array([50.0 + 2.0 * k for k in range(len(COUNTRIES))])
    area = rng.normal(means[[COUNTRIES.index(each) for each in country]], 10.0)
    for name, moved in (shift or {}).items():
        area[country == name] += 10.0 * moved
    return {
        "area": area.tolist(),
        "rooms": rng.binomial(8, 0.4, n).astype(float).tolist(),
        "country": country.tolist(),
        "plan": rng.choice(["free", "plus", "pro"], n, p=[0.6, 0.3, 0.1]).tolist(),
    }


def divided(data: dict[str, Values], by: Mapping[str, int]) -> Baseline:
    """The baseline of some rows, with the most frequent values of columns as segments."""
    return dividing(baseline(data), data, by)


def dividing(known: Baseline, data: dict[str, Values], by: Mapping[str, int]) -> Baseline:
    """The baseline of some rows that has these bins, with segments."""
    counts = known.profile.counts
    chosen = tuple(segmentation_of(known.layout, counts, name, most) for name, most in by.items())
    layout = Layout(known.layout.features, chosen)
    return Baseline(layout, window(layout, data), known.constraints, known.columns)


def judge(rules: Rules | None = None, *, expose_values: bool = True) -> Judge:
    """A judge of windows of an hour."""
    return Judge("job", rules or Rules(mode="evidence"), {"m": {}}, expose_values=expose_values)


def run(frames: Iterable[dict[str, Values]], base: Baseline, of: Judge) -> list[Judged]:
    """The results of windows of an hour, one after the other."""
    state, history, segments = EpisodeState(), History(), History()
    results = []
    for k, frame in enumerate(frames):
        span = WindowSpan(model="m", variant="v", start_ms=k * HOUR_MS, end_ms=(k + 1) * HOUR_MS)
        profile = window(base.layout, frame)
        report = of.report(span, base, profile, state, history, segments)
        sides = [(history, base, profile)]
        if base.by_segment is not None and profile.segments is not None:
            sides.append((segments, base.by_segment, profile.segments))
        for past, known, counted in sides:
            tallies = tally_layout(known).tallies(counted.counts)
            past.add(PastWindow(span.start_ms, span.end_ms, tallies))
        state, signals = of.advance(state, report, base)
        results.append(Judged(report, signals, state))
    return results
