"""A full disk: the service stops before its state is damaged, sinks wait, and nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers.base import DependencyMissing
from tests.servers.service import RunningService
from tests.servers.small_disk import SmallDisk
from tests.support.jobs import PER_WINDOW, append, config, letters, lines_of, rows

WINDOWS = 12
FREE_BYTES = 400_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk | None]:
    """A disk of two megabytes at ``small``, or ``None`` where mounting is not permitted."""
    try:
        with SmallDisk(tmp_path / "small", tmp_path / "small.log") as small:
            yield small
    except DependencyMissing:
        yield None


def is_intact(state: Path, folder: Path) -> bool:
    """Whether a copy of a state and its journal passes SQLite's integrity check."""
    for suffix in ("", "-wal"):
        if state.with_name(state.name + suffix).exists():
            shutil.copy(state.with_name(state.name + suffix), folder / f"copy{suffix}")
    db = sqlite3.connect(folder / "copy")
    try:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        db.close()


def assert_stops_and_resumes(
    service: RunningService, state: Path, make_room: Callable[[], None]
) -> None:
    """Assert exit code 7, an intact state, and exact counts after ``make_room`` and a restart."""
    append(service.folder, lines_of(WINDOWS))
    with service:
        assert service.wait() == 7, service.log[-2_000:]
        last = service.log.splitlines()[-1]
        assert last.startswith("driftline: state ")
        assert "cannot be written" in last
        assert is_intact(state, service.folder)
        make_room()
        service.start()
        service.until(lambda: service.accepted() == WINDOWS * PER_WINDOW)
        service.until(lambda: len(rows(service)) >= WINDOWS - 1)
        assert service.metric("driftline_ledger_imbalance") == 0
        assert service.stop() == 0
    counted = rows(service)
    assert [counted[k] for k in range(1, WINDOWS)] == [PER_WINDOW] * (WINDOWS - 1)


@pytest.mark.parametrize("readers", [1, 2])
def test_a_full_disk_stops_the_service_before_the_state_is_damaged(
    baseline: Path, tmp_path: Path, disk: SmallDisk | None, readers: int
) -> None:
    if disk is None:
        pytest.skip("mounting is not permitted here; the limit on file sizes is tested instead")
    settings = config(baseline, readers=readers, state={"path": "small/state.sqlite"})
    (disk.inside / "ballast").write_bytes(bytes((2 << 20) - FREE_BYTES))
    service = RunningService(tmp_path, settings, before=disk.before)
    assert_stops_and_resumes(service, disk.inside / "state.sqlite", disk.grow)


def test_a_file_size_limit_stops_the_service_before_the_state_is_damaged(
    baseline: Path, tmp_path: Path
) -> None:
    service = RunningService(
        tmp_path, config(baseline), before=["prlimit", f"--fsize={FREE_BYTES}"]
    )

    def lift_limit() -> None:
        service.before = []

    assert_stops_and_resumes(service, tmp_path / "driftline-files.sqlite", lift_limit)


def test_reports_and_dead_letters_wait_until_the_disk_has_space(
    baseline: Path, tmp_path: Path
) -> None:
    """The files are links to /dev/full at first: each write fails as on a full disk."""
    lines = [*lines_of(3), *[b"no record"] * 7]
    append(tmp_path, lines)
    (tmp_path / "reports").mkdir()
    full = [
        tmp_path / "dead-letters-files.jsonl",
        tmp_path / "reports" / "reports-2025-06-15.jsonl",
    ]
    for path in full:
        path.symlink_to("/dev/full")
    with RunningService(tmp_path, config(baseline)) as service:
        retried = "driftline_sink_attempts_retried_total"
        service.until(lambda: service.metric(retried, sink="jsonl") >= 2)
        service.until(lambda: service.metric(retried, sink="dead_letters") >= 2)
        assert service.accepted() == 3 * PER_WINDOW
        for path in full:
            path.unlink()
        service.until(
            lambda: service.metric("driftline_sink_items_waiting") == 0 and len(rows(service)) >= 2
        )
        assert service.stop() == 0
    assert [letter["length"] for letter in letters(tmp_path)] == [len(b"no record")] * 7
    assert [rows(service)[k] for k in (1, 2)] == [PER_WINDOW] * 2


def test_a_line_written_in_part_to_a_full_disk_is_completed_once(
    baseline: Path, tmp_path: Path, disk: SmallDisk | None
) -> None:
    if disk is None:
        pytest.skip("mounting is not permitted here; files that accept no byte are tested instead")
    append(tmp_path, lines_of(WINDOWS))
    (disk.inside / "ballast").write_bytes(bytes((2 << 20) - 50_000))
    settings = config(baseline, sinks=[{"type": "jsonl", "path": "small/reports"}])
    with RunningService(tmp_path, settings, before=disk.before) as service:
        service.until(
            lambda: service.metric("driftline_sink_attempts_retried_total", sink="jsonl") >= 2
        )
        disk.grow()
        service.until(
            lambda: (
                service.metric("driftline_sink_items_delivered_total", sink="jsonl") >= WINDOWS - 1
            )
        )
        assert service.stop() == 0
        [file] = (disk.inside / "reports").glob("*.jsonl")
        written = file.read_bytes()
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / file.name).write_bytes(written)
    reports = service.reports()
    assert len(reports) == len(written.splitlines()) == len({report.id for report in reports})
    assert [rows(service)[k] for k in range(1, WINDOWS)] == [PER_WINDOW] * (WINDOWS - 1)
