"""What the order of a training file says, through the command that reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles.baseline import Baseline
from detectors.profiles.dependence import Dependence
from stream.baselining.build import make, make_from_files
from stream.baselining.row_order import dependence_lines, dependence_of


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
    assert dependence_lines(Dependence()) == []


def test_columns_that_change_along_the_file_are_named() -> None:
    (line,) = dependence_lines(Dependence(changing=("id", "day")))
    assert line.startswith("'id' (and 1 more) changes along the file, as where it is sorted")
