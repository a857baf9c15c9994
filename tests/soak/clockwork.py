"""A source whose log is a function of time, so that a month passes in minutes; the service that
reads it is the real one."""

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

Step = Callable[[int], list[bytes]]
"""The records of one step of time, by its number."""


class Figures(NamedTuple):
    """What the service is made of at one moment."""

    step: int
    seconds: float
    rss_mb: float
    file_mb: float
    state_kb: float
    tables: dict[str, int]


class Clockwork(Source, frozen=True, tag="clockwork"):
    """``steps`` polls of ``made(step)``, ``step_ms`` apart; ``looked`` is called at every
    ``look_every`` steps."""

    made: Any
    looked: Any
    steps: int
    step_ms: int
    look_every: int

    @property
    def identity(self) -> str:
        return "clockwork"

    def open(self, job: str) -> Reading:
        return Ticking(self)


class Ticking(Reading):
    """One partition; the position is the number of the step."""

    finished = False

    def __init__(self, source: Clockwork) -> None:
        self._source, self._at, self._next = source, 0, 0

    def discover(self) -> list[DiscoveredPartition]:
        return [DiscoveredPartition("p", 0)]

    def assign(self, assigns: list[Assign]) -> list[Gap]:
        for one in assigns:
            assert isinstance(one.next, int)
            self._next = one.next
        return []

    def assigned_elsewhere(self, partitions: Collection[str]) -> None:
        pass

    def poll(self, timeout_s: float, max_records: int) -> list[RawBatch | Gap]:
        step, self._next = self._next, self._next + 1
        if step >= self._source.steps:
            self.finished = True
            return []
        if step % self._source.look_every == 0:
            self._source.looked(step)
        values = self._source.made(step)
        assert len(values) <= max_records
        arrival = np.full(len(values), now_ms(step, self._source.step_ms), np.int64)
        return [
            RawBatch("p", "clockwork", step, step + 1, [step] * len(values), list(values), arrival)
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
    """Resident memory of a process, as the kernel tells it."""
    pages = int(Path(f"/proc/{pid or os.getpid()}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def tables(state: Path) -> tuple[float, dict[str, int]]:
    """How large the job's state is (kB), and how many rows each table has."""
    db = sqlite3.connect(f"file:{state}?mode=ro", uri=True)
    try:
        names = [
            name
            for (name,) in db.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        body = db.execute("SELECT length(body) FROM meta WHERE name = 'state'").fetchone()
        return (body or (0,))[0] / 1e3, {
            name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names
        }
    finally:
        db.close()


def file_mb(state: Path) -> float:
    """The state file with its journal."""
    return (
        sum(
            path.stat().st_size
            for path in (state, state.with_name(f"{state.name}-wal"))
            if path.exists()
        )
        / 1e6
    )


def live(
    folder: Path, data: Mapping[str, Any], made: Step, steps: int, step_ms: int, look_every: int
) -> tuple[int, list[Figures]]:
    """Run the service over all steps; returns its exit code and what was seen on the way. The clock
    is that of the log."""
    state, began, seen = folder / "driftline.sqlite", time.monotonic(), list[Figures]()
    clock_s = [START_MS / 1000]

    def looked(step: int) -> None:
        seen.append(
            Figures(step, time.monotonic() - began, rss_mb(), file_mb(state), *tables(state))
        )

    def made_now(step: int) -> list[bytes]:
        clock_s[0] = now_ms(step, step_ms) / 1000
        return made(step)

    plain = {
        "source": {"type": "jsonl", "path": "unused"},
        "http": {"port": 0},
        "state": {"path": str(state)},
    }
    config: Config = parse({**plain, **data}, folder)
    source = Clockwork(
        made=made_now, looked=looked, steps=steps, step_ms=step_ms, look_every=look_every
    )
    service = Service(msgspec.structs.replace(config, source=source), clock=lambda: clock_s[0])
    code = service.run()
    looked(steps)
    return code, seen


def slope(seen: list[Figures], what: str) -> float:
    """Growth of a figure from the first to the last of these, along the line of least squares."""
    x, y = (
        np.array([one.step for one in seen], float),
        np.array([getattr(one, what) for one in seen], float),
    )
    return float(np.polyfit(x, y, 1)[0] * (x[-1] - x[0]))


def told_by(module: str, *words: str) -> dict[str, object]:
    """The figures that a module prints as its last line, run in a process of its own; with its last
    log lines if its service failed."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-m", module, *words], capture_output=True, text=True
    )
    said = "\n".join(done.stderr.splitlines()[-20:])[-4_000:]
    if done.returncode:
        how = (
            signal.Signals(-done.returncode).name
            if done.returncode < 0
            else f"exit code {done.returncode}"
        )
        raise RuntimeError(f"{module} ended by {how}; its last words: {said or 'none'}")
    told = dict(json.loads(done.stdout.splitlines()[-1]))
    return {**told, "log": said} if told.get("exit_code") else told
