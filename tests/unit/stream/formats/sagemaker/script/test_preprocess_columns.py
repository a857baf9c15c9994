"""Scripts with ``preprocess_columns``, which get many captures at once."""

from __future__ import annotations

import datetime as dt
import decimal
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from detectors.profiles.columns import Column, Numbers, Texts
from stream.formats.base import ColumnType
from stream.formats.rows import column_of
from stream.formats.sagemaker.format import Sagemaker
from stream.formats.sagemaker.script import runner
from stream.formats.sagemaker.script.table import column_of_array
from tests.unit.stream.formats.sagemaker.script.captures import (
    capture,
    cells,
    decoded_by,
    form_with,
    rejected,
)

SPLIT = """
    import pyarrow.compute as pc
    def preprocess_columns(columns):
        parts = pc.split_pattern(columns["endpoint_input"], ",")
        features = {name: pc.list_element(parts, k) for k, name in enumerate("xnt")}
        return {"p": pc.utf8_rtrim(columns["endpoint_output"], "\\n"), **features}
"""


def test_columns_of_the_captures_are_those_without_a_script(tmp_path: Path) -> None:
    draw = random.Random(0)
    lines = [
        capture(
            f"{draw.uniform(-9, 9)},{draw.randint(-9, 9)},{draw.choice('ab')}", f"{draw.random()}\n"
        )
        for _ in range(1_200)
    ]
    scripted = decoded_by(form_with(tmp_path, SPLIT), *lines)
    assert cells(scripted) == cells(decoded_by(Sagemaker(), *lines))
    assert not scripted.rejects


def test_rows_are_left_out_and_repeated_by_the_number_of_their_record(tmp_path: Path) -> None:
    script = """
        import pyarrow as pa, pyarrow.compute as pc
        def preprocess_columns(columns):
            table = pa.table({"x": columns["endpoint_input"], "_record": columns["_record"]})
            table = table.filter(pc.not_equal(table["x"], "drop"))
            table = pa.concat_tables([table, table.filter(pc.equal(table["x"], "2"))])
            return {name: table[name] for name in table.column_names}
    """
    records = [capture("1"), capture("drop"), capture("2"), capture("3")]
    decoded = decoded_by(form_with(tmp_path, script), *records)
    assert cells(decoded)["record"] == [0, 2, 2, 3]
    assert cells(decoded)["x"] == [1, 2, 2, 3]
    assert cells(decoded)["t"] == [None] * 4
    assert rejected(decoded) == [(1, "dropped_by_script", "")]


def test_the_columns_hold_what_the_captures_say(tmp_path: Path) -> None:
    script = """
        import pyarrow.compute as pc
        def preprocess_columns(columns):
            assert columns["input_encoding"].to_pylist() == ["CSV", "CSV"]
            assert columns["event_id"].to_pylist() == ["e1", None]
            assert columns["custom_attributes"].to_pylist() == [["a", "b"], None]
            assert columns["event_time"][0].as_py() == "2025-06-15T15:06:40Z"
            return {"t": columns["inference_id"], "x": [0.5, 1.5]}
    """
    records = [capture(customAttributes=["a", "b"]), capture(eventId=None)]
    decoded = decoded_by(form_with(tmp_path, script), *records)
    assert not decoded.rejects
    assert cells(decoded)["t"] == ["i1", "i1"]


def test_an_error_rejects_the_record_alone_that_causes_it(tmp_path: Path) -> None:
    script = """
        import pyarrow.compute as pc
        def preprocess_columns(columns):
            return {"x": pc.cast(columns["endpoint_input"], "double")}
    """
    records = [capture(str(k)) for k in range(64)]
    records[40] = capture("secret")
    form = form_with(tmp_path, script)
    decoded = decoded_by(form, *records)
    name = Path(form.preprocess).name
    assert rejected(decoded) == [(40, "script_failed", f"ArrowInvalid at {name}:4")]
    assert cells(decoded)["x"] == [k for k in range(64) if k != 40]


@pytest.mark.parametrize("how", ["while True: pass", "import os; os._exit(1)"])
def test_a_record_that_ends_the_process_is_found_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(runner, "FIRST_S", 0.5)
    script = f"""
        def preprocess_columns(columns):
            if "bad" in columns["endpoint_input"].to_pylist():
                {how}
            return {{"x": columns["endpoint_input"]}}
    """
    decoded = decoded_by(
        form_with(tmp_path, script, "500ms"), *map(capture, ["0", "1", "bad", "3"])
    )
    assert [(record, reason[:7]) for record, reason, _ in rejected(decoded)] == [(2, "script_")]
    assert cells(decoded)["x"] == [0, 1, 3]


@pytest.mark.parametrize(
    ("result", "reason", "detail"),
    [
        ("5", "script_result", "a value of type int, not a dict"),
        ("{'x': 5}", "script_result", "'x' is no Arrow array: TypeError"),
        ("{'x': ['1', '2']}", "script_result", "'x' has 2 rows, _record has 1"),
        ("{'x': [[1]]}", "script_result", "'x' holds list<item: int64>, not one value a row"),
        ("{'a': ['1']}", "too_few_columns", "the script returned 1 columns, the model has 4"),
        (
            "{'x': [1], '_record': [7]}",
            "script_result",
            "_record holds other numbers than it was given",
        ),
        ("{'x': [1], '_record': ['a']}", "script_result", "_record holds string"),
    ],
)
def test_a_result_that_is_no_table_rejects_the_records(
    tmp_path: Path, result: str, reason: str, detail: str
) -> None:
    script = f"""
        def preprocess_columns(columns):
            return {result}
    """
    assert rejected(decoded_by(form_with(tmp_path, script), capture())) == [(0, reason, detail)]


def test_a_call_may_return_other_types_than_the_one_before(tmp_path: Path) -> None:
    """Each call sees other records: types that Arrow infers from them differ."""
    script = """
        def preprocess_columns(columns):
            texts = columns["endpoint_input"].to_pylist()
            if len(texts) > 1:
                raise ValueError
            return {"x": [float(texts[0]) if "." in texts[0] else texts[0]]}
    """
    decoded = decoded_by(form_with(tmp_path, script), *map(capture, ["1.5", "2", "x"]))
    assert cells(decoded)["x"][:2] == [1.5, 2]
    assert cells(decoded)["record"] == [0, 1, 2]


ARRAYS: list[Any] = [
    pa.array(["7", "", None, "x", " 1.5", "true", "nan"]),
    pa.array(["7", ""], pa.large_string()),
    pa.array([7, None, -3, 2**60]),
    pa.array([7, 255], pa.uint8()),
    pa.array([2**63 + 5, 7], pa.uint64()),
    pa.array([0.5, None, 3.0, float("inf"), float("nan")]),
    pa.array([0.5, 3.0], pa.float32()),
    pa.array([True, False, None]),
    pa.nulls(3),
    pa.array([decimal.Decimal("1.50"), None]),
    pa.array([dt.date(2025, 6, 15)]),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.type))
@pytest.mark.parametrize("kind", ["int", "float", "text", "raw"])
def test_an_array_is_read_like_its_cells_as_python_has_them(array: Any, kind: Any) -> None:
    objects = [
        str(cell) if isinstance(cell, (decimal.Decimal, dt.date)) else cell
        for cell in array.to_pylist()
    ]
    column = ColumnType(kind)
    assert _described(column_of_array(array, column)) == _described(column_of(objects, column))


def _described(column: Column) -> object:
    if isinstance(column, Texts):
        return column.values.to_pylist()
    assert isinstance(column, Numbers)
    slots = column.slots
    if slots is None:
        whole = np.isfinite(column.values) & (
            column.integral | (column.values == np.floor(column.values))
        )
        slots = np.where(whole, 3, 4)
    return list(map(str, column.values.tolist())), slots.tolist()
