"""The contract of a distance: the laws of its values and of its sampling noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.arrays import Floats
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from detectors.statistics.catalogue import DISTANCES
from detectors.statistics.distances.base import AppliesTo, Distance, Pair
from stream.testing.baselines import Values, feature, texts, window

NAMES = ("plain", "skewed", "codes", "words", "rare")


def drawn(seed: int, rows: int, shift: float = 0.0) -> dict[str, Values]:
    """Five kinds of features; ``shift`` moves all of them."""
    rng = np.random.default_rng(seed)
    words = np.array([f"w{k}" for k in range(40)])
    return {
        "plain": rng.normal(shift, 1, rows),
        "skewed": np.where(rng.random(rows) < 0.4 - shift / 8, 0.0, rng.lognormal(shift, 1, rows)),
        "codes": rng.binomial(4, min(0.4 + shift / 8, 1.0), rows).astype(float),
        "words": words[np.minimum(rng.geometric(0.3 + shift / 8, rows), 12) - 1].tolist(),
        "rare": words[np.minimum(rng.zipf(1.5 + shift / 4, rows), 40) - 1].tolist(),
    }


BEFORE = drawn(1, 6_000)
LAYOUT = Layout(tuple(feature(name, BEFORE[name]) for name in NAMES))
BASELINE = window(LAYOUT, BEFORE)


def defined_for(distance: Distance) -> NDArray[np.bool_]:
    """For which features of :data:`LAYOUT` a distance is defined."""
    return np.array([distance.fits(feature.numeric) for feature in LAYOUT.features])


def with_missing(rows: int, missing: int) -> dict[str, Values]:
    """Rows of which the last ``missing`` have no value."""
    lost: list[Any] = [None] * missing
    data = drawn(11, rows)
    return {key: [*list(column)[missing:], *lost] for key, column in data.items()}


def values(distance: Distance, after: Profile, before: Profile = BASELINE) -> Floats:
    """The values of a distance for a window."""
    return distance.distances(Pair(before, after))


class DistanceContract:
    """The laws of a distance. A subclass overrides the fixture ``distance``::

        from stream.testing.distance import DistanceContract


        class TestTotalVariation(DistanceContract):
            @pytest.fixture
            def distance(self) -> TotalVariation:
                return TotalVariation()

    Two methods describe what distances may differ in; a subclass overrides those that its distance
    needs: :meth:`difference` and :meth:`least_for_unseen`.
    """

    @pytest.fixture
    def distance(self) -> Distance:
        """The distance under test."""
        raise NotImplementedError("override the fixture distance")

    def difference(self, distance: Distance, values: Floats) -> Floats:
        """A number that is 0 for equal counts and rises with the drift: the distance itself.

        That of a p-value is ``1 - values``.
        """
        return values

    def least_for_unseen(self, distance: Distance) -> float:
        """What the difference exceeds if the baseline saw none of the window's values."""
        return 0.5

    def test_it_is_defined_on_the_kinds_of_features_that_it_says(self, distance: Distance) -> None:
        assert distance.applies_to in get_args(AppliesTo)
        assert np.isfinite(values(distance, BASELINE)).tolist() == defined_for(distance).tolist()

    def test_equal_counts_are_no_difference(self, distance: Distance) -> None:
        distances = self.difference(distance, values(distance, BASELINE))[defined_for(distance)]
        assert np.abs(distances).max() < 1e-12

    def test_it_is_never_negative_and_grows_with_the_drift(self, distance: Distance) -> None:
        near, far = (
            self.difference(distance, values(distance, window(LAYOUT, drawn(7, 4_000, shift))))
            for shift in (0.0, 1.5)
        )
        defined = defined_for(distance)
        assert (near[defined] >= 0).all()
        assert (far[defined] > near[defined]).all()

    def test_a_window_or_a_baseline_without_rows_has_no_value(self, distance: Distance) -> None:
        assert np.isnan(values(distance, Profile(LAYOUT))).all()
        assert np.isnan(values(distance, BASELINE, before=Profile(LAYOUT))).all()
        assert np.isnan(values(distance, Profile(LAYOUT), before=Profile(LAYOUT))).all()

    def test_all_features_at_once_are_what_each_is_alone(self, distance: Distance) -> None:
        after = drawn(8, 900, 0.3)
        together = values(distance, window(LAYOUT, after))
        assert together.shape == (len(NAMES),)
        assert together.dtype == np.float64
        for i, feature_name in enumerate(NAMES):
            alone = Layout((LAYOUT.features[i],))
            distances = values(
                distance,
                window(alone, {feature_name: after[feature_name]}),
                before=window(alone, {feature_name: BEFORE[feature_name]}),
            )
            np.testing.assert_allclose(distances[0], together[i], rtol=1e-12, atol=1e-15)

    def test_the_order_of_the_rows_and_of_merging_does_not_matter(self, distance: Distance) -> None:
        after = {key: list(column) for key, column in drawn(9, 600, 0.3).items()}
        reversed_rows = {key: list(reversed(column)) for key, column in after.items()}
        merged = Profile(LAYOUT)
        for rows in np.array_split(np.arange(600), 7):
            part = {key: [column[k] for k in rows.tolist()] for key, column in after.items()}
            merged.merge(window(LAYOUT, part))
        whole = values(distance, window(LAYOUT, after))
        np.testing.assert_allclose(
            values(distance, window(LAYOUT, reversed_rows)), whole, rtol=1e-9
        )
        np.testing.assert_allclose(values(distance, merged), whole, rtol=1e-9)

    def test_the_order_of_a_vocabulary_does_not_matter(self, distance: Distance) -> None:
        after = drawn(10, 900, 0.5)
        i = NAMES.index("words")
        words = LAYOUT.features[i]
        other_order = Feature(
            name="words",
            type=words.type,
            kind=words.kind,
            vocabulary=tuple(reversed(words.vocabulary)),
        )
        layout = Layout((other_order,))
        distances = values(
            distance,
            window(layout, {"words": after["words"]}),
            before=window(layout, {"words": BEFORE["words"]}),
        )
        np.testing.assert_allclose(
            distances[0], values(distance, window(LAYOUT, after))[i], rtol=1e-9
        )

    def test_missing_values_do_not_count(self, distance: Distance) -> None:
        data = with_missing(3_000, 1_000)
        present = {key: list(column)[:-1_000] for key, column in data.items()}
        with_missing_rows = values(distance, window(LAYOUT, data))
        without = values(distance, window(LAYOUT, present))
        np.testing.assert_allclose(with_missing_rows, without, rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("odd", [[np.nan] * 500, [np.inf] * 500, [-np.inf, np.nan] * 250])
    def test_nan_and_infinities_do_not_count(
        self, distance: Distance, odd: Sequence[float]
    ) -> None:
        finite = list(np.asarray(drawn(12, 500)["plain"], dtype=float))
        with_odd, without = (
            values(distance, window(LAYOUT, {"plain": rows})) for rows in ([*finite, *odd], finite)
        )
        np.testing.assert_allclose(with_odd[0], without[0], rtol=1e-9, atol=1e-12)

    def test_values_that_the_baseline_never_saw_are_finite_and_far(
        self, distance: Distance
    ) -> None:
        data = drawn(13, 1_000)
        data["plain"] = np.full(1_000, 1e12)
        data["codes"] = np.full(1_000, -77.0)
        data["words"] = texts({"new": 1_000})
        data["rare"] = texts({f"new {k}": 1 for k in range(1_000)})
        distances = self.difference(distance, values(distance, window(LAYOUT, data)))
        for feature_name in ("plain", "codes", "words", "rare"):
            i = NAMES.index(feature_name)
            if defined_for(distance)[i]:
                assert np.isfinite(distances[i])
                assert distances[i] > self.least_for_unseen(distance)

    def test_one_row_is_enough_for_a_number(self, distance: Distance) -> None:
        distances = values(distance, window(LAYOUT, drawn(14, 1)))
        assert not np.isinf(distances).any()

    def test_a_layout_without_features_gives_no_values(self, distance: Distance) -> None:
        nothing = Layout(())
        pair = Pair(Profile(nothing), Profile(nothing))
        assert distance.distances(pair).tolist() == []
        assert distance.noise(pair, 0.001).tolist() == []

    def test_it_has_a_sampling_law_exactly_where_it_decides_and_is_defined(
        self, distance: Distance
    ) -> None:
        pair = Pair(BASELINE, window(LAYOUT, drawn(16, 500)))
        noise = distance.noise(pair, 0.001)
        assert noise.shape == (len(NAMES),)
        assert noise.dtype == np.float64
        decided = defined_for(distance) & distance.decides
        assert np.isfinite(noise).tolist() == decided.tolist()
        assert (noise[decided] > 0).all()

    def test_without_rows_on_a_side_there_is_no_sampling_law(self, distance: Distance) -> None:
        noise = distance.noise
        assert np.isnan(noise(Pair(BASELINE, Profile(LAYOUT)), 0.001)).all()
        assert np.isnan(noise(Pair(Profile(LAYOUT), BASELINE), 0.001)).all()

    def test_noise_falls_with_the_rows_and_rises_as_alpha_falls(self, distance: Distance) -> None:
        if not distance.decides:
            return
        few, many = (Pair(BASELINE, window(LAYOUT, drawn(4, rows))) for rows in (200, 5_000))
        noise, defined = distance.noise, defined_for(distance)
        assert (noise(many, 0.001)[defined] < noise(few, 0.001)[defined]).all()
        assert (noise(few, 1e-9)[defined] > noise(few, 0.001)[defined]).all()

    def test_an_equivalent_grows_with_the_gap_and_is_nan_where_it_does_not_decide(
        self, distance: Distance
    ) -> None:
        equivalents = [distance.equivalent(gap) for gap in (0.0, 0.05, 0.1, 0.5, 1.0)]
        if not distance.decides:
            assert np.isnan(equivalents).all()
            return
        assert equivalents[0] == 0.0
        assert equivalents == sorted(set(equivalents))
        assert np.isfinite(equivalents).all()

    def test_it_depends_on_the_counts_alone_and_changes_none(self, distance: Distance) -> None:
        profile = window(LAYOUT, drawn(17, 800, 0.3))
        before, after = BASELINE.counts.copy(), profile.counts.copy()
        first = values(distance, profile)
        distance.noise(Pair(BASELINE, profile), 0.001)
        np.testing.assert_array_equal(values(distance, profile), first)
        np.testing.assert_array_equal(BASELINE.counts, before)
        np.testing.assert_array_equal(profile.counts, after)

    def test_it_is_found_by_its_name(self, distance: Distance) -> None:
        """Its file, or an entry point of ``driftline.distances`` that is installed, names it."""
        names = [name for name, other in DISTANCES.items() if type(other) is type(distance)]
        assert names, "driftline.distances has no such entry point: declare it, and install it"

    def test_its_docstring_names_the_trap_and_the_source_and_holds_an_example(
        self, distance: Distance
    ) -> None:
        text = type(distance).__doc__ or ""
        for word in ("Trap:", "Source:", "NaN", ">>>"):
            assert word in text, f"the docstring lacks {word}"
        assert distance.title
        assert distance.formula
        assert "\n" not in distance.formula
