"""Notices of new objects: the events of S3, as they are, through SNS, and through EventBridge."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

import msgspec

from stream.sources.s3.client import ObjectInfo

UNKNOWN_SIZE: Final = -1
NOT_UNDERSTOOD: Final = (
    msgspec.DecodeError,
    RecursionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""The errors that a message of another shape causes; any text can be sent to a queue."""


class Notice(NamedTuple):
    """The objects that a message names, by bucket; ``understood``: it is a message of S3."""

    objects: list[tuple[str, ObjectInfo]]
    understood: bool


def notice_of(body: str) -> Notice:
    """Return what a message names; of events other than the creation of an object, nothing.

    >>> test = '{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}'
    >>> notice_of(test), notice_of("hello").understood
    (Notice(objects=[], understood=True), False)
    """
    try:
        return _notice(msgspec.json.decode(body))
    except NOT_UNDERSTOOD:
        return Notice([], False)


def _notice(message: dict[str, Any]) -> Notice:
    if message.get("Type") == "Notification" and isinstance(message.get("Message"), str):
        return _notice(msgspec.json.decode(message["Message"]))
    if "Records" in message:
        return Notice([_record(each) for each in message["Records"] if _creates(each)], True)
    if message.get("source") == "aws.s3":
        created = message["detail-type"] == "Object Created"
        return Notice([_event(message)] if created else [], True)
    return Notice([], message.get("Event") == "s3:TestEvent")


def _creates(record: dict[str, Any]) -> bool:
    return str(record["eventName"]).removeprefix("s3:").startswith("ObjectCreated:")


def _record(record: dict[str, Any]) -> tuple[str, ObjectInfo]:
    """Return the object of a record of S3 itself, in which keys are encoded as in a form."""
    stored = record["s3"]["object"]
    key = unquote_plus(stored["key"])
    return str(record["s3"]["bucket"]["name"]), _info(key, stored, "eTag", record["eventTime"])


def _event(event: dict[str, Any]) -> tuple[str, ObjectInfo]:
    """Return the object of an event of EventBridge, in which keys are not encoded."""
    detail = event["detail"]
    stored = detail["object"]
    return str(detail["bucket"]["name"]), _info(str(stored["key"]), stored, "etag", event["time"])


def _info(key: str, stored: dict[str, Any], etag: str, time: str) -> ObjectInfo:
    moment = datetime.fromisoformat(time)
    size = int(stored.get("size", UNKNOWN_SIZE))
    modified_ms = int(moment.timestamp() * 1000)
    return ObjectInfo(key, str(stored.get(etag, "")).strip('"'), size, modified_ms)
