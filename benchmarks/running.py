"""The service as a user runs it, and its speed on a topic or on files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.kafka_clients import PARTITIONS, ClientName
from tests.servers.base import LOOPBACK, free_port
from tests.servers.kafka import KafkaBroker
from tests.support import jobs

SINKS: list[dict[str, Any]] = [{"type": "prometheus"}, {"type": "jsonl", "path": "reports"}]


class Running:
    """A service in a folder of its own, started at construction."""

    def __init__(
        self, folder: Path, config: dict[str, Any], environment: dict[str, str] | None = None
    ) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump({**config, "http": {"port": self.port}}))
        self._log = (folder / "log").open("wb")
        command = [sys.executable, "-m", "stream.cli", "run", str(path)]
        self._process = subprocess.Popen(command, stderr=self._log, env=environment)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    def read(self) -> float:
        """Records read so far; 0 while the service does not respond."""
        try:
            url = f"http://{LOOPBACK}:{self.port}/metrics"
            with urllib.request.urlopen(url, timeout=5) as page:
                sample = re.search(rb"driftline_records_read_total\{[^}]*\} (\S+)", page.read())
        except OSError:
            return 0.0
        return float(sample.group(1)) if sample else 0.0

    def stop(self) -> None:
        """Send SIGTERM and wait."""
        self._process.terminate()
        self._process.wait(30)
        self._log.close()


def busy_s(pid: int) -> float:
    """Processor seconds used by a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def on_topic(
    broker: KafkaBroker, topic: str, baseline: Path, client: ClientName, **changes: Any
) -> dict[str, Any]:
    """The configuration of a job on a topic."""
    source = {
        "type": "kafka",
        "bootstrap_servers": [broker.bootstrap],
        "topic": topic,
        "client": client,
    }
    defaults = {"job": topic, "source": source, "sinks": SINKS, "grace": None}
    return jobs.config(baseline, **{**defaults, **changes})


def on_files(
    folder: Path, lines: list[bytes], baseline: Path, total: int
) -> Callable[[int], dict[str, Any]]:
    """Write ``total`` events to four files; return a function from readers to the configuration."""
    paths = [folder / f"{k}.jsonl" for k in range(PARTITIONS)]
    for path in paths:
        with path.open("wb") as file:
            for _ in range(total // PARTITIONS // len(lines)):
                file.write(b"\n".join(lines) + b"\n")
    source = {"type": "jsonl", "path": [str(path) for path in paths], "follow": True}

    def config(readers: int) -> dict[str, Any]:
        return jobs.config(
            baseline, job="bench", source=source, readers=readers, sinks=SINKS, grace=None
        )

    return config


def events_per_s(folder: Path, config: dict[str, Any], total: int) -> float:
    """Events per second of the service from its first record to its last."""
    running = Running(folder, config)
    try:
        while (first := running.read()) == 0:
            time.sleep(0.02)
        began_s = time.perf_counter()
        last = first
        while last < total:
            elapsed_s = time.perf_counter() - began_s
            remaining_s = elapsed_s * (total - last) / (last - first + 1)
            # scrapes cost the service time: they are rare at first and frequent near the end
            time.sleep(min(max(remaining_s / 2, 0.02), 1.0))
            last = running.read()
        return (last - first) / (time.perf_counter() - began_s)
    finally:
        running.stop()
