"""Keys of the source that cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from stream.sources.s3.source import S3, Notices


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"prefix": "s3://captures/ep/"}, "prefix: is a folder"),
        ({"endpoint_url": "https://name:word@host"}, "endpoint_url: must not hold"),
        ({"follow": True, "notices": Notices(sqs_url="https://name:word@host/q")}, "notices"),
    ],
)
def test_a_fault_names_the_key(keys: dict[str, Any], expected: str) -> None:
    (fault,) = S3(bucket="captures", **keys).check()
    assert expected in str(fault)


def test_the_fault_of_an_address_with_a_password_does_not_show_it() -> None:
    (fault,) = S3(bucket="captures", endpoint_url="https://name:word@host").check()
    assert "word@" not in str(fault)
