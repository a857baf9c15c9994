"""Refusals: a state in S3 that must not be taken over, or that permissions protect.

S3 is moto's server (an emulator that honours conditional puts).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from stream.errors import (
    DriftlineError,
    StateConflict,
    StateIncompatible,
    StateUnreadable,
    StateUnwritable,
)
from stream.state.file_lock import FileLock
from stream.state.s3.content import pack
from stream.state.s3.object import ObjectMetadata
from tests.integration.machines import (
    BUCKET,
    KEY,
    WHERE,
    Make,
    committed,
    metadata_of,
    policy,
    started,
)
from tests.support.paths import ROOT


def test_a_local_state_that_was_never_in_s3_is_not_overwritten(machine: Make) -> None:
    first = started(machine("a"))
    first.commit(5)
    first.chain.release()
    second = machine("b")
    committed(second.path, 3)
    with pytest.raises(StateConflict, match="was never in S3"):
        second.start()
    second.lock = FileLock(second.path)
    assert second.position() == 3


def test_the_state_of_another_job_is_refused_and_left_unchanged(machine: Make, s3: Any) -> None:
    other = ObjectMetadata(job="rents", owner="another", epoch=3, commit=9, released=True)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=pack(b""), Metadata=other.headers())
    with pytest.raises(StateIncompatible, match="job was rents"):
        machine("a").start()
    assert metadata_of(s3) == other


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"holiday photos", "the object is not zstd"),
        (pack(b"another file" * 100), "the object is not a state of driftline"),
    ],
    ids=["not zstd", "not a state"],
)
def test_an_object_that_is_no_state_is_refused_and_left_unchanged(
    machine: Make, s3: Any, content: bytes, reason: str
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)
    with pytest.raises(StateUnreadable, match=reason):
        machine("a").start()
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == content


def test_a_missing_bucket_is_reported_at_once(machine: Make) -> None:
    with pytest.raises(StateUnwritable, match="there is no such bucket"):
        machine("a", bucket="nowhere").start()


def test_an_invalid_bucket_name_is_reported_at_once(machine: Make) -> None:
    with pytest.raises(
        StateUnwritable,
        match=r"not a valid name of a bucket or of a key: correct `state\.s3\.bucket`",
    ):
        machine("a", bucket="no where").start()


def test_the_documented_permissions_are_sufficient(
    machine: Make, allowed: Callable[[str], None]
) -> None:
    """Without the permission to list the bucket, S3 reports an absent object as forbidden."""
    [documented] = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs" / "state-in-s3.md").read_text(), re.DOTALL
    )
    allowed(documented.replace("my-bucket/driftline/delays.state", f"{BUCKET}/{KEY}"))
    first = started(machine("a"))
    first.commit(5)
    first.chain.release()
    assert started(machine("b")).position() == 5


@pytest.mark.parametrize("actions", [("s3:GetObject",), ("s3:PutObject",), ("s3:ListBucket",)])
def test_a_missing_permission_is_named_at_the_start(
    machine: Make, allowed: Callable[[str], None], s3: Any, actions: tuple[str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=pack(b""))
    allowed(policy(*actions))
    with pytest.raises(DriftlineError, match=f"s3:GetObject and s3:PutObject on {WHERE}"):
        machine("a").start()


def test_missing_credentials_are_reported(
    machine: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(StateUnwritable, match="there are no credentials"):
        machine("a").start()
