"""The two classes of a binary model: from the configuration, the baseline, or by their opposite."""

from __future__ import annotations

import pytest

from detectors.quality.classes import class_name, class_pair
from detectors.quality.config import QualityConfig


@pytest.mark.parametrize(
    ("positive", "negative", "baseline", "expected"),
    [
        ("", "", None, ("1", "0")),
        ("0", "", None, ("0", "1")),
        ("1.0", "", None, ("1", "0")),
        ("true", "", None, ("true", "false")),
        ("True", "", None, ("True", "False")),
        ("NO", "", None, ("NO", "YES")),
        ("fraud", "", None, ("fraud", "")),
        ("fraud", "fine", None, ("fraud", "fine")),
        ("", "2", None, ("1", "2")),
        ("", "", ("b", "a"), ("b", "a")),
        ("a", "", ("b", "a"), ("a", "b")),
        ("1.0", "", ("2", "1"), ("1", "2")),
        ("c", "", ("b", "a"), ("c", "")),
        ("yes", "", ("b", "a"), ("yes", "no")),
        ("c", "d", ("b", "a"), ("c", "d")),
        ("", "d", ("b", "a"), ("b", "d")),
    ],
)
def test_the_configuration_comes_first_then_the_baseline_then_the_opposite(
    positive: str, negative: str, baseline: tuple[str, str] | None, expected: tuple[str, str]
) -> None:
    config = QualityConfig(problem="binary", positive=positive, negative=negative)
    assert class_pair(config, baseline) == expected


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["1", 1, 1.0, "1.0", " 01 ", "1e0", "+1"], "1"),
        (["0", -0.0, "-0"], "0"),
        (["0.1", 0.1, ".1", "1e-1"], "0.1"),
        ([True, "true"], "true"),
        (["1_0"], "1_0"),
        (["True"], "True"),
        (["1e300"], str(int(1e300))),
    ],
)
def test_all_spellings_of_a_number_are_one_class(spellings: list[str | float], name: str) -> None:
    assert {class_name(spelling) for spelling in spellings} == {name}
