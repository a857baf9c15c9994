"""What every distance promises, whatever it measures. A new file is tested by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.layout import HASHED_BINS, Feature, Layout
from detectors.profiles.profile import Profile
from detectors.statistics.catalogue import DISTANCES, deciding_statistics
from detectors.statistics.distances.base import AppliesTo, Pair
from tests.support.baselines import Values, feature, normal, texts, window

every_distance = pytest.mark.parametrize("name", sorted(DISTANCES))
every_deciding_distance = pytest.mark.parametrize("name", deciding_statistics())

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
NUMERIC = np.array([feature.numeric for feature in LAYOUT.features])


def values(name: str, after: Profile, before: Profile = BASELINE) -> Floats:
    return DISTANCES[name].distances(Pair(before, after))


def defined_for(name: str) -> np.ndarray:
    """For which features the distance is defined."""
    return np.array([DISTANCES[name].fits(feature.numeric) for feature in LAYOUT.features])


def farness(name: str, distances: Floats) -> Floats:
    """Rises with the difference, 0 for none: a p-value is turned round."""
    return 1.0 - distances if name == "chi_squared" else distances


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


@every_distance
def test_it_is_defined_on_the_kinds_of_features_that_it_says(name: str) -> None:
    assert DISTANCES[name].applies_to in get_args(AppliesTo)
    assert np.isfinite(values(name, BASELINE)).tolist() == defined_for(name).tolist()


@every_distance
def test_equal_counts_are_no_difference(name: str) -> None:
    distances = farness(name, values(name, BASELINE))[defined_for(name)]
    assert np.abs(distances).max() < 1e-12


@every_distance
def test_it_is_never_negative_and_grows_with_the_drift(name: str) -> None:
    near, far = (
        farness(name, values(name, window(LAYOUT, drawn(7, 4_000, shift)))) for shift in (0.0, 1.5)
    )
    defined = defined_for(name)
    assert (near[defined] >= 0).all()
    assert (far[defined] > near[defined]).all()


@every_distance
def test_a_window_or_a_baseline_without_rows_has_no_value(name: str) -> None:
    assert np.isnan(values(name, Profile(LAYOUT))).all()
    assert np.isnan(values(name, BASELINE, before=Profile(LAYOUT))).all()
    assert np.isnan(values(name, Profile(LAYOUT), before=Profile(LAYOUT))).all()


@every_distance
def test_all_features_at_once_are_what_each_is_alone(name: str) -> None:
    after = drawn(8, 900, 0.3)
    together = values(name, window(LAYOUT, after))
    assert together.shape == (len(NAMES),)
    assert together.dtype == np.float64
    for i, feature_name in enumerate(NAMES):
        alone = Layout((LAYOUT.features[i],))
        distances = values(
            name,
            window(alone, {feature_name: after[feature_name]}),
            before=window(alone, {feature_name: BEFORE[feature_name]}),
        )
        np.testing.assert_allclose(distances[0], together[i], rtol=1e-12, atol=1e-15)


@every_distance
def test_the_order_of_the_rows_and_of_merging_does_not_matter(name: str) -> None:
    after = {key: list(column) for key, column in drawn(9, 600, 0.3).items()}
    reversed_rows = {key: list(reversed(column)) for key, column in after.items()}
    merged = Profile(LAYOUT)
    for rows in np.array_split(np.arange(600), 7):
        part = {key: [column[k] for k in rows.tolist()] for key, column in after.items()}
        merged.merge(window(LAYOUT, part))
    whole = values(name, window(LAYOUT, after))
    np.testing.assert_allclose(values(name, window(LAYOUT, reversed_rows)), whole, rtol=1e-9)
    np.testing.assert_allclose(values(name, merged), whole, rtol=1e-9)


@every_distance
def test_the_order_of_a_vocabulary_does_not_matter(name: str) -> None:
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
        name,
        window(layout, {"words": after["words"]}),
        before=window(layout, {"words": BEFORE["words"]}),
    )
    np.testing.assert_allclose(distances[0], values(name, window(LAYOUT, after))[i], rtol=1e-9)


def burst(rows: int, missing: int) -> dict[str, Values]:
    data = drawn(11, rows)
    return {key: [*list(column)[missing:], *[None] * missing] for key, column in data.items()}


@every_distance
def test_missing_values_are_a_bin_of_their_own(name: str) -> None:
    before, after = (
        farness(name, values(name, window(LAYOUT, burst(3_000, missing)))) for missing in (0, 1_000)
    )
    defined = defined_for(name)
    if name == "wasserstein":
        assert (after[defined] < 0.1).all()  # missing values have no position on the axis
    else:
        assert (after[defined] > before[defined]).all()
        assert (after[defined] > 0.3).all()


@every_distance
@pytest.mark.parametrize("odd", [[np.nan] * 500, [np.inf] * 500, [-np.inf, np.nan] * 250])
def test_nan_and_infinities_count_and_leave_the_value_finite(
    name: str, odd: Sequence[float]
) -> None:
    data = drawn(12, 1_000)
    data["plain"] = [*list(np.asarray(data["plain"], dtype=float)[:500]), *odd]
    distances = values(name, window(LAYOUT, data))
    assert np.isfinite(distances[defined_for(name)]).all()
    if defined_for(name)[0] and name != "wasserstein":
        assert distances[0] > 0.3


@every_distance
def test_values_that_the_baseline_never_saw_are_finite_and_far(name: str) -> None:
    data = drawn(13, 1_000)
    data["plain"] = np.full(1_000, 1e12)
    data["codes"] = np.full(1_000, -77.0)
    data["words"] = texts({"new": 1_000})
    data["rare"] = texts({f"new {k}": 1 for k in range(1_000)})
    distances = farness(name, values(name, window(LAYOUT, data)))
    for feature_name in ("plain", "codes", "words", "rare"):
        i = NAMES.index(feature_name)
        if defined_for(name)[i]:
            assert np.isfinite(distances[i])
            assert distances[i] > (1.0 / HASHED_BINS if name == "l_infinity" else 0.5)


@every_distance
def test_one_row_is_enough_for_a_number(name: str) -> None:
    distances = values(name, window(LAYOUT, drawn(14, 1)))
    assert not np.isinf(distances).any()


@every_distance
def test_a_layout_without_features_gives_no_values(name: str) -> None:
    nothing = Layout(())
    pair = Pair(Profile(nothing), Profile(nothing))
    assert DISTANCES[name].distances(pair).tolist() == []
    assert DISTANCES[name].noise(pair, 0.001).tolist() == []


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


@every_distance
def test_it_has_a_sampling_law_exactly_where_it_decides_and_is_defined(name: str) -> None:
    pair = Pair(BASELINE, window(LAYOUT, drawn(16, 500)))
    noise = DISTANCES[name].noise(pair, 0.001)
    assert noise.shape == (len(NAMES),)
    assert noise.dtype == np.float64
    decided = defined_for(name) & DISTANCES[name].decides
    assert np.isfinite(noise).tolist() == decided.tolist()
    assert (noise[decided] > 0).all()


@every_distance
def test_without_rows_on_a_side_there_is_no_sampling_law(name: str) -> None:
    noise = DISTANCES[name].noise
    assert np.isnan(noise(Pair(BASELINE, Profile(LAYOUT)), 0.001)).all()
    assert np.isnan(noise(Pair(Profile(LAYOUT), BASELINE), 0.001)).all()


@every_deciding_distance
def test_noise_falls_with_the_rows_and_rises_as_alpha_falls(name: str) -> None:
    few, many = (Pair(BASELINE, window(LAYOUT, drawn(4, rows))) for rows in (200, 5_000))
    noise, defined = DISTANCES[name].noise, defined_for(name)
    assert (noise(many, 0.001)[defined] < noise(few, 0.001)[defined]).all()
    assert (noise(few, 1e-9)[defined] > noise(few, 0.001)[defined]).all()


@every_distance
def test_an_equivalent_grows_with_the_gap_and_is_nan_where_it_does_not_decide(name: str) -> None:
    equivalents = [DISTANCES[name].equivalent(gap) for gap in (0.0, 0.05, 0.1, 0.5, 1.0)]
    if not DISTANCES[name].decides:
        assert np.isnan(equivalents).all()
        return
    assert equivalents[0] == 0.0
    assert equivalents == sorted(set(equivalents))
    assert np.isfinite(equivalents).all()


@every_distance
def test_its_docstring_names_the_trap_and_the_source_and_holds_an_example(name: str) -> None:
    distance = DISTANCES[name]
    text = type(distance).__doc__ or ""
    for word in ("Trap:", "Source:", "NaN", ">>>"):
        assert word in text, f"{name}: the docstring lacks {word}"
    assert distance.title
    assert distance.formula
    assert "\n" not in distance.formula


def test_every_distance_on_numbers_sees_a_large_shift_of_a_normal_feature() -> None:
    far = window(LAYOUT, {**drawn(15, 1_000), "plain": normal(15, 1_000, mean=4.0)})
    assert values("psi", far)[0] > 3
    assert values("ks", far)[0] > 0.9
    assert values("hellinger", far)[0] > 0.8
    assert values("wasserstein", far)[0] == pytest.approx(4.0, rel=0.05)
