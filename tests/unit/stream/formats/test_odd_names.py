"""Columns whose names JSON escapes: they are found, and read one document at a time."""

from __future__ import annotations

import json

import pytest

from stream.formats.json_paths import LEAF_TYPES, PathReader


@pytest.mark.parametrize("name", ['weight "kg"', "a\\b", "Amount\n(EUR)", "\x1b[31m", "\ud800"])
def test_a_name_that_json_escapes_is_left_to_the_exact_reader(name: str) -> None:
    for path in [(name,), (name, "b"), ("a", name)]:
        reader = PathReader([path, ("score",)], [LEAF_TYPES["float"]] * 2)
        assert not reader.usable
        assert reader.read(["{}"]).failed == [0]


@pytest.mark.parametrize("name", ["größe", "日本", "$ref", "\x7f", "\u2028", "a/b", ""])
def test_other_odd_names_are_read_by_a_type(name: str) -> None:
    reader = PathReader([(name,)], [LEAF_TYPES["float"]])
    for text in (json.dumps({name: 7.5}), json.dumps({name: 7.5}, ensure_ascii=False)):
        assert reader.read([text]).values(0) == [7.5]
