"""The bins that moved most: largest first, with counts and shares of both sides."""

from __future__ import annotations

from detectors.diagnosis.moved_bins import MAX_BINS, top_contributors
from detectors.statistics.distances import psi
from detectors.statistics.distances.base import Pair
from detectors.violation import BinShift
from stream.testing.baselines import normal, pair, texts


def top(sides: Pair) -> tuple[BinShift, ...]:
    return top_contributors(sides, 0, psi.contributions(sides))


def test_the_value_that_moved_most_comes_first_with_both_counts() -> None:
    before = {"a": 800, "b": 150, "c": 50}
    after = {"a": 390, "b": 85, "c": 525}
    first, second, *_ = top(pair(texts(before), texts(after)))
    assert (first.label, first.before_count, first.after_count) == ("c", 50, 525)
    assert (first.before, first.after) == (0.05, 0.525)
    assert second.label == "a"
    assert first.contribution > second.contribution > 0


def test_missing_values_are_no_bin_that_moves() -> None:
    values = normal(2, 500).tolist()
    assert top(pair(normal(1, 5_000), [*values, *[None] * 500])) == top(
        pair(normal(1, 5_000), values)
    )


def test_at_most_five_are_named() -> None:
    assert len(top(pair(normal(1, 5_000), normal(2, 5_000, mean=2.0)))) == MAX_BINS == 5


def test_equal_counts_move_nothing() -> None:
    assert top(pair(texts({"a": 10, "b": 5}), texts({"a": 10, "b": 5}))) == ()
