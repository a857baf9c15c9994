from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from detectors.statistics.evidence.early_starts import EarlyStarts


def looked(count: int, most: int = 100) -> EarlyStarts:
    """Starts of a window with one row between two looks."""
    starts = EarlyStarts(0, 1, most)
    for k in range(1, count + 1):
        starts.add(1_000 * k, np.array([k]))
    return starts


def rows_since(starts: EarlyStarts, now: int) -> list[int]:
    return [int(rows) for rows in starts.sums(np.array([now]))[:, 0]]


def test_before_the_first_look_there_is_the_window_alone() -> None:
    starts = EarlyStarts(500, 3, 60)
    assert starts.sums(np.array([1, 2, 3])).tolist() == [[1, 2, 3]]
    assert starts.log_weights() == pytest.approx([np.log(0.5)])
    assert starts.at_ms(0) == 500


def test_recent_looks_are_all_kept_and_older_ones_thinned_out() -> None:
    # Kept are those at most three times their largest power of two before the newest.
    assert rows_since(looked(4), 5) == [5, 4, 3, 2, 1]
    assert rows_since(looked(32), 33) == [33, 25, 17, 13, 9, 7, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("count", range(3, 70))
def test_at_each_distance_there_is_a_start_at_most_twice_as_far(count: int) -> None:
    ages = sorted(rows_since(looked(count), count + 1))
    assert all(further <= 2 * nearer for nearer, further in pairwise(ages))


@pytest.mark.parametrize("count", [1, 5, 60, 500])
def test_the_weights_of_all_starts_that_there_ever_are_add_up_to_one(count: int) -> None:
    most = 60
    weights = np.exp(looked(count, most).log_weights())
    assert weights[0] == pytest.approx(0.5)
    assert len(set(weights[1:].tolist())) <= 1
    assert weights[0] + most * weights[1] == pytest.approx(1.0)


def test_looks_beyond_the_number_that_counts_are_no_starts() -> None:
    assert rows_since(looked(9, most=4), 9) == rows_since(looked(4, most=4), 9)
