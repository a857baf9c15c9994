"""The chance of a violation without a drift, beside how often windows have one."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.decisions.rules import Rules
from detectors.decisions.rulings import rule
from detectors.profiles.baseline import Constraints, Thresholds
from detectors.statistics.measures import Measures
from stream.check.chance import chances
from stream.testing.baselines import Values, baseline, window

ROWS = 150
WINDOWS = 300


def drawn(seed: int, rows: int) -> dict[str, Values]:
    rng = np.random.default_rng(seed)
    return {
        "x": rng.normal(0, 1, rows),
        "t": rng.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2]).tolist(),
    }


SIMPLE = baseline(drawn(1, 20_000)).constrained(
    Constraints({}, Thresholds(comparison_method="Simple"))
)


@pytest.mark.parametrize("statistic", ["psi", "hellinger", "ks"])
def test_windows_violate_by_chance_at_most_as_often_as_stated(statistic: str) -> None:
    rules = Rules(mode="threshold", statistic=statistic)

    violations = np.zeros(2)
    for seed in range(WINDOWS):
        measures = Measures(SIMPLE.profile, window(SIMPLE.layout, drawn(100 + seed, ROWS)))
        rulings = rule(rules, {}, SIMPLE.constraints, measures, ROWS)
        violations += np.array([ruling.verdict for ruling in rulings]) == "violation"
    stated = chances(measures, rulings)
    margin = 3 * np.sqrt(stated * (1 - stated) / WINDOWS)
    assert (violations / WINDOWS <= stated + margin + 0.01).all()
    assert violations[0] > 0, "the limit of the number is below its noise"
