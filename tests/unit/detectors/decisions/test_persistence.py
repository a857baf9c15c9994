"""When an episode ends: not while its drift lasts, and soon after it has ended."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from detectors.decisions.evidence.persistence import lasting_horizon
from detectors.finding import EvidenceFinding
from detectors.statistics.evidence.horizons import HORIZONS, LONGEST
from tests.unit.detectors.decisions.evidence_stream import rows, run, signals

CALM, DRIFTED = 4, 60


def finding(deviations: float, horizon: int, test: str = "location") -> EvidenceFinding:
    return EvidenceFinding(
        subject="drift",
        test=test,
        horizon=horizon,
        n=100 * horizon,
        p_value=float(2 * norm.sf(deviations)),
        allowed=1e-6,
        effect=0.1,
        effect_limit=0.02,
        direction=1,
    )


@pytest.mark.parametrize(
    ("deviations", "horizon", "windows"),
    [
        (38.0, 1, 1),
        (7.5, 1, 1),  # at least 5 deviations in one window
        (6.0, 1, 3),  # at least 3.5: 5 of them take (5 / 3.5)**2 = 2.04 windows
        (6.0, 4, 12),  # 8.2
        (5.0, 4, 16),  # at least 2.5: 16
        (3.0, 4, 48),  # at least half of 3: 44.4
        (5.0, 48, 64),  # no more than those that are kept of windows of any size
        (5.0, 128, 256),
    ],
)
def test_a_drift_shows_again_over_as_many_windows_as_it_takes_five_deviations(
    deviations: float, horizon: int, windows: int
) -> None:
    assert lasting_horizon(finding(deviations, horizon)) == windows


def test_a_p_value_of_0_and_a_test_of_one_window_need_one_window() -> None:
    assert lasting_horizon(finding(60.0, 1)) == 1
    assert lasting_horizon(finding(4.0, 1, "spike")) == 1


def test_it_is_always_a_horizon_and_never_less_than_it_was_found_with() -> None:
    for horizon in HORIZONS:
        found = {lasting_horizon(finding(z, horizon)) for z in np.arange(1.0, 40.0, 0.5)}
        assert found <= set(HORIZONS)
        assert min(found) == horizon
        assert max(found) <= LONGEST


def test_a_drift_that_lasts_is_never_called_recovered() -> None:
    """A shift by 0.3 deviations is found in two to five windows of 100 rows."""
    n, mean = 100, 0.3
    opened = 0
    for seed in range(20):
        rng = np.random.default_rng([seed, n])
        means = [0.0] * CALM + [mean] * DRIFTED
        told = signals(run([rows(rng, n, mean=each) for each in means]))
        opened += any(kind == "opened" for _, kind in told)
        assert "recovered" not in {kind for _, kind in told}
    assert opened == 20


@pytest.mark.parametrize(
    ("n", "mean", "lasting", "most"), [(100, 1.0, 10, 5), (1_000, 0.25, 10, 5), (100, 0.3, 30, 20)]
)
def test_a_drift_that_ends_is_called_recovered_soon(
    n: int, mean: float, lasting: int, most: int
) -> None:
    waits = []
    for seed in range(5):
        rng = np.random.default_rng([seed, n, 1])
        means = [0.0] * CALM + [mean] * lasting + [0.0] * 40
        told = signals(run([rows(rng, n, mean=each) for each in means]))
        assert [kind for _, kind in told if kind in ("opened", "recovered")] == [
            "opened",
            "recovered",
        ]
        waits.append(told[-1][0] - (CALM + lasting) + 1)
    assert min(waits) >= 1
    assert np.median(waits) <= most
