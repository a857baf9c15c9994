"""Tests of the shape of tails against all orders of few values, chance, and planted tails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import permutations
from math import sqrt

import numpy as np
import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.binning import TAIL_SHARES
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.findings import allowed_p_values
from detectors.statistics.evidence.tail_shape import TESTED, TailShapeTests
from detectors.statistics.evidence.tallies import OUTER_SHARES, TallyLayout
from detectors.statistics.laws import beta_binomial_tail
from stream.testing.baselines import Values, baseline
from tests.support.evidence import counts_of, outcome_of, pooled_of

BASELINES, WINDOWS, ROWS = 50, 60, 400


def outcomes(known: Baseline, windows: Iterable[Mapping[str, Values]]) -> Iterator[Outcome]:
    """What the tests say of windows, each judged alone."""
    layout = TallyLayout(known)
    for data in windows:
        sums = layout.tallies(counts_of(known, data))[None]
        yield TailShapeTests().outcome(Pooled(layout, sums, np.ones(layout.features)))


def test_the_law_given_the_outer_part_follows_from_counting_all_orders() -> None:
    """Of 4 new and 5 old values: of the new ones beyond 3 old ones, those beyond 1 old one."""
    new, old, outermost, part = 4, 5, 1, 3
    counts: dict[int, list[int]] = {n: [] for n in range(new + 1)}
    for order in set(permutations("n" * new + "o" * old)):
        places = [k for k, kind in enumerate(order) if kind == "o"]
        n = sum(kind == "n" for kind in order[: places[part]])
        counts[n].append(sum(kind == "n" for kind in order[: places[outermost]]))
    for n, found in counts.items():
        for k in range(n + 1):
            tail = beta_binomial_tail(k, n, outermost + 1, part - outermost)
            assert tail == pytest.approx(np.mean(np.array(found) >= k), rel=1e-12)


def test_each_tail_lies_in_an_outer_part_that_is_at_least_four_times_as_wide() -> None:
    assert len(TESTED) == len(TailShapeTests.names) == 2 * len(TAIL_SHARES)
    widths = {f"{end}_outer_{k}": s for end in ("low", "high") for k, s in enumerate(OUTER_SHARES)}
    for k, (tail, outer) in enumerate(TESTED):
        assert tail.split("_")[0] == outer.split("_")[0]
        assert widths[outer] >= 4 * TAIL_SHARES[k % len(TAIL_SHARES)]


def test_a_p_value_is_that_of_its_counts() -> None:
    one = baseline({"x": np.arange(20_000.0)})
    # 30 values beyond the 156 outermost of the baseline, 26 of them beyond the 20 outermost
    values = np.concatenate([np.arange(970) * 20.0, np.full(4, 19_900.0), np.full(26, 19_990.0)])
    pooled = pooled_of(one, counts_of(one, {"x": values}))
    k, n, j, m = 26, 30, 20, int(pooled.layout.named(pooled.before, "high_outer_1")[0, 0])
    assert 150 <= m <= 250
    p_value, effect, direction = outcome_of(pooled, "high_tail_shape_2")
    assert p_value[0, 0] == pytest.approx(beta_binomial_tail(k, n, j + 1, m - j), rel=1e-9)
    assert direction[0, 0] == 1.0
    within = (sqrt(k / n) - sqrt(j / m)) ** 2 - (1 / n + 1 / m) / 4
    share = sqrt(n / 1_000 * m / 20_000)
    assert effect[0, 0] == pytest.approx(sqrt(within / 2 * share), rel=1e-9)
    assert outcome_of(pooled, "low_tail_shape_2")[0][0, 0] == 1.0


def test_without_drift_small_p_values_are_as_rare_as_they_say() -> None:
    """Heavy tails, and a new baseline for each 60 windows; the bound is five deviations."""
    rng = np.random.default_rng(11)
    level, small, tests = 0.002, 0, 0
    for _ in range(BASELINES):
        one = baseline({name: 1 + rng.pareto(1.2, 2_000) for name in "abcd"})
        drawn = ({name: 1 + rng.pareto(1.2, ROWS) for name in "abcd"} for _ in range(WINDOWS))
        for outcome in outcomes(one, drawn):
            small += int((outcome.p_value <= level).sum())
            tests += outcome.p_value.size
    assert tests == BASELINES * WINDOWS * 4 * 8
    assert small <= level * tests + 5 * sqrt(level * tests)


@pytest.mark.parametrize("end", ["low", "high"])
def test_the_outermost_values_that_are_doubled_are_found_in_three_windows(end: str) -> None:
    """At the level of one of twenty features of windows of a minute, in at least 95 of 100."""
    rng = np.random.default_rng(12)
    sign = 1.0 if end == "high" else -1.0
    allowed = allowed_p_values(1 / 43_200 / 20)[f"{end}_tail_shape_1"]
    found = 0
    for _ in range(20):
        one = baseline({"x": sign * rng.lognormal(3, 1, 20_000)})
        values = rng.lognormal(3, 1, (5, 3_000))
        doubled = sign * np.where(values > np.exp(5.326), 2 * values, values)
        for outcome in outcomes(one, [{"x": each} for each in doubled]):
            found += bool((outcome.p_value <= allowed).any())
            assert outcome.effect.max() < 0.1
    assert found >= 95


def test_columns_without_tails_are_not_tested() -> None:
    data: dict[str, Values] = {"text": ["a", "b"] * 50, "one": [7.0] * 100}
    empty: dict[str, Values] = {"text": [None] * 100, "one": [None] * 100}
    for outcome in outcomes(baseline(data), [data, empty]):
        assert (outcome.p_value == 1.0).all()
        assert (outcome.effect == 0.0).all()
