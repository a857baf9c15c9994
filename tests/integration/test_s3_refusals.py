"""A state in S3 that must not be touched, or may not, against moto's server (an emulator that
honours conditional puts)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from stream.aggregation.state import JobState
from stream.errors import DriftlineError, StateIncompatible, StateUnwritable
from stream.event_time import PartitionState
from stream.state.file_lock import FileLock
from stream.state.s3.chain import pack
from stream.state.s3.object import ObjectMetadata
from stream.state.store import Store
from tests.integration.machines import BUCKET, KEY, WHERE, WHO, Make, noted, policy, started
from tests.support.paths import ROOT


def test_a_state_that_never_was_in_s3_is_not_overwritten(machine: Make) -> None:
    first = started(machine("a"))
    first.commit(5)
    first.chain.release()
    second = machine("b")
    store = Store(second.path)
    store.commit(WHO, JobState(partitions={"p": PartitionState(1, 3, 99)}), store.panes([]), [], {})
    store.close()
    with pytest.raises(StateIncompatible, match="never was in S3"):
        second.start()
    second.lock = FileLock(second.path)
    assert second.position() == 3


def test_the_state_of_another_job_is_refused_before_anything_is_touched(
    machine: Make, s3: Any
) -> None:
    note = ObjectMetadata("rents", "somebody", 3, 9, True)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=pack(b""), Metadata=note.written())
    with pytest.raises(StateIncompatible, match="job was rents"):
        machine("a").start()
    assert noted(s3) == note


@pytest.mark.parametrize(
    "content", [b"holiday photos", pack(b"some other file" * 100)], ids=["no zstd", "no state"]
)
def test_an_object_that_is_no_state_is_refused_and_left_alone(
    machine: Make, s3: Any, content: bytes
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)
    with pytest.raises(StateIncompatible, match="object: expected a state of driftline"):
        machine("a").start()
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == content


def test_a_bucket_that_is_not_there_is_told_at_once(machine: Make) -> None:
    with pytest.raises(StateUnwritable, match="there is no such bucket"):
        machine("a", bucket="nowhere").start()


def test_what_no_bucket_can_be_called_is_told_at_once(machine: Make) -> None:
    with pytest.raises(
        StateUnwritable, match=r"no name of a bucket or of a key: correct `state\.s3\.bucket`"
    ):
        machine("a", bucket="no where").start()


def test_the_documented_rights_are_enough(machine: Make, allowed: Callable[[str], None]) -> None:
    """Without the right to list the bucket an absent object looks forbidden: the first put finds
    out."""
    [documented] = re.findall(
        r"```json\n(.*?)```", (ROOT / "docs" / "state-in-s3.md").read_text(), re.DOTALL
    )
    allowed(documented.replace("my-bucket/driftline/delays.state", f"{BUCKET}/{KEY}"))
    first = started(machine("a"))
    first.commit(5)
    first.chain.release()
    assert started(machine("b")).position() == 5


@pytest.mark.parametrize("actions", [("s3:GetObject",), ("s3:PutObject",), ("s3:ListBucket",)])
def test_a_right_that_is_missing_is_named_at_the_start(
    machine: Make, allowed: Callable[[str], None], s3: Any, actions: tuple[str]
) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=pack(b""))
    allowed(policy(*actions))
    with pytest.raises(DriftlineError, match=f"s3:GetObject and s3:PutObject on {WHERE}"):
        machine("a").start()


def test_credentials_that_are_missing_are_told(
    machine: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(StateUnwritable, match="there are no credentials"):
        machine("a").start()
