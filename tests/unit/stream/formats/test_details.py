"""The detail of a dead letter states the decisive fact, and never a value."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256

import pytest
from msgspec.structs import replace

from stream.events import Rejection
from stream.formats.base import Format, IdentityConfig, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.formats.timestamps import likely_unit
from stream.testing.format import PLAN, TIME, identity
from stream.testing.records import raw_batch

S = 1_750_000_000


def rejection(form: Format, record: object, config: IdentityConfig | None = None) -> Rejection:
    value = record if isinstance(record, bytes) else json.dumps(record).encode()
    [rejected] = form.open(config or identity(), PLAN).decode([raw_batch([value])]).rejects
    return rejected


def capture(response: str, request: str, encoding: str = "CSV", kind: str | None = None) -> object:
    sides = {"endpointOutput": response, "endpointInput": request}
    data = {
        side: {"data": text, "encoding": encoding, "observedContentType": kind}
        for side, text in sides.items()
    }
    return {"captureData": data, "eventMetadata": {"inferenceTime": TIME}}


def event(**changes: object) -> dict[str, object]:
    return {"time": TIME, "p": 0.5, "x": 1.5, "n": 7, "t": "a", **changes}


PNG = b64encode(b"\x89PNG\xff").decode()
DETAILS = [
    (capture("0.5", "1,2"), "too_few_columns", "the request has 2 of 3 columns"),
    (capture("0.5,1", "1,2,a"), "too_many_columns", "the response has 2 of 1 columns"),
    (
        capture("1\n2", "1,2,a\n1,2,a,b"),
        "too_many_columns",
        "row 2 of the request has 4 of 3 columns",
    ),
    (capture("[1]", "[1, 2]", "JSON"), "too_few_columns", "the request has 2 of 3 columns"),
    (capture("0.5", "1,2,a\n3,4,b"), "row_count", "rows: the response 1, the request 2"),
    (capture("[]", "[]", "JSON"), "row_count", "the response has no rows"),
    (capture("0.5", "x,n,t\n1,2,a"), "header_row", "first row of the request"),
    (capture("0.5", "1,2,a", "AVRO"), "unknown_encoding", "the response has encoding AVRO"),
    (
        capture(PNG, PNG, "BASE64", "image/png"),
        "unknown_encoding",
        "the response (image/png) is not BASE64 of JSON or CSV in UTF-8",
    ),
    (
        {"captureData": {}, "eventMetadata": {"inferenceTime": TIME}},
        "payload_missing",
        "no response and no request",
    ),
    (
        {"captureData": {}, "eventMetadata": {"eventId": "e"}},
        "time_missing",
        "no eventMetadata.inferenceTime: eventMetadata has eventId",
    ),
    ({"captureData": []}, "wrong_type", "captureData holds a list of 0"),
]


@pytest.mark.parametrize(("record", "reason", "detail"), DETAILS)
def test_a_capture_is_rejected_with_the_decisive_fact(
    record: object, reason: str, detail: str
) -> None:
    assert rejection(Sagemaker(), record)[1:] == (reason, detail)


JSON_DETAILS = [
    (event(x=[1, 2]), "wrong_type", "x holds a list of 2"),
    (event(t={"a": 1}), "wrong_type", "t holds an object of a"),
    (b"[1, 2]", "not_an_object", "the record is a list of 2"),
    (b'"secret"', "not_an_object", "the record is text"),
    (b"null", "not_an_object", "the record is null"),
    (b"", "undecodable", "it is empty"),
    (b'{"x" 1}', "undecodable", "Expecting ':' delimiter"),
    ({"ts": 1, "p": 2}, "time_missing", "no time: the record has ts, p"),
    ({str(k): 0 for k in range(20)}, "time_missing", "0, 1, 2, 3, 4, 5, 6, 7 and 12 others"),
    ({"k" * 100: 0}, "time_missing", f"the record has {'k' * 40}..."),
]


@pytest.mark.parametrize(("record", "reason", "detail"), JSON_DETAILS)
def test_an_event_is_rejected_with_the_decisive_fact(
    record: object, reason: str, detail: str
) -> None:
    rejected = rejection(Json(), record)
    assert rejected.reason == reason
    assert detail in rejected.detail
    assert "secret" not in rejected.detail


def test_a_missing_holder_of_features_is_named_by_its_path() -> None:
    form = Json(features="request.features")
    assert rejection(form, event(request={"features": 7})).detail == (
        "request.features holds a number"
    )


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (S, "ms", "s"),
        (S * 1000, "s", "ms"),
        (S * 1000, "iso", "ms"),
        (str(S), "iso", "s"),
        (S * 10**6, "ms", "us"),
        (S * 10**9, "us", "ns"),
        (S * 1000, "us", "ms"),
        (S + 0.5, "ms", "s"),
        (TIME, "ms", "iso"),
    ],
)
def test_a_time_in_another_unit_is_never_counted_and_its_unit_is_named(
    value: object, unit: str, expected: str
) -> None:
    config = identity(time=TimeConfig(unit=unit))  # type: ignore[arg-type]
    rejected = rejection(Json(), event(time=value), config)
    assert rejected.reason == "time_absurd"
    assert f"set `time.unit: {expected}`" in rejected.detail
    assert str(value) not in rejected.detail


@pytest.mark.parametrize("value", [1e306, 1e308, -1e308, 10**400, 0, -5, True, [1], "soon", ""])
@pytest.mark.parametrize("unit", ["iso", "s", "ms", "us", "ns"])
def test_an_impossible_time_is_absurd_in_every_unit(value: object, unit: str) -> None:
    config = identity(time=TimeConfig(unit=unit))  # type: ignore[arg-type]
    rejected = rejection(Json(), event(time=value), config)
    assert rejected.reason == "time_absurd"
    assert "set `time.unit" not in likely_unit(value, unit)


@pytest.mark.parametrize("value", ["1970-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z"])
def test_a_time_of_another_age_is_told_by_its_year(value: str) -> None:
    assert likely_unit(value, "iso") == "a time of a year outside of 1971 to 2099"


def test_an_unknown_model_is_named_by_its_hash_unless_names_may_be_shown() -> None:
    by_key = identity(NameConfig(source="key"))
    batch = replace(raw_batch([json.dumps(event()).encode()]), keys=[b"secret"])
    hashed = sha256(b"secret").hexdigest()[:12]
    for config, detail in (
        (by_key, f"the model is sha256:{hashed}, of 6 characters"),
        (by_key._replace(expose_names=True), "the model is secret"),
    ):
        [rejected] = Json().open(config, PLAN).decode([batch]).rejects
        assert rejected[1:] == ("unknown_model", detail)
    unnamed = replace(batch, keys=[None])
    [rejected] = Json().open(by_key, PLAN).decode([unnamed]).rejects
    assert rejected.detail == "no model: the record has no key"
    at_path = identity(NameConfig(source="path", name="about.model"))
    assert rejection(Json(), event(), at_path).detail == "no model: no text at path about.model"


@pytest.mark.parametrize("place", ["key", "header", "path", "file"])
@pytest.mark.parametrize(
    ("name", "detail"),
    [
        (b"a\x1fb", "the variant has the control character U+001F"),
        (b"a\x00", "the variant has the control character U+0000"),
        (b"\xff", "the variant is not valid Unicode"),
        (b"\xed\xa0\x80", "the variant is not valid Unicode"),
        (b"x" * 257, "the variant has 257 characters of at most 256"),
    ],
)
@pytest.mark.parametrize("form", [Json(), Sagemaker()])
def test_a_name_that_the_state_cannot_hold_is_refused_where_it_enters(
    form: Format, place: str, name: bytes, detail: str
) -> None:
    record = event() if isinstance(form, Json) else capture("0.5", "1,2,a")
    assert isinstance(record, dict)
    text = json.dumps({**record, "v": "NAME"}).encode()
    escaped = json.dumps(name.decode("latin-1"))[1:-1].encode() if name < b"\x80" else name
    batch = replace(
        raw_batch([text.replace(b"NAME", escaped)]),
        keys=[name],
        headers=[[("v", name)]],
        origin=f"in/{name.decode('utf-8', 'surrogateescape')}.jsonl",
    )
    where = {"header": "v", "path": "v", "file": "in/((?s:.*)).jsonl"}
    variant = NameConfig(source=place, name=where.get(place, ""))  # type: ignore[arg-type]
    config = identity()._replace(variant=variant)
    decoded = form.open(config, PLAN).decode([batch])
    assert [rejected[1:] for rejected in decoded.rejects] == [("invalid_name", detail)]
    assert decoded.time_ms[0] > 0
