"""Both ways of counting lead to the same integers, which are those of plain loops."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np
import pyarrow as pa
import pytest
from msgspec import UNSET

from detectors.profiles.columns import Column, Numbers, Texts
from detectors.profiles.fold import Fold, fold
from detectors.profiles.hashing import BASE, MIX, hashed, hashed_bin
from detectors.profiles.layout import (
    BOOLEAN,
    FRACTIONAL,
    HEAD,
    INTEGRAL,
    MISSING,
    NEG_INF,
    STRING,
    Feature,
    Layout,
)
from detectors.profiles.profile import Profile
from detectors.profiles.vocabulary_choice import rare_values

WORDS = [f"w{k}" for k in range(12)]
RARE = ["w7", "w9", "w10"]


def layout(seed: int) -> Layout:
    rng = np.random.default_rng(seed)
    features = []
    for name in ("a", "b", "c"):
        edges = np.unique(rng.normal(size=40 + seed))
        cells = np.arange(len(edges) + 1) * 10 // (len(edges) + 1)
        features.append(
            Feature(
                name=name,
                type="Fractional",
                kind="grid",
                edges=tuple(edges.tolist()),
                cells=tuple(cells.tolist()),
                center=seed * 0.1,
            )
        )
    features.append(
        Feature(
            name="t",
            type="String",
            kind="text",
            vocabulary=tuple(WORDS[seed : seed + 6]),
            rare=rare_values([(word, 2) for word in RARE]) if seed else UNSET,
        )
    )
    features.append(Feature(name="absent", type="String", kind="text", vocabulary=("x",)))
    return Layout(tuple(features))


def columns(rows: int, seed: int) -> dict[str, Column]:
    rng = np.random.default_rng(seed)
    with_non_finite = rng.normal(size=rows).round(1)
    with_non_finite[rng.random(rows) < 0.1] = np.nan
    with_non_finite[rng.random(rows) < 0.1] = np.inf
    with_non_finite[rng.random(rows) < 0.1] = -np.inf
    slots = rng.choice(np.array([MISSING, BOOLEAN, STRING, INTEGRAL, FRACTIONAL], np.uint8), rows)
    mixed = np.where(slots >= INTEGRAL, rng.normal(size=rows).round(1), np.nan)
    text = [None if rng.random() < 0.1 else WORDS[rng.integers(12)] for _ in range(rows)]
    return {
        "a": Numbers(rng.normal(size=rows).round(1)),
        "b": Numbers(with_non_finite),
        "c": Numbers(mixed, slots),
        "t": Texts(pa.array(text, pa.string())),
    }


def plain_hash(word: str) -> int:
    modulus = 1 << 64
    total = (
        sum((byte + 1) * pow(BASE, j + 1, modulus) for j, byte in enumerate(word.encode()))
        % modulus
    )
    return (total ^ (total >> 32)) * MIX % modulus


def plain_number(x: float, slot: int | None, edges: tuple[float, ...], bins: int) -> list[int]:
    """The slots of a feature in which a cell of a numeric column is counted."""
    if slot is not None and slot < INTEGRAL:
        return [slot]
    if math.isnan(x):
        return [HEAD + bins + 1]
    if math.isinf(x):
        return [HEAD + bins if x > 0 else NEG_INF]
    kind = slot if slot is not None else (INTEGRAL if x == math.floor(x) else FRACTIONAL)
    return [kind, HEAD + bisect_right(edges, x)]


def counts_by_loops(layout: Layout, data: dict[str, Column], start: int, stop: int) -> list[int]:
    counts = [0] * layout.size
    for i, feature in enumerate(layout.features):
        first = int(layout.starts[i])
        column = data.get(feature.name)
        for row in range(start, stop):
            if column is None:
                hits = [MISSING]
            elif isinstance(column, Numbers):
                slot = None if column.slots is None else int(column.slots[row])
                hits = plain_number(float(column.values[row]), slot, feature.edges, feature.bins)
            else:
                word = column.values[row].as_py()
                bin_of_word = len(feature.vocabulary) + (plain_hash(word or "") >> 58)
                if word in RARE and feature.rare_bin is not None:
                    bin_of_word += 64
                if word in feature.vocabulary:
                    bin_of_word = feature.vocabulary.index(word)
                hits = [MISSING] if word is None else [STRING, HEAD + bin_of_word]
            for hit in hits:
                counts[first + hit] += 1
    return counts


@pytest.mark.parametrize("sort_from", [1, 50, 10**9])
def test_both_ways_of_counting_agree_with_plain_loops(
    sort_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detectors.profiles.fold.SORT_FROM", sort_from)
    layouts = [layout(seed) for seed in range(3)]
    data = columns(400, seed=5)
    bounds = np.array([0, 1, 30, 31, 200, 400])
    layout_of_group = [0, 1, 2, 0, 1]
    for g, profile in enumerate(Fold(layouts).fold(data, layout_of_group, bounds)):
        assert profile.counts.tolist() == counts_by_loops(
            layouts[layout_of_group[g]], data, int(bounds[g]), int(bounds[g + 1])
        )
        assert profile.rows == bounds[g + 1] - bounds[g]


def test_moments_are_those_of_the_finite_numbers_around_the_center(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = columns(300, seed=9)
    second = layout(2)
    x = data["b"].values[np.isfinite(data["b"].values)]
    for sort_from in (1, 10**9):
        monkeypatch.setattr("detectors.profiles.fold.SORT_FROM", sort_from)
        profile = fold(second, data)
        assert profile.sums[1].tolist() == pytest.approx(
            [(x - 0.2).sum(), ((x - 0.2) ** 2).sum()], rel=1e-12
        )
        assert (profile.low[1], profile.high[1]) == (x.min(), x.max())


def test_the_eight_type_slots_add_up_to_the_rows() -> None:
    first = layout(1)
    profile = fold(first, columns(500, seed=3))
    for i in range(len(first.features)):
        slots = profile.counts[first.starts[i] : first.starts[i + 1]]
        assert slots[:HEAD].sum() + slots[-2:].sum() == 500


def test_a_profile_survives_encoding_and_splitting() -> None:
    first = layout(1)
    data = columns(500, seed=4)
    whole = fold(first, data)
    merged = Profile(first)
    for start in range(0, 500, 77):
        merged.merge(fold(first, data, start, min(start + 77, 500)))
    decoded = Profile.decode(merged.encode(), first)
    assert decoded.counts.tolist() == whole.counts.tolist()
    assert np.allclose(decoded.sums, whole.sums, rtol=1e-9)
    assert decoded.rows == 500


def test_the_hash_of_unseen_values_is_its_formula_for_any_bytes() -> None:
    words = ["", "a", "b", "ab", "ba", "Grüße", "x" * 300, "\x00", "日本"]
    assert hashed_bin(hashed(pa.array(words))).tolist() == [
        plain_hash(word) >> 58 for word in words
    ]
    assert hashed_bin(hashed(pa.array(words).slice(2, 3))).tolist() == [
        plain_hash(word) >> 58 for word in words[2:5]
    ]
