"""Counts of pairs are those of plain loops, and add up exactly however the rows are divided."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from msgspec.structs import replace

from detectors.errors import LayoutInvalid, ProfileInvalid
from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import Fold, fold
from detectors.profiles.joint_counts import AT_ONCE, JointPairs
from detectors.profiles.joint_levels import JointLevels, levels_of_numbers, levels_of_words
from detectors.profiles.layout import FRACTIONAL, MISSING, STRING, Layout
from detectors.profiles.profile import Profile
from stream.testing.baselines import feature, normal, texts

LEVELS = {
    "x": JointLevels(cuts=(-0.5, 0.0, 0.5)),
    "y": JointLevels(cuts=(1.0,)),
    "t": JointLevels(of_words=(0, 1, 2), of_others=3),
}
PLAIN = Layout(
    (
        feature("x", normal(1, 500)),
        feature("only", normal(2, 500)),
        feature("y", [float(k % 3) for k in range(30)]),
        feature("t", texts({"a": 50, "b": 30, "c": 20})),
    )
)
LAYOUT = Layout(
    tuple(replace(f, joint=LEVELS[f.name]) if f.name in LEVELS else f for f in PLAIN.features)
)
WORDS = ["a", "b", "c", "new", "", None]


def columns(rows: int, seed: int) -> dict[str, Column]:
    """Numbers with NaN, infinities, missing cells and texts among them, and texts with nulls."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows).round(1)
    x[rng.random(rows) < 0.2] = rng.choice([np.nan, np.inf, -np.inf])
    slots = rng.choice(np.array([MISSING, STRING, FRACTIONAL, FRACTIONAL], np.uint8), rows)
    y = np.where(slots == FRACTIONAL, rng.integers(0, 3, rows), np.nan)
    words = [WORDS[k] for k in rng.integers(len(WORDS), size=rows)]
    return {
        "x": Numbers(x),
        "only": Numbers(rng.normal(size=rows)),
        "y": Numbers(y, slots),
        "t": Texts(pa.array(words, pa.string())),
    }


def levels_by_loop(data: dict[str, Column], row: int) -> list[int | None]:
    x, y, t = (data[name] for name in ("x", "y", "t"))
    assert isinstance(x, Numbers)
    assert isinstance(y, Numbers)
    assert isinstance(t, Texts)
    number, other, word = float(x.values[row]), float(y.values[row]), t.values[row].as_py()
    return [
        None if not np.isfinite(number) else (number >= -0.5) + (number >= 0.0) + (number >= 0.5),
        None if np.isnan(other) else int(other >= 1.0),
        None if word in (None, "") else {"a": 0, "b": 1, "c": 2}.get(word, 3),
    ]


def tables_by_loop(data: dict[str, Column], start: int, stop: int) -> list[list[list[int]]]:
    tables = np.zeros((3, 4, 4), np.int64)
    for row in range(start, stop):
        levels = levels_by_loop(data, row)
        for k, (i, j) in enumerate([(0, 1), (0, 2), (1, 2)]):
            a, b = levels[i], levels[j]
            if a is not None and b is not None:
                tables[k, a, b] += 1
    return list(tables.tolist())


@pytest.mark.parametrize("sort_from", [1, 10**9])
def test_tables_are_those_of_plain_loops(sort_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.profiles.fold.SORT_FROM", sort_from)
    data, bounds = columns(700, seed=3), np.array([0, 1, 8, 300, 700])
    profiles = Fold([PLAIN, LAYOUT]).fold(data, [1, 0, 1, 1], bounds)
    assert len(profiles[1].pairs) == 0
    for g in (0, 2, 3):
        tables = JointPairs(LAYOUT).tables(profiles[g].pairs)
        assert tables.tolist() == tables_by_loop(data, int(bounds[g]), int(bounds[g + 1]))


def test_counts_do_not_depend_on_how_the_rows_are_divided() -> None:
    rows = 2 * AT_ONCE + 5
    data = columns(rows, seed=4)
    whole, merged = fold(LAYOUT, data), Profile(LAYOUT)
    for start, stop in reversed(list(pairwise([0, 1, 100, AT_ONCE + 3, rows]))):
        merged.merge(fold(LAYOUT, data, start, stop))
    assert merged.pairs.tolist() == whole.pairs.tolist()
    assert merged.copy().pairs.tolist() == whole.pairs.tolist()
    # A feature beside itself: the rows in which it has a level.
    assert whole.pairs[0] == np.isfinite(data["x"].values).sum()


def test_the_other_counts_are_those_of_a_layout_without_pairs() -> None:
    data = columns(300, seed=5)
    assert fold(LAYOUT, data).counts.tolist() == fold(PLAIN, data).counts.tolist()


def test_an_absent_column_has_no_level() -> None:
    data = columns(300, seed=6)
    del data["t"]
    tables = JointPairs(LAYOUT).tables(fold(LAYOUT, data).pairs)
    assert (
        tables[0].tolist()
        == tables_by_loop(data | {"t": Texts(pa.nulls(300, pa.string()))}, 0, 300)[0]
    )
    assert not tables[1:].any()


def test_pairs_survive_encoding_and_damage_is_refused() -> None:
    profile = fold(LAYOUT, columns(300, seed=7))
    assert Profile.decode(profile.encode(), LAYOUT).pairs.tolist() == profile.pairs.tolist()
    other = Profile(LAYOUT)
    other.pairs = profile.pairs[:-1]
    with pytest.raises(ProfileInvalid):
        Profile.decode(other.encode(), LAYOUT)


def test_a_profile_without_pairs_has_the_bytes_of_before() -> None:
    profile = fold(PLAIN, columns(50, seed=8))
    fields = 6  # version, fingerprint, rows, size, body, novel
    assert profile.encode()[0] == 0x90 + fields


def test_numbers_are_cut_at_the_edges_nearest_to_their_quartiles() -> None:
    edges = np.arange(1.0, 100.0)
    assert levels_of_numbers(edges, np.ones(100, np.int64)).cuts == (25.0, 50.0, 75.0)
    # 97 % of one value: no edge leaves 2 % on both of its sides, but the one beside it.
    assert levels_of_numbers(np.array([1.0, 2.0]), np.array([97, 3, 0])).cuts == (1.0,)
    assert levels_of_numbers(np.array([1.0, 2.0]), np.array([99, 1, 0])).cuts == ()
    assert levels_of_numbers(np.array([1.0]), np.zeros(2, np.int64)) == JointLevels()


def test_words_are_spread_over_levels_of_equal_shares() -> None:
    # By frequency: 40, 30, 20, 10; then 8 and the others (2) join the smallest.
    counts = np.array([40, 30, 20, 10, 8, 1, 1])
    assert levels_of_words(counts, 5) == JointLevels(of_words=(0, 1, 2, 3, 3), of_others=3)
    assert levels_of_words(np.array([99, 1, 0]), 2).count == 1
    assert levels_of_words(np.zeros(3, np.int64), 2) == JointLevels(of_words=(0, 0), of_others=0)


@pytest.mark.parametrize(
    "levels",
    [
        JointLevels(cuts=(1.0, 1.0)),
        JointLevels(cuts=(1.0, 2.0, 3.0, 4.0)),
        JointLevels(cuts=(np.inf,)),
        JointLevels(of_words=(0,)),
    ],
)
def test_a_layout_refuses_levels_that_are_none(levels: JointLevels) -> None:
    with pytest.raises(LayoutInvalid):
        Layout((replace(PLAIN.features[0], joint=levels),))
