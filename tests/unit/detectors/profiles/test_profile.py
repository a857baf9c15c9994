"""Profiles add up exactly in any order, and are unchanged by encoding."""

from __future__ import annotations

import warnings
from itertools import permutations

import msgspec
import numpy as np
import pytest

from detectors.errors import LayoutMismatch
from detectors.profiles.layout import Layout
from detectors.profiles.novel import MAX_NAME, MAX_NOVEL
from detectors.profiles.profile import Profile
from stream.testing.baselines import feature, normal, texts, window

LAYOUT = Layout((feature("x", normal(1, 500)), feature("t", texts({"a": 5, "b": 3}))))
PARTS = [
    window(LAYOUT, {"x": [0.5, None, 2.0], "t": ["a", "b", None]}),
    window(LAYOUT, {"x": [-9.0, 3.25], "t": ["new", "a"]}),
    window(LAYOUT, {"x": [None], "t": ["other"]}),
]


def merged(parts: tuple[Profile, ...]) -> Profile:
    total = Profile(LAYOUT)
    for part in parts:
        total.merge(part)
    return total


def test_any_order_of_merging_leads_to_the_same_integers_and_extremes() -> None:
    profiles = [merged(order) for order in permutations(PARTS)]
    assert len({profile.counts.tobytes() for profile in profiles}) == 1
    for profile in profiles:
        assert (profile.rows, profile.low[0], profile.high[0]) == (6, -9.0, 3.25)
        assert profile.missing.tolist() == [2, 1]
        assert int(profile.finite[0]) == 4


def test_moments_are_sums_around_the_baselines_mean() -> None:
    center = LAYOUT.features[0].center
    values = np.array([0.5, 2.0, -9.0, 3.25])
    whole = merged(tuple(PARTS))
    assert whole.sums[0] == pytest.approx(
        [(values - center).sum(), ((values - center) ** 2).sum()], rel=1e-12
    )


def test_an_empty_profile_changes_nothing() -> None:
    profile = PARTS[0].copy()
    profile.merge(Profile(LAYOUT))
    assert profile.encode() == PARTS[0].encode()


def test_a_copy_is_independent() -> None:
    copy = PARTS[0].copy()
    copy.merge(PARTS[1])
    assert PARTS[0].rows == 3
    assert copy.rows == 5


def test_profiles_of_different_layouts_do_not_merge() -> None:
    other = Layout((feature("x", normal(2, 500)), feature("t", texts({"a": 5}))))
    with pytest.raises(LayoutMismatch) as caught:
        Profile(LAYOUT).merge(Profile(other))
    assert (caught.value.ours, caught.value.theirs) == (LAYOUT.fingerprint, other.fingerprint)
    with pytest.raises(LayoutMismatch):
        Profile.decode(PARTS[0].encode(), other)


def test_a_profile_survives_encoding() -> None:
    whole = merged(tuple(PARTS))
    decoded = Profile.decode(whole.encode(), LAYOUT)
    assert decoded.encode() == whole.encode()
    assert decoded.counts.tolist() == whole.counts.tolist()
    assert Profile.rows_of(whole.encode()) == 6
    decoded.merge(PARTS[0])
    assert decoded.rows == 9


def test_names_of_unseen_values_are_bounded_and_no_number_depends_on_them() -> None:
    many = window(LAYOUT, {"x": [0.0] * 100, "t": [f"new {k}" for k in range(100)]})
    assert len(many.novel["t"]) <= MAX_NOVEL
    many.merge(many.copy())
    assert len(many.novel["t"]) <= MAX_NOVEL
    assert int(many.counts[LAYOUT.bins(1)].sum()) == 200


def test_only_the_beginning_of_a_very_long_value_is_kept() -> None:
    profile = Profile(LAYOUT)
    profile.note_novel("t", {"x" * 1_000_000: 2, "y" * MAX_NAME: 1})
    assert profile.novel["t"] == {"x" * (MAX_NAME - 1) + "…": 2, "y" * MAX_NAME: 1}
    twice = profile.copy()
    twice.merge(profile)
    assert twice.novel["t"] == {"x" * (MAX_NAME - 1) + "…": 4, "y" * MAX_NAME: 2}


def test_names_that_an_older_version_stored_are_read_in_any_order_and_bounded() -> None:
    names = {f"new {k}": 1 + k for k in range(30)}
    decoded = []
    for stored in (names, dict(reversed(names.items()))):
        wire = msgspec.msgpack.decode(PARTS[0].encode())
        assert wire[-1] == {}
        wire[-1] = {"t": stored}
        decoded.append(Profile.decode(msgspec.msgpack.encode(wire), LAYOUT))
    first, second = decoded
    assert first.encode() == second.encode()
    assert len(first.novel["t"]) == MAX_NOVEL
    assert first.novel["t"].items() <= names.items()


def test_sums_beyond_the_largest_float_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = window(LAYOUT, {"x": [1.7e308, 1.7e308], "t": ["a", "b"]})
        huge.merge(huge.copy())
        huge.merge(window(LAYOUT, {"x": [-1.7e308, -1.7e308], "t": ["a", "b"]}))
    assert (huge.rows, huge.low[0], huge.high[0]) == (6, -1.7e308, 1.7e308)
