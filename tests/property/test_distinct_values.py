"""The distinct values of a profile are those of plain dicts, in any order and any parts."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.errors import ProfileInvalid
from detectors.profiles import distinct
from detectors.profiles.binning import empty_feature, text_feature
from detectors.profiles.columns import Column, Texts, numbers_from_text
from detectors.profiles.fold import Fold
from detectors.profiles.hashing import BASE, MIX
from detectors.profiles.layout import Feature, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.reading import CellReading
from tests.support.examples import examples

READING = CellReading(missing=("NA",), booleans=True)
GRID = Feature(
    name="x", type="Fractional", kind="grid", edges=(0.0, 1.0), cells=(0, 0, 0), reading=READING
)
TEXT = text_feature("t", "feature", {"true": 9, "b": 9}, READING)
LAYOUT = Layout((GRID, TEXT, empty_feature("absent", "feature")))
WITHOUT_X = Layout((TEXT,))
MASK = 2**64 - 1

numbers = st.floats(-3, 3).map(repr) | st.integers(-4, 40).map(str) | st.sampled_from(["-0.0", "0"])
number_cells = numbers | st.sampled_from(["", "NA", "x", "nan", "-inf", "1e999", "True"])
texts = st.text("ab é\0", max_size=3) | st.integers(0, 40).map("new {}".format)
long_texts = st.builds(lambda end, n: "é" * n + end, st.sampled_from("ab"), st.integers(505, 515))
text_cells = st.none() | texts | long_texts | st.sampled_from(["TRUE", " true", "b ", "NA", ""])


def mixed(bits: int) -> int:
    """The finaliser of SplitMix64, in integers."""
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB & MASK
    return bits ^ (bits >> 31)


def hash_of(text: str) -> int:
    powers = (pow(BASE, k + 1, MASK + 1) for k in range(len(text.encode())))
    total = sum((b + 1) * p for b, p in zip(text.encode(), powers, strict=True)) & MASK
    return (total ^ (total >> 32)) * MIX & MASK


def rank(value: float | str) -> int:
    if isinstance(value, str):
        return mixed(hash_of(value))
    return mixed(int.from_bytes(struct.pack("<d", value), byteorder="little"))


def number(cell: str) -> float | None:
    """The finite number of a cell; ``True`` is 1 in this feature."""
    if cell in ("", "NA", "x", "nan", "-inf", "1e999"):
        return None
    return 1.0 if cell == "True" else float(cell) + 0.0


def text(cell: str | None) -> str | None:
    """The text of a cell as it counts."""
    trimmed = (cell or "").strip(" ")
    if trimmed in ("", "NA"):
        return None
    if len(trimmed.encode()) > distinct.MOST_BYTES:
        return f"{trimmed[:200]}…{hash_of(trimmed):016x}"
    return "true" if trimmed == "TRUE" else trimmed


def sample(values: list[float | str | None], most: int) -> tuple[dict[float | str, int], int]:
    """The sample of all rows at once, and the rows with a value."""
    counts = Counter(value for value in values if value is not None)
    kept = sorted(counts, key=rank)[:most]
    return {value: counts[value] for value in kept}, counts.total()


def found_in(profile: Profile) -> dict[int, tuple[dict[float | str, int], int]]:
    return {
        i: (dict(zip(found.values.tolist(), found.counts.tolist(), strict=True)), found.total)
        for i, found in profile.values.items()
    }


def columns(rows: Sequence[tuple[str, str | None]]) -> dict[str, Column]:
    written = pa.array([row[0] for row in rows], pa.string())
    return {
        "x": numbers_from_text(written, False, READING),
        "t": Texts(pa.array([row[1] for row in rows], pa.string())),
    }


def merged_somehow(parts: list[Profile], random: Random) -> Profile:
    """The sum of the parts in a random tree; some are encoded and decoded on their way."""
    while len(parts) > 1:
        random.shuffle(parts)
        right, left = parts.pop(), parts.pop()
        left.merge(right)
        parts.append(Profile.decode(left.encode(), LAYOUT) if random.random() < 0.3 else left)
    return parts[0]


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.tuples(number_cells, text_cells), min_size=1, max_size=120),
    st.randoms(),
    st.sampled_from([1, 7, 2_048]),
    st.data(),
)
def test_any_split_order_and_batches_keep_the_values_of_plain_dicts(
    rows: list[tuple[str, str | None]], random: Random, most: int, data: st.DataObject
) -> None:
    random.shuffle(rows)
    inner = data.draw(st.sets(st.integers(1, max(len(rows) - 1, 1)), max_size=8))
    edges = sorted({0, len(rows), *(k for k in inner if k < len(rows))})
    parts = []
    with patch("detectors.profiles.distinct.MOST_VALUES", most):
        for first, stop in pairwise(edges):
            cut = data.draw(st.integers(0, stop - first - 1))
            bounds = np.array(sorted({0, cut, stop - first}))
            sort_from = data.draw(st.sampled_from([1, 20, 1_000]))
            with patch("detectors.profiles.fold.SORT_FROM", sort_from):
                fold = Fold([LAYOUT], keep_values=True)
                parts += fold.fold(columns(rows[first:stop]), [0] * (len(bounds) - 1), bounds)
        merged = merged_somehow(parts, random)
        again = Profile.decode(merged.encode(), LAYOUT)
    expected = {
        0: sample([number(row[0]) for row in rows], most),
        1: sample([text(row[1]) for row in rows], most),
    }
    assert found_in(merged) == {i: kept for i, kept in expected.items() if kept[0]}
    assert found_in(again) == found_in(merged)
    assert again.encode() == merged.encode()
    for i, (kept, _) in found_in(merged).items():
        assert list(kept) == sorted(kept, key=rank), f"feature {i} is not in the order of ranks"


@pytest.mark.parametrize("sort_from", [1, 1_000])
def test_groups_keep_the_values_of_their_own_rows_and_layout(sort_from: int) -> None:
    rows = [("1", "b"), ("2", "TRUE"), ("2", "c"), ("", "c")]
    with patch("detectors.profiles.fold.SORT_FROM", sort_from):
        fold = Fold([LAYOUT, WITHOUT_X], keep_values=True)
        first, second, last = fold.fold(columns(rows), [0, 1, 0], np.array([0, 1, 3, 4]))
    assert found_in(first) == {0: ({1.0: 1}, 1), 1: ({"b": 1}, 1)}
    assert found_in(second) == {0: ({"true": 1, "c": 1}, 2)}
    assert found_in(last) == {1: ({"c": 1}, 1)}


def test_without_the_wish_no_value_is_kept() -> None:
    fold = Fold([LAYOUT])
    [small] = fold.fold(columns([("1", "b")]), [0], np.array([0, 1]))
    [large] = fold.fold(columns([("1", "b")] * 300), [0], np.array([0, 300]))
    assert (small.values, large.values) == ({}, {})


def test_a_million_different_values_take_the_memory_of_2048() -> None:
    rng = np.random.default_rng(1)
    kept = distinct.of_numbers(np.empty(0))
    for _ in range(200):
        kept = distinct.merged(kept, distinct.of_numbers(np.sort(rng.random(5_000))))
    assert (len(kept.ranks), kept.total, kept.complete) == (2_048, 1_000_000, False)
    assert kept.distinct == pytest.approx(1_000_000, rel=0.1)
    profile = Profile(LAYOUT)
    profile.add_values(0, kept)
    assert profile.nbytes < 60_000


@pytest.mark.parametrize("feature", [0, 1])
def test_damaged_values_are_refused(feature: int) -> None:
    fold = Fold([LAYOUT], keep_values=True)
    [profile] = fold.fold(columns([("1", "b"), ("2", "c")]), [0], np.array([0, 2]))
    wire = distinct.encode(profile.values[feature])
    with pytest.raises(ValueError, match="distinct values"):
        distinct.decode(distinct.Wire(99, wire.total, wire.text, wire.length, wire.body))
    with pytest.raises(ValueError, match="cannot be decompressed"):
        distinct.decode(distinct.Wire(wire.size, wire.total, wire.text, wire.length, b"x"))
    with pytest.raises(ProfileInvalid):
        Profile.decode(profile.encode().replace(wire.body, bytes(len(wire.body))), LAYOUT)
