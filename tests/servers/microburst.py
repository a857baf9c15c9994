"""microburst: a proxy in front of an emulator that fails chosen calls with named AWS errors, a
given number of times.
"""

import contextlib
import json
import shutil
import tempfile
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.servers.base import (
    LOOPBACK,
    DependencyMissing,
    Process,
    cache_dir,
    free_port,
    port_answers,
)

WHEEL = "microburst==0.10.0"


def folder() -> Path:
    """Return the virtual environment that ``python -m tests.servers.setup`` creates for it."""
    return cache_dir() / WHEEL.replace("==", "-")


def why_missing() -> str | None:
    """Return why microburst cannot be started here, or None if it can."""
    installed = (folder() / "bin" / "microburst").exists()
    return None if installed else "not installed: python -m tests.servers.setup"


class Microburst:
    """microburst on a free port of 127.0.0.1 in front of ``upstream`` (a URL), started on entry,
    stopped on exit.

    Raises DependencyMissing if it is not installed, ServerFailed if it does not start.
    """

    def __init__(self, upstream: str) -> None:
        if reason := why_missing():
            raise DependencyMissing("microburst", reason)
        self.dir = Path(tempfile.mkdtemp(prefix="driftline-microburst-"))
        self.port = free_port()
        self._upstream = upstream
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
        self._warm_up()
        return self

    def _warm_up(self) -> None:
        """Send a first call, which takes seconds: microburst then loads the models of AWS.

        On a busy machine a client of a test would give up waiting for it.
        """
        first = boto3.client(
            "kinesis",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # an emulator checks none
            config=Config(read_timeout=300, retries={"total_max_attempts": 1}),
        )
        with contextlib.suppress(ClientError):  # an emulator may not know the call
            first.list_streams(Limit=1)
        first.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def refuse(self, operation: str, code: str, times: int, service: str = "kinesis") -> None:
        """Fail the next ``times`` calls of ``operation`` with ``code``; replaces earlier rules."""
        rule = {"service": service, "operation": operation, "times": times, "error": {"code": code}}
        self._replace_rules([rule])

    def clear(self) -> None:
        """Remove all rules: every call passes."""
        self._replace_rules([])

    def _replace_rules(self, rules: list[dict[str, object]]) -> None:
        post = urllib.request.Request(f"{self.url}/_microburst/rules", json.dumps(rules).encode())
        post.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(post, timeout=10) as response:
            response.read()
