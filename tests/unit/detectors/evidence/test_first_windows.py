"""What the first windows of a stream show of rows that depend on each other, and of breaks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.baseline import Baseline
from detectors.statistics.evidence.dependence import LEAST_WINDOWS
from detectors.statistics.evidence.first_windows import LEAST_FEATURES, first_factor
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.running_history import RunningHistory
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import Values, baseline, window
from tests.unit.detectors.decisions.evidence_stream import run, signals

FEATURES = 20


def autoregressive(rho: float, rows: int, seed: int, features: int = FEATURES) -> Floats:
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (rows, features))
    for t in range(1, rows):
        values[t] = rho * values[t - 1] + np.sqrt(1 - rho * rho) * values[t]
    return values


def columns(values: Floats) -> dict[str, Values]:
    return {f"x{i}": values[:, i] for i in range(values.shape[1])}


def known(features: int) -> Baseline:
    return baseline(columns(np.random.default_rng(3).normal(0, 1, (16_384, features))))


BASE = known(FEATURES)
LAYOUT = TallyLayout(BASE)
FEW = known(LEAST_FEATURES - 1)


def windows_of(values: Floats, rows: int) -> list[dict[str, Values]]:
    return [columns(values[k : k + rows]) for k in range(0, len(values), rows)]


@pytest.mark.parametrize("seed", range(4))
def test_a_shuffled_file_and_dependent_rows_give_no_signal(seed: int) -> None:
    frames = windows_of(autoregressive(0.9, 100 * 14, seed), 100)
    assert signals(run(frames, base=BASE)) == []


def test_the_factor_of_one_window_is_about_that_of_its_rows() -> None:
    """An AR(1) series of 0.9 has one of 17.3 in 100 rows; the median of twenty is within half."""
    found = []
    for seed in range(20):
        values = autoregressive(0.9, 300, seed)[200:]
        tallies = LAYOUT.tallies(window(BASE.layout, columns(values)).counts)
        (factor,) = set(first_factor(LAYOUT, [tallies]).tolist())
        found.append(factor)
    assert 17.3 / 1.5 < np.median(found) < 17.3 * 1.5
    assert min(found) > 3.0


def test_independent_rows_have_the_factor_1_in_nine_of_ten_windows() -> None:
    rng = np.random.default_rng(5)
    factors = []
    for _ in range(100):
        counts = window(BASE.layout, columns(rng.normal(0, 1, (100, FEATURES)))).counts
        factors.append(first_factor(LAYOUT, [LAYOUT.tallies(counts)])[0])
    assert np.mean(np.array(factors) == 1.0) >= 0.9


def test_few_features_say_nothing_on_dependence() -> None:
    layout = TallyLayout(FEW)
    values = autoregressive(0.9, 100, 6, LEAST_FEATURES - 1)
    tallies = layout.tallies(window(FEW.layout, columns(values)).counts)
    assert first_factor(layout, [tallies]).tolist() == [1.0] * (LEAST_FEATURES - 1)


BREAKS: dict[str, Callable[[Floats], Floats]] = {
    "unit": lambda values: values * 1_000.0 + 5_000.0,
    "frozen": lambda values: np.full_like(values, 0.3),
    "null": lambda values: np.full_like(values, np.nan),
}


@pytest.mark.parametrize("broken", BREAKS)
@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_column_that_breaks_is_signalled_at_once(broken: str, at: int) -> None:
    rng = np.random.default_rng(7)
    frames = windows_of(rng.normal(0, 1, (30 * (at + 1), FEATURES)), 30)
    values = BREAKS[broken](np.asarray(frames[at]["x4"]))
    frames[at]["x4"] = [None if np.isnan(value) else value for value in values.tolist()]
    (signal,) = run(frames, base=BASE)[at].signals
    assert signal.features == ("x4",)


@pytest.mark.parametrize("at", [0, 1, 4])
@pytest.mark.parametrize("broken", ["unit", "null"])
def test_all_columns_that_break_together_are_signalled_at_once(broken: str, at: int) -> None:
    rng = np.random.default_rng(8)
    frames = windows_of(rng.normal(0, 1, (30 * (at + 1), FEATURES)), 30)
    for name in list(frames[at]):
        values = BREAKS[broken](np.asarray(frames[at][name]))
        frames[at][name] = [None if np.isnan(value) else value for value in values.tolist()]
    (signal,) = run(frames, base=BASE)[at].signals
    assert len(signal.features) == FEATURES


def test_a_drift_of_most_features_in_the_first_window_is_signalled_within_four() -> None:
    rng = np.random.default_rng(9)
    frames = windows_of(rng.normal(0.5, 1, (400, FEATURES)), 100)
    assert signals(run(frames, base=BASE))[:1] != []


def shifted(rng: np.random.Generator, means: tuple[float, float]) -> dict[str, Values]:
    return columns(rng.normal((*means, 0.0), 1, (300, 3)))


@pytest.mark.parametrize(("size", "worsened_at"), [(0.6, LEAST_WINDOWS), (8.0, 2)])
def test_in_the_first_windows_only_what_is_obvious_worsens(size: float, worsened_at: int) -> None:
    rng = np.random.default_rng(10)
    means = [(0.6, 0.0)] * 2 + [(0.6, size)] * LEAST_WINDOWS
    found = signals(run([shifted(rng, each) for each in means], base=known(3)))
    assert found == [(0, "opened"), (worsened_at, "worsened")]


def test_a_running_history_says_the_same_of_the_first_windows() -> None:
    plain, running = History(), RunningHistory(LAYOUT)
    values = autoregressive(0.9, 100 * (LEAST_WINDOWS + 2), 11)
    for k, frame in enumerate(windows_of(values, 100)):
        tallies = LAYOUT.tallies(window(BASE.layout, frame).counts)
        running.sums(k, tallies)
        factor = plain.factor(LAYOUT, k, tallies=tallies)
        np.testing.assert_array_equal(running.factor(LAYOUT, k, tallies=tallies), factor)
        assert factor.min() > 1.0
        plain.add(PastWindow(k, k + 1, tallies), -1)
        running.add_judged(k, k + 1)
