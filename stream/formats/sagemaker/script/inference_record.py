"""The record that a preprocessing script gets, with the attributes that Model Monitor gives it."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

Json = dict[str, Any]
OTHER_NAMES: Final = {
    "observed_content_type": "observedContentType",
    "content_type": "observedContentType",
    "contentType": "observedContentType",
    "eventId": "event_id",
    "inferenceId": "inference_id",
    "inferenceTime": "event_time",
    "inference_time": "event_time",
    "customAttributes": "custom_attribute",
    "custom_attributes": "custom_attribute",
    "customAttribute": "custom_attribute",
    "invocationSource": "invocation_source",
    "endpointInput": "endpoint_input",
    "endpointOutput": "endpoint_output",
    "batchTransformOutput": "batch_transform_output",
    "groundTruthData": "ground_truth",
    "ground_truth_data": "ground_truth",
    "groundTruth": "ground_truth",
    "eventMetadata": "event_metadata",
    "eventVersion": "event_version",
}
"""The names in a capture, and other spellings that scripts have, of the attributes."""


def _by_other_name(holder: Any, name: str) -> Any:
    """Return the attribute that has another name here; called where there is none of this name."""
    known = OTHER_NAMES.get(name)
    if known in dir(type(holder)):
        return getattr(holder, known)
    raise AttributeError(f"{type(holder).__name__} has no attribute {name!r}")


class EventData(msgspec.Struct):
    """One side of an invocation, or the ground truth: ``None`` where the capture has no such key.

    ``data`` is text as captured: CSV, JSON, or BASE64, as ``encoding`` says.
    """

    data: Any = None
    encoding: Any = None
    observedContentType: Any = None
    mode: Any = None

    def __getattr__(self, name: str) -> Any:
        return _by_other_name(self, name)

    def as_dict(self) -> Json:
        """Return the side as in a capture, without its mode, as Model Monitor does."""
        return {
            "encoding": self.encoding,
            "data": self.data,
            "observedContentType": self.observedContentType,
        }


class EventMetadata(msgspec.Struct, rename="camel"):
    """The ids, the time and the custom attributes of an invocation.

    Model Monitor calls them ``event_id``, ``event_time`` and ``custom_attribute``.
    """

    event_id: Any = None
    event_time: Any = msgspec.field(default=None, name="inferenceTime")
    custom_attribute: Any = msgspec.field(default=None, name="customAttributes")
    inference_id: Any = None
    invocation_source: Any = None

    def __getattr__(self, name: str) -> Any:
        return _by_other_name(self, name)


class _Capture(msgspec.Struct, rename="camel"):
    endpoint_input: EventData | None = None
    endpoint_output: EventData | None = None
    batch_transform_output: EventData | None = None


class _Line(msgspec.Struct, rename="camel"):
    capture_data: _Capture = msgspec.field(default_factory=_Capture)
    event_metadata: EventMetadata | None = None
    ground_truth_data: EventData | None = None
    event_version: Any = None


_decode = msgspec.json.Decoder(_Line).decode


class InferenceRecord:
    """A capture, or a capture merged with its ground truth."""

    __slots__ = (
        "_capture",
        "_value",
        "batch_transform_output",
        "endpoint_input",
        "endpoint_output",
        "event_metadata",
        "event_version",
        "ground_truth",
    )

    def __init__(self, value: bytes) -> None:
        """Read a capture line; raises ``ValueError`` if it is none."""
        try:
            line = _decode(value)
        except msgspec.DecodeError:  # NaN, a byte order mark, a value of an unusual type
            line = msgspec.convert(json.loads(value), _Line)
        capture = self._capture = line.capture_data
        self._value = value
        self.endpoint_input = capture.endpoint_input
        self.endpoint_output = capture.endpoint_output
        self.batch_transform_output = capture.batch_transform_output
        self.event_metadata = line.event_metadata
        self.ground_truth = line.ground_truth_data
        self.event_version = line.event_version

    def __getattr__(self, name: str) -> Any:
        if name in ("event_data", "capture_data", "captureData"):
            return self  # scripts look for both sides there too
        return _by_other_name(self, name)

    def as_dict(self) -> Json:
        """Return the capture, with the sides as they are now."""
        document: Json = json.loads(self._value)
        captured = document.get("captureData")
        if isinstance(captured, dict):
            for key, side in (
                ("endpointInput", self.endpoint_input),
                ("endpointOutput", self.endpoint_output),
                ("batchTransformOutput", self.batch_transform_output),
            ):
                if key in captured and side is not None:
                    captured[key] = side.as_dict()
        return document
