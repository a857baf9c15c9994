"""A broker that all worker processes of a test run share.

The first worker that needs the broker starts it, and stops it when no other worker uses it any
longer. Users hold a shared file lock, which a killed worker releases too.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.servers.kafka import KafkaBroker, RunningBroker


@contextmanager
def shared_broker(folder: Path) -> Iterator[RunningBroker]:
    """The broker of all workers that pass the same ``folder``.

    Raises DependencyMissing or ServerFailed as :class:`KafkaBroker` does.
    """
    ports = folder / "kafka.json"
    with (folder / "kafka.users").open("a") as users:
        with _locked(folder / "kafka.lock"):
            broker = _running(ports) or _started(ports)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            yield broker
        finally:
            broker.drop_clients()
            if isinstance(broker, KafkaBroker):
                _stop_when_unused(broker, ports, users, folder / "kafka.lock")


def _running(ports: Path) -> RunningBroker | None:
    return RunningBroker(*json.loads(ports.read_text())) if ports.exists() else None


def _started(ports: Path) -> KafkaBroker:
    broker = KafkaBroker()
    broker.start()
    ports.write_text(json.dumps([broker.port, broker.sasl_port]))
    return broker


def _stop_when_unused(broker: KafkaBroker, ports: Path, users: IO[str], lock: Path) -> None:
    while True:
        with _locked(lock):
            if _exclusive(users):
                ports.unlink()
                broker.close()
                return
        time.sleep(0.2)


def _exclusive(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
