"""Columns that changed places, over a whole window."""

from __future__ import annotations

from time import process_time

import numpy as np

from detectors.diagnosis.cause import drift_cause
from detectors.diagnosis.swapped_columns import swapped_columns
from detectors.profiles.columns import Column
from detectors.statistics.distances.base import Pair
from stream.testing.baselines import Values, baseline, normal, texts, window

DATA: dict[str, Values] = {
    "age": normal(1, 4_000, mean=40.0, std=9.0),
    "height": normal(2, 4_000, mean=170.0, std=10.0),
    "weight": normal(3, 4_000, mean=75.0, std=12.0),
    "colour": texts({"red": 2_000, "blue": 2_000}),
    "size": texts({"small": 3_000, "large": 1_000}),
}
BASE = baseline(DATA)


def moved(**sources: str) -> Pair:
    """A window of 900 rows in which some columns hold the values of others."""
    fresh: dict[str, Values] = {
        "age": normal(4, 900, mean=40.0, std=9.0),
        "height": normal(5, 900, mean=170.0, std=10.0),
        "weight": normal(6, 900, mean=75.0, std=12.0),
        "colour": texts({"red": 440, "blue": 460}),
        "size": texts({"small": 670, "large": 230}),
    }
    rows: dict[str, Values | Column] = {name: fresh[sources.get(name, name)] for name in fresh}
    return Pair(BASE.profile, window(BASE.layout, rows))


def test_two_swapped_columns_name_each_other() -> None:
    found = swapped_columns(moved(age="weight", weight="age"), [0, 2])
    assert {i: cause.words for i, cause in found.items()} == {
        0: "swapped with the column weight",
        2: "swapped with the column age",
    }


def test_columns_that_moved_on_by_one_are_a_cycle() -> None:
    found = swapped_columns(moved(age="height", height="weight", weight="age"), [0, 1, 2])
    assert {i: cause.numbers["column"] for i, cause in found.items()} == {
        0: "height",
        1: "weight",
        2: "age",
    }
    assert found[0].numbers["columns"] == 3.0


def test_swapped_texts_name_each_other() -> None:
    found = swapped_columns(moved(colour="size", size="colour"), [3, 4])
    assert {i: cause.numbers["column"] for i, cause in found.items()} == {3: "size", 4: "colour"}


def test_a_copied_column_is_not_swapped() -> None:
    assert swapped_columns(moved(age="weight"), [0]) == {}
    assert swapped_columns(moved(age="weight"), [0, 2]) == {}


def test_columns_of_one_distribution_cannot_be_told_apart() -> None:
    same = {name: normal(seed, 4_000) for seed, name in enumerate("abcd")}
    base = baseline(same)
    shifted = {name: normal(9 + k, 900) for k, name in enumerate("abcd")}
    pair = Pair(base.profile, window(base.layout, shifted))
    assert swapped_columns(pair, [0, 1, 2, 3]) == {}


def test_200_features_that_drift_take_less_than_a_second() -> None:
    """About 0.3 s of an idle core: the limit is wide, for one that others use too."""
    features = 200
    rng = np.random.default_rng(3)
    means, stds = rng.uniform(-50, 50, features), rng.uniform(1, 20, features)
    base = baseline({f"f{k}": rng.normal(means[k], stds[k], 2_000) for k in range(features)})
    rows = {f"f{k}": rng.gamma(2.0, stds[k], 1_000) for k in range(features)}
    pair = Pair(base.profile, window(base.layout, rows))
    start = process_time()
    swapped_columns(pair, range(features))
    for i in range(features):
        drift_cause(pair, i)
    assert process_time() - start < 3.0
