"""Text columns in evidence: cells that owe nothing to luck, and the share of values never seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from detectors.finding import EvidenceFinding
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.binning import text_feature
from detectors.profiles.columns import Texts
from detectors.profiles.fold import fold
from detectors.profiles.layout import HASHED_BINS, Feature, Layout
from detectors.profiles.rare_values import RareValues
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.findings import Allowance, findings
from detectors.statistics.evidence.tallies import SHARES, TallyLayout
from detectors.statistics.evidence.text_cells import text_cells, unseen_rows
from tests.oracle import hash_of

ALPHA = 1.0 / 43_200 / 20
"""One false signal in 30 days of minutes, shared by 20 features."""


def baseline_of(values: Sequence[str]) -> Baseline:
    layout = Layout((text_feature("t", "feature", Counter(values)),))
    profile = fold(layout, {"t": Texts(pa.array(values, pa.string()))})
    return Baseline(layout, profile, Constraints(), ("t",))


def found(baseline: Baseline, values: Sequence[str]) -> dict[str, EvidenceFinding]:
    """What holds of a window of these values."""
    layout = TallyLayout(baseline)
    window = fold(baseline.layout, {"t": Texts(pa.array(values, pa.string()))})
    sums = layout.tallies(window.counts)[None]
    judged = Allowance(
        alpha=np.array([ALPHA]), effect_limit=np.array([0.02]), windows=np.array([1])
    )
    result = findings(Pooled(layout, sums, np.ones(1)), judged)[0]
    return {subject: finding for subject, finding in result.items() if finding.holds}


def bins_of(baseline: Baseline) -> np.ndarray:
    return baseline.profile.counts[baseline.layout.bins(0)]


def users(rng: np.random.Generator, n: int, of: int = 50_000, first: int = 0) -> list[str]:
    return [f"u{k}" for k in first + rng.integers(0, of, n)]


def test_certain_words_have_cells_and_all_others_share_64_by_their_hash() -> None:
    often = {"a": 900, "b": 800}
    feature = text_feature("t", "feature", often | {f"r{k}": 2 for k in range(300)})
    cells = text_cells(feature, np.ones(feature.bins, np.int64))
    assert feature.vocabulary == ("a", "b")
    assert cells.tolist() == [0, 1, *(2 + np.arange(64)), *(2 + np.arange(64))]


def test_a_vocabulary_of_all_values_leaves_one_cell_for_all_that_are_new() -> None:
    feature = text_feature("t", "feature", {"a": 900, "b": 5})
    assert text_cells(feature, np.array([900, 5, *[0] * 64])).tolist() == [0, 1, *[2] * 64]


def test_words_of_an_old_vocabulary_that_are_not_certain_are_in_the_cell_of_their_hash() -> None:
    words = tuple(f"w{k}" for k in range(1_000))
    feature = Feature(name="t", type="String", kind="text", vocabulary=words)
    bins = np.array([900, *[2] * 999, *[3] * HASHED_BINS])
    cells = text_cells(feature, bins)
    assert cells[0] == 0
    assert cells[1:1_000].tolist() == [1 + (hash_of(word) >> 58) for word in words[1:]]


def test_an_old_filter_of_rare_values_shares_a_cell_with_new_ones() -> None:
    feature = text_feature("t", "feature", {"a": 900, **{f"r{k}": 2 for k in range(300)}})
    assert isinstance(feature.rare, RareValues)
    old = replace(feature, rare=RareValues(feature.rare.keys, 0.1))
    bins = np.array([900, *[0] * 64, 600])
    assert text_cells(old, bins).tolist() == [0, *[1] * 65]
    assert unseen_rows(old, bins).rows / unseen_rows(old, bins).total == pytest.approx(60 / 1_500)


@pytest.mark.parametrize("distinct", [40, 3_000], ids=["few values", "many values"])
def test_unseen_rows_are_those_that_other_rows_would_not_know(distinct: int) -> None:
    rng = np.random.default_rng(distinct)
    values = [f"v{k}" for k in rng.zipf(1.3, 2_000) % distinct]
    counts = Counter(values)
    alone = sum(counts[value] - 1 == 0 for value in values)
    twice = sum(count == 2 for count in counts.values())
    estimate = unseen_rows(baseline_of(values).layout.features[0], bins_of(baseline_of(values)))
    m = len(values)
    assert estimate.rows / estimate.total == pytest.approx(alone / m)
    variance = alone + 2 * twice - alone**2 / m
    assert estimate.total == pytest.approx(m * (alone * (1 - alone / m) + 1) / (variance + 1))


def test_identifiers_are_all_expected_to_be_new() -> None:
    baseline = baseline_of([f"id {k}" for k in range(5_000)])
    assert baseline.layout.features[0].vocabulary == ()
    assert baseline.layout.features[0].rare is UNSET
    assert unseen_rows(baseline.layout.features[0], bins_of(baseline)) == (5_000.0, 5_000.0)
    assert not found(baseline, [f"other {k}" for k in range(10_000)])


@pytest.mark.parametrize("m", [2_000, 20_000])
def test_users_without_drift_are_calm_and_one_with_a_tenth_of_the_rows_is_found(m: int) -> None:
    rng = np.random.default_rng(m)
    baseline = baseline_of(users(rng, m))
    for n in (100, 1_000, 20_000):
        assert not found(baseline, users(rng, n))
    for name in ("u7", "nobody"):
        assert "drift" in found(baseline, [*users(rng, 1_800), *[name] * 200])


def test_new_users_are_found_where_the_baseline_knows_most() -> None:
    rng = np.random.default_rng(1)
    baseline = baseline_of(users(rng, 20_000, of=1_000))
    calm, new = users(rng, 800, of=1_000), users(rng, 200, of=1_000, first=70_000)
    assert set(found(baseline, [*calm, *new])) == {"unseen"}


def test_a_column_that_is_replaced_entirely_is_found() -> None:
    rng = np.random.default_rng(2)
    for of in (4, 300, 3_000):
        baseline = baseline_of(users(rng, 20_000, of=of))
        assert "unseen" in found(baseline, users(rng, 200, of=of, first=90_000))


def test_the_share_before_is_the_one_to_be_expected_and_other_shares_are_counts() -> None:
    baseline = baseline_of([*["a"] * 90, *[f"once {k}" for k in range(10)]])
    layout = TallyLayout(baseline)
    parts, totals = layout.shares_before
    unseen, missing = SHARES.index("unseen"), SHARES.index("missing")
    assert parts[unseen, 0] / totals[unseen, 0] == pytest.approx(0.1)
    assert layout.named(layout.baseline, "unseen").tolist() == [0]
    assert (parts[missing, 0], totals[missing, 0]) == (0.0, 100.0)
