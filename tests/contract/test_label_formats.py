"""The contract of every label format; a new one adds an example of its records to ``RIGS``.

The laws are in :mod:`stream.testing.label_format`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable

import pytest

from detectors.components import find
from stream.formats.base import TimeConfig
from stream.labels.base import LabelFormat, LabelValue
from stream.labels.formats.ground_truth import GroundTruth
from stream.labels.formats.json import JsonLabels
from stream.labels.rows import MOST_ROWS
from stream.testing.label_format import LabelFormatContract, LabelFormatRig, decode
from tests.support.paths import ROOT

GROUND_TRUTH_LINES = ROOT.parent / "shared/fixtures/ground_truth/sdk_test_ground_truth.jsonl"
MERGED_LINES = ROOT.parent / "shared/fixtures/merged/batch_transform_merged_record.jsonl"
EVERYWHERE: list[tuple[str, bytes | None]] = [
    ("tombstone", None),
    ("undecodable", b""),
    ("undecodable", b"\xff"),
    ("undecodable", b"{} 5"),
    ("several_objects", b"{} {}"),
    ("not_an_object", b"[]"),
    ("not_an_object", b"null"),
    ("id_missing", b"{}"),
]


def line(data: object = "1", encoding: object = "CSV", id_: object = "e1") -> bytes:
    """A line of ground truth."""
    truth = {"data": data, "encoding": encoding}
    metadata = {"eventId": id_}
    return json.dumps({"groundTruthData": truth, "eventMetadata": metadata}).encode()


def labelled(label: object = 1, id_: object = "e1", **more: object) -> bytes:
    """A JSON object with a label below ``outcome``."""
    return json.dumps({"id": id_, "outcome": {"paid": label}, **more}).encode()


def without_id(record: bytes, *path: str) -> bytes:
    document = json.loads(record)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return json.dumps(document).encode()


class GroundTruthRig:
    def format(self) -> LabelFormat:
        return GroundTruth()

    def good(self, id_: str = "e1", label: LabelValue | list[LabelValue] = 1.0) -> bytes:
        lines = label if isinstance(label, list) else [label]
        return line("\n".join(map(str, lines)) + "\n", "CSV", id_)

    def bad(self) -> list[tuple[str, bytes | None]]:
        return [
            *EVERYWHERE,
            ("id_missing", line(id_=None)),
            ("id_missing", line(id_="")),
            ("id_missing", without_id(line(), "eventMetadata", "eventId")),
            ("id_missing", without_id(line(), "eventMetadata")),
            ("id_invalid", line(id_=1.5)),
            ("id_invalid", line(id_=True)),
            ("id_invalid", line(id_=["e1"])),
            ("id_invalid", line(id_="\ud800")),
            ("id_too_long", line(id_="x" * 10_000_000)),
            ("id_too_long", line(id_="\u00e4" * 600)),
            ("id_too_long", line(id_=10**1_100)),
            ("label_missing", line("")),
            ("label_missing", line("\n")),
            ("label_missing", line("1\n\n0")),
            ("label_missing", line(None)),
            ("label_missing", line("[]", "JSON")),
            ("label_missing", line("null", "JSON")),
            ("label_invalid", line("nan")),
            ("label_invalid", line("-inf")),
            ("label_invalid", line("1e400")),
            ("label_invalid", line("1,0")),
            ("label_invalid", line("x" * 257)),
            ("label_invalid", line("\ud800")),
            ("label_invalid", line('{"a": 1, "b": 2}', "JSON")),
            ("label_invalid", line("[[1]]", "JSON")),
            ("label_invalid", line("[NaN]", "JSON")),
            ("label_invalid", line({"a": 1})),
            ("too_many_rows", line("1\n" * (MOST_ROWS + 1))),
            ("unknown_encoding", line("1", "PARQUET")),
            ("unknown_encoding", line("1", None)),
            ("unknown_encoding", line("no base64!", "BASE64")),
            ("undecodable", line("{", "JSON")),
            ("undecodable", line('"1', "CSV")),
        ]


class JsonRig:
    def format(self) -> LabelFormat:
        return JsonLabels(label="outcome.paid")

    def good(self, id_: str = "e1", label: LabelValue | list[LabelValue] = 1.0) -> bytes:
        return labelled(label, id_)

    def bad(self) -> list[tuple[str, bytes | None]]:
        return [
            *EVERYWHERE,
            ("id_missing", labelled(id_="")),
            ("id_missing", without_id(labelled(), "id")),
            ("id_invalid", labelled(id_={"a": 1})),
            ("id_invalid", labelled(id_=7.0)),
            ("id_too_long", labelled(id_="x" * 10_000_000)),
            ("label_missing", labelled(None)),
            ("label_missing", labelled("  ")),
            ("label_missing", labelled([])),
            ("label_missing", labelled([1, None])),
            ("label_missing", without_id(labelled(), "outcome")),
            ("label_invalid", labelled({"paid": 1})),
            ("label_invalid", labelled([[1]])),
            ("label_invalid", labelled("NaN")),
            ("label_invalid", labelled(float("inf"))),
            ("label_invalid", labelled(10**400)),
            ("too_many_rows", labelled([1] * (MOST_ROWS + 1))),
        ]


class DatedJsonRig(JsonRig):
    def format(self) -> LabelFormat:
        return JsonLabels(label="outcome.paid", time=TimeConfig())

    def good(self, id_: str = "e1", label: LabelValue | list[LabelValue] = 1.0) -> bytes:
        return labelled(label, id_, time="2026-01-01T00:00:00Z")

    def bad(self) -> list[tuple[str, bytes | None]]:
        return [
            *EVERYWHERE,
            ("time_missing", labelled()),
            ("time_absurd", labelled(time=5)),
            ("time_absurd", labelled(time="1969-07-20T20:17:40Z")),
            ("id_missing", labelled(id_="", time=5)),
        ]


RIGS: dict[str, Callable[[], LabelFormatRig]] = {
    "ground_truth": GroundTruthRig,
    "json": JsonRig,
    "json with a time": DatedJsonRig,
}


class TestLabelFormats(LabelFormatContract):
    @pytest.fixture(params=RIGS)
    def rig(self, request: pytest.FixtureRequest) -> LabelFormatRig:
        return RIGS[request.param]()


def test_every_label_format_has_a_rig() -> None:
    known = find("stream.labels.formats", LabelFormat, "driftline.label_formats")
    assert set(known) == {name.split()[0] for name in RIGS}


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        ("1", "CSV", 1.0),
        ("1\r\n", "CSV", 1.0),
        ("1\n0\n1\n", "CSV", [1.0, 0.0, 1.0]),
        ('"New York, NY"', "CSV", "New York, NY"),
        ('"a"\n"b,c"\n', "CSV", ["a", "b,c"]),
        ("1_000", "CSV", "1_000"),
        ("1", "JSON", 1.0),
        ('"1.0"', "JSON", 1.0),
        ("true", "JSON", True),
        ('{"label": 1}', "JSON", 1.0),
        ('{"labels": [1, "x"]}', "JSON", [1.0, "x"]),
        ('[{"y": 1}, {"y": 0}]', "JSON", [1.0, 0.0]),
        ('{"y": 1}\n{"y": 0}\n', "JSON", [1.0, 0.0]),
        (b64encode(b"1\n0").decode(), "BASE64", [1.0, 0.0]),
        (b64encode(b'{"label": "a"}').decode(), "BASE64", "a"),
        (4, "CSV", 4.0),
    ],
)
def test_ground_truth_is_read_by_its_encoding(
    data: object, encoding: str, expected: object
) -> None:
    decoded = decode(GroundTruth(), [line(data, encoding)])
    assert (decoded.values, decoded.rejects) == ([expected], [])


@pytest.mark.parametrize(("id_", "text"), [(0, "0"), (-7, "-7"), (2**70, str(2**70))])
def test_a_whole_number_is_an_id(id_: int, text: str) -> None:
    assert decode(GroundTruth(), [line(id_=id_)]).ids == [text]
    assert decode(JsonLabels(label="outcome.paid"), [labelled(id_=id_)]).ids == [text]


def test_the_time_of_a_label_is_read_by_path_and_unit() -> None:
    form = JsonLabels(label="outcome.paid", time=TimeConfig("seen.at", "s", "arrival"))
    dated = labelled(seen={"at": 1_750_000_000.5})
    decoded = decode(form, [dated, labelled(), labelled(seen={"at": "soon"})])
    assert decoded.times_ms == [1_750_000_000_500, -1]
    assert [(r.record, r.reason) for r in decoded.rejects] == [(2, "time_absurd")]


def test_a_rejection_says_what_the_record_has_instead() -> None:
    wrong = json.dumps({"inference_id": "e1", "paid": 1}).encode()
    [reject] = decode(JsonLabels(label="outcome.paid"), [wrong]).rejects
    assert reject.detail == "no id: the record has inference_id, paid"
    [reject] = decode(JsonLabels(label="outcome.paid"), [labelled(None)]).rejects
    assert reject.detail == "outcome.paid is empty or null"


def test_lines_of_the_sagemaker_sdk_are_read() -> None:
    """The test data of sagemaker-python-sdk; its labels are all 1, and their times a template."""
    if not GROUND_TRUTH_LINES.exists():
        pytest.skip(f"{GROUND_TRUTH_LINES} is not here")
    values = GROUND_TRUTH_LINES.read_bytes().splitlines()
    decoded = decode(GroundTruth(), list(values))
    assert decoded.rejects == []
    assert decoded.ids == [json.loads(value)["eventMetadata"]["eventId"] for value in values]
    assert decoded.values == [
        float(json.loads(value)["groundTruthData"]["data"]) for value in values
    ]


def test_a_line_that_sagemaker_merged_is_read() -> None:
    if not MERGED_LINES.exists():
        pytest.skip(f"{MERGED_LINES} is not here")
    decoded = decode(GroundTruth(), list(MERGED_LINES.read_bytes().splitlines()))
    assert (decoded.ids, decoded.values) == (["ae4ec948-edc0-4195-be9c-0b15b6ca114f"], [1.0])
