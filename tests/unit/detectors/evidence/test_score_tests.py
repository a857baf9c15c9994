"""Score tests against rank tests by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stream.testing.baselines import baseline
from tests.support.evidence import counts_of, outcome_of, pooled_of

VALUES = np.arange(20.0)


def codes(counts: list[int]) -> np.ndarray:
    return np.repeat(VALUES[: len(counts)], counts)


def outcome(before: np.ndarray, after: np.ndarray, test: str) -> tuple[float, float, float]:
    known = baseline({"x": before})
    result = outcome_of(pooled_of(known, counts_of(known, {"x": after})), test)
    return tuple(float(part[0, 0]) for part in result)  # type: ignore[return-value]


def test_location_of_ten_equal_codes_by_hand() -> None:
    """Scores -0.45, -0.35 ... 0.45 with variance 0.0825; the window has the mean score 0.05."""
    before, after = codes([100] * 10), codes([0, 0, 0, 0, 50, 50, 0, 0, 0, 0]) + 0.0
    after = np.where(np.arange(100) < 50, 5.0, after)
    z = 0.05 / np.sqrt(0.0825 * (1 / 100 + 1 / 1_000))
    p_value, effect, direction = outcome(before, after, "location")
    assert p_value == pytest.approx(2 * stats.norm.sf(z), rel=1e-4)
    assert effect == pytest.approx(np.sqrt(max(z * z - 1, 0) * (1 / 100 + 1 / 1_000) / 8), rel=1e-4)
    assert direction == 1


def test_location_is_the_rank_sum_test_where_the_baseline_is_large() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.normal(0, 1, 50_000), rng.normal(0.2, 1, 200)
    expected = stats.mannwhitneyu(after, before, method="asymptotic").pvalue
    assert outcome(before, after, "location")[0] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("factor", "direction"), [(1.5, 1.0), (0.6, -1.0)])
def test_spread_has_a_direction_and_location_none(factor: float, direction: float) -> None:
    rng = np.random.default_rng(2)
    before, after = rng.normal(0, 1, 5_000), factor * rng.normal(0, 1, 1_000)
    p_value, effect, found = outcome(before, after, "spread")
    assert p_value < 1e-9
    assert effect > 0.05
    assert found == direction
    assert outcome(before, after, "location")[0] > 1e-3


def test_a_shift_of_half_a_deviation_has_the_effect_of_its_hellinger_distance() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.normal(0, 1, 50_000), rng.normal(0.5, 1, 50_000)
    expected = np.sqrt(1 - np.exp(-0.25 / 8))
    assert outcome(before, after, "normal")[1] == pytest.approx(expected, rel=0.05)
    assert outcome(before, -after, "normal")[2] == -1.0


def test_a_constant_feature_has_no_scores_and_no_finding() -> None:
    same = np.full(100, 7.0)
    for test in ("location", "spread", "normal"):
        assert outcome(same, np.full(50, 7.0), test) == (1.0, 0.0, 0.0)


def test_no_effect_is_above_one() -> None:
    """One row in 10,000 is odd, then all are: the gap is a hundred deviations."""
    p_value, effect, direction = outcome(codes([9_999, 1]), np.ones(50), "location")
    assert p_value < 1e-9
    assert effect == 1.0
    assert direction == 1.0
