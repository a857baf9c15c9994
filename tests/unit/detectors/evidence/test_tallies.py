"""Tallies against a slow oracle that reads the layout slot by slot."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, HEAD, MISSING, NEG_INF, STRING, TAIL
from detectors.statistics.evidence.scores import SCALE, scores_of
from detectors.statistics.evidence.tallies import SCORES, TallyLayout
from stream.testing.baselines import baseline, normal
from tests.support.evidence import counts_of, drawn, known, repeated

BASELINE = known()
LAYOUT = TallyLayout(BASELINE)


def random_counts(seed: int, most: int = 50) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, most, BASELINE.layout.size)


def oracle(known: Baseline, counts: np.ndarray, i: int) -> dict[str, int]:
    """The tallies of a feature in plain words, with Python's integers."""
    feature = known.layout.features[i]
    start, stop = int(known.layout.starts[i]), int(known.layout.starts[i + 1])
    own = [int(count) for count in counts[start:stop]]
    types, bins = own[:HEAD] + own[-TAIL:], own[HEAD:-TAIL]
    expected = {
        "rows": sum(types),
        "present": sum(types) - own[MISSING],
        "values": sum(bins),
        "missing": own[MISSING],
    }
    if not feature.numeric:
        words = len(feature.vocabulary)
        return expected | {"unseen": sum(bins[words : words + 64]), "nan": 0, "below": 0}
    expected |= {"nan": own[-1], "infinite": own[NEG_INF] + own[-2]}
    expected["mistyped"] = own[BOOLEAN] + own[STRING]
    expected["mistyped"] += own[FRACTIONAL] if feature.type == "Integral" else 0
    for name, (scores, _) in scores_of(known.layout, i, known.profile.counts).items():
        expected[name] = sum(int(s) * count for s, count in zip(scores, bins, strict=True))
    if feature.kind == "grid":
        before = known.profile.counts[known.layout.bins(i)].tolist()
        ladder = feature.ladder
        expected |= {"below": sum(bins[:ladder]), "above": sum(bins[-ladder:])}
        tail = 0
        while sum(before[: tail + 1]) <= 0.005 * sum(before):
            tail += 1
        expected["low_tail_0"] = sum(bins[:tail])
    return expected


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("seed", [1, 2])
def test_each_tally_is_what_its_name_says(i: int, seed: int) -> None:
    counts = random_counts(seed)
    tallies = LAYOUT.tallies(counts)
    for name, expected in oracle(BASELINE, counts, i).items():
        assert LAYOUT.named(tallies, name)[i] == expected, name


def test_tallies_add_up() -> None:
    one, other = random_counts(3), random_counts(4)
    together = LAYOUT.tallies(one + other)
    np.testing.assert_array_equal(LAYOUT.tallies(one) + LAYOUT.tallies(other), together)


def test_tallies_are_exact_where_floats_are_not() -> None:
    counts = np.zeros(BASELINE.layout.size, np.int64)
    counts[BASELINE.layout.bins(0)] = (1 << 53) // 163
    counts[BASELINE.layout.bins(0).start] += 1
    expected = sum(int(count) for count in counts[BASELINE.layout.bins(0)])
    assert LAYOUT.named(LAYOUT.tallies(counts), "values")[0] == expected
    assert LAYOUT.cells(LAYOUT.tallies(counts)).sum() == expected


def test_cells_hold_every_value_once_and_unknown_words_share_one() -> None:
    data = drawn(5, 500) | {"words": repeated(red=200, x=100, y=100, z=100)}
    cells = LAYOUT.cells(LAYOUT.tallies(counts_of(BASELINE, data)))
    words = cells[LAYOUT.cell_feature == 2]
    assert sorted(words.tolist()) == [0, 0, 200, 300]
    assert cells[LAYOUT.cell_feature == 0].sum() == 500


def test_several_tallies_are_the_named_ones() -> None:
    tallies = np.stack([LAYOUT.tallies(random_counts(seed)) for seed in (6, 7, 8)])
    several = LAYOUT.several(tallies, SCORES)
    assert several.shape == (3, 3, 4)
    for k, name in enumerate(SCORES):
        np.testing.assert_array_equal(several[k], LAYOUT.named(tallies, name))


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("i", [0, 1, 3])
def test_scores_have_mean_zero_over_the_baseline(score: str, i: int) -> None:
    values = LAYOUT.named(LAYOUT.baseline, "values")[i]
    mean = LAYOUT.named(LAYOUT.baseline, score)[i] / SCALE / values
    assert abs(mean) <= 0.5 / SCALE


def test_scores_of_many_different_values_have_the_variances_of_uniform_and_normal() -> None:
    many = TallyLayout(baseline({"x": normal(9, 50_000)}))
    location, spread, gaussian = many.variances[:, 0]
    assert location == pytest.approx(1 / 12, rel=1e-3)
    assert spread == pytest.approx(1 / 12, rel=1e-3)
    assert gaussian == pytest.approx(1.0, rel=0.02)


def test_text_and_a_constant_have_no_scores() -> None:
    plain = TallyLayout(baseline({"word": repeated(a=5, b=5), "same": np.full(10, 7.0)}))
    assert np.isnan(plain.variances).all()
