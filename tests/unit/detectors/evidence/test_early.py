from __future__ import annotations

from math import comb, log

import numpy as np
import pytest

from detectors.arrays import Floats, Ints
from detectors.statistics.evidence.early import EARLY_SHARES, PARTS, EProcess, log_share_e
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import Values, baseline, window

HALF = log(0.5)
OF_SHARE = log(0.5 / len(EARLY_SHARES))


class Case:
    """One feature with its baseline, and the e-values of windows of it."""

    def __init__(self, values: Values, factor: float = 1.0) -> None:
        self.baseline = baseline({"x": values})
        self.layout = TallyLayout(self.baseline)
        self.process = EProcess(self.layout, np.array([factor]))

    def tallies(self, values: Values) -> Ints:
        return self.layout.tallies(window(self.baseline.layout, {"x": values}).counts)

    def log_e(self, part: str, values: Values) -> float:
        """The logarithm of the e-value of one part, without its weight."""
        weighted = self.process.log_e_values(self.tallies(values)[None])[PARTS.index(part), 0, 0]
        return float(weighted) - (HALF if part == "distribution" else OF_SHARE)


def share_e(k: float, n: float, j: float, m: float) -> float:
    return float(np.exp(log_share_e(*(np.array(float(count)) for count in (k, n, j, m)))))


def chance(k: int, n: int, p: float) -> float:
    return comb(n, k) * p**k * (1 - p) ** (n - k)


@pytest.mark.parametrize("part", PARTS)
def test_without_rows_every_e_value_is_one(part: str) -> None:
    case = Case([0.0] * 10 + [1.0] * 10)
    nothing = np.zeros((1, case.layout.size), np.int64)
    weight = HALF if part == "distribution" else OF_SHARE
    assert case.process.log_e_values(nothing)[PARTS.index(part), 0, 0] == pytest.approx(weight)


def test_two_missing_rows_after_a_full_baseline() -> None:
    # Under the alternative 1/2 * (3/2) / 2; under the baseline 1/20001 * 2/20002.
    assert share_e(2, 2, 0, 20_000) == pytest.approx((3 / 8) / (1 / 20_001 * 2 / 20_002))
    case = Case([float(k % 40) for k in range(20_000)])
    expected = log((3 / 8) / (1 / 20_001 * 2 / 20_002))
    assert case.log_e("missing", [None, None]) == pytest.approx(expected)


def test_two_cells_by_hand() -> None:
    # 30 zeros and 10 ones before; 1, 1 in the window: 11/41 * 12/42 under the baseline.
    case = Case([0.0] * 30 + [1.0] * 10)
    of_ones = 11 / 42  # the share with one count added to each cell
    near = [c * of_ones * (c * of_ones + 1) / (c * (c + 1)) for c in (100, 1000)]
    # 1/2 in each cell; the third cell holds values that the baseline does not know.
    cells = len(case.layout.cell_feature)
    other = 0.5 * 1.5 / (cells / 2 * (cells / 2 + 1))
    if cells > 2:
        of_ones = 11 / (42 + 1)
        near = [c * of_ones * (c * of_ones + 1) / (c * (c + 1)) for c in (100, 1000)]
    expected = (near[0] + near[1] + other) / 3 / (11 / 41 * 12 / 42)
    assert case.log_e("distribution", [1.0, 1.0]) == pytest.approx(log(expected))


@pytest.mark.parametrize("p", [0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_the_mean_over_baseline_and_window_is_a_chance_of_one_sample(p: float) -> None:
    m, n = 7, 6
    mean = sum(
        chance(j, m, p) * chance(k, n, p) * share_e(k, n, j, m)
        for j in range(m + 1)
        for k in range(n + 1)
    )
    alternative = [float(np.prod([(i + 0.5) for i in range(k)])) for k in range(n + 1)]
    of_k = [
        comb(n, k) * alternative[k] * alternative[n - k] / float(np.prod(np.arange(1, n + 1)))
        for k in range(n + 1)
    ]
    assert sum(of_k) == pytest.approx(1.0)
    both = sum(of_k[k] * chance(i, m + n, p) for k in range(n + 1) for i in range(k, m + k + 1))
    assert mean == pytest.approx(both)
    assert mean <= 1.0 + 1e-12


def test_a_supermartingale_for_the_rows_to_come() -> None:
    for m, j in ((5, 0), (5, 2), (12, 11)):
        for n in range(6):
            for k in range(n + 1):
                more = (j + k + 1) / (m + n + 2)
                mean = more * share_e(k + 1, n + 1, j, m) + (1 - more) * share_e(k, n + 1, j, m)
                assert mean <= share_e(k, n, j, m) * (1 + 1e-12)


def sup_of_calm(case: Case, rng: np.random.Generator, repeat: int = 1) -> float:
    """The largest e-value of 30 looks at 600 rows of the baseline's distribution."""
    looks = [case.tallies(np.repeat(rng.normal(0, 1, 20 // repeat), repeat)) for _ in range(30)]
    log_e = np.logaddexp.reduce(case.process.log_e_values(np.cumsum(looks, axis=0)), axis=0)
    return float(np.exp(log_e.max()))


def test_calm_windows_seldom_exceed_a_large_value_at_any_look() -> None:
    rng = np.random.default_rng(5)
    tops: Floats = np.array([sup_of_calm(Case(rng.normal(0, 1, 300)), rng) for _ in range(100)])
    assert (tops >= 10).mean() <= 0.1
    assert (tops >= 100).mean() <= 0.01 + 0.02
    assert tops.max() > 1.0


def test_rows_that_come_in_fours_need_a_factor_of_four() -> None:
    rng = np.random.default_rng(6)
    repeated = [np.repeat(rng.normal(0, 1, 200), 4) for _ in range(40)]
    alone = np.array([sup_of_calm(Case(values), rng, repeat=4) for values in repeated])
    tempered = np.array([sup_of_calm(Case(values, 4.0), rng, repeat=4) for values in repeated])
    assert (alone >= 100).mean() > 0.2
    assert (tempered >= 10).mean() <= 0.1


def test_a_factor_divides_the_counts() -> None:
    values: list[float | None] = [None] * 10 + [float(k % 40) for k in range(990)]
    lost: list[float | None] = [None] * 4 + [3.0] * 6
    expected = log(share_e(2, 5, 5, 500))
    assert Case(values, 2.0).log_e("missing", lost) == pytest.approx(expected)


def test_the_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    case = Case(rng.normal(0, 1, 400))
    rows = rng.normal(0.5, 1, 200)
    assert np.array_equal(case.tallies(rows), case.tallies(rng.permutation(rows)))


def test_a_fault_in_the_middle_of_a_window_is_found_from_the_look_before_it() -> None:
    rng = np.random.default_rng(8)
    case = Case(rng.normal(0, 1, 20_000))
    calm, faulty = case.tallies(rng.normal(0, 1, 30_000)), case.tallies(rng.normal(0.5, 1, 600))
    sums = np.stack([calm + faulty, faulty])
    log_weights = np.log([0.5, 0.5 / 60])
    found = case.process.strongest(sums, log_weights)
    assert (found.start[0], PARTS[found.part[0]], found.rows[0]) == (1, "distribution", 600)
    whole = case.process.strongest(sums[:1], log_weights[:1])
    assert whole.log_e[0] < 14.0 < found.log_e[0]
    parts = case.process.log_e_values(faulty[None])[:, 0, 0]
    assert found.log_e[0] == pytest.approx(np.logaddexp.reduce(parts) + log_weights[1])
