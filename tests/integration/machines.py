"""A service's part of a state in S3, without the service: a disk, a lock, a chain."""

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
from stream.state.s3.chain import StateChain
from stream.state.s3.object import ObjectMetadata, StateObject
from stream.state.s3.takeover import Takeover
from stream.state.store import StateIdentity, Store
from tests.servers.moto import REGION

BUCKET, JOB = "states", "prices"
KEY = f"driftline/{JOB}.state"
WHERE = f"s3://{BUCKET}/{KEY}"
WHO = StateIdentity(JOB, "jsonl /captures", 60_000, 60_000)
LOG = structlog.get_logger()


class Machine:
    """A service's part of the state: a disk, a lock, a chain; without the service."""

    def __init__(
        self, folder: Path, url: str, *, after_s: float = 1.0, standby: bool = False, **config: Any
    ) -> None:
        self.path, self.stop, self._standby = folder / "job.sqlite", threading.Event(), standby
        self.stored = StateObject(
            S3Config(
                bucket=config.pop("bucket", BUCKET), region=REGION, endpoint_url=url, **config
            ),
            JOB,
        )
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
        state = JobState(partitions={"p": PartitionState(1, position, 99)})
        with_open.commit(WHO, state, with_open.panes([]), [], {})
        content = with_open.snapshot()
        with_open.close()
        self.chain.put(content)

    def position(self) -> int:
        store = Store(self.path, self.lock)
        place = store.load(WHO).partitions["p"]
        store.close()
        assert isinstance(place.next, int)
        return place.next

    def die(self) -> None:
        """As a crash: the system frees the lock, and nobody says anything."""
        self.lock.close()


Make = Callable[..., Machine]


def started(one: Machine) -> Machine:
    assert one.start()
    return one


def noted(s3: Any) -> ObjectMetadata:
    return ObjectMetadata.read(s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"])


def policy(*actions: str) -> str:
    statement = {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": f"arn:aws:s3:::{BUCKET}/{KEY}",
    }
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
