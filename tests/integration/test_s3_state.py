"""The state in S3: puts, restores, and puts that fail.

S3 is moto's server (an emulator that honours conditional puts).
"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from msgspec.structs import replace

from stream.errors import OwnershipLost, StateUnwritable
from stream.state.s3.content import unpack
from stream.state.s3.object import ObjectMetadata
from tests.integration.machines import (
    BUCKET,
    JOB,
    KEY,
    WHERE,
    Make,
    committed,
    metadata_of,
    started,
)
from tests.servers.faulty_proxy import Fault, FaultyProxy


def test_a_commit_is_restored_on_an_empty_disk(machine: Make) -> None:
    first = started(machine("a"))
    first.commit(5)
    first.commit(8)
    first.chain.release()
    second = started(machine("b"))
    assert (second.position(), second.path.stat().st_mode & 0o077) == (8, 0)


def test_a_local_commit_that_was_never_put_is_discarded(machine: Make) -> None:
    """The results of that commit were not delivered: the history of the job is the one in S3."""
    first = started(machine("a"))
    first.commit(5)
    committed(first.path, 9, first.lock)
    first.crash()
    assert started(machine("a")).position() == 5


def test_a_job_moves_from_a_disk_to_s3_with_its_state(machine: Make) -> None:
    owner = machine("a")
    committed(owner.path, 7)
    started(owner)
    assert owner.position() == 7
    owner.chain.release()
    assert started(machine("b")).position() == 7


def test_the_object_names_its_owner_and_is_plain_zstd(machine: Make, s3: Any) -> None:
    owner = started(machine("a"))
    owner.commit(5)
    expected = ObjectMetadata(job=JOB, owner=owner.chain.owner, epoch=1, commit=2)
    assert metadata_of(s3) == expected
    owner.chain.release()
    assert metadata_of(s3) == replace(expected, commit=3, released=True)
    content = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    assert unpack(content, WHERE).startswith(b"SQLite format 3\0")


def test_the_etag_changes_with_each_put_of_the_same_content(machine: Make, s3: Any) -> None:
    """The ETag is the owner's heartbeat."""
    owner = started(machine("a"))
    etags = set()
    for _ in range(4):
        owner.chain.put(b"the same")
        etags.add(s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"])
    assert len(etags) == 4


@pytest.mark.parametrize("fault", ["response lost", "response cut"])
def test_a_put_whose_response_is_lost_is_neither_lost_nor_repeated(
    machine: Make, proxy: FaultyProxy, s3: Any, fault: Fault
) -> None:
    owner = started(machine("a", proxy.url))
    owner.commit(5)
    commit = metadata_of(s3).commit
    proxy.fault = fault
    proxy.only = "PUT"
    proxy.times = 1
    owner.commit(6)
    assert (proxy.faults_met, metadata_of(s3).commit) == (1, commit + 1)
    owner.commit(7)
    assert metadata_of(s3) == ObjectMetadata(
        job=JOB, owner=owner.chain.owner, epoch=1, commit=commit + 2
    )
    assert owner.chain.may_deliver()


@pytest.mark.parametrize("fault", ["response lost", "response cut"])
def test_a_first_put_whose_response_is_lost_acquires_ownership(
    machine: Make, proxy: FaultyProxy, fault: Fault
) -> None:
    proxy.fault = fault
    proxy.only = "PUT"
    proxy.times = 1
    owner = started(machine("a", proxy.url))
    owner.commit(5)
    assert proxy.faults_met == 1


def test_a_put_whose_responses_are_lost_repeatedly_is_recognized_by_its_metadata(
    machine: Make, proxy: FaultyProxy, s3: Any
) -> None:
    """The put is stored, reading its metadata fails, and the repeated put conflicts with it."""
    owner = started(machine("a", proxy.url))
    commit = metadata_of(s3).commit
    proxy.fault = "response lost"
    proxy.times = 4
    owner.commit(5)
    assert (proxy.faults_met, metadata_of(s3).commit) == (4, commit + 1)


def test_a_put_waits_while_s3_is_down_and_delivery_waits_with_it(
    machine: Make, proxy: FaultyProxy
) -> None:
    owner = started(machine("a", proxy.url))
    proxy.fault = "down"
    thread = threading.Thread(target=owner.commit, args=(5,))
    thread.start()
    time.sleep(2.0)
    assert thread.is_alive()
    assert not owner.chain.may_deliver(), "after 1 s another service may have taken over"
    proxy.fault = ""
    thread.join(20)
    assert not thread.is_alive()
    assert owner.chain.may_deliver()
    owner.chain.release()
    assert started(machine("b")).position() == 5


def test_a_service_stopped_while_s3_is_down_reports_an_unstored_commit(
    machine: Make, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.state.s3.chain.LEAVE_S", 0.5)
    owner = started(machine("a", proxy.url))
    proxy.fault = "down"
    owner.stop.set()
    with pytest.raises(StateUnwritable, match=WHERE):
        owner.commit(5)
    owner.crash()


def test_an_object_deleted_while_it_is_owned_is_reported(machine: Make, s3: Any) -> None:
    owner = started(machine("a"))
    owner.commit(5)
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    with pytest.raises(OwnershipLost, match="deleted"):
        owner.commit(6)
    owner.crash()
    restarted = started(machine("a"))
    assert restarted.position() == 6, "only the local copy is left"


def test_a_restored_backup_without_metadata_is_taken_over(machine: Make, s3: Any) -> None:
    first = started(machine("a"))
    first.commit(5)
    backup = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    first.commit(9)
    first.chain.release()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=backup)
    assert started(machine("b")).position() == 5
