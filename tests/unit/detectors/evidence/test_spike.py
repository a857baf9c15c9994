"""Spikes are found, and values that move are none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.statistics.evidence.neighbourhoods import SIDE_SHARE, neighbourhoods
from detectors.statistics.evidence.share_tests import risen
from stream.testing.baselines import baseline, normal
from tests.support.evidence import counts_of, known, outcome_of, pooled_of

BASELINE = baseline({"x": 60 + 15 * normal(1, 20_000)})
Change = Callable[[Floats], Floats]


def put_in(value: float, share: float) -> Change:
    return lambda x: np.where(np.arange(len(x)) < share * len(x), value, x)


def spike(change: Change, rows: int, factor: float = 1.0) -> tuple[float, float]:
    counts = counts_of(BASELINE, {"x": change(60 + 15 * normal(2, rows))})
    p_value, effect, _ = outcome_of(pooled_of(BASELINE, counts, np.array([factor])), "spike")
    return float(p_value[0, 0]), float(effect[0, 0])


@pytest.mark.parametrize(
    "change",
    [
        put_in(60.0, 0.05),
        put_in(48.3, 0.6),
        put_in(75.0, 0.1),
        lambda x: np.minimum(x, 79.2),
        lambda x: np.maximum(x, 41.0),
        lambda x: np.round(x, -1),
    ],
    ids=["mean", "frozen", "default", "clipped above", "clipped below", "rounded"],
)
def test_a_value_that_was_put_in_is_a_spike(change: Change) -> None:
    p_value, effect = spike(change, 1_000)
    assert p_value < 1e-10
    assert effect > 0.05


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        lambda x: x + 7.5,
        lambda x: x - 15,
        lambda x: x + 60,
        lambda x: 60 + 0.3 * (x - 60),
        lambda x: 60 + 3 * (x - 60),
        lambda x: (x - 32) / 1.8,
        lambda x: x * 1_000,
        lambda x: -x,
    ],
    ids=["calm", "shift", "back", "far", "narrow", "wide", "celsius", "thousand", "sign"],
)
@pytest.mark.parametrize("rows", [300, 3_000, 30_000])
def test_values_that_move_are_no_spike(change: Change, rows: int) -> None:
    assert spike(change, rows)[0] > 1e-4


def test_the_p_value_is_the_largest_of_three_tails_times_the_bins() -> None:
    counts = counts_of(BASELINE, {"x": put_in(60.0, 0.05)(60 + 15 * normal(2, 1_000))})
    after, before = (c[BASELINE.layout.bins(0)] for c in (counts, BASELINE.profile.counts))
    tails = []
    for b in np.flatnonzero(after > 30).tolist():
        low, high = b - 1, b + 2
        while before[low:b].sum() < 1_250:
            low -= 1
        while before[b + 1 : high].sum() < 1_250:
            high += 1
        sides = (slice(low, b), slice(b + 1, high), slice(None))
        rows = np.array([[after[s].sum(), before[s].sum()] for s in sides], float)
        rows[:2] += (after[b], before[b])
        k, j = np.full(3, float(after[b])), np.full(3, float(before[b]))
        tails.append(risen(k, rows[:, 0], j, rows[:, 1], np.ones(3)).max())
    assert spike(put_in(60.0, 0.05), 1_000)[0] == pytest.approx(min(tails) * len(before), rel=1e-9)


def test_calm_windows_have_small_p_values_no_more_often_than_they_say() -> None:
    rng = np.random.default_rng(4)
    pooled = (
        pooled_of(BASELINE, counts_of(BASELINE, {"x": rng.normal(60, 15, 300)})) for _ in range(400)
    )
    small = sum(outcome_of(each, "spike")[0][0, 0] <= 0.01 for each in pooled)
    assert small <= 12


def test_dependent_rows_say_less() -> None:
    assert spike(put_in(60.0, 0.05), 1_000, factor=4.0)[0] > spike(put_in(60.0, 0.05), 1_000)[0]


def test_a_side_holds_the_nearest_bins_with_enough_values() -> None:
    fine = neighbourhoods(BASELINE.layout, BASELINE.profile.counts)
    for b in range(BASELINE.layout.features[0].bins):
        below, above = fine.sides
        assert below.stop[b] == b
        assert above.start[b] == b + 1
        for side, further in ((below, below.start[b]), (above, above.stop[b] - 1)):
            inside = fine.before[side.start[b] : side.stop[b]]
            assert side.before[b] == inside.sum()
            enough = inside.sum() >= SIDE_SHARE * 20_000
            ends = side.start[b] == 0 or side.stop[b] == len(fine.before)
            assert enough or ends
            if len(inside):
                assert inside.sum() - fine.before[further] < SIDE_SHARE * 20_000


def test_only_features_of_many_values_are_tested_and_only_with_counts() -> None:
    one = known()
    fine = neighbourhoods(one.layout, one.profile.counts)
    assert (fine.bins > 0).tolist() == [True, False, False, True]
    counts = counts_of(BASELINE, {"x": np.full(500, 60.0)})
    pooled = pooled_of(BASELINE, counts)
    pooled.counts = None
    assert outcome_of(pooled, "spike")[0].tolist() == [[1.0]]
