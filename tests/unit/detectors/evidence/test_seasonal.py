"""Mixtures of seasons against sums by hand, and their sampling error against simulation."""

from __future__ import annotations

import secrets

import numpy as np
import pytest
from scipy.stats import binom

from detectors.arrays import Floats, Ints
from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Key
from detectors.profiles.profile import Profile
from detectors.profiles.seasons import LEAST_ROWS, Seasons
from detectors.statistics.evidence.base import Outcome, Pooled
from detectors.statistics.evidence.early import EProcess
from detectors.statistics.evidence.findings import TESTS, outcome_of
from detectors.statistics.evidence.horizons import HORIZONS, History, PastWindow
from detectors.statistics.evidence.seasonal import SeasonalTallies, seasonal_tallies
from detectors.statistics.evidence.share_tests import ShareTests
from detectors.statistics.evidence.tail_shape import TailShapeTests
from detectors.statistics.evidence.tallies import SHARES, TOTAL_OF, TallyLayout, tally_layout
from stream.testing.baselines import baseline, window
from tests.support.seasons import BY_HOUR, HOUR_MS, cycle_rows, with_cycle


def tallies_of(known: Baseline) -> SeasonalTallies:
    found = seasonal_tallies(known)
    assert found is not None
    return found


def past_of(layout: TallyLayout, hours: list[int], rows: list[int]) -> list[tuple[int, Ints]]:
    return [
        (hour * HOUR_MS, np.full(layout.features, count))
        for hour, count in zip(hours, rows, strict=True)
    ]


def by_hand(known: Baseline, weights: dict[int, float]) -> tuple[Floats, float]:
    """The expected share of each tally in a mixture of hours, and the rows that it is worth."""
    assert known.seasons is not None
    layout = tally_layout(known)
    expected, worth = np.zeros(layout.size), np.inf
    for hour, weight in weights.items():
        profile = known.seasons.profiles[(str(hour),)]
        expected += weight * layout.tallies(profile.counts) / profile.rows
        worth = min(worth, profile.rows / weight)
    return expected, worth


def test_a_mixture_has_the_share_of_each_season_in_as_many_rows_as_all_can_give() -> None:
    known = with_cycle(np.random.default_rng(1), 300, hours=3)
    layout, seasonal = tally_layout(known), tallies_of(known)
    own, past = np.full(layout.features, 50), past_of(layout, [1, 0, 2], [100, 30, 20])
    reference = seasonal.over(2 * HOUR_MS, own, past, HORIZONS[:3])
    expected = [{2: 1.0}, {2: 1 / 3, 1: 2 / 3}, {2: 50 / 180, 1: 100 / 180, 0: 30 / 180}]
    for row, weights in enumerate(expected):
        shares, worth = by_hand(known, weights)
        np.testing.assert_allclose(reference.tallies[row], shares * worth, rtol=1e-12, atol=1e-9)
        assert layout.named(reference.tallies, "rows")[row] == pytest.approx(worth)
    assert layout.named(reference.tallies, "rows")[1, 0] == pytest.approx(300 * 3 / 2)


def test_a_window_alone_is_compared_with_the_counts_of_its_season() -> None:
    known = with_cycle(np.random.default_rng(2), 300, hours=3)
    assert known.seasons is not None
    layout, seasonal = tally_layout(known), tallies_of(known)
    counts = known.seasons.profiles[("1",)].counts
    np.testing.assert_array_equal(seasonal.at(HOUR_MS).tallies[0], layout.tallies(counts))
    both = seasonal.over(HOUR_MS, np.full(4, 5), past_of(layout, [0], [5]), HORIZONS[:2])
    np.testing.assert_array_equal(both.tallies[0], layout.tallies(counts))
    assert both.fine is seasonal.at(HOUR_MS).fine


def test_windows_of_one_season_are_compared_with_it_at_all_horizons() -> None:
    known = with_cycle(np.random.default_rng(3), 300, hours=3)
    layout, seasonal = tally_layout(known), tallies_of(known)
    past = past_of(layout, [25, 1], [10, 10])
    assert seasonal.over(49 * HOUR_MS, np.full(4, 9), past, HORIZONS[:3]) is seasonal.at(HOUR_MS)


def test_a_baseline_without_seasons_has_none_and_one_of_few_rows_is_the_whole() -> None:
    known = with_cycle(np.random.default_rng(4), LEAST_ROWS - 1, hours=2)
    assert seasonal_tallies(known.seasonal(None)) is None
    assert tallies_of(known).at(0) is tally_layout(known).whole


def test_seasons_that_change_are_not_those_of_before() -> None:
    known = with_cycle(np.random.default_rng(5), 300, hours=2)
    assert known.seasons is not None
    again = known.seasonal(Seasons(BY_HOUR, dict(known.seasons.profiles)))
    other = known.seasonal(Seasons(BY_HOUR, {("0",): known.seasons.profiles[("1",)]}))
    assert tallies_of(known) is tallies_of(again)
    assert tallies_of(known) is not tallies_of(other)


def of_shares(shares: list[float], sizes: list[int], whole: int) -> Baseline:
    """Hours whose word ``b`` has these shares, in so many rows; ``whole`` rows of the baseline."""
    made = baseline({"x": ["b"] * (whole // 2) + ["a"] * (whole - whole // 2)})
    profiles: dict[Key, Profile] = {
        (str(k),): words(made, round(share * size), size)
        for k, (share, size) in enumerate(zip(shares, sizes, strict=True))
    }
    return made.seasonal(Seasons(BY_HOUR, profiles))


def words(made: Baseline, of_b: int, rows: int) -> Profile:
    return window(made.layout, {"x": ["b"] * of_b + ["a"] * (rows - of_b)})


def test_pools_that_share_rows_are_worth_fewer() -> None:
    # Hour 0 has rows of its own, hour 5 is compared with the whole baseline, which has them too:
    # half of each is the mean of 400 rows, and of 1,000 of which these are a part.
    known = of_shares([0.5], [400], whole=1_000)
    reference = tallies_of(known).over(
        0, np.array([10]), past_of(tally_layout(known), [5], [10]), HORIZONS[:2]
    )
    worth = tally_layout(known).named(reference.tallies, "rows")[1, 0]
    assert worth == pytest.approx(1.0 / (0.5 / 400 + 0.5 / 1_000))


@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.3), (0.02, 0, 0), (0, 0.04, 0), (0, 0, 1.0)])
def test_a_mixture_varies_no_more_than_as_many_rows_as_it_is_worth(
    shares: tuple[float, float, float],
) -> None:
    # 20,000 draws of seasons that are small and unequal.
    rng, draws = np.random.default_rng(8), 20_000
    sizes, weights = np.array([200, 500, 3_000]), np.array([0.5, 0.3, 0.2])
    mixed = (rng.binomial(sizes, shares, (draws, 3)) / sizes * weights).sum(axis=1)
    known = of_shares(list(shares), sizes.tolist(), whole=1_000)
    layout = tally_layout(known)
    rows = (weights * 100).astype(int).tolist()
    reference = tallies_of(known).over(
        0, np.array(rows[:1]), past_of(layout, [1, 2], rows[1:]), HORIZONS[:3]
    )
    worth, share = layout.named(reference.tallies, "rows")[2, 0], weights @ np.array(shares)
    # A variance of 20,000 draws is known to within one percent.
    assert mixed.var() <= 1.04 * share * (1 - share) / worth


def test_seasons_in_proportion_give_all_their_rows() -> None:
    known = of_shares([0.2, 0.4, 0.1], [300, 600, 900], whole=1_000)
    layout = tally_layout(known)
    reference = tallies_of(known).over(
        0, np.array([10]), past_of(layout, [1, 2], [20, 30]), HORIZONS[:3]
    )
    rows = layout.named(reference.tallies, "rows")
    assert rows[:, 0] == pytest.approx([300, 900, 1_800])
    assert reference.shares[1][SHARES.index("missing"), 2, 0] == 1_800


NORMAL = np.random.default_rng(20).normal(size=20_000)
NUMBERS = baseline({"x": NORMAL})
KINDS = np.stack(
    [
        window(NUMBERS.layout, {"x": [row]}).counts
        for row in (None, 9.0, float(np.quantile(NORMAL, 0.985)), -0.5, 0.0, 0.5)
    ]
)
"""The counts of a row that is missing, in the upper tail, just outside of it, and three others."""


def drawn(rng: np.random.Generator, rows: int, shares: tuple[float, float, float]) -> Profile:
    """Rows of which these shares are missing, in the upper tail, and just outside of it."""
    profile, rest = Profile(NUMBERS.layout), (1.0 - sum(shares)) / 3.0
    profile.counts = rng.multinomial(rows, (*shares, rest, rest, rest)) @ KINDS
    profile.rows = rows
    return profile


@pytest.mark.parametrize(
    ("test", "name", "of_a", "of_b"),
    [
        (ShareTests(), "missing", (0.01, 0.0, 0.0), (0.0, 0.0, 0.0)),
        (ShareTests(), "high_tail_0", (0.0, 0.01, 0.0), (0.0, 0.0, 0.0)),
        (TailShapeTests(), "high_tail_shape_0", (0.0, 0.01, 0.0), (0.0, 0.0, 0.02)),
    ],
)
def test_what_only_a_small_season_has_is_no_drift(
    test: ShareTests | TailShapeTests,
    name: str,
    of_a: tuple[float, float, float],
    of_b: tuple[float, float, float],
) -> None:
    """Twelve windows, one of season A with 300 known rows, the others of B with 20,000."""
    seed, draws, rows = secrets.randbits(32), 1_000, 1_000
    print(f"seed {seed}")  # noqa: T201
    rng, found = np.random.default_rng(seed), 0
    layout, lengths = tally_layout(NUMBERS), HORIZONS[: HORIZONS.index(12) + 1]
    k, past = test.names.index(name), past_of(layout, [1] * 11, [rows] * 11)
    for _ in range(draws):
        seasons: dict[Key, Profile] = {
            ("0",): drawn(rng, 300, of_a),
            ("1",): drawn(rng, 20_000, of_b),
        }
        seasonal = SeasonalTallies(layout, NUMBERS, Seasons(BY_HOUR, seasons))
        own = drawn(rng, rows, of_a).counts
        after = layout.tallies(own + drawn(rng, 11 * rows, of_b).counts)
        reference = seasonal.over(0, np.full(1, rows), past, lengths)
        sums = np.tile(after, (len(lengths), 1))
        pooled = Pooled(layout, sums, np.ones(1), reference=reference)
        found += test.outcome(pooled).p_value[k, -1, 0] <= 1e-3
    assert found <= binom.isf(1e-6, draws, 1e-3)


def test_shares_are_rounded_to_the_side_that_says_less() -> None:
    known = with_cycle(np.random.default_rng(9), 333, hours=3)
    layout = tally_layout(known)
    past = past_of(layout, [1, 2], [71, 37])
    reference = tallies_of(known).over(0, np.full(4, 29), past, HORIZONS[:3])
    parts, totals = reference.shares
    assert np.array_equal(parts, np.rint(parts))
    assert np.array_equal(totals, np.rint(totals))
    mixed = layout.several(reference.tallies, SHARES)
    numbers = [0, 1, 3]  # of text, the unseen values are estimated
    assert (parts >= mixed - 1e-5)[..., numbers].all()
    assert (parts < mixed + 1.0)[..., numbers].all()
    of = np.stack([layout.named(reference.tallies, TOTAL_OF[name]) for name in SHARES])
    assert (totals <= of + 1e-5).all()


def test_the_variances_of_scores_are_those_of_the_seasons_rows() -> None:
    known = with_cycle(np.random.default_rng(10), 400, hours=3, size=2.0)
    assert known.seasons is not None
    layout = tally_layout(known)
    counts = known.seasons.profiles[("1",)].counts
    own = tallies_of(known).at(HOUR_MS).variances[:, 0]
    whole = layout.whole.variances[:, 0]
    ranks = np.cumsum(known.profile.counts[layout.layout.bins(0)])
    middles = (ranks - known.profile.counts[layout.layout.bins(0)] / 2.0) / ranks[-1]
    inside = counts[layout.layout.bins(0)]
    mean = (middles * inside).sum() / inside.sum()
    expected = ((middles - mean) ** 2 * inside).sum() / inside.sum()
    assert own[0, 0] == pytest.approx(expected, rel=1e-4)
    assert own[0, 0] < whole[0, 0] / 2.0  # the cycle is most of the spread
    assert np.isnan(own[:, 2]).all()  # words have no scores


def test_e_values_in_season_are_those_of_a_baseline_of_that_season() -> None:
    known = with_cycle(np.random.default_rng(11), 500, hours=3)
    layout, view = tally_layout(known), known.in_season(HOUR_MS)
    alone = TallyLayout(view)
    rows = window(known.layout, cycle_rows(np.random.default_rng(12), 20, 80)).counts
    ones = np.ones(layout.features)
    process = EProcess(layout, ones, tallies_of(known).at(HOUR_MS))
    found = process.log_e_values(layout.tallies(rows)[None])
    expected = EProcess(alone, ones).log_e_values(alone.tallies(rows)[None])
    numbers = [0, 1, 3]  # the cells of text belong to the whole baseline
    np.testing.assert_allclose(found[..., numbers], expected[..., numbers], rtol=1e-12)


def outcomes(known: Baseline, rng: np.random.Generator, day: int, rows: int) -> Floats:
    """The p-values of a window after 24 others, by test, horizon and feature."""
    layout, history = tally_layout(known), History()
    for hour in range(25):
        counts = window(known.layout, cycle_rows(rng, hour % 24, rows)).counts
        start = (24 * day + hour) * HOUR_MS
        if hour < 24:
            history.add(PastWindow(start, start + HOUR_MS, layout.tallies(counts)))
    own = layout.tallies(counts)
    sums, past = history.sums(start, own), history.rows(layout, start)
    reference = tallies_of(known).over(
        start, layout.named(own, "rows"), past, HORIZONS[: len(sums)]
    )
    return outcome_of(Pooled(layout, sums, np.ones(layout.features), counts, reference)).p_value


@pytest.mark.parametrize("rows", [30, 200])
def test_without_drift_no_test_finds_the_cycle(rows: int) -> None:
    rng = np.random.default_rng(13 + rows)
    p_values = []
    for _ in range(8):
        known = with_cycle(rng, 300)
        p_values += [outcomes(known, rng, day, rows) for day in range(10)]
    found = np.array(p_values)
    by_test = {test: (found[:, k] <= 0.01).mean() for k, test in enumerate(TESTS)}
    # 80 windows of nine horizons and four features, of which many depend on each other.
    assert max(by_test.values()) <= 0.03, by_test


def test_a_shift_of_half_a_deviation_is_found_at_each_hour() -> None:
    rng = np.random.default_rng(14)
    known = with_cycle(rng, 700)
    layout, seasonal = tally_layout(known), tallies_of(known)
    for hour in range(24):
        rows = cycle_rows(rng, hour, 300)
        rows["number"] = np.asarray(rows["number"], float) + 0.5
        counts = window(known.layout, rows).counts
        sums = layout.tallies(counts)[None]
        reference = seasonal.at(hour * HOUR_MS)
        found = outcome_of(Pooled(layout, sums, np.ones(4), counts, reference))
        k = TESTS.index("location")
        assert found.p_value[k, 0, 0] < 1e-6
        assert found.direction[k, 0, 0] == 1.0
        assert found.effect[k, 0, 0] == pytest.approx(0.5 / np.sqrt(8.0), rel=0.5)


@pytest.mark.parametrize("odd_rows", [0, 1])
def test_a_season_of_almost_equal_values_makes_no_odd_row_a_drift(odd_rows: int) -> None:
    rng = np.random.default_rng(15)
    dry = np.where(np.arange(800) < odd_rows, 0.3, 0.0)
    wet = np.where(rng.random(2_400) < 0.2, rng.exponential(1.0, 2_400), 0.0)
    whole = baseline({"rain": np.concatenate((dry, wet))})
    seasons: dict[Key, Profile] = {
        ("0",): window(whole.layout, {"rain": dry}),
        ("1",): window(whole.layout, {"rain": wet}),
    }
    known = whole.seasonal(Seasons(BY_HOUR, seasons))
    layout, reference = tally_layout(known), tallies_of(known).at(0)
    assert reference.variances[:, 0] == pytest.approx(0.1 * layout.variances)

    def outcome(rain: Floats) -> Outcome:
        counts = window(known.layout, {"rain": rain}).counts
        sums = layout.tallies(counts)[None]
        return outcome_of(Pooled(layout, sums, np.ones(1), counts, reference))

    # One odd row of fifty, after none or one of 800: a chance of 6 or 11 in a hundred.
    one = outcome(np.where(np.arange(50) < 1, 0.3, 0.0))
    assert one.p_value.min() > 1e-3
    rainy = outcome(rng.exponential(1.0, 50))
    assert rainy.p_value[TESTS.index("location"), 0, 0] < 1e-20
    assert 0.3 < rainy.effect.max() <= 1.0
