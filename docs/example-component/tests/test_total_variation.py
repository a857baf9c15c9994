"""Distance ``total_variation`` keeps the contract of a distance, and gives known answers."""

from __future__ import annotations

import pytest
from driftline_example.total_variation import TotalVariation

from detectors.statistics.distances.base import of_counts
from stream.testing.distance import DistanceContract


class TestTotalVariation(DistanceContract):
    @pytest.fixture
    def distance(self) -> TotalVariation:
        return TotalVariation()


def test_it_is_the_share_of_rows_that_would_have_to_move() -> None:
    pair = of_counts({"a": 50, "b": 30, "c": 20}, {"a": 20, "b": 30, "c": 50})
    assert TotalVariation().distances(pair).tolist() == pytest.approx([0.3])


def test_disjoint_values_are_as_far_apart_as_possible() -> None:
    pair = of_counts({"a": 9}, {"b": 4})
    assert TotalVariation().distances(pair).tolist() == [1.0]
