"""The rows of JSON payloads in the shapes of pandas, model servers and careless writers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.formats.faults import MalformedRecord
from stream.formats.json_rows import RowShape, json_rows
from stream.formats.json_text import load_documents, load_json

TWO = [[1, "u"], [2, "v"]]
BY_NAME = [{"a": 1, "b": "u"}, {"a": 2, "b": "v"}]
COLUMNS = {"a": [1, 2], "b": ["u", "v"]}
SHAPES: dict[str, Any] = {
    "lists": TWO,
    "records": BY_NAME,
    "columns": COLUMNS,
    "pandas columns": {"a": {"0": 1, "1": 2}, "b": {"1": "v", "0": "u"}},
    "pandas index": {"0": BY_NAME[0], "7": BY_NAME[1]},
    "pandas split": {"columns": ["b", "a"], "index": [0, 1], "data": [["u", 1], ["v", 2]]},
    "pandas split without names": {"columns": [0, 1], "data": TWO},
    "pandas table": {"schema": {"fields": []}, "data": BY_NAME},
    "instances of lists": {"instances": TWO},
    "instances of features": {"instances": [{"features": row} for row in TWO]},
    "instances of named features": {"instances": [{"features": row} for row in BY_NAME]},
    "dense features": {"instances": [{"data": {"features": {"values": row}}} for row in TWO]},
    "predictions": {"predictions": BY_NAME},
    "mlflow records": {"dataframe_records": BY_NAME},
    "mlflow split": {"dataframe_split": {"columns": ["a", "b"], "data": TWO}},
    "inputs by column": {"inputs": COLUMNS},
    "kserve": {"inputs": [{"name": name, "data": data} for name, data in COLUMNS.items()]},
}
AB = RowShape("request", ("a", "b"), (), {}, False)
P = RowShape("response", ("p",), (), {}, False)


def rows(text: str, shape: RowShape = AB) -> list[list[object]]:
    return [list(row) for row in json_rows(text, shape)]


def fault(text: str, shape: RowShape = AB) -> tuple[str, str]:
    with pytest.raises(MalformedRecord) as raised:
        json_rows(text, shape)
    return raised.value.fault


@pytest.mark.parametrize("shape", SHAPES)
def test_two_rows_are_found_in_every_shape(shape: str) -> None:
    assert rows(json.dumps(SHAPES[shape])) == TWO


@pytest.mark.parametrize(
    "text",
    [
        '{"p": [1, 2]}',
        "[1, 2]",
        "[[1], [2]]",
        '{"predictions": [1, 2]}',
        '{"p": 1}{"p": 2}',
        "1\n2",
    ],
)
def test_a_side_of_one_column_has_a_row_for_each_value(text: str) -> None:
    assert rows(text, P) == [[1], [2]]


def test_documents_may_follow_each_other_with_or_without_a_line_break() -> None:
    lines = '{"a": 1,\n "b": "u"}\n\n{"a": 2, "b": "v"}\n'
    assert rows(lines) == rows(lines.replace("\n", "")) == TWO
    assert fault('{"a": 1} x')[0] == fault("1 2")[0] == "undecodable"


def test_a_column_beside_a_familiar_key_is_read_as_a_column() -> None:
    shape = RowShape("request", ("data", "b"), (), {}, False)
    assert rows('{"data": 7, "b": "u", "instances": [[1, 2]]}', shape) == [[7, "u"]]


def test_an_object_without_columns_and_familiar_keys_is_a_row_of_missing_values() -> None:
    assert rows('{"other": 7}') == rows("{}") == [[None, None]]
    assert rows('{"a": null}') == [[None, None]]


def test_what_fits_no_shape_is_rejected_with_its_fact() -> None:
    assert fault('{"a": [1, 2], "b": ["u"]}') == (
        "row_count",
        "the columns of the request have 1 to 2 values",
    )
    assert fault('{"a": [1, 2], "b": "u"}') == ("wrong_type", "a holds a list of 2")
    assert fault('{"a": {"low": 1}, "b": "u"}') == ("wrong_type", "a holds an object of low")
    assert fault('{"columns": ["a", "b"], "data": [[1, "u"], [2]]}') == (
        "too_few_columns",
        "row 2 of the request has 1 of 2 columns",
    )
    assert fault("[1, 2, 3]") == ("too_many_columns", "the request has 3 of 2 columns")


@pytest.mark.parametrize("depth", [3, 50, 900])
def test_familiar_keys_inside_each_other_end_in_a_row_or_a_reason(depth: int) -> None:
    text = '{"data": ' * depth + "[[1, 2]]" + "}" * depth
    assert rows(text) == ([[1, 2]] if depth <= 4 else [[None, None]])


def test_numbers_that_json_has_no_word_for_are_read_as_python_writes_them() -> None:
    assert rows('{"a": NaN, "b": Infinity}') != rows('{"a": null, "b": null}')
    [[low, high]] = rows(json.dumps([[float("-inf"), float("inf")]]))
    assert (low, high) == (float("-inf"), float("inf"))
    [[nan]] = rows('\ufeff{"p": NaN}', P)
    assert nan != nan


@pytest.mark.parametrize("mark", ["\ufeff".encode(), b""])
def test_a_byte_order_mark_is_skipped_once(mark: bytes) -> None:
    assert load_json(mark + b'{"a": 1}') == {"a": 1}
    with pytest.raises(MalformedRecord):
        load_json("\ufeff\ufeff{}")


def test_several_objects_in_a_record_have_a_reason_of_their_own() -> None:
    for text, reason in (
        (b'{"a": 1}{"a": 2}', "several_objects"),
        (b'{"a": 1}\n{"a": 2}\n', "several_objects"),
        (b'{"a": 1}, {"a": 2}', "undecodable"),
        (b'{"a": 1}}', "undecodable"),
        (b"1 2", "undecodable"),
    ):
        with pytest.raises(MalformedRecord) as raised:
            load_json(text)
        assert raised.value.reason == reason, text


def test_a_hundred_thousand_documents_on_a_line_take_linear_time() -> None:
    assert len(load_documents('{"a":1}' * 100_000)) == 100_000
