"""The contract of every kind of tests of windows: what holds for each of them."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.statistics.evidence import base
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.findings import KINDS
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout
from stream.testing.baselines import baseline
from tests.support.evidence import counts_of, drawn, known, pooled_of

BASELINE = known()
NAMES = tuple(BASELINE.layout.index)


def pooled_windows(count: int, rows: int) -> Pooled:
    layout, history = TallyLayout(BASELINE), History()
    for k in range(count):
        counts = counts_of(BASELINE, drawn(10 + k, rows))
        sums = history.sums(k, layout.tallies(counts))
        history.add(PastWindow(k, k + 1, layout.tallies(counts)))
    return Pooled(layout, sums, np.ones(layout.features), counts)


def arrays(outcome: Outcome) -> tuple[np.ndarray, ...]:
    return outcome.p_value, outcome.effect, outcome.direction


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
class TestEveryKind:
    def test_there_is_one_number_for_each_test_horizon_and_feature(self, kind: base.Tests) -> None:
        for part in arrays(kind.outcome(pooled_windows(5, 200))):
            assert part.shape == (len(kind.names), 4, len(NAMES))
            assert part.dtype == np.float64
            assert np.isfinite(part).all()

    def test_p_values_effects_and_directions_are_in_their_range(self, kind: base.Tests) -> None:
        odd = {name: [None] * 99 for name in NAMES}
        for pooled in (pooled_windows(5, 200), pooled_of(BASELINE, counts_of(BASELINE, odd))):
            p_value, effect, direction = arrays(kind.outcome(pooled))
            assert ((p_value >= 0) & (p_value <= 1)).all()
            assert ((effect >= 0) & (effect <= 1)).all()
            assert np.isin(direction, (-1, 0, 1)).all()

    def test_no_rows_say_nothing(self, kind: base.Tests) -> None:
        pooled = pooled_of(BASELINE, np.zeros(BASELINE.layout.size, np.int64))
        p_value, effect, _ = arrays(kind.outcome(pooled))
        assert (p_value == 1.0).all()
        assert (effect == 0.0).all()

    def test_the_baseline_itself_is_no_evidence(self, kind: base.Tests) -> None:
        pooled = pooled_of(BASELINE, BASELINE.profile.counts)
        p_value, effect, _ = arrays(kind.outcome(pooled))
        assert p_value.min() > 0.5
        assert effect.max() == 0.0

    def test_features_together_are_what_each_is_alone(self, kind: base.Tests) -> None:
        before, after = drawn(1, 4_000), drawn(3, 300)
        together = arrays(kind.outcome(pooled_of(BASELINE, counts_of(BASELINE, after))))
        for i, name in enumerate(NAMES):
            alone = baseline({name: before[name]})
            single = kind.outcome(pooled_of(alone, counts_of(alone, {name: after[name]})))
            for one, all_of_them in zip(arrays(single), together, strict=True):
                np.testing.assert_allclose(one[:, :, 0], all_of_them[:, :, i], rtol=1e-9)

    def test_a_larger_factor_is_less_evidence(self, kind: base.Tests) -> None:
        changed = drawn(3, 900) | {
            "number": np.repeat([1e6, 50.0, 55.0], [60, 140, 700]),
            "words": ["purple"] * 300 + ["red"] * 600,
        }
        counts = counts_of(BASELINE, changed)
        plain, dependent = (
            kind.outcome(pooled_of(BASELINE, counts, np.full(4, factor))).p_value
            for factor in (1.0, 5.0)
        )
        assert (plain <= dependent * (1 + 1e-9)).all()
        assert (plain < dependent).any()

    def test_nothing_that_it_reads_is_changed(self, kind: base.Tests) -> None:
        pooled = pooled_windows(3, 100)
        sums, before = pooled.sums.copy(), pooled.before.copy()
        kind.outcome(pooled)
        np.testing.assert_array_equal(pooled.sums, sums)
        np.testing.assert_array_equal(pooled.before, before)
