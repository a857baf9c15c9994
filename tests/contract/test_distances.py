"""The contract of every distance in ``detectors/statistics/distances/``, and of those that other
distributions offer. A new file is tested by itself.

The laws are in :mod:`stream.testing.distance`; what holds only for driftline's own is here.
"""

from __future__ import annotations

import pytest

from detectors.arrays import Floats
from detectors.profiles.profile import Profile
from detectors.statistics.catalogue import DISTANCES, deciding_statistics
from detectors.statistics.distances.base import Distance
from detectors.statistics.distances.chi_squared import ChiSquared
from stream.testing import distance as contract
from stream.testing.baselines import normal, window
from stream.testing.distance import LAYOUT, DistanceContract, drawn


class TestDistances(DistanceContract):
    @pytest.fixture(params=sorted(DISTANCES))
    def distance(self, request: pytest.FixtureRequest) -> Distance:
        return DISTANCES[request.param]

    def difference(self, distance: Distance, values: Floats) -> Floats:
        return 1.0 - values if isinstance(distance, ChiSquared) else values


def values(name: str, after: Profile) -> Floats:
    return contract.values(DISTANCES[name], after)


def test_all_seven_are_found_by_their_files() -> None:
    assert set(DISTANCES) >= {
        "psi",
        "ks",
        "jensen_shannon",
        "hellinger",
        "wasserstein",
        "l_infinity",
        "chi_squared",
    }


def test_chi_squared_alone_of_the_seven_does_not_decide() -> None:
    assert {
        "psi",
        "ks",
        "jensen_shannon",
        "hellinger",
        "wasserstein",
        "l_infinity",
    } <= set(deciding_statistics())
    assert "chi_squared" not in deciding_statistics()


def test_every_distance_on_numbers_sees_a_large_shift_of_a_normal_feature() -> None:
    far = window(LAYOUT, {**drawn(15, 1_000), "plain": normal(15, 1_000, mean=4.0)})
    assert values("psi", far)[0] > 3
    assert values("ks", far)[0] > 0.9
    assert values("hellinger", far)[0] > 0.8
    assert values("wasserstein", far)[0] == pytest.approx(4.0, rel=0.05)
