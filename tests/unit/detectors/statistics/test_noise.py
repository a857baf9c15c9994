"""The noise of each statistic: while nothing drifts it is exceeded as seldom as it says, and it
falls with the rows."""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.statistics.chi2 import quantile
from detectors.statistics.measures import DISTANCES, Measures
from detectors.statistics.noise import noise, statistics
from tests.support.made import feature, normal, texts, window

BASE = normal(0, 10_000)
WORDS = np.array([f"w{k}" for k in range(12)])
SHARES = 0.5 ** np.arange(1, 13) / (1 - 0.5**12)


def drawn(seed: int, rows: int) -> dict[str, Floats | list[str | None]]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "t": rng.choice(WORDS, rows, p=SHARES).tolist()}


LAYOUT = Layout((feature("x", BASE), feature("t", texts(dict.fromkeys(WORDS.tolist(), 1)))))
BASELINE = window(LAYOUT, drawn(1, 10_000))


def exceeded(statistic: str, rows: int, alpha: float, windows: int) -> list[float]:
    """Share of the windows without drift in which each feature's distance is above its noise."""
    hits = np.zeros(2)
    for seed in range(windows):
        measures = Measures(BASELINE, window(LAYOUT, drawn(1_000 + seed, rows)))
        hits += np.nan_to_num(measures.distances[statistic]) > noise(statistic, measures, alpha)
    rates: list[float] = (hits / windows).tolist()
    return rates


@pytest.mark.parametrize("rows", [200, 2_000])
def test_psi_is_above_its_noise_about_as_often_as_alpha_says(rows: int) -> None:
    number, text = exceeded("psi", rows, 0.05, 400)
    assert 0.02 <= number <= 0.09
    assert 0.01 <= text <= 0.09


@pytest.mark.parametrize("rows", [200, 1_000])
@pytest.mark.parametrize(
    "statistic", ["ks", "jensen_shannon", "hellinger", "l_infinity", "wasserstein"]
)
def test_no_statistic_is_above_its_noise_more_often_than_alpha_says(
    statistic: str, rows: int
) -> None:
    assert (
        max(exceeded(statistic, rows, 0.05, 200)) <= 0.09
    )  # 0.05 and two and a half deviations of 200 windows


def test_psi_noise_is_the_chi_squared_law_times_the_rows() -> None:
    measures = Measures(BASELINE, window(LAYOUT, drawn(3, 500)))
    cells = float(measures.psi_cells[0])
    assert noise("psi", measures, 0.001)[0] == pytest.approx(
        quantile(0.001, cells - 1) * (1 / 500 + 1 / 10_000), rel=1e-12
    )


def test_ks_noise_is_the_critical_value_of_kolmogorov() -> None:
    measures = Measures(BASELINE, window(LAYOUT, drawn(3, 500)))
    assert noise("ks", measures, 0.05)[0] == pytest.approx(
        1.358 * sqrt(1 / 500 + 1 / 10_000), rel=1e-3
    )


def test_wasserstein_noise_knows_the_width_of_a_normal_feature() -> None:
    # J = integral sqrt(F (1 - F)) dx = 1.6147 standard deviations for the normal law
    measures = Measures(BASELINE, window(LAYOUT, drawn(3, 500)))
    factor = sqrt(2 / pi) + sqrt(2 * log(1 / 0.001))
    assert noise("wasserstein", measures, 0.001)[0] == pytest.approx(
        1.6147 * sqrt(1 / 500 + 1 / 10_000) * factor, rel=0.03
    )


@pytest.mark.parametrize("statistic", statistics())
def test_noise_falls_with_the_rows_and_rises_as_alpha_falls(statistic: str) -> None:
    few, many = (Measures(BASELINE, window(LAYOUT, drawn(4, rows))) for rows in (200, 5_000))
    place = 1 if statistic == "l_infinity" else 0
    assert noise(statistic, many, 0.001)[place] < noise(statistic, few, 0.001)[place]
    assert noise(statistic, few, 1e-9)[place] > noise(statistic, few, 0.001)[place]


@pytest.mark.parametrize("statistic", statistics())
def test_a_window_without_rows_has_no_noise(statistic: str) -> None:
    assert np.isnan(noise(statistic, Measures(BASELINE, Profile(LAYOUT)), 0.001)).all()


def test_every_statistic_that_may_decide_is_a_distance() -> None:
    assert set(statistics()) <= set(DISTANCES)
