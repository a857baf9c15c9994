"""Edges of the grid in both tails, where the rows are few that say the most."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.baseline import Baseline, Constraints
from detectors.profiles.binning import LADDER, TAIL_SHARES, grid_feature
from detectors.profiles.columns import Numbers
from detectors.profiles.deviation import mean_and_deviation
from detectors.profiles.fold import fold
from detectors.profiles.layout import MAX_EDGES, Feature, Layout
from detectors.profiles.profile import Profile
from detectors.statistics.evidence.base import Pooled
from detectors.statistics.evidence.findings import Allowance, findings
from detectors.statistics.evidence.horizons import History, PastWindow
from detectors.statistics.evidence.tallies import TallyLayout


def feature_of(values: Floats, atoms: dict[float, float] | None = None) -> Feature:
    center, scale = mean_and_deviation(values, np.ones(len(values)))
    return grid_feature(
        name="x",
        role="feature",
        kind="Fractional",
        quantiles=np.sort(values).tolist(),
        atoms=atoms or {},
        low=float(values.min()),
        high=float(values.max()),
        center=center,
        scale=scale,
    )


def counted(layout: Layout, values: Floats) -> Profile:
    return fold(layout, {"x": Numbers(values)})


@pytest.mark.parametrize("law", ["normal", "lognormal", "pareto", "rounded"])
def test_each_tail_has_an_edge_beyond_which_at_most_its_share_lies(law: str) -> None:
    rng = np.random.default_rng(5)
    values = {
        "normal": rng.normal(size=20_000),
        "lognormal": rng.lognormal(3, 1, 20_000),
        "pareto": 1.0 + rng.pareto(1.5, 20_000),
        "rounded": rng.normal(0, 30, 20_000).round(),
    }[law]
    feature = feature_of(values)
    for share in TAIL_SHARES:
        above = [float((values >= edge).mean()) for edge in feature.edges]
        below = [float((values < edge).mean()) for edge in feature.edges]
        for shares in (above, below):
            largest = max(each for each in shares if each <= share)
            ties = 0.0 if law != "rounded" else 0.002
            assert largest > share - ties - 1.5 / len(values)


def test_many_atoms_leave_room_for_the_edges() -> None:
    rng = np.random.default_rng(6)
    atoms = {float(k): 0.0125 for k in range(61)}
    values = np.concatenate((np.repeat(np.arange(61.0), 250), rng.normal(30, 20, 4_750)))
    feature = feature_of(values, atoms)
    assert len(feature.edges) <= MAX_EDGES
    assert feature.ladder == LADDER
    assert len(feature.single_values) == 61


def test_coarse_cells_are_those_of_the_deciles() -> None:
    values = np.random.default_rng(7).normal(size=20_000)
    layout = Layout((feature_of(values),))
    cells = layout.coarse(counted(layout, values).counts)
    assert len(cells) == 10
    assert np.abs(cells / 20_000 - 0.1).max() < 0.008


def test_a_doubled_hundredth_at_the_top_is_mostly_found_within_four_windows() -> None:
    rng = np.random.default_rng(8)
    values = rng.lognormal(3, 1, 20_000)
    layout = Layout((feature_of(values),))
    tallies = TallyLayout(Baseline(layout, counted(layout, values), Constraints(), ("x",)))
    edge = float(np.exp(3 + 2.3263478740408408))
    judged = Allowance(
        alpha=np.array([1 / 43_200 / 20]), effect_limit=np.array([0.02]), windows=np.array([64])
    )
    waits = []
    for _ in range(20):
        history = History()
        for k in range(4):
            window = rng.lognormal(3, 1, 1_000)
            window = np.where(window > edge, 2.0 * window, window)
            own = tallies.tallies(counted(layout, window).counts)
            sums = history.sums(k, own)
            history.add(PastWindow(k, k + 1, own))
            found = findings(Pooled(tallies, sums, np.ones(1)), judged)[0]["drift"]
            if found.holds:
                assert found.test.startswith("high_tail")
                waits.append(k + 1)
                break
    assert len(waits) >= 15
