"""Design effects of autoregressive rows against their closed form."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.baseline import Baseline
from detectors.profiles.dependence import Dependence
from detectors.statistics.evidence.block_tallies import BlockTallies, block_length
from detectors.statistics.evidence.dependence import factor_of, factor_of_shares, freedom
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import SHARES, TallyLayout
from stream.testing.baselines import Values, baseline
from tests.support.evidence import counts_of, drawn

FEATURES = 6
AFTER = 10_000


def autoregressive(rho: float, rows: int, seed: int) -> Floats:
    """Rows of standard normal columns, each of which depends on the row before it."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (rows, FEATURES))
    for t in range(1, rows):
        noise[t] = rho * noise[t - 1] + np.sqrt(1 - rho * rho) * noise[t]
    return noise


def effect(rho: float, rows: int) -> float:
    """The variance of a mean of so many rows, over that of independent ones."""
    lags = np.arange(1, rows)
    return float(1 + 2 * ((1 - lags / rows) * rho**lags).sum())


def columns(values: Floats) -> dict[str, Values]:
    return {f"x{i}": values[:, i] for i in range(values.shape[1])}


def of_blocks(known: Baseline, data: dict[str, Values], rows: int) -> Dependence:
    layout, length = TallyLayout(known), block_length(rows)
    blocks = BlockTallies(layout, length)
    for start in range(0, rows, 64 * length):
        stops = range(start + length, min(start + 64 * length, rows) + 1, length)
        counts = [
            counts_of(known, {k: v[stop - length : stop] for k, v in data.items()})
            for stop in stops
        ]
        blocks.add(np.stack([layout.tallies(each) for each in counts]))
    return blocks.dependence()


def file_of(rho: float, rows: int = 16_384, seed: int = 1) -> Dependence:
    data = columns(autoregressive(rho, rows, seed))
    return of_blocks(baseline(data), data, rows)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_the_order_of_a_file_shows_the_design_effect(rho: float) -> None:
    found = file_of(rho)
    assert len(found.factors) == FEATURES
    for length in (16, 128):
        mean = np.mean([factors[found.lengths.index(length)] for factors in found.factors.values()])
        assert mean == pytest.approx(effect(rho, length), rel=0.12)


def test_factors_never_fall() -> None:
    for factors in file_of(0.9).factors.values():
        assert list(factors) == sorted(factors)
        assert factors[0] >= 1.0


def test_independent_rows_and_a_shuffled_file_have_no_dependence() -> None:
    assert file_of(0.0) == Dependence()
    values = autoregressive(0.9, 16_384, 2)
    data = columns(np.random.default_rng(3).permutation(values))
    assert of_blocks(baseline(data), data, 16_384) == Dependence()


def test_a_sorted_column_changes_along_the_file_and_has_no_factor() -> None:
    values = autoregressive(0.0, 16_384, 4)
    values[:, 2].sort()
    found = of_blocks(baseline(columns(values)), columns(values), 16_384)
    assert found.changing == ("x2",)
    assert found.factors == {}


def test_bursts_of_words_and_of_missing_rows_are_dependence() -> None:
    rng = np.random.default_rng(5)
    rows = 8_192
    state = np.repeat(rng.random(rows // 8) < 0.3, 8)
    data: dict[str, Values] = {
        "word": np.where(state, "a", "b").tolist(),
        "lost": [None if s else 1.0 + (k % 2) for k, s in enumerate(state)],
        "plain": np.where(rng.random(rows) < 0.3, "a", "b").tolist(),
    }
    found = of_blocks(baseline(data), data, rows)
    assert set(found.factors) == {"word", "lost"}
    for name in ("word", "lost"):
        assert found.factors[name][0] == pytest.approx(8.0, rel=0.25)


def test_few_rows_show_nothing() -> None:
    assert file_of(0.9, rows=256) == Dependence()


def history_of(known: Baseline, values: Floats, rows: int) -> History:
    layout, history = TallyLayout(known), History()
    for k in range(len(values) // rows):
        counts = counts_of(known, columns(values[k * rows : (k + 1) * rows]))
        history.add(PastWindow(k, k + 1, layout.tallies(counts)))
    return history


KNOWN = baseline(columns(autoregressive(0.0, 16_384, 6)))
LAYOUT = TallyLayout(KNOWN)


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_the_windows_of_a_stream_show_the_design_effect(rho: float) -> None:
    history = history_of(KNOWN, autoregressive(rho, 6_300, 7), 100)
    assert history.factor(LAYOUT, AFTER).mean() == pytest.approx(effect(rho, 100), rel=0.3)


def test_independent_windows_have_the_factor_one() -> None:
    history = history_of(KNOWN, autoregressive(0.0, 6_300, 8), 100)
    assert history.factor(LAYOUT, AFTER).tolist() == [1.0] * FEATURES


def test_a_column_of_independent_rows_among_dependent_ones_keeps_its_power() -> None:
    values = autoregressive(0.9, 6_300, 14)
    values[:, 4] = np.random.default_rng(15).normal(0, 1, 6_300)
    factor = history_of(KNOWN, values, 100).factor(LAYOUT, AFTER)
    assert factor[4] == 1.0
    assert factor[[0, 1, 2, 3, 5]].min() > 8.0


def test_a_jump_and_a_slow_drift_are_no_dependence() -> None:
    values = autoregressive(0.0, 6_300, 9)
    values[3_000:, 0] += 1.0
    values[:, 1] += np.arange(6_300) * 1e-4
    history = history_of(KNOWN, values, 100)
    assert history.factor(LAYOUT, AFTER).tolist() == [1.0] * FEATURES


def test_seven_windows_are_too_few() -> None:
    history = history_of(KNOWN, autoregressive(0.99, 700, 10), 100)
    assert history.factor(LAYOUT, AFTER).tolist() == [1.0] * FEATURES


def test_windows_without_values_say_nothing() -> None:
    layout, history = TallyLayout(KNOWN), History()
    for k in range(20):
        history.add(PastWindow(k, k + 1, np.zeros(layout.size, np.int64)))
    assert history.factor(layout, AFTER).tolist() == [1.0] * FEATURES


def test_the_larger_of_file_and_stream_counts_by_the_rows_of_each_horizon() -> None:
    history = history_of(KNOWN, autoregressive(0.0, 6_300, 11), 100)
    own = LAYOUT.tallies(counts_of(KNOWN, columns(autoregressive(0.0, 100, 12))))
    sums = history.sums(99, own)
    file = Dependence((100, 6_400), {"x3": (2.0, 8.0)})
    factor = factor_of(LAYOUT, file, history.factor(LAYOUT, 99), sums)
    assert factor.shape == (12, FEATURES)
    assert factor[0].tolist() == [1.0, 1.0, 1.0, 2.0, 1.0, 1.0]
    assert factor[-1, 3] == pytest.approx(8.0)
    assert np.all(np.diff(factor[:, 3]) > 0)
    assert (
        factor_of(LAYOUT, Dependence(), history.factor(LAYOUT, 99), sums).tolist()
        == [[1.0] * FEATURES] * 12
    )


def test_faults_that_a_baseline_hardly_has_do_not_depend_as_its_values_do() -> None:
    some = [None if k % 50 == 0 else float(k) for k in range(1_000)]
    few = [None if k % 250 == 0 else float(k) for k in range(1_000)]
    layout = TallyLayout(baseline({"some": some, "few": few, "none": np.arange(1_000.0)}))
    factor = factor_of_shares(layout, np.array([[50.0, 50.0, 50.0], [3.0, 3.0, 1.0]]))
    of = dict(zip(SHARES, factor.tolist(), strict=True))
    assert of["missing"] == [[50.0, 4.0, 4.0], [3.0, 3.0, 1.0]]
    for name in ("nan", "infinite", "mistyped"):
        assert of[name] == [[4.0, 4.0, 4.0], [3.0, 3.0, 1.0]]
    for name in ("unseen", "below", "low_tail_0"):
        assert of[name] == [[50.0, 50.0, 50.0], [3.0, 3.0, 1.0]]
    assert factor_of_shares(layout, np.full((1, 3), 4.0)).tolist() == [[[4.0] * 3]] * len(SHARES)


def test_a_baseline_keeps_its_dependence_outside_of_the_fingerprint() -> None:
    file = Dependence((16, 32), {"x1": (2.0, 2.5)}, ("x2",))
    depending = KNOWN.depending(file)
    assert depending.fingerprint == KNOWN.fingerprint
    assert Baseline.decode(depending.encode()).dependence == file
    assert Baseline.decode(KNOWN.encode()).dependence == Dependence()
    assert b"dependence" not in KNOWN.encode()
    assert depending.constrained(KNOWN.constraints).referenced({}).dependence == file


def test_what_is_compared_depends_on_the_kind_of_a_feature() -> None:
    layout = TallyLayout(baseline(drawn(13, 2_000)))
    location, spread, missing, words = freedom(layout)
    assert location.tolist() == spread.tolist() == [1.0, 1.0, 0.0, 1.0]
    assert missing.tolist() == [0.0, 0.0, 0.0, 1.0]
    assert words[2] == pytest.approx(3 - 1, abs=1e-9)
    assert words[[0, 1, 3]].tolist() == [0.0, 0.0, 0.0]


def test_blocks_are_longer_in_long_files() -> None:
    assert [block_length(rows) for rows in (10, 65_536, 65_537, 10**9)] == [16, 16, 32, 64]
