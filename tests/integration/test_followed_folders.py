"""The service follows a folder in which files are rotated, linked, compressed and damaged while it
runs, and while it is down after a kill.
"""

from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.servers.service import RunningService
from tests.support import events, jobs

ROUNDS = 6
EACH = 150


def service_on(tmp_path: Path, **changes: Any) -> RunningService:
    source = {"type": "jsonl", "path": "in", "follow": True}
    (tmp_path / "run" / "in").mkdir(parents=True)
    config = jobs.config(jobs.learn(tmp_path), **{"source": source, **changes})
    return RunningService(tmp_path / "run", config)


def append(path: Path, lines: list[bytes]) -> None:
    with path.open("ab") as file:
        file.writelines(line + b"\n" for line in lines)


def rotate(folder: Path, turn: int) -> None:
    """Number the older files up, compress the second, and add a link to the first."""
    for k in range(ROUNDS, 1, -1):
        if (packed := folder / f"app-{k}.jsonl.gz").exists():
            packed.rename(folder / f"app-{k + 1}.jsonl.gz")
    if (older := folder / "app-1.jsonl").exists():
        data = older.read_bytes()
        older.rename(folder / "app-2.jsonl")
        (folder / "app-2.jsonl.gz").write_bytes(gzip.compress(data))
        (folder / "app-2.jsonl").unlink()
    (folder / "app.jsonl").rename(folder / "app-1.jsonl")
    os.link(folder / "app-1.jsonl", folder / f"link-{turn}.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("readers", [1, 2])
def test_each_line_is_counted_once_over_kills_and_rotations(tmp_path: Path, readers: int) -> None:
    lines = iter(events.capture_lines(events.values(3 * ROUNDS * EACH, 3), start_ms=jobs.START_MS))
    random = Random(readers)
    written = 0
    with service_on(tmp_path, readers=readers) as service:
        folder = service.folder / "in"

        def write() -> int:
            append(folder / "app.jsonl", [next(lines) for _ in range(EACH)])
            return EACH

        for turn in range(ROUNDS):
            written += write()
            time.sleep(random.uniform(0.0, 1.5))
            down = turn % 2 == 0
            if down:
                service.kill9()
            written += write()
            rotate(folder, turn)
            written += write()
            if down:
                service.start()
            total = written
            service.until(lambda: service.accepted() >= total, 30)  # noqa: B023  # called at once
        time.sleep(1.5)
        assert service.accepted() == written
        assert service.metric("driftline_gaps_total") == 0
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0


def test_odd_files_are_told_and_passed_over_and_the_service_can_be_stopped(tmp_path: Path) -> None:
    lines = events.capture_lines(events.values(300, 3), start_ms=jobs.START_MS)
    with service_on(tmp_path) as service:
        folder = service.folder / "in"
        append(folder / "a.jsonl", lines[:100])
        service.until(lambda: service.accepted() == 100)
        os.mkfifo(folder / "m.jsonl")
        os.close(os.open(os.fsencode(folder) + b"/n\xff.jsonl", os.O_CREAT | os.O_WRONLY))
        (folder / "o.jsonl").symlink_to(folder / "o.jsonl")
        packed = gzip.compress(b"".join(line + b"\n" for line in lines[100:200]))
        (folder / "p.jsonl.gz").write_bytes(packed[: len(packed) // 2])
        append(folder / "z.jsonl", lines[200:])
        service.until(lambda: service.metric("driftline_source_unreadable") == 3)
        service.until(lambda: service.metric("driftline_gaps_total") == 1)
        service.until(lambda: service.accepted() >= 200)
        for name in ("m.jsonl", "ff.jsonl", "o.jsonl", "p.jsonl"):
            assert name in service.log
        accepted = service.accepted()
        service.kill9()
        service.start()
        append(folder / "z.jsonl", lines[:50])
        service.until(lambda: service.accepted() == accepted + 50)
        assert service.metric("driftline_gaps_total") == 1
        assert service.stop() == 0
