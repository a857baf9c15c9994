"""Laws of the counts of model quality, for whatever rows."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.quality.attributes import decode_attributes, encode_attributes
from detectors.quality.config import Problem, QualityConfig
from detectors.quality.counts import QualityCounts
from detectors.quality.exact_sum import exact_square_sums, exact_sums
from detectors.quality.ladder import ends_of, steps_of
from detectors.quality.problem import problem_of
from detectors.quality.rows import LabelledRows
from tests.support.examples import examples

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ROW = st.tuples(
    st.floats() | st.sampled_from([0.0, 1.0, 2.0]),
    st.floats(0, 1) | st.floats(),
    st.floats() | st.sampled_from([0.0, 1.0, 2.0]),
    st.integers(-(2**52), 2**52),
    st.integers(0, 3),
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**90), 2**90) | FINITE | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def rows_of(rows: list[tuple[float, float, float, int, int]]) -> tuple[LabelledRows, np.ndarray]:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    predicted, score, label = (np.array(column, np.float64) for column in columns[:3])
    delay, group = (np.array(column, np.int64) for column in columns[3:])
    return LabelledRows(predicted, score, label, np.ones(len(rows), np.int64), delay), group


@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
@settings(max_examples=examples(60), deadline=None)
@given(st.lists(ROW, max_size=12), st.randoms(use_true_random=False))
def test_order_split_and_withdrawal_of_any_rows(
    problem: Problem, rows: list[tuple[float, float, float, int, int]], random: object
) -> None:
    known = problem_of(QualityConfig(problem=problem))
    table, group = rows_of(rows)
    zeros = np.zeros_like(group)
    [whole] = known.tally(table, zeros, 1)
    shuffled, other_group = rows_of(random.sample(rows, len(rows)))  # type: ignore[attr-defined]
    parts = known.tally(shuffled, other_group, 4)
    stored = [QualityCounts.decode(part.encode()) for part in parts]
    assert known.merge(stored[::-1]).encode() == whole.encode()
    [taken] = known.tally(table._replace(weight=-table.weight), zeros, 1)
    assert known.merge([whole, taken]).encode() == QualityCounts().encode()
    for metric in known.measure(whole, ("0", "1"), 0.99).metrics:
        assert (metric.value is None) == bool(metric.reason)
        if metric.value is not None and metric.low is not None and metric.high is not None:
            assert metric.low <= metric.high


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.tuples(FINITE, st.integers(-3, 3)), max_size=20))
def test_sums_are_those_of_fractions(rows: list[tuple[float, int]]) -> None:
    values = np.array([value for value, _ in rows])
    weight = np.array([weight for _, weight in rows], np.int64)
    zeros = np.zeros(len(rows), np.int64)
    exact = sum((Fraction(value) * times for value, times in rows), Fraction(0))
    squares = sum((Fraction(value) ** 2 * times for value, times in rows), Fraction(0))
    assert exact_sums([values], weight, zeros, 1) == [[exact * 2**1074]]
    assert exact_square_sums([values], weight, zeros, 1) == [[squares * 2**2148]]


@settings(max_examples=examples(200), deadline=None)
@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_the_ladder_keeps_the_order_and_its_bins_have_their_values(x: float, y: float) -> None:
    steps = steps_of(np.array([x, y]))
    low, high = ends_of(steps)
    assert low[0] <= x <= high[0] or abs(x) < 1e-309
    assert x > y or steps[0] <= steps[1]
    if abs(x) > 1e-300:
        assert high[0] - low[0] <= abs(x) / 32


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(st.text(min_size=1), PLAIN, max_size=4))
def test_attributes_survive_storage(attributes: dict[str, object]) -> None:
    assert decode_attributes(encode_attributes(attributes)) == attributes
