"""Names of new values: those of a hashed bin, the most frequent of a feature, cut and escaped."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from detectors.diagnosis.new_values import new_value_labels, new_values, new_values_in_words
from detectors.profiles.hashing import hashed, hashed_bin
from detectors.profiles.layout import HEAD, Layout
from detectors.profiles.profile import Profile
from stream.testing.baselines import feature, texts, window

LAYOUT = Layout((feature("x", [1.0, 2.0] * 50), feature("t", texts({"known": 5, "new: 'a'": 3}))))
FIRST = 2
"""The cell of the first hashed bin: after the two known values."""


def side(counts: dict[str, int]) -> Profile:
    values = texts(counts)
    return window(LAYOUT, {"x": [1.0] * len(values), "t": values})


def sharing_a_bin(least: int) -> list[str]:
    """Some texts of one hashed bin."""
    members: dict[int, list[str]] = defaultdict(list)
    for k in range(10_000):
        name = f"w{k}"
        found = members[int(hashed_bin(hashed(pa.array([name])))[0])]
        found.append(name)
        if len(found) == least:
            return found
    raise AssertionError


def test_a_label_names_the_new_values_of_its_bin() -> None:
    # Hashed bins 0, 55 and 17, by the formula of the hash.
    labels = new_value_labels(side({"known": 9, "a": 3, "b": 2}), 1)
    assert labels == {FIRST + 55: "new: 'a'", FIRST + 17: "new: 'b'"}
    assert new_value_labels(side({"known": 9}), 1) == {}
    assert new_value_labels(Profile(LAYOUT), 1) == {}
    assert new_value_labels(side({"a": 3}), 0) == {}


def test_new_values_of_one_bin_are_named_together_the_most_frequent_first() -> None:
    a, b, c, d = sharing_a_bin(4)
    (label,) = new_value_labels(side({a: 1, b: 5, c: 2}), 1).values()
    assert label == f"new: '{b}', '{c}', '{a}'"
    (label,) = new_value_labels(side({a: 1, b: 5, c: 2, d: 3}), 1).values()
    assert label == f"new: '{b}', '{d}', '{c}' and others"
    assert new_values_in_words(side({a: 1, b: 5}), 1) == f"'{b}', '{a}'"


def test_values_beyond_the_sample_are_the_others() -> None:
    many = side({f"new {k}": 1 + k % 3 for k in range(500)})
    kept = many.novel["t"]
    assert len(kept) == 20
    for cell, label in new_value_labels(many, 1).items():
        rows = int(many.counts[int(LAYOUT.starts[1]) + HEAD + cell])
        named = sum(count for name, count in kept.items() if f"'{name}'" in label)
        assert 0 < named <= rows
        assert label.endswith(" and others") == (named < rows)
    assert new_values_in_words(many, 1).endswith(" and others")


def test_no_known_value_has_the_label_of_a_new_one() -> None:
    labels = LAYOUT.cell_labels(1)
    assert labels[1] == "\"new: 'a'\""
    assert not set(labels) & set(new_value_labels(side({"a": 1}), 1).values())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\x1b[2J", r"'\x1b[2J'"),
        ("two\nlines", r"'two\nlines'"),
        ("\u202egnp", r"'\u202egnp'"),
        ("it's", '"it\'s"'),
        ("é" * 60, f"'{'é' * 60}'"),
        ("é" * 61, f"'{'é' * 59}…'"),
    ],
)
def test_a_name_is_cut_and_its_control_characters_are_escaped(value: str, shown: str) -> None:
    (label,) = new_value_labels(side({value: 4}), 1).values()
    assert label == f"new: {shown}"
    assert label.isprintable()


def test_a_value_that_the_counts_have_cut_is_one_of_the_others() -> None:
    long = side({"y" * 300: 9})
    assert new_value_labels(long, 1) == {}
    assert new_values_in_words(long, 1) == ""
    assert new_values_in_words(side({"y" * 300: 9, "b": 1}), 1) == "'b' and others"


def test_a_cell_without_a_count_has_no_new_values() -> None:
    cleared = side({"a": 3, "b": 2})
    (slot,) = {value.slot for value in new_values(cleared, 1) if value.name == "a"}
    cleared.counts[slot] = 0
    assert list(new_value_labels(cleared, 1).values()) == ["new: 'b'"]
    assert new_values_in_words(cleared, 1, allowed=np.array([slot])) == "'b'"
