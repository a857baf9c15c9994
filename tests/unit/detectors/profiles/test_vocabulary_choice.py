"""Which values of a text column get a bin of their own: those of which luck does not decide."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats, Ints
from detectors.profiles.vocabulary_choice import FEW_WORDS, MAX_WORDS, vocabulary_size


def falling(*counts: int) -> Ints:
    return np.sort(np.array(counts, np.int64))[::-1]


def draws(shares: Floats, m: int, seed: int) -> Ints:
    counts = np.random.default_rng(seed).multinomial(m, shares)
    return falling(*counts[counts > 0].tolist())


def test_few_values_all_have_bins_of_their_own() -> None:
    assert vocabulary_size(falling(9_000, *[1] * (FEW_WORDS - 1))) == FEW_WORDS
    assert vocabulary_size(np.zeros(0, np.int64)) == 0


def test_known_values_without_counts_have_bins_up_to_the_largest_vocabulary() -> None:
    assert vocabulary_size(np.zeros(300, np.int64)) == 300
    assert vocabulary_size(np.zeros(MAX_WORDS + 300, np.int64)) == MAX_WORDS


def test_of_many_values_those_above_a_gap_that_are_frequent_enough() -> None:
    others = [1] * 500
    assert vocabulary_size(falling(900, 400, 60, *others)) == 3
    assert vocabulary_size(falling(900, 400, 19, *others)) == 2, "a count of 20 at least"
    assert vocabulary_size(falling(90_000, 400, 60, *others)) == 2, "a share of 0.3 % at least"
    assert vocabulary_size(falling(*others)) == 0


@pytest.mark.parametrize("seed", range(20))
def test_equally_frequent_values_are_not_chosen_by_luck(seed: int) -> None:
    # 250 values of 0.4 %, 20 rows of each on average: 20 counts alone would choose half of them.
    assert vocabulary_size(draws(np.full(250, 1 / 250), 5_000, seed)) == 0
    # The same values with 400 rows each: all are certain, or, seldom, none is.
    assert vocabulary_size(draws(np.full(250, 1 / 250), 100_000, seed)) in (0, 250)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_chosen_has_about_the_same_share_in_other_rows(seed: int) -> None:
    shares = 1.0 / np.arange(1, 1_001)
    shares /= shares.sum()
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(20_000, shares)
    chosen = np.argsort(-counts)[: vocabulary_size(falling(*counts[counts > 0].tolist()))]
    assert 20 <= len(chosen) <= 50
    before, expected = counts[chosen].sum(), 20_000 * shares[chosen].sum()
    # Half of a standard deviation to luck at most, and three and a half for the rows themselves.
    assert abs(before - expected) < 4.0 * np.sqrt(expected * (1.0 - expected / 20_000))
