"""The layout: slots, cells and labels are disjoint, complete, and the same everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.errors import LayoutInvalid
from detectors.profiles.layout import HASHED_BINS, HEAD, TAIL, Feature, Layout

GRID = Feature(name="g", type="Fractional", kind="grid", edges=(0.0, 1.0, 2.0), cells=(0, 0, 1, 2))
NEXT = float(np.nextafter(5.0, np.inf))
ATOM = Feature(
    name="a", type="Fractional", kind="grid", edges=(0.0, 5.0, NEXT, 9.0), cells=(0, 1, 2, 1, 3)
)
CODES = Feature(name="c", type="Integral", kind="codes", edges=(5.0, NEXT), cells=(1, 0, 1))
TEXT = Feature(
    name="t", type="String", kind="text", vocabulary=("red", "missing", "unseen #3", "[1, 2)")
)


def test_each_feature_owns_its_head_its_bins_and_its_tail() -> None:
    layout = Layout((GRID, TEXT))
    assert layout.starts.tolist() == [
        0,
        HEAD + 4 + TAIL,
        HEAD + 4 + TAIL + HEAD + 4 + HASHED_BINS + TAIL,
    ]
    assert layout.size == layout.starts[-1]
    assert layout.bins(0) == slice(6, 10)


def test_every_value_lies_in_exactly_one_coarse_cell() -> None:
    layout = Layout((GRID, CODES, TEXT))
    counts = np.zeros(layout.size, np.int64)
    for i, feature in enumerate(layout.features):
        counts[layout.bins(i)] = 1
        counts[int(layout.starts[i])], counts[int(layout.starts[i]) + 3] = 10, feature.bins
    cells = layout.coarse(counts)
    values = np.add.reduceat(cells, layout.cell_starts[:-1])
    assert values.tolist() == [4, 3, 4 + HASHED_BINS]
    assert cells[: GRID.bin_cells + CODES.bin_cells].tolist() == [2, 1, 1, 1, 2]


def test_missing_and_unreadable_values_are_in_no_coarse_cell() -> None:
    layout = Layout((GRID,))
    for slot in (0, 1, 2, 5, layout.size - 2, layout.size - 1):
        counts = np.zeros(layout.size, np.int64)
        counts[slot] = 3
        assert layout.coarse(counts).tolist() == [0, 0, 0]


def test_the_cells_of_unknown_values_are_the_hashed_ones_and_other() -> None:
    unseen = Layout((GRID, CODES, TEXT)).unseen.tolist()
    assert unseen == [*[False] * 3, False, True, *[False] * 4, *[True] * HASHED_BINS]


def test_labels_name_intervals_values_and_the_rest() -> None:
    assert Layout((GRID,)).cell_labels(0) == [
        "[-inf, 1)",
        "[1, 2)",
        "[2, inf)",
    ]
    assert Layout((CODES,)).cell_labels(0) == ["5", "other"]


def test_an_interval_names_the_values_in_it_that_have_cells_of_their_own() -> None:
    assert Layout((ATOM,)).cell_labels(0) == [
        "[-inf, 0)",
        "[0, 9) without 5",
        "5",
        "[9, inf)",
    ]


def test_an_interval_shows_whether_it_holds_the_value_that_it_borders_on() -> None:
    neighbour = Feature(
        name="b", type="Fractional", kind="grid", edges=(0.0, 5.0, NEXT, 9.0), cells=(0, 1, 2, 3, 4)
    )
    assert Layout((neighbour,)).cell_labels(0)[:5] == [
        "[-inf, 0)",
        "[0, 5)",
        "5",
        "(5, 9)",
        "[9, inf)",
    ]
    within = Feature(
        name="w", type="Fractional", kind="grid", edges=(0.0, 5.0, NEXT, 9.0), cells=(0, 1, 1, 2, 3)
    )
    assert Layout((within,)).cell_labels(0)[:4] == ["[-inf, 0)", "[0, 5]", "(5, 9)", "[9, inf)"]


def test_no_two_intervals_have_the_same_label_however_close_their_ends_are() -> None:
    close = Feature(
        name="p",
        type="Fractional",
        kind="grid",
        edges=(1234567.125, 1234567.25, 2345678.0),
        cells=(0, 1, 2, 3),
    )
    expected = [
        "[-inf, 1234567.1)",
        "[1234567.1, 1234567.2)",
        "[1234567.2, 2345678)",
        "[2345678, inf)",
    ]
    assert Layout((close,)).cell_labels(0)[:4] == expected
    third = float(np.nextafter(0.1 + 0.2, np.inf))
    neighbours = Feature(
        name="n", type="Fractional", kind="codes", edges=(0.3, 0.1 + 0.2, third), cells=(2, 0, 1, 2)
    )
    assert Layout((neighbours,)).cell_labels(0)[:3] == ["0.3", "0.30000000000000004", "other"]


def test_no_text_value_has_the_label_of_another_kind_of_cell() -> None:
    labels = Layout((TEXT,)).cell_labels(0)
    assert labels[:4] == ["red", '"missing"', '"unseen #3"', "[1, 2)"]
    assert len(set(labels)) == len(labels)


def test_the_fingerprint_covers_every_field_and_the_order() -> None:
    others = [
        (GRID,),
        (TEXT, GRID),
        (GRID, Feature(name="t", type="String", kind="text", vocabulary=("red",))),
        (
            Feature(
                name="g",
                type="Fractional",
                kind="grid",
                edges=(0.0, 1.0, 2.0),
                cells=(0, 0, 1, 2),
                center=0.5,
            ),
            TEXT,
        ),
        (
            Feature(
                name="g",
                type="Fractional",
                kind="grid",
                role="prediction",
                edges=(0.0, 1.0, 2.0),
                cells=(0, 0, 1, 2),
            ),
            TEXT,
        ),
    ]
    fingerprints = {Layout(features).fingerprint for features in others}
    assert len(fingerprints) == len(others)
    assert Layout((GRID, TEXT)).fingerprint not in fingerprints
    assert Layout((GRID, TEXT)) == Layout((GRID, TEXT)) != Layout((TEXT, GRID))


def test_a_layout_without_features_is_empty_but_valid() -> None:
    layout = Layout(())
    assert layout.size == 0
    assert layout.coarse(np.empty(0, np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ((GRID, GRID), "not unique"),
        ((Feature(name="x", type="String", kind="text", vocabulary=("a", "a")),), "twice"),
        ((Feature(name="x", type="Integral", kind="grid"),), "edges"),
        (
            (Feature(name="x", type="Integral", kind="grid", edges=(1.0, 1.0), cells=(0, 1, 2)),),
            "edges",
        ),
        (
            (Feature(name="x", type="Integral", kind="grid", edges=(float("nan"),), cells=(0, 1)),),
            "edges",
        ),
        (
            (
                Feature(
                    name="x",
                    type="Integral",
                    kind="grid",
                    edges=(0.0, float("inf")),
                    cells=(0, 1, 2),
                ),
            ),
            "edges",
        ),
        (
            (
                Feature(
                    name="x",
                    type="Integral",
                    kind="grid",
                    edges=tuple(map(float, range(256))),
                    cells=tuple(range(257)),
                ),
            ),
            "edges",
        ),
        (
            (Feature(name="x", type="Integral", kind="grid", edges=(0.0, 1.0), cells=(0, 1)),),
            "cells",
        ),
        (
            (Feature(name="x", type="Integral", kind="grid", edges=(0.0, 1.0), cells=(0, 2, 2)),),
            "cells",
        ),
    ],
)
def test_an_invalid_layout_is_refused_with_the_name_of_the_feature(
    features: tuple[Feature, ...], reason: str
) -> None:
    with pytest.raises(LayoutInvalid, match=reason) as caught:
        Layout(features)
    assert caught.value.name == features[0].name
