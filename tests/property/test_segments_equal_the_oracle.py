"""The counts by segment are those of plain loops, on any text, in any division into batches."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.profiles.columns import Column, Texts, numbers_from_text
from detectors.profiles.fold import Fold
from detectors.profiles.layout import HEAD, Feature, Layout
from detectors.profiles.profile import Profile
from detectors.profiles.reading import CellReading
from detectors.profiles.segmentation import Segmentation
from detectors.profiles.segments import segments, stacked
from detectors.profiles.vocabulary_choice import rare_values
from tests.oracle import read_as, slots_of
from tests.oracle_rows import number_of
from tests.property.events import NASTY, NUMBERS

COUNTRY = Feature(
    name="country",
    type="String",
    kind="text",
    vocabulary=("BR", "DE", "7"),
    reading=CellReading(missing=("NA",)),
    rare=rare_values([("FR", 2)]),
)
CODE = Feature(
    name="code",
    type="Integral",
    kind="codes",
    edges=(1.0, math.nextafter(1.0, 2), 7.0, math.nextafter(7.0, 8)),
    cells=(2, 0, 2, 1, 2),
    singles=((1, 1.0), (3, 7.0)),
)
PRICE = Feature(
    name="price", type="Fractional", kind="grid", edges=(-1.0, 0.5, 7.0), cells=(0, 0, 1, 1),
    center=2.0,
)  # fmt: skip
ABSENT = Feature(name="absent", type="String", kind="text", vocabulary=("x",))
BY = (Segmentation("country", (1, 0)), Segmentation("code", (3,)))
LAYOUTS = (
    Layout((PRICE, COUNTRY, CODE, ABSENT), BY),
    Layout((CODE, COUNTRY, PRICE), BY[1:]),
    Layout((COUNTRY, PRICE)),
)
CELL = st.one_of(
    st.none(), st.sampled_from([*NASTY, *NUMBERS, "BR", "DE", " BR ", "FR", "NA", "1", "7", ""])
)
ROWS = st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=60)
Row = tuple[str | None, str | None, str | None]


def columns(rows: list[Row]) -> dict[str, Column]:
    price, country, code = (pa.array(each, pa.string()) for each in zip(*rows, strict=True))
    return {
        "price": numbers_from_text(price, integral=False),
        "country": Texts(country),
        "code": numbers_from_text(code, integral=True),
    }


def segment_of(row: dict[str, str | None], layout: Layout, by: Segmentation) -> int:
    """The position of a row's segment among those of its column; the last one for all others."""
    feature = layout.features[layout.index[by.by]]
    for slot in slots_of(read_as(row.get(by.by), feature), feature):
        if slot - HEAD in by.bins and slot >= HEAD:
            return by.bins.index(slot - HEAD)
    return len(by.bins)


def by_loops(layout: Layout, rows: list[Row]) -> tuple[list[list[int]], list[list[list[float]]]]:
    """The counts of each segment, and the finite numbers of each feature in it."""
    counts = [[0] * layout.size for _ in segments(layout)]
    numbers: list[list[list[float]]] = [[[] for _ in layout.features] for _ in segments(layout)]
    for cells in rows:
        row = dict(zip(("price", "country", "code"), cells, strict=True))
        first = 0
        for by in layout.segmentations:
            s = first + segment_of(row, layout, by)
            first += by.size
            for i, feature in enumerate(layout.features):
                cell = read_as(row.get(feature.name), feature)
                hits = slots_of(cell, feature)
                for slot in hits:
                    counts[s][int(layout.starts[i]) + slot] += 1
                number = number_of(cell) if feature.numeric else None
                if number is not None and math.isfinite(number):
                    numbers[s][i].append(number)
    return counts, numbers


def folded(rows: list[Row], bounds: list[int], layout_of: list[int]) -> list[Profile]:
    return Fold(LAYOUTS).fold(columns(rows), layout_of, np.array(bounds))


@pytest.mark.parametrize("sort_from", [1, 10**9])
@given(rows=ROWS, data=st.data())
def test_the_counts_of_segments_are_those_of_plain_loops(
    sort_from: int, rows: list[Row], data: st.DataObject
) -> None:
    cuts = data.draw(st.sets(st.integers(1, len(rows))))
    bounds = sorted({0, len(rows), *cuts})
    layout_of = [data.draw(st.integers(0, len(LAYOUTS) - 1)) for _ in bounds[1:]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detectors.profiles.fold.SORT_FROM", sort_from)
        profiles = folded(rows, bounds, layout_of)
    for g, profile in enumerate(profiles):
        layout = LAYOUTS[layout_of[g]]
        counts, numbers = by_loops(layout, rows[bounds[g] : bounds[g + 1]])
        if not layout.segmentations:
            assert profile.segments is None
            continue
        side = profile.segments
        assert side is not None
        assert side.layout == stacked(layout)
        assert side.counts.reshape(-1, layout.size).tolist() == counts
        features = len(layout.features)
        for s, of_segment in enumerate(numbers):
            for i, found in enumerate(of_segment):
                j = s * features + i
                assert side.low[j] == min(found, default=math.inf)
                assert side.high[j] == max(found, default=-math.inf)
                if all(abs(number) < 1e6 for number in found):
                    offsets = [number - layout.features[i].center for number in found]
                    sums = [math.fsum(offsets), math.fsum(each * each for each in offsets)]
                    assert side.sums[j] == pytest.approx(sums, rel=1e-9, abs=1e-9)


@given(rows=ROWS, cut=st.integers(0, 60))
def test_the_counts_of_all_rows_are_the_sum_of_the_segments_in_any_order(
    rows: list[Row], cut: int
) -> None:
    layout, bounds = LAYOUTS[0], sorted({0, min(cut, len(rows)), len(rows)})
    whole = folded(rows, [0, len(rows)], [0])[0]
    parts = folded(rows, bounds, [0] * (len(bounds) - 1))
    for order in (parts, parts[::-1]):
        total = Profile(layout)
        for part in order:
            total.merge(Profile.decode(part.encode(), layout))
        assert total.segments is not None
        assert whole.segments is not None
        assert (total.segments.counts == whole.segments.counts).all()
        of_segment = total.segments.counts.reshape(-1, layout.size)
        assert (of_segment[:3].sum(axis=0) == total.counts).all()
        assert (of_segment[3:].sum(axis=0) == total.counts).all()
