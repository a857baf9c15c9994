"""Kinesis with enhanced fan-out, emulated by ministack in a process of its own.

It is reliable for SubscribeToShard, but not for resharding: its split deletes the parent.
"""

import os
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.base import (
    LOOPBACK,
    DependencyMissing,
    Process,
    cache_dir,
    free_port,
    port_answers,
)
from tests.servers.kinesis import boto

WHEEL = "ministack==1.5.33"


def folder() -> Path:
    """Return the virtual environment that ``python -m tests.servers.setup`` creates for it; it pins
    botocore."""
    return cache_dir() / WHEEL.replace("==", "-")


def why_missing() -> str | None:
    """Return why ministack cannot be started here, or None if it can."""
    installed = (folder() / "bin" / "ministack").exists()
    return None if installed else "not installed: python -m tests.servers.setup"


class Ministack:
    """ministack on a free port of 127.0.0.1, started on entry, stopped on exit; ``kinesis`` is a
    client.

    Raises DependencyMissing if it is not installed, ServerFailed if it does not start.
    """

    def __init__(self) -> None:
        if reason := why_missing():
            raise DependencyMissing("ministack", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-ministack-"))
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.process = Process("ministack", self.dir / "ministack.log")
        self.kinesis = boto(self.url, "testing")

    def __enter__(self) -> Self:
        env = {**os.environ, "BIND_HOST": LOOPBACK, "GATEWAY_PORT": str(self.port)}
        self.process.start(
            [str(folder() / "bin" / "ministack")],
            lambda: port_answers(self.port),
            env=env,
            cwd=self.dir,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kinesis.close()
        self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
