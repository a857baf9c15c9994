"""G of windows against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from detectors.arrays import Floats
from stream.testing.baselines import baseline
from tests.support.evidence import counts_of, outcome_of, pooled_of, repeated


def g_test(before: dict[str, int], after: dict[str, int]) -> tuple[Floats, Floats, Floats]:
    known = baseline({"word": repeated(**before)})
    counts = counts_of(known, {"word": repeated(**after)})
    return outcome_of(pooled_of(known, counts), "distribution")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a": 500, "b": 300, "c": 200}, {"a": 40, "b": 35, "c": 25}),
        ({"a": 500, "b": 300, "c": 200}, {"a": 20, "b": 60, "c": 20}),
        ({"a": 90, "b": 10}, {"a": 400, "b": 600}),
        ({"a": 900, "b": 100}, {"a": 300}),
    ],
)
def test_the_p_value_is_that_of_scipy(before: dict[str, int], after: dict[str, int]) -> None:
    table = [[side.get(word, 0) for word in before] for side in (before, after)]
    expected = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    p_value, effect, direction = g_test(before, after)
    assert p_value[0, 0] == pytest.approx(expected.pvalue, rel=1e-9)
    scale = 1 / sum(before.values()) + 1 / sum(after.values())
    excess = max(expected.statistic - expected.dof, 0.0)
    assert effect[0, 0] == pytest.approx(np.sqrt(excess * scale / 8), rel=1e-9, abs=1e-12)
    assert direction[0, 0] == 0


def test_small_cells_are_one_cell() -> None:
    small = {f"s{k}": 8 for k in range(10)}
    before, after = {"a": 500, "b": 420, **small}, {"a": 45, "b": 40, "s1": 15}
    expected = stats.chi2_contingency(
        [[500, 420, 80], [45, 40, 15]], correction=False, lambda_="log-likelihood"
    )
    assert g_test(before, after)[0][0, 0] == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_rest_that_stays_small_is_left_out() -> None:
    before, after = {"a": 500, "b": 499, "s": 1}, {"a": 60, "b": 38, "s": 2}
    assert g_test(before, after)[0][0, 0] > 1e-3
    assert g_test(before, {"a": 50, "b": 50})[0][0, 0] > 0.9


def test_a_factor_of_four_is_a_quarter_of_the_rows() -> None:
    known = baseline({"word": repeated(a=4_000, b=2_000, c=2_000)})
    quarter = baseline({"word": repeated(a=1_000, b=500, c=500)})
    counts = counts_of(known, {"word": repeated(a=180, b=140, c=80)})
    few = counts_of(quarter, {"word": repeated(a=45, b=35, c=20)})
    dependent = outcome_of(pooled_of(known, counts, np.array([4.0])), "distribution")
    independent = outcome_of(pooled_of(quarter, few), "distribution")
    for one, other in zip(dependent, independent, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_equal_shares_are_no_difference() -> None:
    p_value, effect, _ = g_test({"a": 500, "b": 500}, {"a": 50, "b": 50})
    assert p_value[0, 0] == 1.0
    assert effect[0, 0] == 0.0
