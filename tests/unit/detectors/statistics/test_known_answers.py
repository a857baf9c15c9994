"""Known answers: published vectors, closed forms, and the errors of fixed thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.decisions.episode_state import EpisodeState
from detectors.decisions.judge import Judge
from detectors.decisions.rules import Rules
from detectors.decisions.window_span import WindowSpan
from detectors.profiles.layout import Layout
from detectors.report import Signal
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances.base import Pair
from stream.testing.baselines import Values, baseline, feature, normal, pair, texts, window

NORMAL = NormalDist()
DEEQU = {"a": 10, "b": 20, "c": 25, "d": 10, "e": 5}


def distance(name: str, pair: Pair) -> float:
    """The value of the only feature."""
    return float(DISTANCES[name].distances(pair)[0])


@pytest.mark.parametrize(
    ("after", "simple"),
    [
        ({"a": 11, "b": 20, "c": 25, "d": 10, "e": 10}, 0.06015037593984962),
        ({"f": 11, "a": 20, "c": 25, "d": 10, "e": 10}, 0.2857142857142857),
    ],
)
def test_l_infinity_of_categories_is_that_of_deequs_tests(
    after: Mapping[str, int], simple: float
) -> None:
    gap = distance("l_infinity", pair(texts(DEEQU), texts(after)))
    assert gap == pytest.approx(simple, rel=1e-14)


def test_l_infinity_of_numbers_is_that_of_deequs_tests() -> None:
    assert distance("ks", pair([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0])) == pytest.approx(0.25)


def test_chi_squared_is_the_example_of_scipys_manual() -> None:
    # scipy.stats.chi2_contingency([[10, 10, 20], [20, 20, 20]]): statistic 2.7777..., p
    # 0.24935220877729622, 2 degrees of freedom
    counted = pair(texts({"a": 10, "b": 10, "c": 20}), texts({"a": 20, "b": 20, "c": 20}))
    assert distance("chi_squared", counted) == pytest.approx(0.24935220877729622, rel=1e-9)


BEFORE = normal(1, 200_000)


def test_psi_between_shifted_normals_is_that_of_deciles_and_below_the_closed_form() -> None:
    # Jeffreys' divergence of N(0,1) and N(1,1) is exactly 1; ten cells cannot see all of it
    cuts = [NORMAL.inv_cdf(k / 10) for k in range(1, 10)]
    shares = np.diff([0.0, *[NORMAL.cdf(cut - 1.0) for cut in cuts], 1.0])
    expected = float(((shares - 0.1) * np.log(shares / 0.1)).sum())
    value = distance("psi", pair(BEFORE, normal(2, 200_000, mean=1.0)))
    assert value == pytest.approx(expected, rel=0.02)
    assert 0.85 < value < 1.0


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0, 2.0])
def test_ks_between_shifted_normals_is_its_closed_form(shift: float) -> None:
    expected = 2.0 * NORMAL.cdf(shift / 2.0) - 1.0
    assert distance("ks", pair(BEFORE, normal(3, 200_000, mean=shift))) == pytest.approx(
        expected, abs=0.006
    )


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
def test_hellinger_between_shifted_normals_is_near_its_closed_form(shift: float) -> None:
    closed = sqrt(1.0 - exp(-shift * shift / 8.0))
    value = distance("hellinger", pair(BEFORE, normal(4, 200_000, mean=shift)))
    # ten cells lose a part; two samples of 200,000 differ by 0.003 in their means
    assert 0.93 * closed < value < 1.02 * closed


def test_wasserstein_between_normals_is_the_shift_or_the_stretch() -> None:
    assert distance("wasserstein", pair(BEFORE, normal(5, 200_000, mean=0.3))) == pytest.approx(
        0.3, rel=0.05
    )
    stretched = distance("wasserstein", pair(BEFORE, normal(6, 200_000, std=1.5)))
    # E|Z| times the difference of the deviations
    assert stretched == pytest.approx(0.5 * sqrt(2.0 / np.pi), rel=0.1)


def test_the_bias_of_jensen_shannon_in_small_windows_is_the_published_one() -> None:
    base = normal(7, 10_000)
    divergences = [
        distance("jensen_shannon", pair(base, normal(100 + k, 100))) ** 2 for k in range(200)
    ]
    assert np.mean(divergences) == pytest.approx(9 * (1 / 100 + 1 / 10_000) / (8 * log(2)), rel=0.1)


def psi_noise(pair: Pair, alpha: float) -> float:
    return float(DISTANCES["psi"].noise(pair, alpha)[0])


WINDOWS = 300
LAYOUT = Layout((feature("x", normal(8, 10_000)),))
BASELINE = window(LAYOUT, {"x": normal(8, 10_000)})


def alarms(rows: int, shift: float, fixed: float | None = None, alpha: float = 0.001) -> float:
    """Share of the windows whose PSI is above a fixed limit, or above its own noise."""
    hits = 0
    for k in range(WINDOWS):
        sides = Pair(BASELINE, window(LAYOUT, {"x": normal(10_000 + k, rows, mean=shift)}))
        limit = psi_noise(sides, alpha) if fixed is None else fixed
        hits += distance("psi", sides) > limit
    return hits / WINDOWS


@pytest.mark.parametrize("rows", [100, 250, 500, 1_000, 5_000])
def test_without_drift_the_noise_limit_rarely_alarms(rows: int) -> None:
    assert alarms(rows, 0.0) <= 3 / WINDOWS


def test_without_drift_a_fixed_limit_alarms_in_small_windows() -> None:
    assert alarms(100, 0.0, fixed=0.1) > 0.2
    assert alarms(1_000, 0.0, fixed=0.1) == 0.0


@pytest.mark.parametrize(
    ("rows", "lowest", "highest"),
    [(250, 0.25, 0.6), (500, 0.75, 0.97), (1_000, 0.98, 1.0), (5_000, 1.0, 1.0)],
)
def test_the_noise_limit_detects_a_shift_by_a_quarter_of_a_deviation(
    rows: int, lowest: float, highest: float
) -> None:
    assert lowest <= alarms(rows, 0.25) <= highest


def test_a_fixed_limit_misses_a_quarter_of_a_deviation_in_large_windows() -> None:
    assert alarms(1_000, 0.25, fixed=0.1) < 0.2
    assert alarms(5_000, 0.25, fixed=0.1) == 0.0


@pytest.mark.parametrize("rows", [500, 1_000])
def test_nothing_is_overwhelming_without_drift(rows: int) -> None:
    assert alarms(rows, 0.0, alpha=1e-9) == 0.0


@pytest.mark.parametrize("rows", [100, 1_000, 10_000])
def test_many_rare_categories_keep_the_law(rows: int) -> None:
    rng = np.random.default_rng(9)
    words = np.array([f"w{k}" for k in range(200)])
    shares = 1.0 / np.arange(1, 201)
    shares /= shares.sum()

    def drawn(size: int) -> list[str | None]:
        values: list[str | None] = rng.choice(words, size, p=shares).tolist()
        return values

    before = drawn(20_000)
    layout = Layout((feature("t", before),))
    counted = window(layout, {"t": before})
    hits = 0
    for _ in range(200):
        sides = Pair(counted, window(layout, {"t": drawn(rows)}))
        hits += distance("psi", sides) > psi_noise(sides, 0.001)
    assert hits <= 3


def signals(
    judge: Judge, windows: list[dict[str, Values]], before: dict[str, Values]
) -> list[tuple[int, Signal]]:
    """Each signal with the number of the window that caused it."""
    base = baseline(before)
    state = EpisodeState()
    signals = []
    for k, data in enumerate(windows):
        report = judge.report(
            WindowSpan(model="m", variant="v", start_ms=k, end_ms=k + 1),
            base,
            window(base.layout, data),
            state,
        )
        state, new = judge.advance(state, report, base)
        signals += [(k, signal) for signal in new]
    return signals


def test_twenty_features_over_two_hundred_windows_cause_no_signal_without_drift() -> None:
    rng = np.random.default_rng(10)

    def drawn(rows: int) -> dict[str, Values]:
        return {f"x{k}": rng.gamma(1.0 + k / 4, 1.0, rows) for k in range(20)}

    before = drawn(10_000)
    assert signals(Judge("j", Rules(limit=0.0)), [drawn(500) for _ in range(200)], before) == []


def moving(shifts: list[float], rows: int) -> list[dict[str, Values]]:
    return [{"x": normal(500 + k, rows, mean=shift)} for k, shift in enumerate(shifts)]


def test_a_small_drift_is_signalled_at_its_second_violation_a_large_one_at_once() -> None:
    before: dict[str, Values] = {"x": normal(8, 10_000)}
    judge = Judge("j", Rules(limit=0.0))
    ((opened, signal),) = signals(judge, moving([0.0] * 5 + [0.25] * 5, 700), before)
    assert signal.kind == "opened"
    assert opened in (6, 7)
    large = signals(judge, moving([0.0] * 5 + [1.5] * 2 + [0.0] * 2, 1_000), before)
    assert [(k, signal.kind) for k, signal in large] == [(5, "opened"), (8, "recovered")]


CHANGES: dict[str, tuple[list[float], Floats | list[float]]] = {
    "a flag whose mix changes": ([0.0] * 9_000 + [1.0] * 1_000, [0.0] * 500 + [1.0] * 500),
    "an age code whose groups exchange their shares": (
        [float(k) for k in range(7) for _ in range((k + 1) * 300)],
        [float(k) for k in range(7) for _ in range((7 - k) * 40)],
    ),
    "a sensor stuck at one value": (normal(11, 10_000).tolist(), [0.125] * 1_000),
    "more traffic of the same few values": (
        [1.0, 2.0, 3.0, 4.0] * 2_500,
        [1.0] * 700 + [2.0, 3.0, 4.0] * 100,
    ),
}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_a_change_that_counting_distinct_values_misses_is_signalled_at_once(name: str) -> None:
    """SageMaker's distance of numbers is 0 for each of these: it compares distinct values."""
    before, after = CHANGES[name]
    opened = signals(Judge("j", Rules()), [{"x": after}], {"x": before})
    assert [(k, signal.kind) for k, signal in opened] == [(0, "opened")]
