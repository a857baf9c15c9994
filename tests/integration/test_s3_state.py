"""The state in S3: what is put, what is restored, and puts that fail, against moto's server (an
emulator that honours conditional puts)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from stream.aggregation.state import JobState
from stream.errors import OwnershipLost, StateUnwritable
from stream.event_time import PartitionState
from stream.state.s3.chain import unpack
from stream.state.s3.object import ObjectMetadata
from stream.state.store import Store
from tests.integration.machines import BUCKET, JOB, KEY, WHERE, WHO, Make, noted, started
from tests.servers.faulty import Fault, FaultyRoad


def test_a_commit_is_restored_on_an_empty_disk(machine: Make) -> None:
    first = started(machine("a"))
    first.commit(5)
    first.commit(8)
    first.chain.release()
    second = started(machine("b"))
    assert (second.position(), second.path.stat().st_mode & 0o077) == (8, 0)


def test_what_was_committed_on_the_disk_and_never_put_never_was(machine: Make) -> None:
    """It was not delivered either: S3 has the job's history."""
    first = started(machine("a"))
    first.commit(5)
    store = Store(first.path, first.lock)
    store.commit(WHO, JobState(partitions={"p": PartitionState(1, 9, 99)}), store.panes([]), [], {})
    store.close()
    first.die()
    assert started(machine("a")).position() == 5


def test_a_job_moves_from_a_disk_to_s3_with_all_it_has(machine: Make) -> None:
    one = machine("a")
    store = Store(one.path)
    store.commit(WHO, JobState(partitions={"p": PartitionState(1, 7, 99)}), store.panes([]), [], {})
    store.close()
    started(one)
    assert one.position() == 7
    one.chain.release()
    assert started(machine("b")).position() == 7


def test_the_object_says_whose_it_is_and_any_zstd_program_reads_it(machine: Make, s3: Any) -> None:
    one = started(machine("a"))
    one.commit(5)
    assert noted(s3) == ObjectMetadata(JOB, one.chain.owner, 1, 2, False)
    one.chain.release()
    assert noted(s3) == ObjectMetadata(JOB, one.chain.owner, 1, 3, True)
    content = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    assert unpack(content, WHERE).startswith(b"SQLite format 3\0")


def test_the_etag_changes_with_each_put_though_nothing_else_did(machine: Make, s3: Any) -> None:
    """It is what shows the others that the owner is alive."""
    one, seen = started(machine("a")), set()
    for _ in range(4):
        one.chain.put(b"the same")
        seen.add(s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"])
    assert len(seen) == 4


@pytest.mark.parametrize("fault", ["answer lost", "answer cut"])
def test_a_put_whose_answer_did_not_come_is_not_lost_and_not_repeated(
    machine: Make, road: FaultyRoad, s3: Any, fault: Fault
) -> None:
    one = started(machine("a", road.url))
    one.commit(5)
    commit = noted(s3).commit
    road.fault, road.only, road.times = fault, "PUT", 1
    one.commit(6)
    assert (road.met, noted(s3).commit) == (1, commit + 1)
    one.commit(7)
    assert noted(s3) == ObjectMetadata(JOB, one.chain.owner, 1, commit + 2, False)
    assert one.chain.may_deliver()


@pytest.mark.parametrize("fault", ["answer lost", "answer cut"])
def test_a_first_put_whose_answer_did_not_come_makes_an_owner(
    machine: Make, road: FaultyRoad, fault: Fault
) -> None:
    road.fault, road.only, road.times = fault, "PUT", 1
    one = started(machine("a", road.url))
    one.commit(5)
    assert road.met == 1


def test_an_answer_that_is_lost_again_and_again_is_found_by_looking(
    machine: Make, road: FaultyRoad, s3: Any
) -> None:
    """The put is there, the look fails, the repeated put is refused as a conflict with our own one."""
    one = started(machine("a", road.url))
    commit = noted(s3).commit
    road.fault, road.times = "answer lost", 4
    one.commit(5)
    assert (road.met, noted(s3).commit) == (4, commit + 1)


def test_a_put_waits_for_as_long_as_s3_is_down_and_delivery_with_it(
    machine: Make, road: FaultyRoad
) -> None:
    one = started(machine("a", road.url))
    road.fault = "down"
    thread = threading.Thread(target=one.commit, args=(5,))
    thread.start()
    time.sleep(2.0)
    assert thread.is_alive()
    assert not one.chain.may_deliver(), "after 1 s another service may have taken over"
    road.fault = ""
    thread.join(20)
    assert not thread.is_alive()
    assert one.chain.may_deliver()
    one.chain.release()
    assert started(machine("b")).position() == 5


def test_a_service_that_is_stopped_while_s3_is_away_says_that_its_commit_is_not_there(
    machine: Make, road: FaultyRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.state.s3.chain.LEAVE_S", 0.5)
    one = started(machine("a", road.url))
    road.fault = "down"
    one.stop.set()
    with pytest.raises(StateUnwritable, match=WHERE):
        one.commit(5)
    one.die()


def test_an_object_that_was_deleted_under_its_owner_is_told(machine: Make, s3: Any) -> None:
    one = started(machine("a"))
    one.commit(5)
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    with pytest.raises(OwnershipLost, match="deleted"):
        one.commit(6)
    one.die()
    again = started(machine("a"))
    assert again.position() == 6, "the local copy is what is left"


def test_a_backup_without_metadata_that_was_put_back_is_taken(machine: Make, s3: Any) -> None:
    first = started(machine("a"))
    first.commit(5)
    backup = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    first.commit(9)
    first.chain.release()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=backup)
    assert started(machine("b")).position() == 5
