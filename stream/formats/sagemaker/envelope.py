"""The envelope of a capture line: what is read of it, by a type at once and field by field where
that fails.
"""

from __future__ import annotations

from typing import Final, Literal, cast

import msgspec

from stream.formats.json_paths import PathReader, dig
from stream.formats.rows import MalformedRecord, load_json, readable

SIDES: Final = ("endpointOutput", "endpointInput")

Encoding = Literal["CSV", "JSON", "BASE64", ""]


class Payload(msgspec.Struct, frozen=True, gc=False):
    """One side of an invocation. (With the usual encodings as literals, all payloads share one text
    for each.)
    """

    data: str
    encoding: Encoding = ""


class Capture(msgspec.Struct, frozen=True, gc=False):
    """Both sides; ``None`` where a side was not captured."""

    endpointOutput: Payload | None = None
    endpointInput: Payload | None = None


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """Who and when."""

    eventId: str | None = None
    inferenceId: str | None = None
    inferenceTime: object = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """A capture line."""

    captureData: Capture = Capture()
    eventMetadata: Metadata = Metadata()


NOTHING: Final = Event()
"""Stands where a record could not be read."""


def read_event(value: bytes | None) -> Event:
    """The envelope of one capture line, field by field.

    Raises :class:`~stream.formats.rows.MalformedRecord`: ``tombstone``, ``undecodable``,
    ``not_an_object``, ``wrong_type``.
    """
    if value is None:
        raise MalformedRecord("tombstone")
    document = load_json(value)
    if not isinstance(document, dict):
        raise MalformedRecord("not_an_object")
    capture, metadata = _object(document, "captureData"), _object(document, "eventMetadata")
    sides = [
        _payload(_object(capture, side)) if capture.get(side) is not None else None
        for side in SIDES
    ]
    event_id, inference_id = _string(metadata, "eventId"), _string(metadata, "inferenceId")
    return Event(Capture(*sides), Metadata(event_id, inference_id, metadata.get("inferenceTime")))


def _object(document: dict[str, object], name: str) -> dict[str, object]:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise MalformedRecord("wrong_type")
    return found


def _payload(side: dict[str, object]) -> Payload:
    data = _string(side, "data")
    if data is None:
        raise MalformedRecord("wrong_type")
    return Payload(data, cast("Encoding", _string(side, "encoding") or ""))


def _string(document: dict[str, object], name: str) -> str | None:
    found = document.get(name)
    if found is None:
        return None
    if not isinstance(found, str):
        raise MalformedRecord("wrong_type")
    return readable(found)


class ContentTypes:
    """Content types are needed for base64 alone, so the envelope is read again for them."""

    def __init__(self) -> None:
        self._paths = [("captureData", side, "observedContentType") for side in SIDES]
        self._leaves = PathReader(self._paths, [str | None, str | None])

    def of(self, value: bytes | None, side: int) -> str | None:
        """The content type of one side (by its place in ``SIDES``), ``None`` if there is none."""
        try:
            found = self._leaves.read(value)[side]
        except (ValueError, RecursionError):
            found = dig(load_json(value or b""), self._paths[side])
        return found if isinstance(found, str) else None
