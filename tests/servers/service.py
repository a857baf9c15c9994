"""The real service in a process of its own, started as a user starts it."""

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

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from tests.servers.base import LOOPBACK, free_port
from tests.support.day_files import lines_of_days


class RunningService:
    """``driftline run config.yaml`` in ``folder``, which holds its files. The ``with`` block kills
    it. ``file`` is the name of the configuration.

    ``before`` is a prefix of the command; with ``new_session`` the service leads a process group of
    its own.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        new_session: bool = False,
        file: str = "config.yaml",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.before = list(before)
        self._new_session = new_session
        self._environment = {**os.environ, **(environment or {})}
        self.config = folder / file
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
        """Start the service with these options; return immediately."""
        run = [sys.executable, "-m", "stream.cli", "run", str(self.config), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.before, *run],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=self._environment,
                start_new_session=self._new_session,
            )

    @property
    def pid(self) -> int:
        """The id of the service's process."""
        assert self.process is not None
        return self.process.pid

    def kill9(self) -> None:
        """Kill the service with SIGKILL, whatever it is doing."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM and wait; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(120)

    def wait(self, timeout_s: float = 180.0) -> int:
        """Wait until the service ends by itself; return the exit code."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    @property
    def log(self) -> str:
        """Everything that the service has written to stderr."""
        return (self.folder / "log").read_text(errors="replace")

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels; 0 without any, or while the service does
        not respond.
        """
        try:
            text = self._get("metrics")
        except OSError:
            return 0.0
        total = 0.0
        for sample in re.finditer(rf"^{name}\{{(.*)\}} (\S+)$", text, re.MULTILINE):
            if all(f'{key}="{value}"' in sample.group(1) for key, value in labels.items()):
                total += float(sample.group(2))
        return total

    def healthy(self) -> bool:
        """Whether ``/healthz`` responds with a success."""
        try:
            self._get("healthz")
        except OSError:
            return False
        return True

    def ready(self) -> str:
        """Status and text of ``/readyz``, or the error while the service does not respond."""
        try:
            return f"200 {self._get('readyz').strip()}"
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read().decode().strip()}"
        except OSError as error:
            return str(error)

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/{path}", timeout=5) as page:
            return str(page.read().decode())

    def until(self, condition: Callable[[], bool], timeout_s: float = 180.0) -> None:
        """Wait for a condition; fail with the end of the log if the service ends or time runs
        out.
        """
        deadline = time.monotonic() + timeout_s
        while not condition():
            ended = self.process is not None and self.process.poll() is not None
            assert not ended, f"the service ended:\n{self.log[-3000:]}"
            assert time.monotonic() < deadline, f"not within {timeout_s} s:\n{self.log[-3000:]}"
            time.sleep(0.1)

    def readers(self) -> list[int]:
        """The ids of the reader processes that are alive."""
        started = re.findall(r'"pid": (\d+), "event": "reader_started"', self.log)
        return [pid for pid in map(int, started) if Path(f"/proc/{pid}").exists()]

    def accepted(self) -> int:
        """Records accepted up to the last commit."""
        return int(self.metric("driftline_ledger_records_total", outcome="accepted"))

    def reports(self, folder: str = "reports") -> list[WindowReport]:
        """Every line of every report file, repeats included; a torn line is skipped."""
        lines = lines_of_days(self.folder / folder, "reports")
        whole = [line for line in lines if line.endswith(b"}")]
        return [msgspec.json.decode(line, type=WindowReport) for line in whole]

    def quality(self, folder: str = "reports") -> list[QualityReport]:
        """Every line of every file of reports on quality, as of :meth:`reports`."""
        lines = lines_of_days(self.folder / folder, "quality")
        whole = [line for line in lines if line.endswith(b"}")]
        return [msgspec.json.decode(line, type=QualityReport) for line in whole]

    def signals(self, folder: str = "reports") -> list[Signal]:
        """Every line of the signals file; empty without a file."""
        path = self.folder / folder / "signals.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [msgspec.json.decode(line, type=Signal) for line in lines]


def newest(reports: list[WindowReport]) -> dict[tuple[str, int], WindowReport]:
    """The last revision of each window by model and end; fails if an id has different reports."""
    contents: dict[str, WindowReport] = {}
    last: dict[tuple[str, int], WindowReport] = {}
    for report in reports:
        assert contents.setdefault(report.id, report) == report, (
            f"{report.id} has two different contents"
        )
        if report.state != "no data" and report.end_ms is not None:
            key = (report.model, report.end_ms)
            if key not in last or report.revision > last[key].revision:
                last[key] = report
    return last
