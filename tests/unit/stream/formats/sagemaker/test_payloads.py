"""Capture lines of every shape: rows on both sides, headers, JSON, base64, missing sides."""

from __future__ import annotations

import json
from base64 import b64encode

import numpy as np
import pytest

from detectors.profiles.columns import Numbers, Texts
from stream.events import DecodedRecords
from stream.formats.base import (
    ColumnType,
    Decoder,
    DecodingPlan,
    IdentityConfig,
    NameConfig,
    Schema,
    TimeConfig,
)
from stream.formats.sagemaker.format import Sagemaker
from stream.testing.records import raw_batch
from tests.support.paths import SHARED

CAPTURES = SHARED / "capture"
KINDS: dict[str, ColumnType] = {
    "p": ColumnType("float"),
    "x": ColumnType("float"),
    "n": ColumnType("int"),
    "t": ColumnType("text"),
}
SCHEMA = Schema(("p",), ("x", "n", "t"), KINDS)


def line(
    response: str | None,
    request: str | None,
    encoding: str = "CSV",
    content_type: str | None = None,
) -> bytes:
    sides = {"endpointOutput": response, "endpointInput": request}
    data = {
        side: {"observedContentType": content_type, "data": text, "encoding": encoding}
        for side, text in sides.items()
        if text is not None
    }
    return json.dumps(
        {"captureData": data, "eventMetadata": {"inferenceTime": "2025-06-15T15:06:40Z"}}
    ).encode()


def decode(
    values: list[bytes], form: Sagemaker | None = None, schema: Schema = SCHEMA
) -> DecodedRecords:
    return opened(form or Sagemaker(), schema).decode([raw_batch(values)])


def opened(form: Sagemaker, schema: Schema = SCHEMA) -> Decoder:
    identity = IdentityConfig(NameConfig(name="m"), NameConfig(name="v"), TimeConfig())
    return form.open(identity, DecodingPlan((schema,), {"m": 0}))


def rows(decoded: DecodedRecords) -> list[tuple[int, dict[str, object]]]:
    """Record and cells of each row; a missing number is ``None``."""
    cells_by_record = []
    for batch in decoded.batches:
        for r, record in enumerate(batch.record.tolist()):
            row: dict[str, object] = {}
            for name, column in batch.columns.items():
                if isinstance(column, Texts):
                    row[name] = column.values[r].as_py()
                else:
                    assert isinstance(column, Numbers)
                    row[name] = None if np.isnan(column.values[r]) else float(column.values[r])
            cells_by_record.append((record, row))
    return sorted(cells_by_record, key=lambda pair: pair[0])


def row(p: float | None, x: float, n: float, t: str | None) -> dict[str, object]:
    return {"p": p, "x": x, "n": n, "t": t}


def test_rows_of_an_event_are_paired_in_order_and_a_final_newline_is_no_row() -> None:
    decoded = decode(
        [line("0.1\n0.2\n", "1,2,a\n3,4,b"), line("0.3\n", "5,6,c\n"), line("\n", "7,8,d")]
    )
    assert rows(decoded) == [
        (0, row(0.1, 1, 2, "a")),
        (0, row(0.2, 3, 4, "b")),
        (1, row(0.3, 5, 6, "c")),
        (2, row(None, 7, 8, "d")),
    ]


def test_rows_are_never_paired_with_those_of_another_event() -> None:
    decoded = decode([line("0.1\n0.2", "1,2,a"), line("0.3", "3,4,b\n5,6,c"), line("0.4", "7,8,d")])
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [
        (0, "row_count"),
        (1, "row_count"),
    ]
    assert rows(decoded) == [(2, row(0.4, 7, 8, "d"))]


def test_an_unbalanced_quote_affects_only_its_own_event() -> None:
    decoded = decode(
        [
            line("0.1", "1,2,a"),
            line("0.2", '3,4,"b'),
            line("0.3", '5,6,"c,""d"""'),
            line("0.4", "7,8,e"),
        ]
    )
    assert [cells["t"] for _, cells in rows(decoded)] == ["a", "b", 'c,"d"', "e"]
    assert not decoded.rejects


def test_one_row_of_wrong_width_rejects_the_whole_event() -> None:
    decoded = decode([line("0.1\n0.2\n0.3", "1,2,a\n3,4\n5,6,c"), line("0.4", "7,8,d")])
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [
        (0, "too_few_columns")
    ]
    assert rows(decoded) == [(1, row(0.4, 7, 8, "d"))]


def test_a_header_names_columns_in_any_order_and_others_are_missing() -> None:
    form = Sagemaker(header=True)
    decoded = decode(
        [
            line("p\n0.1\n0.2", "t,x,other,n\na,1,q,2\nb,3,q,4"),
            line("score\n0.3", "n,t,x\n6,c,5"),
            line("p\n", "n\n1"),
        ],
        form,
    )
    assert rows(decoded) == [
        (0, row(0.1, 1, 2, "a")),
        (0, row(0.2, 3, 4, "b")),
        (1, row(None, 5, 6, "c")),
    ]
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [(2, "row_count")]


JSON_SIDES = [
    ("0.5", '{"x": 1.5, "n": 7, "t": "a"}', Sagemaker()),
    ("[0.5]", '[1.5, 7, "a"]', Sagemaker()),
    ("[[0.5]]", '[[1.5, 7, "a"]]', Sagemaker()),
    ('{"p": 0.5, "more": [1]}', '{"t": "a", "n": 7, "x": 1.5, "more": {}}', Sagemaker()),
    (
        '{"predictions": [0.5]}',
        '{"instances": [[1.5, 7, "a"]]}',
        Sagemaker(output_rows="predictions", input_rows="instances"),
    ),
    (
        '{"out": {"rows": [{"p": 0.5}]}}',
        '{"instances": [{"x": 1.5, "n": 7, "t": "a"}]}',
        Sagemaker("out.rows", "instances"),
    ),
    (
        '{"score": {"value": 0.5}}',
        '{"a": {"x": 1.5}, "n": 7, "t": "a"}',
        Sagemaker(columns={"p": "score.value", "x": "a.x"}),
    ),
    ('{\n "p": 0.5\n}\n', ' {"x":\n1.5, "n": 7,\n"t": "a"}', Sagemaker()),
]


@pytest.mark.parametrize(("response", "request_", "form"), JSON_SIDES)
def test_json_sides_are_read_by_name_or_by_position(
    response: str, request_: str, form: Sagemaker
) -> None:
    as_text = line(response, request_, "JSON")
    as_base64 = line(
        b64encode(response.encode()).decode(),
        b64encode(request_.encode()).decode(),
        "BASE64",
        "application/json",
    )
    assert rows(decode([as_text, as_base64], form)) == [
        (0, row(0.5, 1.5, 7, "a")),
        (1, row(0.5, 1.5, 7, "a")),
    ]


def test_each_json_line_is_a_row() -> None:
    decoded = decode(
        [
            line('{"p": 1}\n{"p": 2}\n', '[1, 2, "a"]\n\n{"n": 4, "x": 3}', "JSON"),
            line("[0.1, 0.2]", '[[1,2,"a"],[3,4,null]]', "JSON"),
        ]
    )
    assert rows(decoded) == [
        (0, row(1, 1, 2, "a")),
        (0, row(2, 3, 4, None)),
        (1, row(0.1, 1, 2, "a")),
        (1, row(0.2, 3, 4, None)),
    ]


def test_sides_with_different_encodings_are_joined() -> None:
    mixed = json.loads(line("0.5", "1.5,7,a"))
    mixed["captureData"]["endpointOutput"] |= {"data": '{"p": 0.5}', "encoding": "JSON"}
    as_base64 = json.loads(line("0.5", "1.5,7,a"))
    as_base64["captureData"]["endpointInput"] |= {
        "data": b64encode(b"1.5,7,a").decode(),
        "encoding": "BASE64",
        "observedContentType": "text/csv; charset=utf-8",
    }
    decoded = decode(
        [json.dumps(mixed).encode(), json.dumps(as_base64).encode(), line("0.5", "1.5,7,a")]
    )
    assert rows(decoded) == [(k, row(0.5, 1.5, 7, "a")) for k in range(3)]


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        ("%%%", "text/csv", "undecodable"),
        ("/w==", "text/csv", "undecodable"),
        ("/w==", "text/html", "unknown_encoding"),
        ("PGh0bWw+", "text/html", "unknown_encoding"),
        ("AAEC", None, "unknown_encoding"),
        ("MA==", "text/html", "too_few_columns"),
        ("MA==", None, "too_few_columns"),
    ],
)
def test_base64_that_cannot_be_decoded_is_rejected(
    data: str, content_type: str | None, reason: str
) -> None:
    decoded = decode([line(data, data, "BASE64", content_type)])
    assert [reject.reason for reject in decoded.rejects] == [reason]


def test_a_side_that_was_not_captured_has_no_columns() -> None:
    decoded = decode([line("0.5", None), line(None, "1.5,7,a"), line("0.6", "2.5,8,b")])
    assert rows(decoded) == [
        (0, {"p": 0.5}),
        (1, {"x": 1.5, "n": 7.0, "t": "a"}),
        (2, row(0.6, 2.5, 8, "b")),
    ]
    assert not decoded.rejects


def test_a_side_without_columns_is_not_decoded() -> None:
    decoded = decode([line('"no,', "1.5,7,a", "CSV")], schema=Schema((), ("x", "n", "t"), KINDS))
    assert rows(decoded) == [(0, {"x": 1.5, "n": 7.0, "t": "a"})]


def test_bad_values_change_the_parsing_of_columns_but_not_the_result() -> None:
    decoder = opened(Sagemaker())
    clean = [line("0.5", f"{k}.5,{k},a") for k in range(10)]
    for batch in [clean, [*clean, line("n/a", "x,7.0,b")], *[clean] * 20]:
        assert rows(decoder.decode([raw_batch(batch)])) == rows(decode(batch))


fixtures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason=f"capture files are missing: {CAPTURES}"
)


def lines_of(name: str) -> list[bytes]:
    return (CAPTURES / name).read_bytes().splitlines()


@fixtures
def test_the_capture_file_of_the_churn_demo() -> None:
    inputs = tuple(f"f{k}" for k in range(69))
    decoded = decode(
        lines_of("churn_csv_capture.jsonl"),
        schema=Schema(("p",), inputs, dict.fromkeys(("p", *inputs), ColumnType("float"))),
    )
    assert not decoded.rejects
    assert [cells["p"] for _, cells in rows(decoded)][:2] == [
        0.036397725343704224,
        0.3791300654411316,
    ]
    assert [cells["f2"] for _, cells in rows(decoded)][:2] == [182.9, 263.7]
    assert decoded.event_ids[0] == "f04a8538-696c-4648-8064-8b680b2e3318"
    assert decoded.time_ms[0] == 1_650_241_308_000


@fixtures
def test_the_adult_capture_file_with_several_rows_a_line() -> None:
    inputs = tuple(f"f{k}" for k in range(14))
    kinds: dict[str, ColumnType] = {
        "predicted_label": ColumnType("int"),
        "score": ColumnType("float"),
        **dict.fromkeys(inputs, ColumnType("int")),
    }
    schema = Schema(("predicted_label", "score"), inputs, kinds)
    decoded = decode(
        lines_of("adult_jsonlines_capture_multirecord.jsonl"),
        Sagemaker(input_rows="features"),
        schema,
    )
    assert [(record, cells["score"], cells["f0"]) for record, cells in rows(decoded)] == [
        (0, 0.989977359771728, 28.0),
        (1, 0.989977359771728, 28.0),
        (1, 0.504138827323913, 43.0),
    ]
    assert not decoded.rejects


@fixtures
def test_the_nested_json_capture_file_of_the_sdk() -> None:
    form = Sagemaker(output_rows="predictions", input_rows="instances")
    decoded = decode(
        lines_of("sdk_test_capture_json.jsonl"),
        form,
        Schema(("p",), ("x",), {"p": ColumnType("float"), "x": ColumnType("float")}),
    )
    assert [cells for record, cells in rows(decoded) if record == 0] == [
        {"p": 3.5, "x": 1.0},
        {"p": 4.0, "x": 2.0},
        {"p": 5.5, "x": 5.0},
    ]


@fixtures
def test_the_language_model_capture_file_by_dotted_paths() -> None:
    kinds: dict[str, ColumnType] = {
        "generated_text": ColumnType("text"),
        "parameters.temperature": ColumnType("float"),
        "parameters.do_sample": ColumnType("text"),
        "inputs": ColumnType("text"),
    }
    output, *inputs = kinds
    schema = Schema((output,), tuple(inputs), kinds)
    decoded = rows(decode(lines_of("llm_json_capture.jsonl"), schema=schema))
    assert len(decoded) == 3
    assert {
        (cells["parameters.temperature"], cells["parameters.do_sample"]) for _, cells in decoded
    } == {(0.7, "true")}


@fixtures
def test_the_capture_template_of_the_sdk_has_no_readable_time() -> None:
    inputs = tuple(f"f{k}" for k in range(7))
    decoded = decode(
        lines_of("sdk_test_capture_csv_template.jsonl"),
        schema=Schema(("p",), inputs, dict.fromkeys(("p", *inputs), ColumnType("float"))),
    )
    assert {reject.reason for reject in decoded.rejects} == {"time_absurd"}
    assert len(decoded.rejects) == 44


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_byte_order_marks_are_read_alike_however_the_stream_is_divided(cut: int) -> None:
    values = [
        line("0.1", "\ufeff1,2,a"),
        line("0.2", "\ufeff3,4,b"),
        line("0.3", '5,6,"c'),
        line("\ufeff0.4", "7,8,d"),
    ]
    assert rows(decode(values)) == [
        *rows(decode(values[:cut])),
        *((k + cut, row) for k, row in rows(decode(values[cut:]))),
    ]
