"""Horizons against sums by brute force."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from detectors.statistics.evidence.horizons import (
    FEW_ROWS,
    HORIZONS,
    LONGEST,
    OF_ANY_SIZE,
    History,
    PastWindow,
)


def filled(count: int, rows: int = 1) -> tuple[History, list[np.ndarray]]:
    tallies = list(np.random.default_rng(1).integers(-99, 99, (count, 5)))
    history = History()
    for k, own in enumerate(tallies):
        own[0] = rows
        history.add(PastWindow(10 * k, 10 * k + 10, own))
    return history, tallies


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 11, 62, 63, 64, 200, 300])
@pytest.mark.parametrize(("rows", "most"), [(0, 255), (39, 255), (100, 100), (159, 63), (999, 63)])
def test_each_row_is_the_sum_of_the_newest_windows(count: int, rows: int, most: int) -> None:
    """Of 255 windows before, of as many as have 10,000 rows, but of 63 of any size."""
    assert (FEW_ROWS, OF_ANY_SIZE, LONGEST) == (10_000, 64, 256)
    history, past = filled(count, rows)
    own = np.arange(5)
    sums = history.sums(10 * count, own)
    newest_first = [own, *reversed(past)]
    expected = [sum(newest_first[:h]) for h in HORIZONS if h <= min(count, most) + 1]
    np.testing.assert_array_equal(sums, np.array(expected))


def test_the_window_and_the_past_are_left_as_they_are() -> None:
    history, past = filled(10)
    own, before = np.arange(5), [tallies.copy() for tallies in past]
    history.sums(100, own)
    np.testing.assert_array_equal(own, np.arange(5))
    for window, tallies in zip(history.windows(), before, strict=True):
        np.testing.assert_array_equal(window.tallies, tallies)


def test_windows_that_overlap_are_not_judged_together_and_not_added() -> None:
    history, past = filled(5)
    own = np.ones(5, np.int64)
    np.testing.assert_array_equal(history.sums(45, own)[1], own + past[3])
    np.testing.assert_array_equal(history.sums(9, own), own[None])
    assert [window.end_ms for window in history.before(45).windows()] == [10, 20, 30, 40]
    assert not history.add(PastWindow(45, 55, own))
    assert len(history) == 5


@pytest.mark.parametrize("length", [1, 3])
@pytest.mark.parametrize("rows", [(1,), (300,), (0, 40, 160)])
def test_a_window_that_is_judged_again_has_the_same_windows_before_it(
    rows: tuple[int, ...], length: int
) -> None:
    """Also with sliding windows, of which the history has every third."""
    random = Random(len(rows))
    history, first, tallies = History(), {}, []
    final_ms = -1
    for k in range(270 * length):
        own = np.array([random.choice(rows), k])
        tallies.append(own)
        first[k] = history.sums(k, own).tolist()
        history.add(PastWindow(k, k + length, own), final_ms)
        for again in range(final_ms + 1, k + 1):
            for each in (history, history.before(again)):
                assert each.sums(again, tallies[again]).tolist() == first[again]
        final_ms = max(final_ms, k - random.choice((1, 2, 5, 20)))
    longest = {(1,): LONGEST, (300,): OF_ANY_SIZE, (0, 40, 160): 128}[rows]
    assert HORIZONS[max(map(len, first.values())) - 1] == longest
    assert longest - 1 <= len(history) <= longest * 3 // 2 + 22


def test_windows_before_another_are_the_last_ones() -> None:
    history, _ = filled(70, FEW_ROWS)
    history = History(history.windows())
    history.add(PastWindow(700, 710, np.ones(5, np.int64)), final_ms=0)
    assert [window.start_ms for window in history.before(705).windows()] == list(range(70, 700, 10))
    assert history.before(5).windows() == ()


def test_gaps_in_time_do_not_matter() -> None:
    history, past = filled(3)
    np.testing.assert_array_equal(history.sums(9_999, past[0])[1], past[0] + past[2])


def test_windows_without_features_have_no_rows() -> None:
    history = History([PastWindow(0, 1, np.zeros(0, np.int64))])
    assert history.sums(1, np.zeros(0, np.int64)).shape == (2, 0)
