"""The contract of every format; a new one adds an example of its records to ``EXAMPLES``.

The laws are in :mod:`stream.testing.format`. Here is what holds for JSON: one test for each bad
record, and names and times at a path.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from detectors.components import find
from stream.formats.base import Format, NameConfig, TimeConfig
from stream.formats.json import Json
from stream.formats.sagemaker.format import Sagemaker
from stream.outcomes import ADVICE
from stream.testing.format import (
    PLAN,
    TIME,
    TIME_MS,
    FormatContract,
    FormatRig,
    counts,
    decode,
    identity,
)
from stream.testing.records import raw_batch


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
    record: dict[str, object]
    undated_record: dict[str, object]
    malformed_record: dict[str, object]
    bad_records: list[tuple[str, dict[str, object]]]

    def format(self) -> Format:
        return self.form

    def good(self, time: str = TIME) -> bytes:
        return json.dumps(self.record).replace(TIME, time).encode()

    def undated(self) -> bytes:
        return json.dumps(self.undated_record).encode()

    def malformed(self) -> bytes:
        return json.dumps(self.malformed_record).encode()

    def bad(self) -> list[tuple[str, bytes | None]]:
        return EVERYWHERE + [(reason, json.dumps(bad).encode()) for reason, bad in self.bad_records]


EXAMPLES = {
    "sagemaker": Example(
        form=Sagemaker(),
        record=capture(),
        undated_record=capture(time=None),
        malformed_record=capture(request="1.5,7"),
        bad_records=[
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
            (
                "row_count",
                capture(response='{"p": [1, 2]}', request='[1.5,7,"a"]', encoding="JSON"),
            ),
            (
                "wrong_type",
                capture(response='{"p": [[1]]}', request='[1.5,7,"a"]', encoding="JSON"),
            ),
            ("wrong_type", capture(response="[1, [2]]", request='[1.5,7,"a"]', encoding="JSON")),
        ],
    ),
    "json": Example(
        form=Json(id="id", inference_id="inference"),
        record=event(),
        undated_record=event(time=None),
        malformed_record=event(x=[1]),
        bad_records=[
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
EVERYWHERE: list[tuple[str, bytes | None]] = [
    ("tombstone", None),
    ("undecodable", b""),
    ("undecodable", b"\xff"),
    ("undecodable", b'{"time": nan}'),
    ("undecodable", b"{} 5"),
    ("undecodable", '{"time": 5}'.encode("utf-16")),
    ("several_objects", b"{} {}"),
    ("several_objects", b'{"a": {}}{"a": 1}\n'),
    ("not_an_object", b"[]"),
    ("not_an_object", b'"text"'),
    ("not_an_object", b"null"),
]
BAD = [(name, reason, bad) for name, example in EXAMPLES.items() for reason, bad in example.bad()]


class TestFormats(FormatContract):
    @pytest.fixture(params=EXAMPLES)
    def rig(self, request: pytest.FixtureRequest) -> FormatRig:
        return EXAMPLES[request.param]


def test_every_format_has_an_example() -> None:
    assert set(find("stream.formats", Format, "driftline.formats")) == set(EXAMPLES)


@pytest.mark.parametrize(("name", "reason", "bad"), BAD)
def test_a_bad_record_is_rejected_once_with_a_reason_and_changes_no_count(
    name: str, reason: str, bad: bytes | None
) -> None:
    assert ADVICE[reason]
    form, good = EXAMPLES[name].form, EXAMPLES[name].good()
    decoded = decode(form, [good, bad, good])
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [(1, reason)]
    assert decoded.time_ms[[0, 2]].tolist() == [TIME_MS, TIME_MS]
    assert decoded.model[[0, 2]].tolist() == [0, 0]
    assert [record for batch in decoded.batches for record in batch.record.tolist()] == [0, 2]
    assert counts(decoded) == counts(decode(form, [good, good]))


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("value", [b"{", b"[]"])
def test_a_record_that_is_no_object_has_no_event_time(name: str, value: bytes) -> None:
    arrival = identity(time=TimeConfig(missing="arrival"))
    decoder = EXAMPLES[name].form.open(arrival, PLAN)
    decoded = decoder.decode([raw_batch([value, EXAMPLES[name].good()], arrival_ms=TIME_MS + 9)])
    assert (int(decoded.time_ms[0]), int(decoded.model[0])) == (-1, -1)
    assert len(decoded.rejects) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_model_is_read_from_a_path(name: str) -> None:
    form, record = EXAMPLES[name].form, EXAMPLES[name].record
    by_path = identity(NameConfig(source="path", name="about.model"))
    decoded = decode(form, [json.dumps(record | {"about": {"model": "m"}}).encode()], by_path)
    assert decoded.keys[decoded.model[0]] == ("m", "v")
    unnamed = decode(form, [EXAMPLES[name].good()], by_path)
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
    form, record = EXAMPLES[name].form, EXAMPLES[name].record
    time = TimeConfig("when.at", unit)  # type: ignore[arg-type]
    dated = json.dumps(record | {"when": {"at": value}}).encode()
    decoded = decode(form, [dated], identity(time=time))
    assert decoded.time_ms.tolist() == [-1 if expected is None else expected]
    assert [reject.reason for reject in decoded.rejects] == ([] if expected else ["time_absurd"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_time_that_is_not_at_its_path_can_be_the_arrival(name: str) -> None:
    good = EXAMPLES[name].good()
    decoder = EXAMPLES[name].form.open(identity(time=TimeConfig("nowhere", "iso", "arrival")), PLAN)
    decoded = decoder.decode([raw_batch([good], arrival_ms=TIME_MS + 7), raw_batch([good])])
    assert decoded.time_ms.tolist() == [TIME_MS + 7, -1]
    assert [(reject.record, reject.reason) for reject in decoded.rejects] == [(1, "time_missing")]
