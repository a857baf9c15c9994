"""The names of unseen values are a function of the rows: of no order, no batches and no readers."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.profiles.binning import text_feature
from detectors.profiles.columns import Column, Texts
from detectors.profiles.fold import Fold
from detectors.profiles.hashing import BASE, MIX
from detectors.profiles.layout import Layout
from detectors.profiles.profile import Profile
from detectors.profiles.reading import CellReading
from tests.support.examples import examples

KNOWN = ("a", "b")
LAYOUT = Layout(
    (
        text_feature("t", "feature", dict.fromkeys(KNOWN, 9), CellReading(missing=("NA",))),
        text_feature("u", "feature", dict.fromkeys(KNOWN, 9), CellReading(missing=("NA",))),
    )
)
WITHOUT_U = Layout(LAYOUT.features[:1])

few_letters = st.text("ab cZ\0é", max_size=3)
long_texts = st.builds(lambda end, n: "long " * n + end, few_letters, st.integers(38, 42))
numbered = st.integers(0, 60).map("new {}".format)
cells = st.none() | st.sampled_from([*KNOWN, "NA"]) | numbered | few_letters | long_texts


def plain_rank(name: str) -> tuple[int, str]:
    """The order of the sample by its formula: the hash without its six highest bits."""
    total = sum((byte + 1) * BASE ** (k + 1) for k, byte in enumerate(name.encode())) % 2**64
    return (total ^ (total >> 32)) * MIX * 64 % 2**64, name


def plain_sample(texts: list[str | None]) -> dict[str, int]:
    """The sample from all rows at once."""
    trimmed = [text.strip(" \t") for text in texts if text is not None]
    unseen = [text for text in trimmed if text not in ("", "NA", *KNOWN)]
    counts = Counter(text if len(text) <= 200 else text[:199] + "…" for text in unseen)
    return {name: counts[name] for name in sorted(counts, key=plain_rank)[:20]}


def expected(columns: dict[str, list[str | None]]) -> dict[str, dict[str, int]]:
    found = {name: plain_sample(texts) for name, texts in columns.items()}
    return {name: names for name, names in found.items() if names}


def column(texts: list[str | None]) -> Column:
    return Texts(pa.array(texts, pa.string()))


def merged_somehow(parts: list[Profile], random: Random) -> Profile:
    """The sum of the parts in a random tree; some are encoded and decoded on their way."""
    while len(parts) > 1:
        random.shuffle(parts)
        right, left = parts.pop(), parts.pop()
        left.merge(right)
        parts.append(Profile.decode(left.encode(), LAYOUT) if random.random() < 0.3 else left)
    return parts[0]


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=120), st.randoms(), st.data())
def test_any_split_order_and_batches_give_the_same_names_and_exact_counts(
    rows: list[tuple[str | None, str | None]], random: Random, data: st.DataObject
) -> None:
    random.shuffle(rows)
    table = {name: [row[k] for row in rows] for k, name in enumerate("tu")}
    inner = data.draw(st.sets(st.integers(1, max(len(rows) - 1, 1)), max_size=8))
    edges = sorted({0, len(rows), *(k for k in inner if k < len(rows))})
    batches = [{name: texts[i:j] for name, texts in table.items()} for i, j in pairwise(edges)]
    parts = []
    for batch in batches:
        size = len(batch["t"])
        cut = data.draw(st.integers(0, size - 1))
        bounds = np.array(sorted({0, cut, size}))
        sort_from = data.draw(st.sampled_from([1, 20, 1_000]))
        with patch("detectors.profiles.fold.SORT_FROM", sort_from):
            columns = {name: column(texts) for name, texts in batch.items()}
            parts += Fold([LAYOUT]).fold(columns, [0] * (len(bounds) - 1), bounds)
    merged = merged_somehow(parts, random)
    assert merged.novel == expected(table)
    assert [list(names) for names in merged.novel.values()] == [
        sorted(names) for names in merged.novel.values()
    ]


def test_groups_of_another_layout_note_names_of_its_own_features_alone() -> None:
    columns = {"t": column(["x", "a", "y"]), "u": column(["v", "w", "b"])}
    fold = Fold([LAYOUT, WITHOUT_U])
    both, without = fold.fold(columns, [0, 1], np.array([0, 1, 3]))
    assert both.novel == {"t": {"x": 1}, "u": {"v": 1}}
    assert without.novel == {"t": {"y": 1}}


def test_equal_hashes_are_ordered_by_the_text() -> None:
    with patch("detectors.profiles.novel.hashed", lambda names: np.zeros(len(names), np.uint64)):
        names = [f"{k:02}" for k in range(30)]
        merged = Profile(LAYOUT)
        for name in Random(0).sample(names, 30):
            merged.note_novel("t", {name: 1})
        at_once = Profile(LAYOUT)
        at_once.note_novel("t", dict.fromkeys(reversed(names), 1))
    assert list(merged.novel["t"]) == list(at_once.novel["t"]) == names[:20]
