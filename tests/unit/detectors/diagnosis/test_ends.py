"""Both ends of a window, by laws that hold for every distribution."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.diagnosis.ends import ends_fit
from detectors.diagnosis.number_sides import NumberSides
from detectors.statistics.distances.base import Pair
from stream.testing.baselines import baseline, window

LAWS = {
    "uniform": lambda rng, n: rng.uniform(0.0, 1.0, n),
    "exponential": lambda rng, n: rng.exponential(1.0, n),
    "normal": lambda rng, n: rng.normal(0.0, 1.0, n),
    "Pareto": lambda rng, n: 1.0 + rng.pareto(3.0, n),
}


def sides(before: Floats, after: Floats) -> NumberSides:
    known = baseline({"x": before})
    return NumberSides(Pair(known.profile, window(known.layout, {"x": after})), 0)


@pytest.mark.parametrize("rows", [100, 2_000])
@pytest.mark.parametrize("law", LAWS)
def test_ends_of_the_same_law_fit_in_nearly_all_windows(law: str, rows: int) -> None:
    rng = np.random.default_rng([1, rows])
    draws = [(LAWS[law](rng, 2_000), LAWS[law](rng, rows)) for _ in range(100)]
    # Four tests at 3e-4 each: 3 of 100 have the probability 3e-4.
    assert sum(not ends_fit(sides(*draw), 1.0, 0.0) for draw in draws) < 3


@pytest.mark.parametrize(("factor", "offset"), [(2.0, 5.0), (0.5, -3.0)])
def test_ends_follow_a_conversion(factor: float, offset: float) -> None:
    rng = np.random.default_rng(2)
    both = sides(rng.normal(0, 1, 5_000), factor * rng.normal(0, 1, 1_000) + offset)
    assert ends_fit(both, factor, offset)
    assert not ends_fit(both, factor, offset + 3.0 * factor)


def test_rows_beyond_an_end_do_not_fit() -> None:
    rng = np.random.default_rng(3)
    before, after = rng.uniform(0, 1, 5_000), rng.uniform(0, 1, 1_000)
    below = np.where(rng.random(1_000) < 0.03, -0.5, after)
    assert not ends_fit(sides(before, below), 1.0, 0.0)
    assert not ends_fit(sides(-before, -below), 1.0, 0.0)


def test_rows_that_are_missing_at_an_end_do_not_fit() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.uniform(0, 1, 5_000), rng.uniform(0, 1, 1_000)
    # With 10 % of the baseline below it, chance keeps 1,000 rows above with 0.9^1000.
    assert not ends_fit(sides(before, after[after > 0.2]), 1.0, 0.0)
    assert not ends_fit(sides(-before, -after[after > 0.2]), 1.0, 0.0)
