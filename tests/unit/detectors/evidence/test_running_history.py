"""Kept sums and gaps: what the history of windows says, for windows in order of time."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from detectors.statistics.evidence import dependence
from detectors.statistics.evidence.dependence import factor_of_gaps, freedom, squared_gaps
from detectors.statistics.evidence.horizons import OF_ANY_SIZE, History, PastWindow
from detectors.statistics.evidence.running_history import RunningHistory
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import Values, baseline, normal, texts, window

BASE = baseline(
    {
        "x": normal(1, 3_000),
        "y": [float(k % 40) if k % 9 else None for k in range(3_000)],
        "city": texts({"a": 1_500, "b": 1_000, "c": 500}),
    }
)
LAYOUT = TallyLayout(BASE)


def drawn_generator() -> np.random.Generator:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201
    return np.random.default_rng(seed)


def rows(rng: np.random.Generator, level: float, most: int = 300) -> dict[str, Values]:
    n = int(rng.choice([0, 1, 20, most], p=[0.02, 0.08, 0.3, 0.6]))
    return {
        "x": rng.normal(level, 1.0, n),
        "y": [
            None if lost else float(v)
            for lost, v in zip(rng.random(n) < 0.1, rng.integers(0, 40, n), strict=True)
        ],
        "city": rng.choice(list("abcd"), n, p=[0.4, 0.3, 0.2, 0.1]).tolist(),
    }


@pytest.mark.parametrize("wandering", [0.0, 0.6])
@pytest.mark.parametrize(
    ("step", "most"), [(10, 300), (5, 300), (4, 300), (10, 140), (5, 140), (4, 30)]
)
def test_sums_and_factors_are_those_of_the_history(wandering: float, step: int, most: int) -> None:
    """Windows of 10, also where they begin 4 apart and overlap, and some that are not added.

    Those of few rows are judged together with more windows.
    """
    rng = drawn_generator()
    plain, running = History(), RunningHistory(LAYOUT)
    longest = 0
    for k in range(150 * 10 // step):
        start = k * step
        counts = window(BASE.layout, rows(rng, wandering * rng.normal(), most)).counts
        tallies = LAYOUT.tallies(counts)
        before = plain.before(start)
        np.testing.assert_array_equal(running.sums(start, tallies), before.sums(start, tallies))
        np.testing.assert_array_equal(running.factor(LAYOUT, start), before.factor(LAYOUT, start))
        longest = max(longest, len(before))
        if rng.random() < 0.95:
            plain.add(PastWindow(start, start + 10, tallies), -1)  # all of them are kept
            running.add_judged(start, start + 10)
    assert longest >= OF_ANY_SIZE - 1
    assert (longest > OF_ANY_SIZE + 20) == (most < 300)


@pytest.mark.parametrize("wandering", [0.0, 0.1, 0.2, 0.4])
def test_no_factor_is_passed_over(wandering: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where windows may depend is told by a bound; the factors are those without it."""
    rng = drawn_generator()
    found = []
    for _ in range(30):
        level = rng.normal(0.0, wandering)
        tallies = np.stack(
            [
                LAYOUT.tallies(
                    window(BASE.layout, rows(rng, level + rng.normal(0, wandering))).counts
                )
                for _ in range(int(rng.integers(8, 20)))
            ]
        )
        gaps = squared_gaps(LAYOUT, tallies[1:], tallies[:-1])
        quick = factor_of_gaps(LAYOUT, gaps)
        with monkeypatch.context() as patched:
            patched.setattr(dependence, "_may_depend", lambda layout, gaps: True)
            np.testing.assert_array_equal(factor_of_gaps(LAYOUT, gaps), quick)
        found.append(bool((quick > 1.0).any()))
    assert (freedom(LAYOUT) > 0.0).sum() >= 5
    assert wandering != 0.4 or any(found)
