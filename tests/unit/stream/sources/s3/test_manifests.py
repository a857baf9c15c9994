"""What manifests name, when they are read again, and which are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from stream.sources.s3.client import ObjectInfo, S3Error
from stream.sources.s3.direct import Chunk
from stream.sources.s3.keys import located, partition_of
from stream.sources.s3.manifests import Manifests
from stream.sources.s3.source import S3, Notices

KEY = "batch/output/2026/11/30/03/job.json"


class Bucket:
    """One object, and the number of requests for it."""

    def __init__(self, content: bytes | S3Error) -> None:
        self.content = content
        self.requests = 0

    def read(self, key: str, start: int, length: int | None, etag: str) -> Chunk:
        assert (key, start, length, etag) == (KEY, 0, None, "")
        self.requests += 1
        if isinstance(self.content, S3Error):
            raise self.content
        return Chunk(self.content, "e", len(self.content), 7)


def listed(etag: str = "e", size: int = 50, key: str = KEY) -> ObjectInfo:
    return ObjectInfo(key, etag, size, 7)


def manifests(bucket: Bucket) -> Manifests:
    return Manifests(bucket)  # type: ignore[arg-type]


def test_each_named_object_belongs_to_the_hour_of_its_manifest() -> None:
    content = [
        {"prefix": "s3://other/runs/2020/01/02/03/x y/"},
        "a.csv.out",
        "b.csv.out",
        "a.csv.out",
    ]
    bucket = Bucket(json.dumps(content).encode())
    objects = manifests(bucket).objects_of(listed())
    assert [located(each.key, "captures") for each in objects] == [
        ("other", "runs/2020/01/02/03/x y/a.csv.out"),
        ("other", "runs/2020/01/02/03/x y/b.csv.out"),
    ]
    assert {partition_of(each.key).name for each in objects} == {"batch/output/2026/11/30/03"}
    assert {(each.etag, each.size, each.modified_ms) for each in objects} == {("", -1, 7)}


def test_a_manifest_is_read_once_for_each_etag_as_long_as_it_is_listed() -> None:
    bucket = Bucket(b'[{"prefix": "s3://b/"}, "a"]')
    known = manifests(bucket)
    for etag, requests in (("e", 1), ("e", 1), ("f", 2)):
        assert len(known.objects_of(listed(etag))) == 1
        known.end_listing()
        assert bucket.requests == requests
    known.end_listing()
    known.objects_of(listed("f"))
    assert bucket.requests == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'["a.csv"]',
        b'{"prefix": "s3://b/"}',
        b'[{"prefix": "/local/"}, "a"]',
        b'[{"prefix": "s3://b"}, "a"]',
        b'[{"prefix": "s3://b/"}, 1]',
        b'[{"prefix": "s3://b/"}, "\\u0000"]',
    ],
)
def test_what_is_no_manifest_is_told_once_and_names_nothing(content: bytes) -> None:
    known = manifests(Bucket(content))
    with capture_logs() as logs:
        assert known.objects_of(listed()) == known.objects_of(listed()) == []
    assert [log["event"] for log in logs] == ["manifest_unreadable"]
    assert known.unreadable == {KEY}


def test_a_manifest_that_was_repaired_is_no_longer_unreadable() -> None:
    bucket = Bucket(b"")
    known = manifests(bucket)
    known.objects_of(listed())
    bucket.content = b'[{"prefix": "s3://b/"}, "a"]'
    assert len(known.objects_of(listed("f"))) == 1
    assert known.unreadable == set()


def test_a_refused_request_is_an_error_and_a_deleted_manifest_none() -> None:
    denied = S3Error("GetObject", "s3:GetObject", "AccessDenied", "denied", "no")
    with pytest.raises(S3Error):
        manifests(Bucket(denied)).objects_of(listed())
    gone = S3Error("GetObject", "s3:GetObject", "NoSuchKey", "no_object", "gone")
    assert manifests(Bucket(gone)).objects_of(listed()) == []


@pytest.mark.parametrize("info", [listed(size=0), listed(key="batch/output/readme.txt")])
def test_folders_and_objects_outside_of_hours_are_no_manifests(info: ObjectInfo) -> None:
    bucket = Bucket(b"")
    assert manifests(bucket).objects_of(info) == []
    assert bucket.requests == 0


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"manifests": "output"}, ""),
        ({"header": True}, "header"),
        (
            {
                "manifests": "output",
                "follow": True,
                "notices": Notices(sqs_url="https://sqs.eu-west-1.amazonaws.com/1/q"),
            },
            "notices",
        ),
    ],
)
def test_keys_without_an_effect_are_faults(keys: dict[str, Any], fault: str) -> None:
    faults = S3(bucket="captures", prefix="batch", **keys).check()
    assert [each.key for each in faults] == ([fault] if fault else [])


def test_the_folder_is_that_of_the_side_and_part_of_the_identity() -> None:
    assert S3(bucket="b-1", prefix="batch/", manifests="input").identity == "s3 b-1/batch/input/"
