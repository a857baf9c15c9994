"""What every distance promises, whatever it measures. A new file in the folder is tested by itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import numpy as np
import pytest

from detectors.arrays import Floats
from detectors.profiles.layout import HASHED_BINS, Feature, Layout
from detectors.profiles.profile import Profile
from detectors.statistics.distances.base import Pair, find
from tests.support.made import Values, feature, normal, texts, window

DISTANCES = find()
every_distance = pytest.mark.parametrize("name", sorted(DISTANCES))

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
NUMERIC = np.array([one.numeric for one in LAYOUT.features])


def values(name: str, after: Profile, before: Profile = BASELINE) -> Floats:
    return DISTANCES[name].distances(Pair(before, after))


def told_for(name: str) -> np.ndarray:
    """For which features the distance is defined."""
    kinds: np.ndarray = np.isfinite(values(name, BASELINE))
    return kinds


def farness(name: str, found: Floats) -> Floats:
    """Rises with the difference, 0 for none: a p-value is turned round."""
    return 1.0 - found if name == "chi_squared" else found


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
def test_it_is_told_for_numbers_or_for_text_or_for_both_but_never_for_a_part_of_a_kind(
    name: str,
) -> None:
    defined = told_for(name)
    assert defined.any()
    for kind in (NUMERIC, ~NUMERIC):
        assert len(set(defined[kind].tolist())) == 1


@every_distance
def test_equal_counts_are_no_difference(name: str) -> None:
    found = farness(name, values(name, BASELINE))[told_for(name)]
    assert np.abs(found).max() < 1e-12


@every_distance
def test_it_is_never_negative_and_grows_with_the_drift(name: str) -> None:
    near, far = (
        farness(name, values(name, window(LAYOUT, drawn(7, 4_000, shift)))) for shift in (0.0, 1.5)
    )
    defined = told_for(name)
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
    for i, one in enumerate(NAMES):
        alone = Layout((LAYOUT.features[i],))
        found = values(
            name, window(alone, {one: after[one]}), before=window(alone, {one: BEFORE[one]})
        )
        np.testing.assert_allclose(found[0], together[i], rtol=1e-12, atol=1e-15)


@every_distance
def test_the_order_of_the_rows_and_of_merging_does_not_matter(name: str) -> None:
    after = drawn(9, 600, 0.3)
    turned = {key: list(reversed(list(one))) for key, one in after.items()}
    parts = Profile(LAYOUT)
    for part in np.array_split(np.arange(600), 7):
        parts.merge(
            window(
                LAYOUT, {key: [list(one)[k] for k in part.tolist()] for key, one in after.items()}
            )
        )
    whole = values(name, window(LAYOUT, after))
    np.testing.assert_allclose(values(name, window(LAYOUT, turned)), whole, rtol=1e-9)
    np.testing.assert_allclose(values(name, parts), whole, rtol=1e-9)


@every_distance
def test_the_order_of_a_vocabulary_does_not_matter(name: str) -> None:
    after = drawn(10, 900, 0.5)
    i = NAMES.index("words")
    words = LAYOUT.features[i]
    turned = Layout(
        (Feature("words", words.type, words.kind, vocabulary=tuple(reversed(words.vocabulary))),)
    )
    other = values(
        name,
        window(turned, {"words": after["words"]}),
        before=window(turned, {"words": BEFORE["words"]}),
    )
    np.testing.assert_allclose(other[0], values(name, window(LAYOUT, after))[i], rtol=1e-9)


def burst(rows: int, missing: int) -> dict[str, Values]:
    data = drawn(11, rows)
    return {key: [*list(one)[missing:], *[None] * missing] for key, one in data.items()}


@every_distance
def test_missing_values_are_a_bin_of_their_own(name: str) -> None:
    before, after = (
        farness(name, values(name, window(LAYOUT, burst(3_000, missing)))) for missing in (0, 1_000)
    )
    defined = told_for(name)
    if name == "wasserstein":
        assert (after[defined] < 0.1).all()  # missing values have no place on the axis
    else:
        assert (after[defined] > before[defined]).all()
        assert (after[defined] > 0.3).all()


@every_distance
@pytest.mark.parametrize("odd", [[np.nan] * 500, [np.inf] * 500, [-np.inf, np.nan] * 250])
def test_numbers_that_are_none_are_seen_and_do_no_harm(name: str, odd: Sequence[float]) -> None:
    data = drawn(12, 1_000)
    data["plain"] = [*list(np.asarray(data["plain"], dtype=float)[:500]), *odd]
    found = values(name, window(LAYOUT, data))
    assert np.isfinite(found[told_for(name)]).all()
    if told_for(name)[0] and name != "wasserstein":
        assert found[0] > 0.3


@every_distance
def test_values_that_the_baseline_never_saw_are_finite_and_far(name: str) -> None:
    data = drawn(13, 1_000)
    data["plain"], data["codes"] = np.full(1_000, 1e12), np.full(1_000, -77.0)
    data["words"], data["rare"] = (
        texts({"new": 1_000}),
        texts({f"new {k}": 1 for k in range(1_000)}),
    )
    found = farness(name, values(name, window(LAYOUT, data)))
    for feature_name in ("plain", "codes", "words", "rare"):
        i = NAMES.index(feature_name)
        if told_for(name)[i]:
            assert np.isfinite(found[i])
            assert found[i] > (1.0 / HASHED_BINS if name == "l_infinity" else 0.5)


@every_distance
def test_one_row_is_enough_for_a_number(name: str) -> None:
    found = values(name, window(LAYOUT, drawn(14, 1)))
    assert not np.isinf(found).any()


@every_distance
def test_a_layout_without_features_gives_no_values(name: str) -> None:
    nothing = Layout(())
    assert values(name, Profile(nothing), before=Profile(nothing)).tolist() == []


@every_distance
def test_it_says_its_trap_its_source_and_gives_an_example(name: str) -> None:
    text = import_module(f"detectors.statistics.distances.{name}").distances.__doc__ or ""
    for word in ("Trap:", "Source:", "NaN", ">>>"):
        assert word in text, f"{name}: the docstring does not say {word}"


def test_a_large_shift_in_a_normal_feature_is_told_by_all_that_know_numbers() -> None:
    far = window(LAYOUT, {**drawn(15, 1_000), "plain": normal(15, 1_000, mean=4.0)})
    assert values("psi", far)[0] > 3
    assert values("ks", far)[0] > 0.9
    assert values("hellinger", far)[0] > 0.8
    assert values("wasserstein", far)[0] == pytest.approx(4.0, rel=0.05)
