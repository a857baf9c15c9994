"""The envelope of a capture line: decoded by its type, or field by field where that fails."""

from __future__ import annotations

from typing import Final, Literal, cast

import msgspec

from stream.formats.faults import MalformedRecord, type_name, visible
from stream.formats.json_paths import PathReader, value_at
from stream.formats.json_rows import readable
from stream.formats.json_text import load_json

SIDES: Final = ("endpointOutput", "endpointInput")
"""The sides of an invocation; elsewhere a side is an index into these."""

Encoding = Literal["CSV", "JSON", "BASE64", ""]


class Payload(msgspec.Struct, frozen=True, gc=False):
    """One side of an invocation.

    The usual encodings are literals, so that all payloads share one text for each.
    """

    data: str
    encoding: Encoding = ""


class Capture(msgspec.Struct, frozen=True, gc=False):
    """Both sides of an invocation; ``None`` where a side was not captured."""

    endpointOutput: Payload | None = None
    endpointInput: Payload | None = None


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """The ids, the time and the source of an invocation."""

    eventId: str | None = None
    inferenceId: str | None = None
    inferenceTime: object = None
    invocationSource: object = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """A capture line."""

    captureData: Capture = Capture()
    eventMetadata: Metadata = Metadata()


EMPTY_EVENT: Final = Event()
"""Replaces a record that cannot be decoded."""


def read_event(value: bytes | None) -> Event:
    """Decode the envelope of one capture line field by field.

    Raises :class:`~stream.formats.faults.MalformedRecord`: ``tombstone``, ``undecodable``,
    ``not_an_object``, ``wrong_type``.
    """
    if value is None:
        raise MalformedRecord("tombstone")
    document = load_json(value)
    if not isinstance(document, dict):
        raise MalformedRecord("not_an_object", f"the record is {type_name(document)}")
    capture, metadata = _object(document, "captureData"), _object(document, "eventMetadata")
    sides = [
        _payload(_object(capture, side)) if capture.get(side) is not None else None
        for side in SIDES
    ]
    event_id, inference_id = _string(metadata, "eventId"), _string(metadata, "inferenceId")
    time, source = metadata.get("inferenceTime"), metadata.get("invocationSource")
    return Event(Capture(*sides), Metadata(event_id, inference_id, time, source))


def _object(document: dict[str, object], name: str) -> dict[str, object]:
    value = document.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedRecord("wrong_type", f"{name} holds {type_name(value)}")
    return value


def _payload(side: dict[str, object]) -> Payload:
    data = _string(side, "data")
    if data is None:
        raise MalformedRecord("wrong_type", f"no data: a side has {type_name(side)}")
    return Payload(data, cast("Encoding", _string(side, "encoding") or ""))


def _string(document: dict[str, object], name: str) -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise MalformedRecord("wrong_type", f"{visible(name)} holds {type_name(value)}")
    return readable(value, name)


class ContentTypes:
    """Reads the content type of a side, which only base64 needs, from the envelope."""

    def __init__(self) -> None:
        self._paths = [("captureData", side, "observedContentType") for side in SIDES]
        self._reader = PathReader(self._paths, [str | None, str | None])

    def of(self, value: bytes | None, side: int) -> str | None:
        """Return the content type of one side; ``None`` if there is none."""
        documents = self._reader.read([value])
        if documents.failed:
            content_type = value_at(load_json(value or b""), self._paths[side])
        else:
            [content_type] = documents.values(side)
        return content_type if isinstance(content_type, str) else None
