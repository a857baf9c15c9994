"""The sampling law of each distance: without drift it is exceeded no more often than alpha."""

from __future__ import annotations

from math import log, pi, sqrt

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.layout import Layout
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances.base import Pair
from detectors.statistics.laws import upper_quantile
from stream.testing.baselines import feature, normal, texts, window

BASE = normal(0, 10_000)
WORDS = np.array([f"w{k}" for k in range(12)])
SHARES = 0.5 ** np.arange(1, 13) / (1 - 0.5**12)


def drawn(seed: int, rows: int) -> dict[str, Floats | list[str | None]]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=rows), "t": rng.choice(WORDS, rows, p=SHARES).tolist()}


LAYOUT = Layout((feature("x", BASE), feature("t", texts(dict.fromkeys(WORDS.tolist(), 1)))))
BASELINE = window(LAYOUT, drawn(1, 10_000))


def noise(statistic: str, pair: Pair, alpha: float) -> Floats:
    return DISTANCES[statistic].noise(pair, alpha)


def exceeded(statistic: str, rows: int, alpha: float, windows: int) -> list[float]:
    """The share of windows without drift in which a feature's distance is above its noise."""
    hits = np.zeros(2)
    for seed in range(windows):
        pair = Pair(BASELINE, window(LAYOUT, drawn(1_000 + seed, rows)))
        distances = np.nan_to_num(DISTANCES[statistic].distances(pair))
        hits += distances > np.nan_to_num(noise(statistic, pair, alpha), nan=np.inf)
    rates: list[float] = (hits / windows).tolist()
    return rates


@pytest.mark.parametrize("rows", [200, 2_000])
def test_psi_is_above_its_noise_about_as_often_as_alpha(rows: int) -> None:
    number, text = exceeded("psi", rows, 0.05, 400)
    assert 0.02 <= number <= 0.09
    assert 0.01 <= text <= 0.09


@pytest.mark.parametrize("rows", [200, 1_000])
@pytest.mark.parametrize(
    "statistic", ["ks", "jensen_shannon", "hellinger", "l_infinity", "wasserstein"]
)
def test_no_statistic_is_above_its_noise_more_often_than_alpha(statistic: str, rows: int) -> None:
    assert (
        max(exceeded(statistic, rows, 0.05, 200)) <= 0.09
    )  # 0.05 and two and a half deviations of 200 windows


PAIR = Pair(BASELINE, window(LAYOUT, drawn(3, 500)))


def test_psi_noise_is_the_chi_squared_law_times_the_rows() -> None:
    quantile = upper_quantile(0.001, PAIR.merged_cells.left[:1] - 1)[0]
    assert noise("psi", PAIR, 0.001)[0] == pytest.approx(
        quantile * (1 / 500 + 1 / 10_000), rel=1e-12
    )


def test_ks_noise_is_the_critical_value_of_kolmogorov() -> None:
    assert noise("ks", PAIR, 0.05)[0] == pytest.approx(1.358 * sqrt(1 / 500 + 1 / 10_000), rel=1e-3)


def test_wasserstein_noise_uses_the_width_of_a_normal_feature() -> None:
    # J = integral sqrt(F (1 - F)) dx = 1.6147 standard deviations for the normal law
    factor = sqrt(2 / pi) + sqrt(2 * log(1 / 0.001))
    assert noise("wasserstein", PAIR, 0.001)[0] == pytest.approx(
        1.6147 * sqrt(1 / 500 + 1 / 10_000) * factor, rel=0.03
    )
