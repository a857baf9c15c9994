"""The real service in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import yaml

from detectors.report import Signal, WindowReport
from tests.servers.base import free_port


class RunningService:
    """``driftline run config.yaml`` in ``folder``; its files lie there. Stops with the ``with``
    block.

    ``before`` are words in front of the command; ``new_session``: it is the first of a process
    group of its own.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        new_session: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.before, self._new_session = list(before), new_session
        self._environment = {**os.environ, **(environment or {})}
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump({"http": {"port": self.port}, **config}))
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def start(self, *options: str) -> None:
        """Begin to run; returns at once."""
        command = [
            *self.before,
            sys.executable,
            "-m",
            "stream.cli",
            "run",
            str(self.config),
            *options,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
                start_new_session=self._new_session,
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self.process is not None
        return self.process.pid

    def kill9(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for it to end by itself; returns the exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    @property
    def log(self) -> str:
        """Everything it wrote to stderr so far."""
        return (self.folder / "log").read_text(errors="replace")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels; 0 while it does not answer or has
        none."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as page:
                text = page.read().decode()
        except OSError:
            return 0.0
        total = 0.0
        for found in re.finditer(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE):
            if all(f'{key}="{value}"' in found.group(1) for key, value in labels.items()):
                total += float(found.group(2))
        return total

    def healthy(self) -> bool:
        """Whether ``/healthz`` answers with 200."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as page:
                return bool(page.status == 200)
        except OSError:
            return False

    def ready(self) -> str:
        """What ``/readyz`` says, behind its status."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as page:
                return f"{page.status} {page.read().decode().strip()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode().strip()}"
        except OSError as error:
            return str(error)

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait for a condition; fails with the end of the log if the service dies or time runs out."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            died = self.process is not None and self.process.poll() is not None
            assert not died, f"the service ended:\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"not within {timeout_s} s:\n{self.log[-3000:]}"
            time.sleep(0.1)

    def readers(self) -> list[int]:
        """The reader processes that live."""
        started = re.findall(r'"pid": (\d+), "event": "reader started"', self.log)
        return [pid for pid in map(int, started) if Path(f"/proc/{pid}").exists()]

    def accepted(self) -> int:
        """Records accepted by what is committed."""
        return int(self.metric("driftline_ledger_records_total", outcome="accepted"))

    def reports(self, folder: str = "reports") -> list[WindowReport]:
        """Every line of every report file, repeats too; a torn line is passed over."""
        files = sorted((self.folder / folder).glob("reports-*.jsonl"))
        lines = [
            line for file in files for line in file.read_bytes().splitlines() if line.endswith(b"}")
        ]
        return [msgspec.json.decode(line, type=WindowReport) for line in lines]

    def signals(self, folder: str = "reports") -> list[Signal]:
        """Every line of the signals file."""
        path = self.folder / folder / "signals.jsonl"
        return (
            [msgspec.json.decode(line, type=Signal) for line in path.read_bytes().splitlines()]
            if path.exists()
            else []
        )


def newest(reports: list[WindowReport]) -> dict[tuple[str, int], WindowReport]:
    """The last revision of each window by model and end; fails if one id has two contents."""
    seen: dict[str, WindowReport] = {}
    last: dict[tuple[str, int], WindowReport] = {}
    for report in reports:
        assert seen.setdefault(report.id, report) == report, f"{report.id} has two contents"
        if report.state != "no data" and report.end_ms is not None:
            key = (report.model, report.end_ms)
            if key not in last or report.revision > last[key].revision:
                last[key] = report
    return last
