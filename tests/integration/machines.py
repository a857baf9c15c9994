"""The part of a service that owns a state in S3: a disk, a file lock and a chain of puts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from stream.aggregation.state import JobState
from stream.config.model import S3Config
from stream.errors import StateLocked
from stream.event_time import PartitionState
from stream.state.file_lock import FileLock
from stream.state.identity import StateIdentity
from stream.state.s3.chain import StateChain
from stream.state.s3.object import ObjectMetadata, StateObject
from stream.state.s3.takeover import Takeover
from stream.state.store import Store
from tests.servers.moto import REGION

BUCKET = "states"
JOB = "prices"
KEY = f"driftline/{JOB}.state"
WHERE = f"s3://{BUCKET}/{KEY}"
IDENTITY = StateIdentity(job=JOB, source="jsonl /captures", window_ms=60_000, every_ms=60_000)
LOG = structlog.get_logger()


class Machine:
    """A machine with a disk of its own that may own the state."""

    def __init__(
        self, folder: Path, url: str, *, after_s: float = 1.0, standby: bool = False, **config: Any
    ) -> None:
        self.path = folder / "job.sqlite"
        self.stop = threading.Event()
        self._standby = standby
        self.stored = StateObject(
            S3Config(
                bucket=config.pop("bucket", BUCKET), region=REGION, endpoint_url=url, **config
            ),
            JOB,
        )
        self.chain = StateChain(
            stored=self.stored, job=JOB, take_over_after_s=after_s, stop=self.stop, log=LOG
        )
        self.takeover = Takeover(
            stored=self.stored,
            chain=self.chain,
            path=self.path,
            take_over_after_s=after_s,
            stop=self.stop,
            log=LOG,
        )
        self.waited_for_owner = threading.Event()

    def busy(self, state: str) -> None:
        self.waited_for_owner.set()
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
        self.chain.put(committed(self.path, position, self.lock))

    def position(self) -> int:
        store = Store(self.path, self.lock)
        stored = store.load()
        store.close()
        assert stored is not None
        position = stored.state.partitions["p"].next
        assert isinstance(position, int)
        return position

    def crash(self) -> None:
        """End without releasing the state; the system frees the file lock."""
        self.lock.close()


Make = Callable[..., Machine]


def committed(path: Path, position: int, lock: FileLock | None = None) -> bytes:
    """Commit a position to the file at ``path``, without a put; return the snapshot."""
    store = Store(path, lock)
    state = JobState(partitions={"p": PartitionState(1, position, 99)})
    store.commit(IDENTITY, state, [], [], {})
    snapshot = store.snapshot()
    store.close()
    return snapshot


def started(machine: Machine) -> Machine:
    assert machine.start()
    return machine


def metadata_of(s3: Any) -> ObjectMetadata:
    """The current metadata of the object."""
    return ObjectMetadata.of(s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"])


def policy(*actions: str) -> str:
    statement = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": f"arn:aws:s3:::{BUCKET}/{KEY}",
    }
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
