"""Profiles add up: integers exactly and in any order, extremes too, and what was written is read
back."""

from __future__ import annotations

import warnings
from itertools import permutations

import numpy as np
import pytest

from detectors.errors import LayoutMismatch
from detectors.profiles.layout import Layout
from detectors.profiles.profile import MAX_NAME, MAX_NOVEL, Profile
from tests.support.made import feature, normal, texts, window

LAYOUT = Layout((feature("x", normal(1, 500)), feature("t", texts({"a": 5, "b": 3}))))
PARTS = [
    window(LAYOUT, {"x": [0.5, None, 2.0], "t": ["a", "b", None]}),
    window(LAYOUT, {"x": [-9.0, 3.25], "t": ["new", "a"]}),
    window(LAYOUT, {"x": [None], "t": ["other"]}),
]


def merged(parts: tuple[Profile, ...]) -> Profile:
    out = Profile(LAYOUT)
    for part in parts:
        out.merge(part)
    return out


def test_any_order_of_merging_gives_the_same_integers_and_extremes() -> None:
    every = [merged(order) for order in permutations(PARTS)]
    assert len({one.counts.tobytes() for one in every}) == 1
    for one in every:
        assert (one.rows, one.low[0], one.high[0]) == (6, -9.0, 3.25)
        assert one.missing.tolist() == [2, 1]
        assert int(one.finite[0]) == 4


def test_moments_are_sums_around_the_baselines_mean() -> None:
    center, values = LAYOUT.features[0].center, np.array([0.5, 2.0, -9.0, 3.25])
    whole = merged(tuple(PARTS))
    assert whole.sums[0] == pytest.approx(
        [(values - center).sum(), ((values - center) ** 2).sum()], rel=1e-12
    )


def test_an_empty_profile_changes_nothing() -> None:
    one = PARTS[0].copy()
    one.merge(Profile(LAYOUT))
    assert one.encode() == PARTS[0].encode()


def test_a_copy_is_independent() -> None:
    one = PARTS[0].copy()
    one.merge(PARTS[1])
    assert PARTS[0].rows == 3
    assert one.rows == 5


def test_profiles_of_different_layouts_do_not_merge() -> None:
    other = Layout((feature("x", normal(2, 500)), feature("t", texts({"a": 5}))))
    with pytest.raises(LayoutMismatch) as caught:
        Profile(LAYOUT).merge(Profile(other))
    assert (caught.value.ours, caught.value.theirs) == (LAYOUT.fingerprint, other.fingerprint)
    with pytest.raises(LayoutMismatch):
        Profile.decode(PARTS[0].encode(), other)


def test_what_was_written_is_read_back() -> None:
    whole = merged(tuple(PARTS))
    back = Profile.decode(whole.encode(), LAYOUT)
    assert back.encode() == whole.encode()
    assert back.counts.tolist() == whole.counts.tolist()
    assert Profile.rows_of(whole.encode()) == 6
    back.merge(PARTS[0])
    assert back.rows == 9


def test_names_of_unseen_values_are_bounded_and_never_needed_for_a_number() -> None:
    many = window(LAYOUT, {"x": [0.0] * 100, "t": [f"new {k}" for k in range(100)]})
    assert len(many.novel["t"]) <= MAX_NOVEL
    many.merge(many.copy())
    assert len(many.novel["t"]) <= MAX_NOVEL
    assert int(many.counts[LAYOUT.bins(1)].sum()) == 200


def test_of_a_very_long_value_only_the_beginning_is_remembered() -> None:
    profile = Profile(LAYOUT)
    profile.note_novel("t", {"x" * 1_000_000: 2, "y" * MAX_NAME: 1})
    assert profile.novel["t"] == {"x" * (MAX_NAME - 1) + "…": 2, "y" * MAX_NAME: 1}
    twice = profile.copy()
    twice.merge(profile)
    assert twice.novel["t"] == {"x" * (MAX_NAME - 1) + "…": 4, "y" * MAX_NAME: 2}


def test_sums_beyond_the_largest_float_are_no_reason_to_write_to_stderr() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = window(LAYOUT, {"x": [1.7e308, 1.7e308], "t": ["a", "b"]})
        huge.merge(huge.copy())
        huge.merge(window(LAYOUT, {"x": [-1.7e308, -1.7e308], "t": ["a", "b"]}))
    assert (huge.rows, huge.low[0], huge.high[0]) == (6, -1.7e308, 1.7e308)
