"""Windows of a model in a row, judged by evidence as the service does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import FeatureRules, Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.baseline import Baseline
from detectors.profiles.profile import Profile
from detectors.report import Signal, WindowReport
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import tally_layout
from stream.testing.baselines import Values, baseline, window

HOUR = 3_600_000
EVIDENCE = Rules(mode="evidence")


class Judged(NamedTuple):
    """The report on one window, its signals, and the state after it."""

    report: WindowReport
    signals: list[Signal]
    state: EpisodeState


def rows(
    rng: np.random.Generator,
    n: int,
    *,
    mean: float = 0.0,
    missing: float = 0.0,
    new: float = 0.0,
    negative: float = 0.0,
) -> dict[str, Values]:
    """Rows of a normal, a positive and a text feature."""
    values, lost = rng.normal(mean, 1, n).tolist(), rng.random(n) < missing
    x = [None if is_lost else value for value, is_lost in zip(values, lost, strict=True)]
    y = np.where(rng.random(n) < negative, -1.0, rng.lognormal(0, 1, n))
    words = rng.choice(["a", "b", "c", "d"], n, p=[0.4, 0.3, 0.2, 0.1])
    return {"x": x, "y": y.tolist(), "c": np.where(rng.random(n) < new, "zz", words).tolist()}


BASE = baseline(rows(np.random.default_rng(1), 10_000))


def judge(rules: Rules = EVIDENCE, features: Mapping[str, FeatureRules] | None = None) -> Judge:
    return Judge("job", rules, {"m": features or {}})


def run(
    frames: Iterable[dict[str, Values]], of: Judge | None = None, base: Baseline = BASE
) -> list[Judged]:
    """The results of windows of an hour, one after the other."""
    of = of or judge()
    state, history, results = EpisodeState(), History(), []
    for k, frame in enumerate(frames):
        span = WindowSpan(model="m", variant="v", start_ms=k * HOUR, end_ms=(k + 1) * HOUR)
        profile = window(base.layout, frame) if frame else Profile(base.layout)
        report = of.report(span, base, profile, state, history)
        if of.remembers(report):
            tallies = tally_layout(base).tallies(profile.counts)
            history.add(PastWindow(span.start_ms, span.end_ms, tallies))
        state, signals = of.advance(state, report, base)
        results.append(Judged(report, signals, state))
    return results


def signals(results: Sequence[Judged]) -> list[tuple[int, str]]:
    """The kind of each signal, and the number of its window."""
    return [(k, signal.kind) for k, result in enumerate(results) for signal in result.signals]
