"""Values that the baseline does not know, and missing ones, in the distances that decide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detectors.decisions.rules import Rules
from detectors.decisions.rulings import rule
from detectors.profiles.baseline import Constraints
from detectors.statistics.catalogue import DISTANCES, deciding_statistics
from detectors.statistics.distances.base import of_counts
from detectors.statistics.measures import Measures
from stream.testing.baselines import pair, texts

TEXT_STATISTICS = [name for name in deciding_statistics() if DISTANCES[name].fits(numeric=False)]


def drawn(seed: int, values: int, rows: int, prefix: str = "known") -> list[str | None]:
    """Rows of text, each drawn from so many equally frequent values."""
    draws = np.random.default_rng(seed).integers(0, values, rows)
    return [f"{prefix} {k}" for k in draws.tolist()]


def verdict(before: Sequence[str | None], after: Sequence[str | None], statistic: str) -> str:
    sides = pair(before, after)
    measures = Measures(sides.baseline, sides.window)
    ruling = rule(
        Rules(mode="threshold", statistic=statistic), {}, Constraints(), measures, len(after)
    )
    return ruling[0].verdict


@pytest.mark.parametrize("statistic", TEXT_STATISTICS)
@pytest.mark.parametrize("rows", [1_000, 10_000])
@pytest.mark.parametrize("values", [2, 30, 300, 900])
def test_a_column_whose_values_are_all_replaced_has_drifted(
    values: int, rows: int, statistic: str
) -> None:
    before = drawn(1, values, 10_000)
    assert verdict(before, drawn(2, values, rows, "other"), statistic) == "violation"
    assert verdict(before, drawn(3, values, rows), statistic) == "ok"


@pytest.mark.parametrize("rows", [500, 1_000, 10_000])
@pytest.mark.parametrize("statistic", TEXT_STATISTICS)
@pytest.mark.parametrize(
    ("values", "times"), [(1_100, 9), (3_000, 3), (5_000, 2), (10_000, 3), (20_000, 2)]
)
def test_a_replaced_column_of_values_that_occur_equally_often_has_drifted(
    values: int, times: int, statistic: str, rows: int
) -> None:
    before = [f"known {k}" for k in range(values)] * times
    assert verdict(before, drawn(2, values, rows, "other"), statistic) == "violation"
    assert verdict(before, drawn(3, values, rows), statistic) == "ok"


@pytest.mark.parametrize("rows", [500, 1_000, 10_000])
def test_identifiers_that_recur_and_are_all_replaced_have_drifted(rows: int) -> None:
    """The vocabulary holds 1,000 of the 10,000 identifiers; a twentieth of the values is new."""
    before = drawn(1, 10_000, 30_000)
    for statistic in TEXT_STATISTICS:
        assert verdict(before, drawn(2, 10_000, rows, "other"), statistic) == "violation"
        assert verdict(before, drawn(3, 10_000, rows), statistic) == "ok"


def test_a_twentieth_of_replaced_values_beyond_the_vocabulary_has_drifted_in_many_rows() -> None:
    before = [f"known {k}" for k in range(5_000)] * 4
    after = [*drawn(3, 5_000, 19_000), *drawn(4, 5_000, 1_000, "other")]
    assert verdict(before, after, "psi") == "violation"


def test_values_beyond_the_filter_are_no_drift() -> None:
    """The filter holds 65,536 of 75,000 values; the others count as values that are new."""
    before = [f"known {k}" for k in range(75_000)] * 2
    for rows in (500, 10_000):
        assert verdict(before, drawn(3, 75_000, rows), "psi") == "ok"


@pytest.mark.parametrize(("values", "trained"), [(1_500, 20_000), (5_000, 10_000), (9_000, 10_000)])
def test_a_replaced_column_of_more_values_than_the_vocabulary_holds_has_drifted(
    values: int, trained: int
) -> None:
    before = drawn(1, values, trained)
    for rows in (300, 1_000, 10_000):
        assert verdict(before, drawn(2, values, rows, "other"), "psi") == "violation"


@pytest.mark.parametrize("rows", [300, 1_000])
def test_a_column_half_of_which_is_replaced_has_drifted_although_its_vocabulary_is_cut(
    rows: int,
) -> None:
    before = drawn(1, 1_500, 20_000)
    after = [*drawn(2, 1_500, rows // 2), *drawn(3, 1_500, rows // 2, "other")]
    assert verdict(before, after, "psi") == "violation"


@pytest.mark.parametrize("statistic", TEXT_STATISTICS)
@pytest.mark.parametrize(
    ("values", "trained"),
    [
        (1_000, 500),
        (1_000, 2_000),
        (50_000, 2_000),
        (50_000, 20_000),
        (10_000, 30_000),
        (1_500, 20_000),
    ],
)
def test_an_open_vocabulary_is_calm(values: int, trained: int, statistic: str) -> None:
    for seed in range(3):
        before = drawn(10 + seed, values, trained)
        for rows in (300, 1_000, 10_000):
            assert verdict(before, drawn(20 + seed, values, rows), statistic) == "ok"


@pytest.mark.parametrize("statistic", TEXT_STATISTICS)
def test_new_identifiers_are_no_drift_where_all_were_different(statistic: str) -> None:
    before = [f"before {k}" for k in range(5_000)]
    for rows in (300, 1_000, 10_000):
        assert verdict(before, [f"after {k}" for k in range(rows)], statistic) == "ok"


def test_rare_known_values_and_unseen_ones_are_merged_into_two_cells() -> None:
    # 30 known and 30 unseen values with an expected count of 1 each, beside a frequent one
    before = {"often": 700, **{f"known {k}": 10 for k in range(30)}}
    after = {"often": 70, **{f"unseen {k}": 1 for k in range(30)}}
    cells = of_counts(before, after).merged_cells
    rests = cells.filled & (np.arange(len(cells.filled)) >= len(cells.filled) - 2)
    assert cells.left[0] == 3
    assert cells.before[rests].tolist() == [300, 0]
    assert cells.after[rests].tolist() == [0, 30]


def test_rare_values_are_in_the_cell_of_small_known_ones() -> None:
    often = {f"often {k}": 500 for k in range(200)}
    rare = {f"rare {k}": 2 for k in range(500)}
    sides = of_counts(often | rare, often | {"rare 7": 300, "new": 400})
    rest, unseen_rest = (
        sides.merged_cells.before[-2:].tolist(),
        sides.merged_cells.after[-2:].tolist(),
    )
    taken = 2 * np.sqrt(2 * 500)  # two standard errors of no value that occurs once
    assert rest == [pytest.approx(1_000 - taken), 0.0]
    assert unseen_rest == [300, 0], "the new value has a cell of its own"
    assert sides.merged_cells.before.sum() == pytest.approx(101_000)


def test_values_seen_once_count_as_unseen_as_far_as_the_window_has_unseen_ones() -> None:
    before = {"often": 900, **{f"once {k}": 1 for k in range(100)}}
    for unseen, taken in ((0, 0.0), (50, 50.0), (100, 100.0), (300, 100.0)):
        after = {"often": 1_000 - unseen, **{f"unseen {k}": 1 for k in range(unseen)}}
        sides = of_counts(before, after)
        assert sides.merged_cells.before.sum() == pytest.approx(1_000)
        cells = sides.layout.unseen
        is_unseen = np.concatenate((cells, [False, True]))
        assert sides.merged_cells.before[is_unseen].sum() == pytest.approx(taken)


@pytest.mark.parametrize("statistic", TEXT_STATISTICS)
def test_missing_values_are_no_drift_whether_they_rise_or_fall(statistic: str) -> None:
    full, holed = texts({"a": 60_000, "b": 40_000}), [*texts({"a": 59_460, "b": 39_640}), None]
    holed += [None] * 899
    assert verdict(full, holed, statistic) == "ok"
    assert verdict(holed, full, statistic) == "ok"
    assert verdict([*holed[:50_000], *[None] * 50_000], full, statistic) != "insufficient"
