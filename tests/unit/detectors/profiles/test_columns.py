"""The grammar of a cell, value by value, in every function that reads it."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles.columns import (
    Numbers,
    numbers_from_array,
    numbers_from_text,
    numbers_from_texts,
    written_types,
)
from detectors.profiles.layout import BOOLEAN, FRACTIONAL, INTEGRAL, MISSING, STRING
from detectors.profiles.wide_batch import cut_numbers
from stream.formats.base import ColumnType
from stream.formats.csv_batch import CsvTable, join
from stream.formats.rows import column_of

NUMBERS = {
    "7": 7, " 7": 7, "7 ": 7, "\t7": 7, "-7": -7, "+7": 7, "007": 7, "-0": 0,
    "9223372036854775807": 2.0**63, "9223372036854775808": 2.0**63, "7.0": 7, "7.": 7, ".5": 0.5,
    "-.5": -0.5, "+.5": 0.5, "1e3": 1000, "1E-2": 0.01, "5.e1": 50, "0.1": 0.1, "1e-400": 0,
    "4.9e-324": 5e-324, "123456789012345678901234567890": 123456789012345678901234567890.0,
    "1e999": math.inf, "-1e999": -math.inf, "1" * 400: math.inf, "inf": math.inf, "+INF": math.inf,
    "-Infinity": -math.inf, "nan": math.nan, "NaN": math.nan, "-nan": math.nan, "+nan": math.nan,
    "nan(1)": math.nan, "nan()": math.nan,
}  # fmt: skip
STRINGS = [
    "x", " ", "\t", "- 7", "+ 7", "--7", "+-7", "1_000", "1,000", "0x1F", "0X1f", "-0x1F", "0x",
    "1e", "1e+", "e5", ".", "-", "+", "-.", "1.2.3", "1-2", "2020-01-01", "٣", "７", "\u00a07",
    "7\x00", "7\n", "\r7", "7\x0b", "infinit", "nan(", "nan(é)", "nan(ſ)", "True", " true", "tru",
    "1d", "½", "\ufeff7", "/7",
]  # fmt: skip
WHOLE = {
    "7",
    " 7",
    "7 ",
    "\t7",
    "-7",
    "+7",
    "007",
    "-0",
    "9223372036854775807",
    "9223372036854775808",
    "123456789012345678901234567890",
}
CELLS = [*NUMBERS, *STRINGS, "true", "false", ""]


def slot_of(cell: str, integral: bool) -> int:
    if cell == "":
        return MISSING
    if cell in ("true", "false"):
        return BOOLEAN
    if cell in STRINGS:
        return STRING
    whole = cell in WHOLE if integral else float(NUMBERS[cell]).is_integer()
    return INTEGRAL if whole and math.isfinite(NUMBERS[cell]) else FRACTIONAL


def slots_of(column: Numbers) -> list[int]:
    """The slot of each row, also where it follows from the values."""
    if column.slots is not None:
        return [int(slot) for slot in column.slots]
    finite = np.isfinite(column.values)
    whole = finite & (column.integral | (column.values == np.floor(column.values)))
    return [INTEGRAL if is_whole else FRACTIONAL for is_whole in whole.tolist()]


@pytest.mark.parametrize("integral", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_is_read_the_same_alone_and_among_others(cell: str, integral: bool) -> None:
    expected = NUMBERS.get(cell, math.nan)
    for others in ([], ["1", "2"], ["x", "1e5", " 3", ""]):
        column = numbers_from_text(pa.array([*others, cell, *others]), integral)
        assert column.values[len(others)] == expected or (
            math.isnan(expected) and math.isnan(column.values[len(others)])
        )
        assert slots_of(column)[len(others)] == slot_of(cell, integral)


@pytest.mark.parametrize("kind", ["int", "float"])
@pytest.mark.parametrize(
    "cell",
    [
        cell
        for cell in CELLS
        if not len(join([cell + ","], ["a", "b"]).unsafe) and not set(cell) & set(",\n")
    ],
)
def test_the_typed_read_of_csv_agrees_with_the_grammar(
    cell: str, kind: Literal["int", "float"]
) -> None:
    for others in ([], ["1", "2"]):
        lines = [*others, cell]
        read = CsvTable(["a"], {"a": ColumnType(kind)}).read(
            "".join(f"{line}\n" for line in lines).encode(), len(lines)
        )
        assert read is not None
        column, refused = read
        assert len(refused) == 0
        expected = numbers_from_text(pa.array(lines), kind == "int")
        numbers = column["a"]
        assert isinstance(numbers, Numbers)
        assert np.array_equal(numbers.values, expected.values, equal_nan=True)
        assert slots_of(numbers) == slots_of(expected)


@pytest.mark.parametrize("integral", [True, False])
def test_slices_and_nulls_are_read_like_fresh_arrays(integral: bool) -> None:
    array = pa.array([None, *CELLS, None])
    whole = numbers_from_text(array, integral)
    for start in range(0, len(array), 7):
        part = numbers_from_text(array.slice(start, 5), integral)
        assert np.array_equal(part.values, whole.values[start : start + 5], equal_nan=True)
        assert slots_of(part) == slots_of(whole)[start : start + 5]
    assert slots_of(whole)[0] == slots_of(whole)[-1] == MISSING


def test_columns_read_together_equal_those_read_separately() -> None:
    arrays = [
        pa.array(CELLS),
        pa.array([], pa.string()),
        pa.array(["7.0"]),
        pa.array(["", "", ""]),
        pa.array(CELLS),
    ]
    integral = [True, False, True, False, False]
    for array, flag, column in zip(
        arrays, integral, numbers_from_texts(arrays, integral), strict=True
    ):
        alone = numbers_from_text(array, flag)
        assert column.integral is flag
        assert np.array_equal(column.values, alone.values, equal_nan=True)
        assert slots_of(column) == slots_of(alone)


JSON_CELLS = [
    (None, MISSING, MISSING),
    ("", MISSING, MISSING),
    (True, BOOLEAN, BOOLEAN),
    (7, INTEGRAL, INTEGRAL),
    (7.0, FRACTIONAL, INTEGRAL),
    (7.5, FRACTIONAL, FRACTIONAL),
    ("7", INTEGRAL, INTEGRAL),
    ("7.0", FRACTIONAL, INTEGRAL),
    ("x", STRING, STRING),
    (2**70, INTEGRAL, INTEGRAL),
    (10**400, FRACTIONAL, FRACTIONAL),
    (math.inf, FRACTIONAL, FRACTIONAL),
]


@pytest.mark.parametrize(("cell", "as_int", "as_float"), JSON_CELLS)
def test_a_json_token_keeps_its_written_type(
    cell: str | float | None, as_int: int, as_float: int
) -> None:
    for kind, expected in (("int", as_int), ("float", as_float)):
        for others in ([], [1], [1.5], ["x"], [None]):
            column = column_of([cell, *others], ColumnType(kind))  # type: ignore[arg-type]
            assert isinstance(column, Numbers)
            assert slots_of(column)[0] == expected


def test_text_columns_hold_json_values_as_their_shortest_text() -> None:
    column = column_of(["a", " ", "", None, True, False, 7, 7.0, 1e3, 1e22], ColumnType("text"))
    values = column.values.to_pylist()  # type: ignore[union-attr]
    assert values == ["a", " ", None, None, "true", "false", "7", "7.0", "1000.0", "1e+22"]


def test_nulls_of_a_typed_array_are_missing_and_not_nan() -> None:
    column = numbers_from_array(pa.array([1.0, None, math.nan, 0.5]), integral=False)
    assert slots_of(column) == [INTEGRAL, MISSING, FRACTIONAL, FRACTIONAL]
    assert slots_of(numbers_from_array(pa.array([1, None]), integral=True)) == [INTEGRAL, MISSING]


def test_written_types_follow_the_patterns_of_sagemaker() -> None:
    expected = {
        "7": INTEGRAL, "-7": INTEGRAL, "+ 7": INTEGRAL, "- 7": INTEGRAL, "3.0": FRACTIONAL,
        "1e5": FRACTIONAL, "- 1.5E-3": FRACTIONAL, "true": BOOLEAN, "false": BOOLEAN,
        "True": STRING, ".5": STRING, "5.": STRING, "NaN": STRING, "inf": STRING, "1,000": STRING,
        " 7": INTEGRAL, "  7": STRING, "7\n": STRING, "٣": STRING,
    }  # fmt: skip
    types = written_types(pa.array(list(expected))).tolist()
    assert dict(zip(expected, types, strict=True)) == expected


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("column", [0, 1])
def test_reading_by_type_equals_reading_by_pattern(cell: str, column: int) -> None:
    """A table of a column of fractions, one of integers and one of text; one cell is ``cell``."""
    rows = [["1.5", "7", "a"], ["2", "-8", "7"], ["0.25", "0", ""]]
    rows[1][column] = cell
    cells = pa.array([cell for row in rows for cell in row], pa.string())
    numeric = np.array([True, True, False])
    integral = np.array([False, True, False])
    values, slots, _ = cut_numbers(
        cells, numeric, integral, typed="0x" not in cell.lower()
    )  # hexadecimal numbers are not read by type
    for j in range(2):
        expected = numbers_from_text(
            pa.array([row[j] for row in rows], pa.string()), bool(integral[j])
        )
        numbers = Numbers(values[j], None if slots is None else slots[j], bool(integral[j]))
        assert np.array_equal(numbers.values, expected.values, equal_nan=True)
        assert slots_of(numbers) == slots_of(expected)
