"""Columns that are not what they look like: each is told with what to do, and no other column."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from stream.baselining.build import make
from stream.baselining.column_summary import ColumnSummary, summaries
from stream.baselining.column_warnings import ColumnWarning, column_warnings
from stream.commands.baseline_page import warning_lines

ROWS = 400
CHANCE = random.Random(5)

Cells = Sequence[str | None]


def column(cell: Callable[[int], str | None]) -> Cells:
    return [cell(k) for k in range(ROWS)]


def warnings(cells: Cells, name: str = "x", **options: Sequence[str]) -> list[ColumnWarning]:
    built = make(lambda: [pa.table({name: pa.array(cells, pa.string())})], **options)
    return column_warnings(built.scans)


def summary(cells: Cells) -> ColumnSummary:
    built = make(lambda: [pa.table({"x": pa.array(cells, pa.string())})])
    return summaries(built.scans)[0]


@pytest.mark.parametrize(
    ("cells", "seen", "advice"),
    [
        (column(lambda k: None), "no value in the training data", "--exclude NAMES"),
        (column(lambda k: "NA"), "no value in the training data", "--exclude NAMES"),
        (
            column(lambda k: "unknown" if k % 5 == 0 else str(k % 37)),
            "320 of 400 values are numbers, 80 are text, such as 'unknown', and count as text",
            "--number NAMES",
        ),
        (
            column(lambda k: "n.k." if k % 100 == 0 else repr(k / 3)),
            "396 of 400 values are numbers, 4 are text, such as 'n.k.', which counts as unreadable",
            "--missing",
        ),
        (column(lambda k: f"{k % 9 + 1},{k % 900 + 100}"), "separators or signs", "as 1234.5"),
        (column(lambda k: f"{k % 9 + 1}.{k % 900 + 100},50"), "separators or signs", "as 1234.5"),
        (column(lambda k: f"{k},5"), "separators or signs, such as '0,5'", "as 1234.5"),
        (column(lambda k: f"{k % 100} %"), "separators or signs", "as 1234.5"),
        (column(lambda k: f"$ {k % 100}.50"), "separators or signs", "as 1234.5"),
        (column(lambda k: f"{k:05d}"), "100 % of the values have leading zeros", "--text NAMES"),
        (
            column(lambda k: f"{CHANCE.randrange(100_000):05d}"),
            "have leading zeros, such as '0",
            "--text NAMES",
        ),
        (column(lambda k: f"user-{k}"), "another value in nearly every row", "--exclude NAMES"),
        (column(lambda k: str(1_000 + k)), "another value in nearly every row", "--exclude NAMES"),
        (
            column(lambda k: str(10**9 + k * 7_654_321)),
            "another value in nearly every row",
            "--exclude NAMES",
        ),
        (column(lambda k: f"2026-03-{k % 28 + 1:02d}"), "dates or times", "`time`"),
        (column(lambda k: f"2026-03-01T10:{k % 60:02d}:00Z"), "dates or times", "`time`"),
        (column(lambda k: f"{k % 28 + 1}.3.2026"), "dates or times", "`time`"),
        (column(lambda k: str(1_767_225_600 + 60 * k)), "dates or times", "`time`"),
        (column(lambda k: str(1_767_225_600_000 + 61_007 * k)), "dates or times", "`time`"),
        (column(lambda k: f"{1_767_225_600 + 60 * k}.25"), "dates or times", "`time`"),
        (
            column(lambda k: ["Berlin", "berlin", "Rome"][k % 3]),
            "'Berlin' and 'berlin' count as two values",
            "use one spelling",
        ),
        (column(lambda k: ["New York", "New  York"][k % 2]), "count as two values", "one spelling"),
        (column(lambda k: ["caf\u00e9", "cafe\u0301"][k % 2]), "count as two", "one spelling"),
        (column(lambda k: ["7", "7.0", "x", "y"][k % 4]), "count as two", "one spelling"),
        (column(lambda k: ["a", "?"][k % 2]), "'?' counts as a value", "--missing"),
    ],
)
def test_a_column_that_is_not_what_it_looks_like_is_told_with_what_to_do(
    cells: Cells, seen: str, advice: str
) -> None:
    found = warnings(cells)
    matching = [warning for warning in found if seen in warning.seen]
    assert len(matching) == 1, found
    assert advice in matching[0].advice


@pytest.mark.parametrize(
    "cells",
    [
        column(lambda k: repr(k / 7)),
        column(lambda k: str(k % 50)),
        column(lambda k: ["red", "green", "blue"][k % 3]),
        column(lambda k: ["True", "False"][k % 2]),
        column(lambda k: None if k % 3 else str(k % 5)),
        column(lambda k: str(CHANCE.randrange(20_000))),
        column(lambda k: ["0", "00501", "10001"][k % 3] if k % 3 == 0 else "x"),
        column(lambda k: f"10.0.{k % 9}.{k % 7}"),
        column(lambda k: str(9_007_199_254_740_993 + k % 5)),
    ],
)
def test_ordinary_columns_have_no_warning(cells: Cells) -> None:
    assert warnings(cells) == []


def test_a_choice_of_the_user_is_not_questioned() -> None:
    codes = column(lambda k: f"{k % 300:05d}")
    assert warnings(codes, text=["x"]) == []
    mixed = column(lambda k: "unknown" if k % 5 == 0 else str(k % 37))
    assert warnings(mixed, numbers=["x"]) == []
    assert warnings(mixed, missing=["unknown"]) == []
    assert warnings(column(lambda k: ["a", "?"][k % 2]), missing=["-"]) == []


def test_the_row_index_of_pandas_is_told_by_its_name() -> None:
    (warning,) = warnings(column(lambda k: str(k % 3)), "Unnamed: 0")
    (line,) = warning_lines(["Unnamed: 0"], [warning])
    assert line.startswith("'Unnamed: 0': a row index")
    assert "--exclude 'Unnamed: 0'" in line


def test_equal_warnings_on_many_columns_are_one_line() -> None:
    found = [ColumnWarning(f"c {k}", "odd", "--exclude NAMES") for k in range(12)]
    (line,) = warning_lines([warning.name for warning in found], found)
    assert line.startswith("'c 0', 'c 1', 'c 2', ")
    assert " and 4 more: odd ('c 0'); --exclude 'c 0,c 1,c 2," in line
    assert len(warning_lines(["c 0", "c 1"], found[:2])) == 2


def test_names_that_are_all_numbers_are_probably_values() -> None:
    (line,) = warning_lines(["5.1", "3.5", "-1e3"], [])
    assert "if these are values, give --no-header" in line
    assert warning_lines(["5.1", "x"], []) == []


def test_a_summary_states_type_fit_missing_distinct_and_extent() -> None:
    cells = [*map(str, range(-3, 94)), "x", None, "NA"]
    assert summary(cells) == ("x", "Integral", "99 %", "2 %", "98", "-3 to 93")
    assert summary(["0.5", "2", None, "1e20"])[1:] == (
        "Fractional",
        "100 %",
        "25 %",
        "3",
        "0.5 to 1e+20",
    )
    words = ["b"] * 5 + ["a"] * 3 + ["c"] + ["\x1b[2Jd"]
    assert summary(words)[4:] == ("4", "'b' 50 %, 'a' 30 %, 'c' 10 %")
    assert summary(["\x1b[2J\u202e"])[5] == "'\\x1b[2J\\u202e' 100 %"
    assert summary([None, None])[1:] == ("Unknown", "-", "100 %", "0", "no value")
