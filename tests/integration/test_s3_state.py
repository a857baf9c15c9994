"""The state in S3, its chain and its takeover, against moto's server (an emulator that honours conditional puts)."""

from __future__ import annotations

import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
import structlog

from stream.config import S3Config
from stream.errors import DriftlineError, OwnershipLost, StateIncompatible, StateLocked, StateUnwritable
from stream.file_lock import FileLock
from stream.job_state import JobState
from stream.s3_object import Note, StateObject
from stream.s3_state import StateChain, pack, unpack
from stream.s3_takeover import Takeover
from stream.state import Identity, Store
from stream.windows import Place
from tests.parts.faulty import Fault, FaultyRoad
from tests.parts.moto import REGION, MotoServer

BUCKET, JOB = "states", "prices"
KEY = f"driftline/{JOB}.state"
WHERE = f"s3://{BUCKET}/{KEY}"
WHO = Identity(JOB, "jsonl /captures", 60_000, 60_000)
LOG = structlog.get_logger()
ROOT = Path(__file__).parents[2]


@pytest.fixture
def s3(moto: MotoServer) -> Any:
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


@pytest.fixture
def road(moto: MotoServer) -> Iterator[FaultyRoad]:
    with FaultyRoad(moto.port) as one:
        yield one


class Machine:
    """A service's part of the state: a disk, a lock, a chain; without the service."""

    def __init__(self, folder: Path, url: str, *, after_s: float = 1.0, standby: bool = False, **config: Any) -> None:
        self.path, self.stop, self._standby = folder / "job.sqlite", threading.Event(), standby
        self.stored = StateObject(S3Config(bucket=config.pop("bucket", BUCKET), region=REGION, endpoint_url=url, **config), JOB)
        self.chain = StateChain(self.stored, JOB, after_s, self.stop, LOG)
        self.takeover = Takeover(self.stored, self.chain, self.path, after_s, self.stop, LOG)
        self.met_owner = threading.Event()

    def busy(self, state: str) -> None:
        self.met_owner.set()
        if not self._standby:
            raise StateLocked(state)

    def start(self) -> bool:
        self.lock = FileLock(self.path)
        taken = False
        try:
            taken = self.takeover.take(self.lock, self.busy)
        finally:
            if not taken:
                self.lock.close()
        return taken

    def commit(self, position: int) -> None:
        with_open = Store(self.path, self.lock)
        state = JobState(places={"p": Place(1, position, 99)})
        with_open.commit(WHO, state, with_open.panes([]), [], {})
        content = with_open.snapshot()
        with_open.close()
        self.chain.put(content)

    def position(self) -> int:
        store = Store(self.path, self.lock)
        place = store.load(WHO).places["p"]
        store.close()
        assert isinstance(place.next, int)
        return place.next

    def die(self) -> None:
        """As a crash: the system frees the lock, and nobody says anything."""
        self.lock.close()


Make = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path, moto: MotoServer, s3: Any) -> Make:
    return lambda name, url=moto.url, **more: Machine(tmp_path / name, url, **more)


def started(one: Machine) -> Machine:
    assert one.start()
    return one


def noted(s3: Any) -> Note:
    return Note.read(s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"])


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
    store.commit(WHO, JobState(places={"p": Place(1, 9, 99)}), store.panes([]), [], {})
    store.close()
    first.die()
    assert started(machine("a")).position() == 5


def test_a_job_moves_from_a_disk_to_s3_with_all_it_has(machine: Make) -> None:
    one = machine("a")
    store = Store(one.path)
    store.commit(WHO, JobState(places={"p": Place(1, 7, 99)}), store.panes([]), [], {})
    store.close()
    started(one)
    assert one.position() == 7
    one.chain.release()
    assert started(machine("b")).position() == 7


def test_a_state_that_never_was_in_s3_is_not_overwritten(machine: Make) -> None:
    first = started(machine("a"))
    first.commit(5)
    first.chain.release()
    second = machine("b")
    store = Store(second.path)
    store.commit(WHO, JobState(places={"p": Place(1, 3, 99)}), store.panes([]), [], {})
    store.close()
    with pytest.raises(StateIncompatible, match="never was in S3"):
        second.start()
    second.lock = FileLock(second.path)
    assert second.position() == 3


def test_the_object_says_whose_it_is_and_any_zstd_program_reads_it(machine: Make, s3: Any) -> None:
    one = started(machine("a"))
    one.commit(5)
    assert noted(s3) == Note(JOB, one.chain.owner, 1, 2, False)
    one.chain.release()
    assert noted(s3) == Note(JOB, one.chain.owner, 1, 3, True)
    content = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    assert unpack(content, WHERE).startswith(b"SQLite format 3\0")


def test_each_takeover_raises_the_epoch(machine: Make, s3: Any) -> None:
    for k in range(1, 4):
        one = started(machine(f"disk {k}"))
        assert noted(s3).epoch == k
        one.chain.release()


def test_the_etag_changes_with_each_put_though_nothing_else_did(machine: Make, s3: Any) -> None:
    """It is what shows the others that the owner is alive."""
    one, seen = started(machine("a")), set()
    for _ in range(4):
        one.chain.put(b"the same")
        seen.add(s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"])
    assert len(seen) == 4


def test_a_living_owner_is_met_and_refused(machine: Make) -> None:
    first, done = started(machine("a")), threading.Event()

    def beat() -> None:
        while not done.wait(0.2):
            first.chain.put(b"")

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(StateLocked, match=WHERE):
            machine("b", after_s=5.0).start()
    finally:
        done.set()
        thread.join()
    first.chain.put(b"")


def test_an_owner_that_is_silent_is_taken_over_and_loses_its_next_put(machine: Make, s3: Any) -> None:
    first = started(machine("a"))
    first.commit(5)
    second = started(machine("b"))
    assert second.position() == 5
    assert not first.chain.may_deliver()
    with pytest.raises(OwnershipLost, match=second.chain.owner) as caught:
        first.chain.put(b"something else")
    assert caught.value.exit_code == 5
    assert not first.chain.may_deliver()
    first.chain.release()
    assert noted(s3).owner == second.chain.owner, "who lost the job releases nothing"
    second.commit(6)


def test_after_a_crash_a_service_on_the_same_disk_does_not_wait(machine: Make) -> None:
    """It holds the lock that the dead one held."""
    first = started(machine("a", after_s=30.0))
    first.commit(5)
    first.die()
    began = time.monotonic()
    assert started(machine("a", after_s=30.0)).position() == 5
    assert time.monotonic() - began < 10


def test_of_many_that_wait_one_becomes_owner(machine: Make) -> None:
    started(machine("a")).commit(5)
    waiting = [machine(f"b{k}", after_s=1.5, standby=True) for k in range(4)]
    won: list[Machine] = []

    def wait(one: Machine) -> None:
        if one.start():
            won.append(one)

    threads = [threading.Thread(target=wait, args=(one,)) for one in waiting]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while not won and time.monotonic() < deadline:
        time.sleep(0.05)
    for _ in range(12):
        won[0].chain.put(b"")
        time.sleep(0.25)
    assert len(won) == 1
    assert all(one.met_owner.is_set() for one in waiting if one is not won[0])
    for one in waiting:
        one.stop.set()
    for thread in threads:
        thread.join()
    assert len(won) == 1


@pytest.mark.parametrize("fault", ["answer lost", "answer cut"])
def test_a_put_whose_answer_did_not_come_is_not_lost_and_not_repeated(machine: Make, road: FaultyRoad, s3: Any, fault: Fault) -> None:
    one = started(machine("a", road.url))
    one.commit(5)
    commit = noted(s3).commit
    road.fault, road.only, road.times = fault, "PUT", 1
    one.commit(6)
    assert (road.met, noted(s3).commit) == (1, commit + 1)
    one.commit(7)
    assert noted(s3) == Note(JOB, one.chain.owner, 1, commit + 2, False)
    assert one.chain.may_deliver()


@pytest.mark.parametrize("fault", ["answer lost", "answer cut"])
def test_a_first_put_whose_answer_did_not_come_makes_an_owner(machine: Make, road: FaultyRoad, fault: Fault) -> None:
    road.fault, road.only, road.times = fault, "PUT", 1
    one = started(machine("a", road.url))
    one.commit(5)
    assert road.met == 1


def test_an_answer_that_is_lost_again_and_again_is_found_by_looking(machine: Make, road: FaultyRoad, s3: Any) -> None:
    """The put is there, the look fails, the repeated put is refused as a conflict with our own one."""
    one = started(machine("a", road.url))
    commit = noted(s3).commit
    road.fault, road.times = "answer lost", 4
    one.commit(5)
    assert (road.met, noted(s3).commit) == (4, commit + 1)


def test_a_put_waits_for_as_long_as_s3_is_down_and_delivery_with_it(machine: Make, road: FaultyRoad) -> None:
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


def test_an_owner_found_dead_by_an_outage_is_not_taken_for_dead(machine: Make, road: FaultyRoad) -> None:
    """Nobody could put while S3 was away: its time begins anew when S3 answers."""
    first = started(machine("a"))
    second = machine("b", road.url, after_s=6.0, standby=True)
    thread = threading.Thread(target=second.start)
    thread.start()
    time.sleep(1.0)
    road.fault = "down"
    time.sleep(7.0)
    road.fault = ""
    time.sleep(1.0)
    first.commit(5)  # raises if it was taken over
    second.stop.set()
    thread.join(20)


def test_a_service_that_is_stopped_while_s3_is_away_says_that_its_commit_is_not_there(
    machine: Make, road: FaultyRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.s3_state.LEAVE_S", 0.5)
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


def test_the_state_of_another_job_is_refused_before_anything_is_touched(machine: Make, s3: Any) -> None:
    note = Note("rents", "somebody", 3, 9, True)
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=pack(b""), Metadata=note.written())
    with pytest.raises(StateIncompatible, match="job was rents"):
        machine("a").start()
    assert noted(s3) == note


@pytest.mark.parametrize("content", [b"holiday photos", pack(b"some other file" * 100)], ids=["no zstd", "no state"])
def test_an_object_that_is_no_state_is_refused_and_left_alone(machine: Make, s3: Any, content: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=content)
    with pytest.raises(StateIncompatible, match="object was"):
        machine("a").start()
    assert s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == content


def test_a_backup_without_metadata_that_was_put_back_is_taken(machine: Make, s3: Any) -> None:
    first = started(machine("a"))
    first.commit(5)
    backup = s3.get_object(Bucket=BUCKET, Key=KEY)["Body"].read()
    first.commit(9)
    first.chain.release()
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=backup)
    assert started(machine("b")).position() == 5


def test_a_bucket_that_is_not_there_is_told_at_once(machine: Make) -> None:
    with pytest.raises(StateUnwritable, match="there is no such bucket"):
        machine("a", bucket="nowhere").start()


# --- rights: moto's server checks them when it is asked to


@pytest.fixture
def allowed(moto: MotoServer, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """``allowed(policy)``: this process has these rights from now on, and no others."""

    def enforce(free_requests: int) -> None:
        post = urllib.request.Request(f"{moto.url}/moto-api/reset-auth", str(free_requests).encode(), {"Content-Type": "text/plain"})
        urllib.request.urlopen(post, timeout=10).close()

    def allow(policy: str) -> None:
        iam = moto.client("iam")
        iam.create_user(UserName="driftline")
        iam.put_user_policy(UserName="driftline", PolicyName="state", PolicyDocument=policy)
        key = iam.create_access_key(UserName="driftline")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        monkeypatch.delenv("AWS_SESSION_TOKEN")
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        enforce(0)

    yield allow
    enforce(1_000_000_000)


def policy(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:s3:::{BUCKET}/{KEY}"}
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


def test_the_documented_rights_are_enough(machine: Make, allowed: Callable[[str], None]) -> None:
    """Without the right to list the bucket an absent object looks forbidden: the first put finds out."""
    [documented] = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "state-in-s3.md").read_text(), re.DOTALL)
    allowed(documented.replace("my-bucket/driftline/delays.state", f"{BUCKET}/{KEY}"))
    first = started(machine("a"))
    first.commit(5)
    first.chain.release()
    assert started(machine("b")).position() == 5


@pytest.mark.parametrize("actions", [("s3:GetObject",), ("s3:PutObject",), ("s3:ListBucket",)])
def test_a_right_that_is_missing_is_named_at_the_start(machine: Make, allowed: Callable[[str], None], s3: Any, actions: tuple[str]) -> None:
    s3.put_object(Bucket=BUCKET, Key=KEY, Body=pack(b""))
    allowed(policy(*actions))
    with pytest.raises(DriftlineError, match=f"s3:GetObject and s3:PutObject on {WHERE}"):
        machine("a").start()


def test_credentials_that_are_missing_are_told(machine: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(StateUnwritable, match="there are no credentials"):
        machine("a").start()
