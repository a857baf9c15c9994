"""Lines of batch transform jobs, decoded as the format ``sagemaker`` decodes captures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stream.sources.s3.transform_lines import TransformLines

KEY = "batch/output/2026/11/30/03/job.json s3://b/results/2020/01/02/03/a.csv.out"
HOUR = "2026-11-30T03:00:00Z"
UUID = "1f1d57b1-2e6f-488c-8c30-db4e6d757861"


def record(line: str, side: Any = "output") -> Any:
    chosen = TransformLines(side).records(KEY, [0], [line.encode()])
    assert chosen.starts == [0]
    (value,) = chosen.values
    return json.loads(value)


def envelope(data: str, encoding: str, event_id: str = "", time: str = HOUR) -> Any:
    metadata = {"eventId": event_id, "inferenceTime": time} if event_id else {"inferenceTime": time}
    return {
        "captureData": {"endpointOutput": {"data": data, "encoding": encoding}},
        "eventMetadata": metadata,
    }


@pytest.mark.parametrize(
    ("line", "data", "time"),
    [
        (f"0, {UUID},2022-08-30T00:49:15Z", "0", "2022-08-30T00:49:15Z"),
        (f"0.7,a,{UUID},2022-08-30 00:49:15", "0.7,a", "2022-08-30T00:49:15Z"),
        (
            f'"x,""y",1,"{UUID}", "2022-08-30T00:49:15.123+02:00"\r',
            '"x,""y",1',
            "2022-08-30T00:49:15.123+02:00",
        ),
        (f"{'7,' * 500}8,{UUID},2022-08-30T00:49:15Z", f"{'7,' * 500}8", "2022-08-30T00:49:15Z"),
    ],
)
def test_the_id_and_the_time_in_the_last_columns_are_no_cells(
    line: str, data: str, time: str
) -> None:
    assert record(line) == envelope(data, "CSV", UUID, time)


@pytest.mark.parametrize(
    "line", ["0.7", "0.7,2022-08-30T00:49:15Z", f"0.7,{UUID}", f"{UUID},2022-08-30", "größe,1"]
)
def test_without_both_of_them_a_row_has_the_hour_of_its_manifest(line: str) -> None:
    assert record(line) == envelope(line, "CSV")


def test_json_documents_keep_their_text() -> None:
    line = json.dumps(
        {
            "output": 0,
            "SageMakerInferenceId": UUID,
            "SageMakerInferenceTime": "2022-08-30T00:49:15Z",
        }
    )
    assert record(line) == envelope(line, "JSON", UUID, "2022-08-30T00:49:15Z")
    for other in ('{"output": 0}', "[0.1, 0.9]", '{"SageMakerInferenceId": 5}', '{"SageMakerInf'):
        assert record(other) == envelope(other, "JSON")


def test_a_time_that_is_none_is_replaced_by_the_hour() -> None:
    line = json.dumps({"SageMakerInferenceId": UUID, "SageMakerInferenceTime": "yesterday"})
    assert record(line) == envelope(line, "JSON", UUID)


def test_lines_of_the_input_are_requests_and_have_no_id() -> None:
    line = f"1,2,{UUID},2022-08-30T00:49:15Z"
    assert record(line, "input") == {
        "captureData": {"endpointInput": {"data": line, "encoding": "CSV"}},
        "eventMetadata": {"inferenceTime": HOUR},
    }


def test_the_hour_is_that_of_the_manifest_not_of_the_object() -> None:
    moment = datetime.fromisoformat(record("0.7")["eventMetadata"]["inferenceTime"])
    assert moment == datetime(2026, 11, 30, 3, tzinfo=UTC)


def test_only_the_first_line_of_an_object_is_a_header() -> None:
    lines = TransformLines("input", header=True)
    first = lines.records(KEY, [0, 4], [b"a,b", b"1,2"])
    assert (first.starts, len(first.values)) == ([4], 1)
    assert lines.records(KEY, [8], [b"3,4"]).starts == [8]


def test_a_line_that_is_not_utf_8_stays_as_it_is() -> None:
    assert TransformLines("output").records(KEY, [0], [b"\xff,1"]).values == [b"\xff,1"]
