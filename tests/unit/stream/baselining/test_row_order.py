"""What the order of a training file says, through the command that reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.calendar import Calendar
from detectors.profiles.dependence import Dependence
from stream.baselining.build import make, make_from_files
from stream.baselining.row_order import dependence_lines, dependence_of
from stream.baselining.seasonal import TimeColumn, count_seasons

MONDAY_S = 1_767_571_200
"""The start of 5 January 2026, a Monday."""


def table(rows: int, seed: int = 1) -> pa.Table:
    """Runs of four equal rows in one column, independent rows in another."""
    rng = np.random.default_rng(seed)
    runs = np.repeat(rng.normal(size=rows // 4), 4)
    return pa.table({"runs": runs.astype(str), "free": rng.normal(size=rows).astype(str)})


def test_the_file_of_a_baseline_is_read_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = table(8_000)
    lines = (",".join(row.values()) for row in rows.to_pylist())
    path.write_text("\n".join([",".join(rows.column_names), *lines]))
    baseline = make_from_files(path).baseline
    assert set(baseline.dependence.factors) == {"runs"}
    assert baseline.dependence.factors["runs"][0] == pytest.approx(4.0, rel=0.2)
    assert Baseline.decode(baseline.encode()).dependence == baseline.dependence


@pytest.mark.parametrize("size", [37, 1_000, 1_024, 5_000])
def test_chunks_of_any_size_say_the_same(size: int) -> None:
    rows = table(6_000)
    whole = make(lambda: [rows]).baseline
    chunks = [rows.slice(start, size) for start in range(0, 6_000, size)]
    assert dependence_of(chunks, whole) == dependence_of([rows], whole)


def test_a_single_row_says_nothing() -> None:
    assert dependence_of([table(4).slice(0, 1)], make(lambda: [table(4)]).baseline) == Dependence()


def test_a_column_that_some_chunks_lack_is_missing_there() -> None:
    rows = table(6_000)
    chunks = [rows.slice(0, 3_000), rows.slice(3_000).select(["runs"])]
    found = dependence_of(chunks, make(lambda: chunks).baseline)
    assert "runs" in found.factors
    assert "free" in found.changing


def test_a_learned_baseline_has_no_order() -> None:
    assert make(lambda: [table(4_000)]).baseline.dependence == Dependence()


def hourly_cycle(days: int, per_hour: int, seed: int) -> pa.Table:
    """Rows in order of time whose numbers, missing values and words change with the hour.

    Those of ``free`` are independent beside that, and those of ``runs`` come four at a time.
    """
    rng = np.random.default_rng(seed)
    hour = np.repeat(np.arange(days * 24), per_hour)
    wave = np.sin(2.0 * np.pi * (hour % 24) / 24.0)
    free = wave + rng.normal(size=len(hour))
    runs = wave + np.repeat(rng.normal(size=len(hour) // 4), 4)
    lost = rng.random(len(hour)) < 0.2 + 0.1 * wave
    words = np.where(rng.random(len(hour)) < 0.5 + 0.3 * wave, "a", "b")
    return pa.table(
        {
            "free": pa.array(np.where(lost, None, free.astype(str)), pa.string()),
            "runs": runs.astype(str),
            "word": words,
            "at": (MONDAY_S + 3_600 * hour).astype(str),
        }
    )


@pytest.mark.parametrize(("days", "per_hour"), [(7, 100), (80, 12)])
def test_what_seasons_explain_is_no_dependence(days: int, per_hour: int) -> None:
    rows, time = hourly_cycle(days, per_hour, 811 + days), TimeColumn("at", "s")
    features = rows.drop_columns(["at"])
    known = make(lambda: [features]).baseline
    by_hour = Calendar(by=("hour_of_day",))
    seasonal = known.seasonal(count_seasons([rows], known.layout, by_hour, time).seasons)
    found, whole = dependence_of([rows], seasonal, time), dependence_of([features], known)
    assert {"free", "word"} <= {*whole.factors, *whole.changing}
    assert set(found.factors) == {"runs"}
    assert found.factors["runs"][0] == pytest.approx(4.0, rel=0.2)
    assert found.factors["runs"][-1] < 6.0
    assert found.changing == ()


def test_a_row_without_a_time_is_compared_with_the_whole_baseline() -> None:
    rows, time = hourly_cycle(7, 100, 5), TimeColumn("at", "s")
    features = rows.drop_columns(["at"])
    known = make(lambda: [features]).baseline
    by_hour = Calendar(by=("hour_of_day",))
    seasonal = known.seasonal(count_seasons([rows], known.layout, by_hour, time).seasons)
    untimed = features.append_column("at", pa.array(["never"] * len(rows)))
    found, whole = dependence_of([untimed], seasonal, time), dependence_of([features], known)
    assert found.changing == whole.changing
    assert found.lengths == whole.lengths
    assert found.factors.keys() == whole.factors.keys()
    for name, factors in whole.factors.items():
        assert found.factors[name] == pytest.approx(factors, rel=1e-3)


def test_each_feature_has_a_sentence_and_many_share_one() -> None:
    one = Dependence((16, 1_024), {"price": (5.0, 5.0)})
    (line,) = dependence_lines(one)
    assert line == (
        "rows of 'price' depend on their neighbours: a window of 1,000 rows says as much as 200"
        " independent ones"
    )
    many = Dependence((16, 1_024), {f"x{k}": (2.0, 2.0 + k) for k in range(9)})
    lines = dependence_lines(many)
    assert "'x8'" in lines[0]
    assert lines[3] == "so do those of 6 more columns, less strongly"
    (line,) = dependence_lines(Dependence())
    assert line.startswith("rows do not depend on their neighbours in this order")


def test_columns_that_change_along_the_file_are_named() -> None:
    (line,) = dependence_lines(Dependence(changing=("id", "day")))
    assert line.startswith("'id' (and 1 more) changes along the file, as where it is sorted")
