"""Histories: which windows they keep, and the sums over horizons, against plain loops."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from detectors.arrays import Ints
from detectors.statistics.evidence.horizons import HORIZONS, LONGEST, History, PastWindow


def tallies(k: int) -> Ints:
    return np.array([k, 10 * k, 1], np.int64)


def window(k: int, length: int = 1) -> PastWindow:
    return PastWindow(k, k + length, tallies(k))


def history(*starts: int) -> History:
    return History([window(k) for k in starts])


def starts(of: History) -> list[int]:
    return [past.start_ms for past in of.windows()]


def test_the_newest_windows_are_kept() -> None:
    kept = History()
    for k in range(100):
        assert kept.add(window(k))
    assert starts(kept) == list(range(100 - (LONGEST - 1), 100))


def test_a_window_that_overlaps_the_newest_or_is_older_is_left_out() -> None:
    sliding = History()
    added = [k for k in range(20) if sliding.add(window(k, length=4))]
    assert added == [0, 4, 8, 12, 16] == starts(sliding)
    assert not sliding.add(window(1))


def test_the_sums_are_those_of_plain_loops() -> None:
    past = history(*range(70))
    sums = past.sums(70, tallies(70))
    expected = [sum(tallies(k) for k in range(71 - h, 71)) for h in HORIZONS]
    assert sums.tolist() == [each.tolist() for each in expected if not isinstance(each, int)]
    assert history(*range(5)).sums(5, tallies(5))[:, 2].tolist() == [1, 2, 3, 4, 6]
    assert History().sums(0, tallies(3)).tolist() == [[3, 30, 1]]


def test_a_window_is_pooled_with_those_before_it_alone() -> None:
    past = history(0, 1, 2, 3)
    assert past.sums(2, tallies(2)).tolist() == [[2, 20, 1], [3, 30, 2], [3, 30, 3]]
    assert past.sums(0, tallies(9)).tolist() == [[9, 90, 1]]
    overlapping = History([window(0, 4), window(4, 4)])
    assert overlapping.sums(6, tallies(6)).tolist() == [[6, 60, 1], [6, 60, 2]]


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_window_that_is_judged_again_has_the_same_windows_before_it(
    seed: int, length: int
) -> None:
    """Also with sliding windows, of which the history has every third."""
    random = Random(seed)
    kept, first = History(), {}
    final_ms = -1
    for k in range(150 * length):
        first[k] = kept.sums(k, tallies(k)).tolist()
        kept.add(window(k, length), final_ms)
        for again in range(final_ms + 1, k + 1):
            assert kept.sums(again, tallies(again)).tolist() == first[again]
        final_ms = max(final_ms, k - random.choice((1, 2, 5, 20)))
    assert max(map(len, first.values())) == len(HORIZONS)
    assert LONGEST - 1 <= len(kept) <= LONGEST - 1 + 22
