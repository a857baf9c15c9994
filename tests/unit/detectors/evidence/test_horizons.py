"""Horizons against sums by brute force."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from detectors.statistics.evidence.horizons import HORIZONS, LONGEST, History, PastWindow


def filled(count: int, seed: int = 1) -> tuple[History, list[np.ndarray]]:
    tallies = list(np.random.default_rng(seed).integers(-99, 99, (count, 5)))
    history = History()
    for k, own in enumerate(tallies):
        history.add(PastWindow(10 * k, 10 * k + 10, own))
    return history, tallies


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 11, 62, 63, 64, 200])
def test_each_row_is_the_sum_of_the_newest_windows(count: int) -> None:
    history, past = filled(count)
    own = np.arange(5)
    sums = history.sums(10 * count, own)
    newest_first = [own, *reversed(past)]
    expected = [sum(newest_first[:h]) for h in HORIZONS if h <= min(count, LONGEST - 1) + 1]
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
@pytest.mark.parametrize("seed", range(4))
def test_a_window_that_is_judged_again_has_the_same_windows_before_it(
    seed: int, length: int
) -> None:
    """Also with sliding windows, of which the history has every third."""
    random = Random(seed)
    history, first = History(), {}
    final_ms = -1
    for k in range(150 * length):
        own = np.array([k, 1])
        first[k] = history.sums(k, own).tolist()
        history.add(PastWindow(k, k + length, own), final_ms)
        for again in range(final_ms + 1, k + 1):
            for each in (history, history.before(again)):
                assert each.sums(again, np.array([again, 1])).tolist() == first[again]
        final_ms = max(final_ms, k - random.choice((1, 2, 5, 20)))
    assert max(map(len, first.values())) == len(HORIZONS)
    assert LONGEST - 1 <= len(history) <= LONGEST - 1 + 22


def test_windows_before_another_are_the_last_ones() -> None:
    history, _ = filled(70)
    history = History(history.windows())
    history.add(PastWindow(700, 710, np.ones(5, np.int64)), final_ms=0)
    assert [window.start_ms for window in history.before(705).windows()] == list(range(70, 700, 10))
    assert history.before(5).windows() == ()


def test_gaps_in_time_do_not_matter() -> None:
    history, past = filled(3)
    np.testing.assert_array_equal(history.sums(9_999, past[0])[1], past[0] + past[2])
