"""microburst: a proxy in front of an emulator that answers chosen calls with errors of AWS, by name
and number."""

import json
import shutil
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.base import LOOPBACK, PartMissing, Process, cache_dir, free_port, port_answers

WHEEL = "microburst==0.10.0"


def folder() -> Path:
    """Return the virtual environment that ``python -m tests.servers.setup`` makes for it."""
    return cache_dir() / WHEEL.replace("==", "-")


def why_missing() -> str | None:
    """Return why it cannot be started here, or None when it can."""
    return (
        None
        if (folder() / "bin" / "microburst").exists()
        else "not installed: python -m tests.servers.setup"
    )


class Microburst:
    """The proxy on a free port of 127.0.0.1 in front of ``upstream`` (a URL), started on entry,
    stopped on exit.

    Raises PartMissing when it is not installed, PartFailed when it does not start.
    """

    def __init__(self, upstream: str) -> None:
        if reason := why_missing():
            raise PartMissing("microburst", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-microburst-"))
        self.port, self._upstream = free_port(), upstream
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.process = Process("microburst", self.dir / "microburst.log")

    def __enter__(self) -> Self:
        command = [
            str(folder() / "bin" / "microburst"),
            "--host",
            LOOPBACK,
            "--port",
            str(self.port),
            "--upstream",
            self._upstream,
        ]
        self.process.start(command, lambda: port_answers(self.port), cwd=self.dir)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def refuse(self, operation: str, code: str, times: int, service: str = "kinesis") -> None:
        """Answer the next ``times`` calls of ``operation`` with the error ``code``."""
        rule = {"service": service, "operation": operation, "times": times, "error": {"code": code}}
        post = urllib.request.Request(
            f"{self.url}/_microburst/rules", json.dumps([rule]).encode(), method="POST"
        )
        post.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(post, timeout=10) as answer:
            answer.read()
