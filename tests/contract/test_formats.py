"""The contract of every format; a new one adds an example of its records to ``EXAMPLES``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from msgspec.structs import replace

from detectors.components import find
from detectors.profiles.columns import Numbers, Texts
from detectors.profiles.fold import fold
from detectors.profiles.layout import Feature, Layout
from stream.events import DecodedRecords, RawBatch
from stream.formats.base import DecodingPlan, Format, IdentityConfig, NameConfig, Schema, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.outcomes import ADVICE
from tests.support.records import raw_batch

TIME = "2025-06-15T15:06:40Z"
TIME_MS = 1_750_000_000_000
SCHEMA = Schema(("p",), ("x", "n", "t"), {"p": "float", "x": "float", "n": "int", "t": "text"})
PLAN = DecodingPlan((SCHEMA,), {"m": 0})
LAYOUT = Layout(
    (
        Feature(name="p", type="Fractional", kind="grid", edges=(0.0, 1.0), cells=(0, 1, 2)),
        Feature(name="x", type="Fractional", kind="grid", edges=(0.0, 1.0), cells=(0, 1, 2)),
        Feature(name="n", type="Integral", kind="grid", edges=(0.0, 5.0), cells=(0, 1, 2)),
        Feature(name="t", type="String", kind="text", vocabulary=("a", "b")),
    )
)


def capture(
    response: object = "0.5",
    request: object = "1.5,7,a",
    encoding: object = "CSV",
    time: object = TIME,
) -> dict[str, object]:
    data = {
        "endpointOutput": {"data": response, "encoding": encoding},
        "endpointInput": {"data": request, "encoding": encoding},
    }
    return {
        "captureData": data,
        "eventMetadata": {"eventId": "e1", "inferenceId": "i1", "inferenceTime": time},
    }


def event(time: object = TIME, **cells: object) -> dict[str, object]:
    return {
        "time": time,
        "id": "e1",
        "inference": "i1",
        "p": 0.5,
        "x": 1.5,
        "n": 7,
        "t": "a",
        "model": "m",
    } | cells


def without(document: dict[str, object], *path: str) -> dict[str, object]:
    copy: dict[str, object] = json.loads(json.dumps(document))
    inner: object = copy
    for key in path[:-1]:
        assert isinstance(inner, dict)
        inner = inner[key]
    assert isinstance(inner, dict)
    del inner[path[-1]]
    return copy


class Example(NamedTuple):
    """A format, one good record of one row, and records that must be rejected for a reason."""

    form: Format
    good: dict[str, object]
    bad: list[tuple[str, dict[str, object]]]


EXAMPLES = {
    "sagemaker": Example(
        Sagemaker(),
        capture(),
        [
            ("time_missing", capture(time=None)),
            ("time_missing", without(capture(), "eventMetadata")),
            ("time_absurd", capture(time="1969-07-20T20:17:40Z")),
            ("time_absurd", capture(time="2100-01-01T00:00:00Z")),
            ("time_absurd", capture(time="{%s}")),
            ("wrong_type", capture(response=5)),
            ("wrong_type", {**capture(), "captureData": "x"}),
            ("wrong_type", without(capture(), "captureData", "endpointInput", "data")),
            ("payload_missing", without(capture(), "captureData")),
            ("unknown_encoding", capture(encoding="PARQUET")),
            ("unknown_encoding", without(capture(), "captureData", "endpointInput", "encoding")),
            ("undecodable", capture(response="[0.5", request="[1.5,7]", encoding="JSON")),
            ("undecodable", capture(response="\ud800")),
            ("too_few_columns", capture(request="1.5,7")),
            ("too_many_columns", capture(request="1.5,7,a,b")),
            ("too_few_columns", capture(request="1.5,7,a\n1.5,7")),
            ("too_few_columns", capture(request="")),
            ("too_few_columns", capture(request='"1.5,7,a')),
            ("too_few_columns", capture(response="0.5", request="[1.5]", encoding="JSON")),
            ("row_count", capture(request="1.5,7,a\n2.5,8,b")),
            ("row_count", capture(response="[]", request='[1.5,7,"a"]', encoding="JSON")),
            ("wrong_type", capture(response='{"p": [1]}', request='[1.5,7,"a"]', encoding="JSON")),
            ("wrong_type", capture(response="[1, [2]]", request='[1.5,7,"a"]', encoding="JSON")),
        ],
    ),
    "json": Example(
        Json(id="id", inference_id="inference"),
        event(),
        [
            ("time_missing", event(time=None)),
            ("time_absurd", event(time="1969-07-20T20:17:40Z")),
            ("time_absurd", event(time=5)),
            ("wrong_type", event(id=5.5)),
            ("wrong_type", event(x=[1])),
            ("wrong_type", event(t={"a": 1})),
            ("undecodable", event(t="\ud800")),
        ],
    ),
}
EVERYWHERE = [
    ("tombstone", None),
    ("undecodable", b""),
    ("undecodable", b"\xff"),
    ("undecodable", b'{"time": NaN}'),
    ("undecodable", b"{} {}"),
    ("not_an_object", b"[]"),
    ("not_an_object", b'"text"'),
    ("not_an_object", b"null"),
]
BAD = [
    (name, reason, bad)
    for name, example in EXAMPLES.items()
    for reason, bad in [*EVERYWHERE, *example.bad]
]


def raw(values: Sequence[bytes | None], origin: str = "topic", arrival_ms: int = -1) -> RawBatch:
    return raw_batch(values, origin=origin, arrival_ms=arrival_ms)


def identity(model: NameConfig | None = None, time: TimeConfig | None = None) -> IdentityConfig:
    return IdentityConfig(model or NameConfig(name="m"), NameConfig(name="v"), time or TimeConfig())


def decode(
    form: Format, values: Sequence[bytes | None], config: IdentityConfig | None = None
) -> DecodedRecords:
    return form.open(config or identity(), PLAN).decode([raw(values)])


def line(document: object) -> bytes | None:
    return document if isinstance(document, (bytes, type(None))) else json.dumps(document).encode()


def counts(decoded: DecodedRecords) -> list[int]:
    total = np.zeros(LAYOUT.size, np.int64)
    for batch in decoded.batches:
        total += fold(LAYOUT, batch.columns).counts
    return [int(count) for count in total]


def test_every_format_has_an_example() -> None:
    assert set(find("stream.formats", Format, "driftline.formats")) == set(EXAMPLES)


@pytest.mark.parametrize(("name", "reason", "bad"), BAD)
def test_a_bad_record_is_rejected_once_with_a_reason_and_changes_no_count(
    name: str, reason: str, bad: object
) -> None:
    assert ADVICE[reason]
    form, good, _ = EXAMPLES[name]
    values = [line(good), line(bad), line(good)]
    decoded = decode(form, values)
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [(1, reason)]
    assert decoded.time_ms[[0, 2]].tolist() == [TIME_MS, TIME_MS]
    assert decoded.model[[0, 2]].tolist() == [0, 0]
    assert [record for batch in decoded.batches for record in batch.record.tolist()] == [0, 2]
    assert counts(decoded) == counts(decode(form, [line(good), line(good)]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_rejected_record_keeps_its_event_time_if_that_can_be_read(name: str) -> None:
    """Otherwise a stream of bad payloads would never close a window."""
    form, good, _ = EXAMPLES[name]
    malformed = {"sagemaker": capture(request="1.5,7"), "json": event(x=[1])}[name]
    arrival = TimeConfig(missing="arrival")
    for value, expected in (
        (line(malformed), (TIME_MS, 0)),
        (b"{", (-1, -1)),
        (None, (-1, -1)),
        (b"[]", (-1, -1)),
    ):
        decoded = form.open(identity(time=arrival), PLAN).decode(
            [raw([value, line(good)], arrival_ms=TIME_MS + 9)]
        )
        assert (int(decoded.time_ms[0]), int(decoded.model[0])) == expected
        assert len(decoded.rejects) == 1
    unknown = form.open(identity(NameConfig(source="key")), PLAN).decode([raw([line(good)])])
    assert (unknown.time_ms.tolist(), unknown.model.tolist()) == ([TIME_MS], [-1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_good_record_yields_its_cells_time_model_and_ids(name: str) -> None:
    form, good, _ = EXAMPLES[name]
    decoded = decode(form, [line(good)])
    [batch] = decoded.batches
    x, n, t = batch.columns["x"], batch.columns["n"], batch.columns["t"]
    assert isinstance(x, Numbers)
    assert isinstance(n, Numbers)
    assert isinstance(t, Texts)
    assert (x.values.tolist(), n.values.tolist(), t.values.to_pylist()) == ([1.5], [7.0], ["a"])
    assert decoded.keys[decoded.model[0]] == ("m", "v")
    assert (decoded.event_ids, decoded.inference_ids) == (["e1"], ["i1"])
    assert not decoded.rejects


@pytest.mark.parametrize("name", EXAMPLES)
def test_records_keep_their_order_over_several_raw_batches(name: str) -> None:
    form, good, _ = EXAMPLES[name]
    stamps = ["2025-06-15T15:06:41Z", "2025-06-15T15:06:39Z", "2025-06-15T15:06:45Z"]
    values = [line(json.loads(json.dumps(good).replace(TIME, stamp))) for stamp in stamps]
    decoded = form.open(identity(), PLAN).decode(
        [raw(values[:1]), raw([]), raw([None, *values[1:]])]
    )
    assert decoded.time_ms.tolist() == [TIME_MS + 1000, -1, TIME_MS - 1000, TIME_MS + 5000]
    assert decoded.batches[0].record.tolist() == [0, 2, 3]


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_records_decode_to_no_batches(name: str) -> None:
    for raws in ([], [raw([])], [raw([None])]):
        decoded = EXAMPLES[name].form.open(identity(), PLAN).decode(raws)
        assert decoded.batches == []
        assert (
            len(decoded.rejects) == len(decoded.time_ms) == sum(len(batch.values) for batch in raws)
        )


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_event_of_an_unknown_model_is_rejected_and_its_neighbours_are_not(name: str) -> None:
    form, good, _ = EXAMPLES[name]
    keys: list[bytes | None] = [b"m", b"other", None, b"\xff"]
    batch = replace(raw([line(good)] * 4), keys=keys)
    decoded = form.open(identity(NameConfig(source="key")), PLAN).decode([batch])
    assert [(r.record, r.reason) for r in decoded.rejects] == [
        (i, "unknown_model") for i in (1, 2, 3)
    ]
    assert decoded.batches[0].record.tolist() == [0]


HEADERS: list[tuple[str, bytes | None]] = [("model", b"other"), ("model", b"m")]
WHERE: list[tuple[NameConfig, Callable[[RawBatch], RawBatch]]] = [
    (NameConfig(source="topic"), lambda batch: replace(batch, origin="m")),
    (
        NameConfig(source="file", name=r"captures/(\w+)/"),
        lambda batch: replace(batch, origin="captures/m/2025/x.jsonl"),
    ),
    (NameConfig(source="header", name="model"), lambda batch: replace(batch, headers=[HEADERS])),
    (NameConfig(source="key"), lambda batch: replace(batch, keys=[b"m"])),
    (NameConfig(source="path", name="about.model"), lambda batch: batch),
]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(("where", "place"), WHERE, ids=[where.source for where, _ in WHERE])
def test_the_model_is_read_from_the_configured_place(
    name: str, where: NameConfig, place: Callable[[RawBatch], RawBatch]
) -> None:
    form, good, _ = EXAMPLES[name]
    decoded = form.open(identity(where), PLAN).decode(
        [place(raw([line(good | {"about": {"model": "m"}})]))]
    )
    assert decoded.keys[decoded.model[0]] == ("m", "v")
    unnamed = form.open(identity(where), PLAN).decode([raw([line(good)])])
    assert [reject.reason for reject in unnamed.rejects] == ["unknown_model"]


TIMES = [
    ("iso", "2025-06-15T17:06:40+02:00", TIME_MS),
    ("iso", "2025-06-15 15:06:40", TIME_MS),
    ("iso", "2025-06-15T15:06:40.0019Z", TIME_MS + 1),
    ("iso", 1_750_000_000, None),
    ("s", 1_750_000_000, TIME_MS),
    ("s", 1_750_000_000.5, TIME_MS + 500),
    ("s", "1750000000", TIME_MS),
    ("ms", TIME_MS, TIME_MS),
    ("us", TIME_MS * 1000 + 999, TIME_MS),
    ("ns", TIME_MS * 1_000_000, TIME_MS),
    ("ms", TIME, None),
    ("ms", True, None),
    ("s", TIME_MS, None),
    ("s", -1, None),
]


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize(("unit", "value", "expected"), TIMES)
def test_event_time_is_read_by_path_and_unit(
    name: str, unit: str, value: object, expected: int | None
) -> None:
    form, good, _ = EXAMPLES[name]
    time = TimeConfig("when.at", unit)  # type: ignore[arg-type]
    decoded = decode(form, [line(good | {"when": {"at": value}})], identity(time=time))
    assert decoded.time_ms.tolist() == [-1 if expected is None else expected]
    assert [reject.reason for reject in decoded.rejects] == ([] if expected else ["time_absurd"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_missing_time_can_be_the_arrival_if_that_is_known(name: str) -> None:
    form, good, _ = EXAMPLES[name]
    decoder = form.open(identity(time=TimeConfig("nowhere", "iso", "arrival")), PLAN)
    decoded = decoder.decode([raw([line(good)], arrival_ms=TIME_MS + 7), raw([line(good)])])
    assert decoded.time_ms.tolist() == [TIME_MS + 7, -1]
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [(1, "time_missing")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_models_with_different_columns_share_a_stream(name: str) -> None:
    form, good, _ = EXAMPLES[name]
    schemas = (SCHEMA, Schema((), ("x", "n", "t"), {"x": "raw", "n": "float", "t": "text"}))
    batch = replace(raw([line(good)] * 4), keys=[b"m", b"w", b"u", b"w"])
    decoded = form.open(
        identity(NameConfig(source="key")), DecodingPlan(schemas, {"m": 0, "w": 1})
    ).decode([batch])
    assert {part.schema: part.record.tolist() for part in decoded.batches} == {0: [0], 1: [1, 3]}
    [raw_text] = [part.columns["x"] for part in decoded.batches if part.schema == 1]
    assert isinstance(raw_text, Texts)
    assert raw_text.values.to_pylist() == ["1.5", "1.5"]
    assert [reject.record for reject in decoded.rejects] == [2]
