"""The record that a script gets: the attributes of Model Monitor, and other spellings of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.formats.sagemaker.script.inference_record import InferenceRecord
from tests.unit.stream.formats.sagemaker.script.captures import capture


def read(value: bytes) -> Any:
    """The record of a capture."""
    return InferenceRecord(value)


def test_the_attributes_are_those_of_model_monitor() -> None:
    record = read(capture(customAttributes=["k=v"]))
    request, response = record.endpoint_input, record.endpoint_output
    assert (request.data, request.encoding, request.mode) == ("1.5,7,a", "CSV", "INPUT")
    assert request.observedContentType == "text/csv"
    assert (response.data, response.mode) == ("0.5\n", "OUTPUT")
    metadata = record.event_metadata
    assert (metadata.event_id, metadata.event_time) == ("e1", "2025-06-15T15:06:40Z")
    assert metadata.custom_attribute == ["k=v"]
    assert record.event_version == "0"
    assert record.ground_truth is None
    assert record.batch_transform_output is None


def test_a_merged_record_has_its_ground_truth_and_a_batch_its_output() -> None:
    merged = {
        "captureData": {"batchTransformOutput": {"data": "0.7", "encoding": "CSV"}},
        "groundTruthData": {"data": "1", "encoding": "CSV"},
        "eventMetadata": {"eventId": "e"},
    }
    record = read(json.dumps(merged).encode())
    assert (record.ground_truth.data, record.batch_transform_output.data) == ("1", "0.7")
    assert record.endpoint_input is None
    assert record.event_metadata.custom_attribute is None


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("endpoint_input.observed_content_type", "text/csv"),
        ("endpoint_input.content_type", "text/csv"),
        ("endpointInput.data", "1.5,7,a"),
        ("event_data.endpoint_output.data", "0.5\n"),
        ("event_metadata.eventId", "e1"),
        ("event_metadata.inference_id", "i1"),
        ("event_metadata.inferenceTime", "2025-06-15T15:06:40Z"),
        ("event_metadata.customAttributes", ["k=v"]),
        ("event_metadata.custom_attributes", ["k=v"]),
        ("eventMetadata.event_id", "e1"),
    ],
)
def test_other_spellings_are_understood(expression: str, value: object) -> None:
    found: object = read(capture(customAttributes=["k=v"]))
    for name in expression.split("."):
        found = getattr(found, name)
    assert found == value


def test_an_unknown_attribute_is_named() -> None:
    with pytest.raises(AttributeError, match="EventMetadata has no attribute 'endpoint_input'"):
        _ = read(capture()).event_metadata.endpoint_input
    with pytest.raises(AttributeError, match="InferenceRecord has no attribute 'nothing'"):
        _ = read(capture()).nothing


def test_as_dict_is_the_capture_with_the_sides_as_they_are_now() -> None:
    record = read(capture())
    record.endpoint_input.data = "2"
    document = record.as_dict()
    assert document["captureData"]["endpointInput"] == {
        "data": "2",
        "encoding": "CSV",
        "observedContentType": "text/csv",
    }
    assert document["eventMetadata"]["eventId"] == "e1"


def test_a_capture_with_a_byte_order_mark_or_nan_is_read() -> None:
    marked = read(b"\xef\xbb\xbf" + capture())
    assert marked.endpoint_input.data == "1.5,7,a"
    odd = json.loads(capture()) | {"extra": float("nan")}
    assert read(json.dumps(odd).encode()).event_version == "0"
