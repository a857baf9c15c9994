"""A source whose log is a function of time, so that a month passes in minutes. The service that
reads it is real.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from stream.config.load import parse
from stream.config.model import Config
from stream.events import Assign, DiscoveredPartition, Gap, Position, RawBatch
from stream.service.service import Service
from stream.sources.base import Reading, Source

START_MS = 1_750_000_020_000

Records = Callable[[int], list[bytes]]
"""The records of a step of time, by its number."""


class Figures(NamedTuple):
    """Sizes of the service and of its state at a given step."""

    step: int
    seconds: float
    rss_mb: float
    file_mb: float
    state_kb: float
    tables: dict[str, int]


class Clockwork(Source, frozen=True, tag="clockwork"):
    """``steps`` polls of ``records(step)``, ``step_ms`` apart; calls ``observe(step)`` before every
    ``observe_every`` steps.
    """

    records: Any
    observe: Any
    steps: int
    step_ms: int
    observe_every: int

    @property
    def identity(self) -> str:
        return "clockwork"

    def open(self, job: str) -> Reading:
        return Ticking(self)


class Ticking(Reading):
    """One partition, whose position is the number of the step."""

    finished = False

    def __init__(self, source: Clockwork) -> None:
        self._source = source
        self._next = 0

    def discover(self) -> list[DiscoveredPartition]:
        return [DiscoveredPartition("p", 0)]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        for assign in assigns:
            assert isinstance(assign.next, int)
            self._next = assign.next
        return []

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        pass

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        step = self._next
        self._next = self._next + 1
        if step >= self._source.steps:
            self.finished = True
            return []
        if step % self._source.observe_every == 0:
            self._source.observe(step)
        values = self._source.records(step)
        assert len(values) <= max_records
        return [
            RawBatch(
                partition="p",
                origin="clockwork",
                first=step,
                next=step + 1,
                positions=[step] * len(values),
                values=list(values),
                arrival_ms=np.full(len(values), now_ms(step, self._source.step_ms), np.int64),
            )
        ]

    def lag(self, positions: Mapping[str, Position]) -> dict[str, int]:
        return {}

    def publish_positions(self, positions: Mapping[str, Position]) -> None:
        pass

    def close(self) -> None:
        pass


def now_ms(step: int, step_ms: int) -> int:
    """The end of a step."""
    return START_MS + (step + 1) * step_ms


def rss_mb(pid: int | None = None) -> float:
    """Resident memory of a process, by default of this one."""
    pages = int(Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tables(state: Path) -> tuple[float, dict[str, int]]:
    """Size of the job's state in kB, and the number of rows of each table of its file."""
    db = sqlite3.connect(f"file:{state}?mode=ro", uri=True)
    try:
        names = [
            name
            for (name,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        body = db.execute("SELECT length(body) FROM meta WHERE name = 'state'").fetchone()
        rows = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    finally:
        db.close()
    return (body or (0,))[0] / 1e3, rows


def file_mb(state: Path) -> float:
    """Size of the state file and its journal."""
    files = (state, state.with_name(f"{state.name}-wal"))
    return sum(path.stat().st_size for path in files if path.exists()) / 1e6


def live(
    folder: Path,
    data: Mapping[str, Any],
    records: Records,
    steps: int,
    step_ms: int,
    observe_every: int,
) -> tuple[int, list[Figures]]:
    """Run the service over all steps; return its exit code and the observed figures.

    The service's clock is the time of the log.
    """
    state = folder / "driftline.sqlite"
    began_s = time.monotonic()
    figures: list[Figures] = []
    clock_s = [START_MS / 1000]

    def observe(step: int) -> None:
        seconds = time.monotonic() - began_s
        figures.append(Figures(step, seconds, rss_mb(), file_mb(state), *tables(state)))

    def records_now(step: int) -> list[bytes]:
        clock_s[0] = now_ms(step, step_ms) / 1000
        return records(step)

    defaults = {
        "source": {"type": "jsonl", "path": "unused"},
        "http": {"port": 0},
        "state": {"path": str(state)},
    }
    config: Config = parse({**defaults, **data}, folder)
    source = Clockwork(
        records=records_now,
        observe=observe,
        steps=steps,
        step_ms=step_ms,
        observe_every=observe_every,
    )
    service = Service(msgspec.structs.replace(config, source=source), clock=lambda: clock_s[0])
    code = service.run()
    observe(steps)
    return code, figures


def growth(figures: list[Figures], name: str) -> float:
    """Growth of a figure from the first to the last observation, along the least-squares line."""
    steps = np.array([figure.step for figure in figures], float)
    values = np.array([getattr(figure, name) for figure in figures], float)
    return float(np.polyfit(steps, values, 1)[0] * (steps[-1] - steps[0]))


def measured_by(module: str, *arguments: str) -> dict[str, object]:
    """The figures that a module prints as its last line, run in a process of its own.

    Raises RuntimeError with the end of its log if it fails; a failed service adds its ``log`` to
    the figures.
    """
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", module, *arguments],
        capture_output=True,
        text=True,
    )
    log = "\n".join(result.stderr.splitlines()[-20:])[-4_000:]
    if result.returncode:
        killed = result.returncode < 0
        ending = (
            signal.Signals(-result.returncode).name if killed else f"exit code {result.returncode}"
        )
        raise RuntimeError(f"{module} ended with {ending}; the end of its log: {log or 'empty'}")
    figures = dict(json.loads(result.stdout.splitlines()[-1]))
    return {**figures, "log": log} if figures.get("exit_code") else figures
