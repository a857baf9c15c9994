"""Two services write into one folder of the sink ``jsonl`` and are killed at random moments:
``python -m tests.soak.shared_folder --kills 400`` prints its figures.

A service is a process with the sink and its courier. It delivers numbered reports at full speed and
keeps the cursor in a file, as the service keeps it in its state. Days pass in a fraction of a
second, and every fifth report is late, so that one service appends to a day that the other one
compresses. Where files are locked, renamed and removed a service often pauses, so that the other
one or a kill comes between.

Each service notes what it is about to write: no report may be missing from the folder, and none may
be there more often than it was written.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from detectors.report import WindowReport
from sinks import jsonl
from sinks.base import Published
from sinks.courier import Courier
from sinks.jsonl import Jsonl
from stream.telemetry.log_setup import LogSetup
from stream.testing.reports import report
from tests.support.day_files import lines_of_days

JOBS = ("first", "second")
KILLS = 400
QUARTER_MS = 900_000
DAY = 96
"""Reports of a day."""
START_MS = 1_750_032_000_000
"""2025-06-16 00:00 UTC."""
PAUSES: list[tuple[Any, str]] = [(fcntl, "flock"), (Path, "replace"), (Path, "unlink")]
LAST = 200
"""Reports after the last kill."""


class Figures(msgspec.Struct, frozen=True):
    """What became of the reports: ``written`` counts every attempt to write one."""

    kills: int
    reports: int
    written: int
    lines: int
    torn: int
    days: int
    missing: list[str]
    doubled: list[str]


def numbered(job: str, number: int) -> WindowReport:
    """Return the report with this number; each fifth is one or two days late."""
    late = DAY * (1 + number % 2) if number % 5 == 0 else 0
    end_ms = START_MS + (number - late) * QUARTER_MS
    return report(job=job, start_ms=end_ms - QUARTER_MS, end_ms=end_ms, revision=number)


class Noted:
    """Notes the ids of the reports in a file before the sink writes them."""

    left_out = 0

    def __init__(self, folder: Path, job: str) -> None:
        self._inner = Jsonl(path=str(folder / "reports")).open(job)
        self._notes = os.open(folder / f"{job}.notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def deliver(self, items: Sequence[Published]) -> None:
        os.write(self._notes, b"".join(item.id.encode() + b"\n" for item in items))
        self._inner.deliver(items)

    def needs(self, item: Published) -> bool:
        return self._inner.needs(item)

    def close(self) -> None:
        self._inner.close()


def cursor_of(folder: Path, job: str) -> int:
    path = folder / f"{job}.cursor"
    return int(path.read_text()) if path.exists() else 0


def serve(folder: Path, job: str, last: int | None, seed: int) -> None:
    """Deliver the reports after the cursor, up to number ``last`` or until killed."""
    random = Random(seed)
    cursor = offered = cursor_of(folder, job)
    courier: Courier[Any] = Courier("jsonl", Noted(folder, job), cursor, lossless=True)
    courier.start()
    while last is None or cursor < last:
        until = offered + random.choice((1, 1, 2, 5, 30))
        until = until if last is None else min(until, last)
        if offered - cursor < 60 and until > offered:
            numbers = range(offered + 1, until + 1)
            courier.offer([(number, numbered(job, number)) for number in numbers])
            offered = until
        courier.drain(0.001)
        if courier.cursor != cursor:
            cursor = courier.cursor
            beside = folder / f"{job}.cursor.new"
            beside.write_text(str(cursor))
            beside.replace(folder / f"{job}.cursor")


def pausing(call: Callable[..., Any], random: Random) -> Callable[..., Any]:
    """A function that often pauses before it does its work."""

    def paused(*args: Any, **kwargs: Any) -> Any:
        if random.random() < 0.3:
            time.sleep(random.uniform(0.0, 0.01))
        return call(*args, **kwargs)

    return paused


def started(folder: Path, job: str, last: int | None, seed: int) -> int:
    """Start a service in a process of its own; returns its id."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for owner, name in PAUSES:
                setattr(owner, name, pausing(getattr(owner, name), Random(seed)))
            serve(folder, job, last, seed)
            code = 0
        finally:
            os._exit(code)
    return pid


def killed(folder: Path, kills: int, random: Random) -> int:
    """Run both services, and kill one of them or both at random moments; returns how often."""
    pids = {job: started(folder, job, None, random.randrange(1 << 30)) for job in JOBS}
    done = 0
    while done < kills:
        time.sleep(random.uniform(0.005, 0.15))
        victims = JOBS if random.random() < 0.2 else (random.choice(JOBS),)
        for job in victims:
            kill(pids[job])
            pids[job] = started(folder, job, None, random.randrange(1 << 30))
        done += len(victims)
    for pid in pids.values():
        kill(pid)
    ends = [started(folder, job, cursor_of(folder, job) + LAST, 0) for job in JOBS]
    assert [os.waitpid(pid, 0)[1] for pid in ends] == [0, 0]
    return done + len(pids)


def kill(pid: int) -> None:
    """Kill a service; fails if it has ended by itself."""
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL, "it ended by itself"


def counted(folder: Path, kills: int) -> Figures:
    """Compare the lines of the folder with the numbers and notes of the services."""
    lines = lines_of_days(folder / "reports", "reports")
    whole, torn = Counter[str](), 0
    for line in lines:
        try:
            whole[msgspec.json.decode(line, type=WindowReport).id] += 1
        except msgspec.MsgspecError:
            torn += 1
    written = Counter[str]()
    for job in JOBS:
        written.update((folder / f"{job}.notes").read_text().splitlines())
    expected = [
        numbered(job, number).id for job in JOBS for number in range(1, cursor_of(folder, job) + 1)
    ]
    return Figures(
        kills=kills,
        reports=len(expected),
        written=written.total(),
        lines=len(lines),
        torn=torn,
        days=len({path.name[:18] for path in (folder / "reports").iterdir()}),
        missing=[name for name in expected if not whole[name]],
        doubled=[name for name, count in whole.items() if count > written[name]],
    )


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser()
    options.add_argument("--kills", type=int, default=KILLS)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument(
        "--without-locks", action="store_true", help="append without locks, a planted fault"
    )
    chosen = options.parse_args()
    LogSetup(level="error").set_up()
    if chosen.without_locks:
        setattr(jsonl, "locked", pausing(lambda *_: True, Random(chosen.seed)))  # noqa: B010
    with tempfile.TemporaryDirectory() as name:
        kills = killed(Path(name), chosen.kills, Random(chosen.seed))
        figures = counted(Path(name), kills)
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")


if __name__ == "__main__":
    main()
