"""Scripts with ``preprocess_handler``, as they run on SageMaker Model Monitor."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from stream.baselining.columns import ModelColumns
from stream.events import Assign
from stream.formats.base import ColumnType, DecodingPlan, Schema
from stream.formats.sagemaker.format import Sagemaker
from stream.readers.plan import ReadingPlan
from stream.readers.reader import Reader
from stream.testing.format import LAYOUT, PLAN, TIME_MS, FormatContract, FormatRig, identity
from stream.testing.records import raw_batch
from tests.support.paths import SHARED
from tests.support.records import NoSource, job_settings
from tests.unit.stream.formats.sagemaker.script.captures import (
    DOCUMENTED,
    capture,
    cells,
    decoded_by,
    form_with,
    rejected,
)


class ScriptRig:
    """Captures that a script reads by name."""

    def __init__(self, form: Sagemaker) -> None:
        self._form = form

    def format(self) -> Sagemaker:
        return self._form

    def good(self, time: str = "2025-06-15T15:06:40Z") -> bytes:
        return capture(inferenceTime=time)

    def undated(self) -> bytes:
        return capture(inferenceTime=None)

    def malformed(self) -> bytes:
        return capture("1.5,7")

    def bad(self) -> list[tuple[str, bytes | None]]:
        document = json.loads(capture())
        document["captureData"].pop("endpointInput")
        return [
            ("script_failed", capture("1.5,7")),
            ("script_failed", json.dumps(document).encode()),
            ("skipped_source", capture(invocationSource="ShadowExperiment")),
            ("undecodable", b"{"),
            ("not_an_object", b"[]"),
            ("wrong_type", b'{"captureData": "x"}'),
        ]


@pytest.fixture(scope="module")
def by_name(tmp_path_factory: pytest.TempPathFactory) -> Sagemaker:
    script = """
        def preprocess_handler(inference_record):
            x, n, t = inference_record.endpoint_input.data.split(",")
            return {"p": inference_record.endpoint_output.data.strip(), "x": x, "n": n, "t": t}
    """
    return form_with(tmp_path_factory.mktemp("script"), script)


class TestScript(FormatContract):
    @pytest.fixture
    def rig(self, by_name: Sagemaker) -> FormatRig:
        return ScriptRig(by_name)


def test_the_documented_script_gives_the_columns_of_the_captures(tmp_path: Path) -> None:
    draw = random.Random(0)
    lines = [
        capture(
            f"{draw.uniform(-9, 9)},{draw.randint(-9, 9)},{draw.choice('ab')}", f"{draw.random()}\n"
        )
        for _ in range(1_200)
    ]
    scripted = decoded_by(form_with(tmp_path, DOCUMENTED), *lines)
    assert cells(scripted) == cells(decoded_by(Sagemaker(), *lines))
    assert scripted.event_ids == ["e1"] * 1_200
    assert not scripted.rejects


def test_keys_are_matched_by_name_and_a_column_without_a_key_is_missing(tmp_path: Path) -> None:
    script = """
        def preprocess_handler(inference_record):
            return {"t": "b", "n": 3, "other": 5, "x": float(inference_record.endpoint_input.data)}
    """
    decoded = decoded_by(form_with(tmp_path, script), capture("10"), capture("2"))
    assert cells(decoded) == {
        "record": [0, 1],
        "p": [None] * 2,
        "x": [10, 2],
        "n": [3, 3],
        "t": ["b", "b"],
    }


def test_keys_that_name_no_column_are_sorted_as_text(tmp_path: Path) -> None:
    """``10`` comes before ``9``: as on SageMaker, where keys are padded with zeros for this."""
    script = """
        def preprocess_handler(inference_record):
            return {"9": "b", "10": 1.5, 100: 7, "1": 0.5}
    """
    decoded = decoded_by(form_with(tmp_path, script), capture())
    assert cells(decoded) == {"record": [0], "p": [0.5], "x": [1.5], "n": [7], "t": ["b"]}


@pytest.mark.parametrize(
    ("request_data", "reason", "detail"),
    [
        ("1.5,7", "too_few_columns", "the script returned 3 keys, the model has 4 columns"),
        ("1.5,7,a,b", "too_many_columns", "the script returned 5 keys, the model has 4 columns"),
    ],
)
def test_values_that_are_matched_by_position_must_be_as_many_as_columns(
    tmp_path: Path, request_data: str, reason: str, detail: str
) -> None:
    decoded = decoded_by(form_with(tmp_path, DOCUMENTED), capture(request_data), capture())
    assert rejected(decoded) == [(0, reason, detail)]
    assert cells(decoded)["record"] == [1]


def test_a_list_of_dicts_is_several_rows_and_an_empty_list_none(tmp_path: Path) -> None:
    script = """
        def preprocess_handler(inference_record):
            rows = int(inference_record.endpoint_input.data)
            return [{"x": i, "p": 0.5} for i in range(rows)]
    """
    decoded = decoded_by(form_with(tmp_path, script), capture("2"), capture("0"), capture("3"))
    assert cells(decoded)["record"] == [0, 0, 2, 2, 2]
    assert cells(decoded)["x"] == [0, 1, 0, 1, 2]
    assert rejected(decoded) == [(1, "dropped_by_script", "")]


@pytest.mark.parametrize(
    ("result", "detail"),
    [
        ("None", "None, not a dict, a list of dicts or []"),
        ("{}", "an empty dict, not a dict, a list of dicts or []"),
        ("'a,b'", "a value of type str, not a dict, a list of dicts or []"),
        ("[1, 2]", "a list of other things than dicts"),
        ("{'x': {'y': 1}}", "the value of 'x' is a value of type dict"),
        ("{'x': [1]}", "the value of 'x' is a value of type list"),
        ("{'t': b'a'}", "the value of 't' is a value of type bytes"),
        ("{'t': chr(0xD800)}", "the text of 't' is no valid Unicode"),
    ],
)
def test_a_result_that_is_no_row_rejects_its_record_alone(
    tmp_path: Path, result: str, detail: str
) -> None:
    script = f"""
        def preprocess_handler(inference_record):
            return {result} if inference_record.endpoint_input.data == "bad" else {{"x": 1.5}}
    """
    decoded = decoded_by(form_with(tmp_path, script), capture("1"), capture("bad"), capture("2"))
    assert rejected(decoded) == [(1, "script_result", detail)]
    assert cells(decoded)["record"] == [0, 2]


def test_values_of_libraries_are_read_as_what_they_stand_for(tmp_path: Path) -> None:
    script = """
        import datetime, decimal, numpy
        VALUES = [numpy.float32(1.5), numpy.int64(7), decimal.Decimal("2.25"), 2**70, True, None,
                  float("nan"), numpy.array(3.0)]
        def preprocess_handler(inference_record):
            return [{"x": value, "t": datetime.date(2025, 6, 15)} for value in VALUES]
    """
    decoded = decoded_by(form_with(tmp_path, script, "5s"), capture())
    assert not decoded.rejects
    found = cells(decoded)
    assert found["t"] == ["2025-06-15"] * 8
    assert [found["x"][k] for k in (0, 1, 2, 3, 5, 7)] == [1.5, 7, 2.25, 2.0**70, None, 3.0]


ERRORS = [
    ("raise ValueError(data)", "ValueError at NAME:4"),
    (
        "return inference_record.endpoint_input.date",
        "AttributeError at NAME:4: EventData has no attribute 'date'",
    ),
    ("return dta", "NameError at NAME:4: name 'dta' is not defined"),
    ("import sys; sys.exit(3)", "SystemExit at NAME:4"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt at NAME:4"),
    ("preprocess_handler(inference_record)", "RecursionError at NAME:4"),
    ("import os; os._exit(3)", "the process of the script ended: exit code 3"),
    (
        "import os; os.kill(os.getpid(), 11)",
        "the process of the script ended: signal 11 (Segmentation fault)",
    ),
]


@pytest.mark.parametrize(("statement", "detail"), ERRORS)
def test_an_error_rejects_its_record_alone_and_shows_no_value(
    tmp_path: Path, statement: str, detail: str
) -> None:
    script = f"""
        def preprocess_handler(inference_record):
            if (data := inference_record.endpoint_input.data) == "secret":
                {statement}
            return {{"x": data}}
    """.replace("\n        ", "\n").lstrip()
    form = form_with(tmp_path, script)
    records = [capture("1"), capture("secret"), capture("2"), capture("secret"), capture("3")]
    decoded = decoded_by(form, *records)
    detail = detail.replace("NAME:4", f"{Path(form.preprocess).name}:3")
    assert rejected(decoded) == [(k, "script_failed", detail) for k in (1, 3)]
    assert cells(decoded)["x"] == [1, 2, 3]
    assert decoded.time_ms.tolist() == [TIME_MS] * 5


@pytest.mark.parametrize(
    "wait",
    [
        "import time; time.sleep(60)",
        "while True: pass",
        "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); signal.pause()",
    ],
)
def test_a_call_that_hangs_rejects_its_record_alone(tmp_path: Path, wait: str) -> None:
    script = f"""
        def preprocess_handler(inference_record):
            data = inference_record.endpoint_input.data
            if data == "hang":
                {wait}
            return {{"x": data}}
    """
    form = form_with(tmp_path, script, "400ms")
    decoded = decoded_by(form, capture("1"), capture("hang"), capture("2"))
    assert rejected(decoded) == [(1, "script_timed_out", "no result within 0.4 s")]
    assert cells(decoded)["x"] == [1, 2]


def test_errors_are_shown_where_values_may_be(tmp_path: Path) -> None:
    script = """
        def preprocess_handler(inference_record):
            raise ValueError(inference_record.endpoint_input.data)
    """
    form = form_with(tmp_path, script)
    decoded = form.open(identity()._replace(expose_names=True), PLAN).decode(
        [raw_batch([capture("41")])]
    )
    assert rejected(decoded)[0][2].endswith(": 41")


def test_draws_of_a_record_do_not_depend_on_the_records_before_it(tmp_path: Path) -> None:
    """So a record that is read again after a crash has the outcome it had before."""
    script = """
        import random
        def preprocess_handler(inference_record):
            return {"x": random.random()} if random.random() < 0.5 else []
    """
    form = form_with(tmp_path, script)
    records = [capture(str(k)) for k in range(200)]
    together = cells(decoded_by(form, *records))
    kept = [k for k, record in enumerate(records) if cells(decoded_by(form, record))["record"]]
    assert together["record"] == kept
    assert 60 < len(kept) < 140


def test_a_dropped_record_balances_the_ledger_and_moves_the_mark(tmp_path: Path) -> None:
    script = """
        def preprocess_handler(inference_record):
            data = inference_record.endpoint_input.data
            return [] if data == "drop" else {"x": data, "p": 0.5, "n": 1, "t": "a"}
    """
    form = form_with(tmp_path, script)
    reader = Reader(NoSource(), form, identity(), job_settings())
    reader.use(ReadingPlan({"m": ModelColumns(("p",), ("x", "n", "t"), LAYOUT)}, form))
    reader.assign([Assign(claim=1, partition="p", next=0, mark_ms=None)])
    last = capture("drop", inferenceTime="2025-06-15T15:06:41Z")
    partial = reader.fold([raw_batch([capture("1"), capture("drop"), capture("2"), last])])
    [cover] = partial.covers
    outcomes = {name: count for name, count in cover.outcomes.items() if count}
    assert outcomes == {"accepted": 2, "dropped_by_script": 2}
    assert (cover.read, cover.rows, cover.mark_ms) == (4, 2, TIME_MS + 1000)
    assert partial.dead_letters == []
    [(_, _, profile)] = partial.profiles
    assert profile.rows == 2


def test_the_documented_script_reads_real_captures_like_the_format_alone(tmp_path: Path) -> None:
    path = SHARED / "capture" / "churn_csv_capture.jsonl"
    if not path.exists():
        pytest.skip(f"no captures of an endpoint: {path} is missing")
    lines = path.read_bytes().splitlines()
    width = len(json.loads(lines[0])["captureData"]["endpointInput"]["data"].split(","))
    inputs = tuple(f"x{k}" for k in range(width))
    types = dict.fromkeys(("p", *inputs), ColumnType("float"))
    plan = DecodingPlan((Schema(("p",), inputs, types),), {"m": 0})
    alone, scripted = (
        form.open(identity(), plan).decode([raw_batch(lines)])
        for form in (Sagemaker(), form_with(tmp_path, DOCUMENTED))
    )
    assert not scripted.rejects
    assert len(cells(scripted)["record"]) == len(lines) > 0
    assert cells(scripted) == cells(alone)


@pytest.mark.parametrize(
    ("value", "detail"), [("Unprintable()", "KeyError at NAME:4"), ("10 ** 5000", "ValueError")]
)
def test_a_cell_that_has_no_text_rejects_its_record_alone(
    tmp_path: Path, value: str, detail: str
) -> None:
    script = f"""
        class Unprintable:
            def __str__(self):
                raise KeyError("text")
        def preprocess_handler(inference_record):
            data = inference_record.endpoint_input.data
            return {{"x": {value} if data == "2" else data}}
    """
    form = form_with(tmp_path, "\n".join(script.splitlines()[1:]))
    decoded = decoded_by(form, *[capture(str(k)) for k in range(1, 4)])
    name = Path(form.preprocess).name
    assert rejected(decoded) == [(1, "script_failed", detail.replace("NAME:4", f"{name}:3"))]
    assert cells(decoded)["x"] == [1, 3]
