"""Keys and notices that nobody expects."""

from __future__ import annotations

import pytest

from stream.sources.s3.keys import Partition, partition_named, partition_of
from stream.sources.s3.notices import notice_of
from stream.sources.s3.position import ObjectMemory, ObjectPlace, decode, encode

KEYS = [
    "a.jsonl",
    "/a.jsonl",
    "//a.jsonl",
    "/ep/a.jsonl",
    "ep//2026/11/30/01/a.jsonl",
    "/2026/11/30/01/a.jsonl",
    "ep/0001/01/01/00/a.jsonl",
    "ep/9999/12/31/23/a.jsonl",
    "ep/2026/13/40/99/a.jsonl",
    "ep/٢٠٢٥/01/01/00/a.jsonl",
    "e\np/2026/11/30/01/a.jsonl",
]


@pytest.mark.parametrize("key", KEYS)
def test_the_name_of_a_partition_leads_back_to_it_and_begins_the_keys_in_it(key: str) -> None:
    name = partition_of(key).name
    assert partition_named(name).name == name
    assert key.startswith(name) or name == "/"


def test_a_date_without_ascii_digits_is_none() -> None:
    assert partition_of("ep/٢٠٢٥/01/01/00/a.jsonl") == Partition("ep/٢٠٢٥/01/01/00/", None)


@pytest.mark.parametrize("memory", [ObjectMemory(), ObjectMemory(etag="e\0", read="AAAA")])
def test_a_position_holds_a_key_with_a_nul(memory: ObjectMemory) -> None:
    place = ObjectPlace("ep/a\0b.jsonl", 7, memory)
    assert decode(encode(place)) == place


CREATED = '{"eventName": "ObjectCreated:Put", "eventTime": "%s", "s3": %s}'


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        '{"Records": null}',
        '{"Records": [null]}',
        "[" * 100_000,
        '{"Records": ' + "[" * 100_000,
        '{"Records": [%s]}' % (CREATED % ("2026-11-30T01:00:00Z", "[]")),
        '{"Records": [%s]}' % (CREATED % ("yesterday", '{"bucket": {"name": "b"}}')),
        '{"source": "aws.s3", "detail-type": "Object Created", "time": 5, "detail": {}}',
    ],
)
def test_a_message_of_another_shape_is_not_understood_and_raises_nothing(body: str) -> None:
    assert notice_of(body) == ([], False)
