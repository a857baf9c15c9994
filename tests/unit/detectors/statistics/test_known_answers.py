"""Answers that were known before the code ran: published vectors, closed forms, and what fixed
thresholds do wrong."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.decisions.episodes import EpisodeState
from detectors.decisions.judge import Judge, WindowSpan
from detectors.decisions.rules import Rules
from detectors.profiles.layout import Layout
from detectors.report import Signal
from detectors.statistics.distances import (
    chi_squared,
    hellinger,
    jensen_shannon,
    ks,
    l_infinity,
    psi,
    wasserstein,
)
from detectors.statistics.measures import Measures
from detectors.statistics.noise import noise
from tests.support.made import Values, baseline, feature, normal, pair, texts, window

NORMAL = NormalDist()
DEEQU = {"a": 10, "b": 20, "c": 25, "d": 10, "e": 5}


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
    found = float(l_infinity.distances(pair(texts(DEEQU), texts(after)))[0])
    assert found == pytest.approx(simple, rel=1e-14)
    assert l_infinity.robust(found, sum(DEEQU.values()), sum(after.values())) == 0.0


def test_l_infinity_of_numbers_is_that_of_deequs_tests() -> None:
    assert ks.distances(pair([1.0, 2.0, 3.0, 4.0], [2.0, 3.0, 4.0, 5.0]))[0] == pytest.approx(0.25)


def test_chi_squared_is_the_example_of_scipys_manual() -> None:
    # scipy.stats.chi2_contingency([[10, 10, 20], [20, 20, 20]]): statistic 2.7777..., p
    # 0.24935220877729622, 2 degrees of freedom
    counted = pair(texts({"a": 10, "b": 10, "c": 20}), texts({"a": 20, "b": 20, "c": 20}))
    assert chi_squared.distances(counted)[0] == pytest.approx(0.24935220877729622, rel=1e-9)


BEFORE = normal(1, 200_000)


def test_psi_between_shifted_normals_is_that_of_deciles_and_below_the_closed_form() -> None:
    # Jeffreys' divergence of N(0,1) and N(1,1) is exactly 1; ten cells cannot see all of it
    cuts = [NORMAL.inv_cdf(k / 10) for k in range(1, 10)]
    shares = np.diff([0.0, *[NORMAL.cdf(cut - 1.0) for cut in cuts], 1.0])
    expected = float(((shares - 0.1) * np.log(shares / 0.1)).sum())
    found = float(psi.distances(pair(BEFORE, normal(2, 200_000, mean=1.0)))[0])
    assert found == pytest.approx(expected, rel=0.02)
    assert 0.85 < found < 1.0


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.0, 2.0])
def test_ks_between_shifted_normals_is_its_closed_form(shift: float) -> None:
    expected = 2.0 * NORMAL.cdf(shift / 2.0) - 1.0
    assert ks.distances(pair(BEFORE, normal(3, 200_000, mean=shift)))[0] == pytest.approx(
        expected, abs=0.006
    )


@pytest.mark.parametrize("shift", [0.25, 0.5, 1.0])
def test_hellinger_between_shifted_normals_comes_near_its_closed_form(shift: float) -> None:
    closed = sqrt(1.0 - exp(-shift * shift / 8.0))
    found = float(hellinger.distances(pair(BEFORE, normal(4, 200_000, mean=shift)))[0])
    assert (
        0.93 * closed < found < 1.02 * closed
    )  # ten cells lose some; two samples of 200,000 differ by 0.003 in their means


def test_wasserstein_between_normals_is_the_shift_or_the_stretch() -> None:
    assert wasserstein.distances(pair(BEFORE, normal(5, 200_000, mean=0.3)))[0] == pytest.approx(
        0.3, rel=0.05
    )
    stretched = wasserstein.distances(pair(BEFORE, normal(6, 200_000, std=1.5)))[0]
    assert stretched == pytest.approx(
        0.5 * sqrt(2.0 / np.pi), rel=0.1
    )  # E|Z| times the difference of the deviations


def test_the_bias_of_jensen_shannon_in_small_windows_is_the_one_that_others_report() -> None:
    base = normal(7, 10_000)
    found = [
        float(jensen_shannon.distances(pair(base, normal(100 + k, 100)))[0]) ** 2
        for k in range(200)
    ]
    assert np.mean(found) == pytest.approx(9 * (1 / 100 + 1 / 10_000) / (8 * log(2)), rel=0.1)


WINDOWS = 300
LAYOUT = Layout((feature("x", normal(8, 10_000)),))
BASELINE = window(LAYOUT, {"x": normal(8, 10_000)})


def alarms(rows: int, shift: float, fixed: float | None = None, alpha: float = 0.001) -> float:
    """Share of the windows whose PSI is above a fixed limit, or above its own noise."""
    hits = 0
    for k in range(WINDOWS):
        measures = Measures(BASELINE, window(LAYOUT, {"x": normal(10_000 + k, rows, mean=shift)}))
        limit = float(noise("psi", measures, alpha)[0]) if fixed is None else fixed
        hits += float(measures.distances["psi"][0]) > limit
    return hits / WINDOWS


@pytest.mark.parametrize("rows", [100, 250, 500, 1_000, 5_000])
def test_without_drift_the_noise_limit_hardly_ever_alarms(rows: int) -> None:
    assert alarms(rows, 0.0) <= 3 / WINDOWS


def test_without_drift_a_fixed_limit_alarms_in_small_windows() -> None:
    assert alarms(100, 0.0, fixed=0.1) > 0.2
    assert alarms(1_000, 0.0, fixed=0.1) == 0.0


@pytest.mark.parametrize(
    ("rows", "least", "most"),
    [(250, 0.25, 0.6), (500, 0.75, 0.97), (1_000, 0.98, 1.0), (5_000, 1.0, 1.0)],
)
def test_the_noise_limit_finds_a_quarter_of_a_deviation(
    rows: int, least: float, most: float
) -> None:
    assert least <= alarms(rows, 0.25) <= most


def test_a_fixed_limit_sleeps_through_a_quarter_of_a_deviation_in_large_windows() -> None:
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
    counted, hits = window(layout, {"t": before}), 0
    for _ in range(200):
        measures = Measures(counted, window(layout, {"t": drawn(rows)}))
        hits += float(measures.distances["psi"][0]) > float(noise("psi", measures, 0.001)[0])
    assert hits <= 3


def signals(
    one: Judge, windows: list[dict[str, Values]], before: dict[str, Values]
) -> list[tuple[int, Signal]]:
    base, state, out = baseline(before), EpisodeState(), []
    for k, data in enumerate(windows):
        report = one.report(WindowSpan("m", "v", k, k + 1), base, window(base.layout, data), state)
        state, new = one.advance(state, report, base)
        out += [(k, signal) for signal in new]
    return out


def test_twenty_features_for_two_hundred_windows_give_no_signal_without_drift() -> None:
    rng = np.random.default_rng(10)

    def drawn(rows: int) -> dict[str, Values]:
        return {f"x{k}": rng.gamma(1.0 + k / 4, 1.0, rows) for k in range(20)}

    before = drawn(10_000)
    assert signals(Judge("j", Rules(limit=0.0)), [drawn(500) for _ in range(200)], before) == []


def moving(shifts: list[float], rows: int) -> list[dict[str, Values]]:
    return [{"x": normal(500 + k, rows, mean=shift)} for k, shift in enumerate(shifts)]


def test_a_small_drift_is_told_with_its_second_violation_and_a_large_one_in_its_first_window() -> (
    None
):
    before: dict[str, Values] = {"x": normal(8, 10_000)}
    judge = Judge("j", Rules(limit=0.0))
    ((opened, signal),) = signals(judge, moving([0.0] * 5 + [0.25] * 5, 700), before)
    assert signal.kind == "opened"
    assert opened in (6, 7)
    large = signals(judge, moving([0.0] * 5 + [1.5] * 2 + [0.0] * 2, 1_000), before)
    assert [(k, signal.kind) for k, signal in large] == [(5, "opened"), (8, "recovered")]


CHANGES: dict[str, tuple[list[float], Floats | list[float]]] = {
    "a flag whose mix changes": ([0.0] * 9_000 + [1.0] * 1_000, [0.0] * 500 + [1.0] * 500),
    "an age code whose groups trade places": (
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
def test_what_counting_distinct_values_cannot_see_is_told_at_once(name: str) -> None:
    """SageMaker's distance is 0 for each of these (contract, section 5.1, consequences)."""
    before, after = CHANGES[name]
    found = signals(Judge("j", Rules()), [{"x": after}], {"x": before})
    assert [(k, signal.kind) for k, signal in found] == [(0, "opened")]
