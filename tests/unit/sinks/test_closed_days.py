"""Days that are closed are compressed and removed, and no crash loses or repeats a line."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sinks import day_files
from sinks.closed_days import MARGIN_MS
from sinks.day_files import DAY_MS, compress, files_of, opened, remove_if_added
from sinks.jsonl import Jsonl, append
from stream.testing.quality_reports import quality_report
from stream.testing.reports import MINUTE_MS, report, signal
from stream.testing.schedule_reports import schedule_report

MIDNIGHT_MS = 1_750_032_000_000
"""2025-06-16 00:00 UTC."""
FIRST, NEXT = "reports-2025-06-15.jsonl", "reports-2025-06-16.jsonl"


def ending(end_ms: int, **changes: Any) -> Any:
    return report(start_ms=end_ms - MINUTE_MS, end_ms=end_ms, **changes)


def ids(folder: Path) -> list[str]:
    """The ids of all lines of reports, as often as they are there."""
    found = []
    for path in files_of(folder, ["reports"]):
        with opened(path) as (lines, _):
            found += [json.loads(line)["id"] for line in lines]
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_day_is_compressed_an_hour_after_its_end(tmp_path: Path) -> None:
    delivery = Jsonl(path=str(tmp_path)).open("job")
    last = ending(MIDNIGHT_MS - MINUTE_MS)
    delivery.deliver([last, signal()])
    delivery.deliver([ending(MIDNIGHT_MS + MARGIN_MS - 1)])
    assert names(tmp_path) == [FIRST, NEXT, "signals.jsonl"]
    delivery.deliver([ending(MIDNIGHT_MS + MARGIN_MS)])
    assert names(tmp_path) == [f"{FIRST}.gz", NEXT, "signals.jsonl"]
    assert ids(tmp_path)[0] == last.id
    assert (tmp_path / f"{FIRST}.gz").stat().st_mode & 0o777 == 0o600


def test_late_revisions_are_beside_the_compressed_file_and_added_a_day_later(
    tmp_path: Path,
) -> None:
    delivery = Jsonl(path=str(tmp_path)).open("job")
    first, later = ending(MIDNIGHT_MS - MINUTE_MS), ending(MIDNIGHT_MS + MARGIN_MS)
    delivery.deliver([first, later])
    late = [ending(MIDNIGHT_MS - MINUTE_MS, revision=k) for k in (1, 2)]
    delivery.deliver(late[:1])
    assert names(tmp_path) == [FIRST, f"{FIRST}.gz", NEXT]
    delivery.deliver(late[1:])
    expected = {item.id for item in [first, later, *late]}
    assert sorted(ids(tmp_path)) == sorted(expected)
    next_day = ending(MIDNIGHT_MS + DAY_MS + MARGIN_MS)
    delivery.deliver([next_day])
    delivery.deliver([next_day])  # one file a call
    assert names(tmp_path) == [f"{FIRST}.gz", f"{NEXT}.gz", "reports-2025-06-17.jsonl"]
    assert set(ids(tmp_path)) == expected | {next_day.id}
    members = gzip.decompress((tmp_path / f"{FIRST}.gz").read_bytes()).splitlines()
    assert [json.loads(line)["revision"] for line in members] == [0, 1, 2]


def test_quality_and_executions_are_closed_too_and_signals_are_not(tmp_path: Path) -> None:
    delivery = Jsonl(path=str(tmp_path)).open("job")
    items: list[Any] = [quality_report(0), schedule_report(0), signal(), report()]
    delivery.deliver(items)
    for _ in range(4):
        delivery.deliver([ending(MIDNIGHT_MS + DAY_MS)])
    assert names(tmp_path) == [
        "executions-2025-06-15.jsonl.gz",
        "quality-2025-06-15.jsonl.gz",
        f"{FIRST}.gz",
        "reports-2025-06-17.jsonl",
        "signals.jsonl",
    ]


def test_days_beyond_keep_are_removed_and_never_the_newest(tmp_path: Path) -> None:
    other = tmp_path / "reports-notes.jsonl"
    other.write_text('{"id": "mine"}\n')
    delivery = Jsonl(path=str(tmp_path), keep="2d").open("job")
    for day in range(6):
        delivery.deliver([ending(MIDNIGHT_MS + day * DAY_MS + 2 * MARGIN_MS)])
    # The newest line is of 2025-06-21 02:00: days that ended by 2025-06-19 02:00 are removed.
    assert names(tmp_path) == [
        "reports-2025-06-19.jsonl.gz",
        "reports-2025-06-20.jsonl.gz",
        "reports-2025-06-21.jsonl",
        "reports-notes.jsonl",
    ]
    delivery.deliver([ending(MIDNIGHT_MS + 400 * DAY_MS)])
    assert ids(tmp_path) == [ending(MIDNIGHT_MS + 400 * DAY_MS).id, "mine"]


def test_without_keep_and_compression_files_stay_as_they_are(tmp_path: Path) -> None:
    delivery = Jsonl(path=str(tmp_path), compress=False).open("job")
    delivery.deliver([ending(MIDNIGHT_MS + day * DAY_MS) for day in range(3)])
    delivery.deliver([ending(MIDNIGHT_MS + 400 * DAY_MS)])
    assert names(tmp_path) == [
        *(f"reports-2025-06-{day}.jsonl" for day in (16, 17, 18)),
        "reports-2026-07-21.jsonl",
    ]


def test_a_replay_of_earlier_events_closes_nothing_that_is_later(tmp_path: Path) -> None:
    Jsonl(path=str(tmp_path)).open("job").deliver([ending(MIDNIGHT_MS + 9 * DAY_MS)])
    delivery = Jsonl(path=str(tmp_path), keep="1d").open("job")
    for hours in range(1, 60):
        delivery.deliver([ending(MIDNIGHT_MS + hours * MARGIN_MS)])
    assert names(tmp_path) == [
        "reports-2025-06-17.jsonl.gz",
        "reports-2025-06-18.jsonl",
        "reports-2025-06-25.jsonl",
    ]


class Crash(BaseException):
    """The process ends here."""


STEPS: dict[str, tuple[Any, str]] = {
    "while it writes": (os, "fsync"),
    "before the rename": (Path, "replace"),
    "after the rename": (day_files, "_sync_folder"),
    "before the removal": (Path, "unlink"),
}
"""The moment of a crash, and the function that does not return."""


@pytest.mark.parametrize("before", [False, True], ids=["first", "added"])
@pytest.mark.parametrize("step", STEPS)
def test_a_crash_leaves_every_line_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, before: bool
) -> None:
    """The first compression of a day, or an addition to it, is interrupted; then a restart."""

    def crash(*_: Any, **__: Any) -> None:
        raise Crash

    path = tmp_path / FIRST
    expected = []
    if before:
        expected.append(ending(MIDNIGHT_MS - 2 * MINUTE_MS).id)
        append(path, json.dumps({"id": expected[0]}).encode() + b"\n")
        assert compress(path)
    late = ending(MIDNIGHT_MS - MINUTE_MS)
    Jsonl(path=str(tmp_path)).open("job").deliver([late])
    expected.append(late.id)
    with monkeypatch.context() as patch:
        patch.setattr(*STEPS[step], crash)
        with pytest.raises(Crash):
            compress(path)
    assert set(ids(tmp_path)) == set(expected)
    restarted = Jsonl(path=str(tmp_path)).open("job")
    more = ending(MIDNIGHT_MS - MINUTE_MS, revision=1)
    restarted.deliver([more])
    assert sorted(ids(tmp_path)) == sorted([*expected, more.id])
    for _ in range(3):
        restarted.deliver([ending(MIDNIGHT_MS + 2 * DAY_MS)])
    assert sorted(set(ids(tmp_path))) == sorted(
        {*expected, more.id, ending(MIDNIGHT_MS + 2 * DAY_MS).id}
    )
    assert ids(tmp_path).count(late.id) == 1
    assert not path.exists()


def test_late_lines_that_equal_nothing_in_the_archive_are_kept(tmp_path: Path) -> None:
    """The same number of bytes as the last member, and another content."""
    path = tmp_path / FIRST
    path.write_bytes(b'{"id": 1}\n')
    assert compress(path)
    path.write_bytes(b'{"id": 2}\n')
    assert not remove_if_added(path)
    assert path.exists()
    path.write_bytes(b'{"id": 1}\n')
    assert remove_if_added(path)
    assert not path.exists()
    assert not remove_if_added(path)
    assert not compress(path)


def test_a_damaged_archive_keeps_its_lines_and_hinders_no_delivery(tmp_path: Path) -> None:
    line = json.dumps({"id": "first"}).encode() + b"\n"
    (tmp_path / FIRST).write_bytes(line)
    archive = bytearray(gzip.compress(b'{"id": "other"}\n' * 50) + gzip.compress(line))
    archive[20:23] = b"\x00\x01\x02"
    (tmp_path / f"{FIRST}.gz").write_bytes(archive)
    Jsonl(path=str(tmp_path)).open("job").deliver([ending(MIDNIGHT_MS)])
    assert (tmp_path / FIRST).read_bytes() == line
    assert (tmp_path / f"{FIRST}.gz").read_bytes() == archive


def test_a_torn_line_is_terminated_before_more_is_added(tmp_path: Path) -> None:
    path = tmp_path / FIRST
    for line in (b'{"id": "a"}\n{"id": "b', b'{"id": "c"}\n'):
        path.write_bytes(line)
        assert compress(path)
    assert gzip.decompress((tmp_path / f"{FIRST}.gz").read_bytes()).splitlines() == [
        b'{"id": "a"}',
        b'{"id": "b',
        b'{"id": "c"}',
    ]


def test_what_another_service_appends_meanwhile_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opened the file before this one compressed and removed it."""
    path = tmp_path / FIRST
    path.write_bytes(b'{"id": "a"}\n')
    lock = fcntl.flock

    def locked_late(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        assert compress(path)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", locked_late)
    append(path, b'{"id": "b"}\n')
    assert sorted(ids(tmp_path)) == ["a", "b"]


def test_a_full_disk_leaves_the_day_as_it_is_and_delivery_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    delivery = Jsonl(path=str(tmp_path)).open("job")
    delivery.deliver([ending(MIDNIGHT_MS - MINUTE_MS)])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        delivery.deliver([ending(MIDNIGHT_MS + MARGIN_MS)])
    assert "day_not_compressed" in capsys.readouterr().out
    assert names(tmp_path) == [FIRST, NEXT]
    delivery.deliver([ending(MIDNIGHT_MS + DAY_MS + MARGIN_MS)])
    assert f"{FIRST}.gz" in names(tmp_path)


def test_only_regular_files_are_touched(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FIRST)
    target = tmp_path / "elsewhere"
    target.write_bytes(b"{}\n")
    (tmp_path / "reports-2025-06-14.jsonl").symlink_to(target)
    Jsonl(path=str(tmp_path), keep="1d").open("job").deliver([ending(MIDNIGHT_MS + 9 * DAY_MS)])
    assert names(tmp_path) == [
        "elsewhere",
        "reports-2025-06-14.jsonl",
        FIRST,
        "reports-2025-06-25.jsonl",
    ]


def test_a_compressed_day_names_its_job(tmp_path: Path) -> None:
    delivery: Callable[..., Any] = Jsonl(path=str(tmp_path)).open("sample").deliver
    delivery([report(), ending(MIDNIGHT_MS + DAY_MS, job="other")])
    assert f"{FIRST}.gz" in names(tmp_path)
    assert Jsonl(path=str(tmp_path)).has_reports_of("sample")
    (tmp_path / f"{FIRST}.gz").write_bytes(b"\x1f\x8bdamaged")
    assert Jsonl(path=str(tmp_path)).has_reports_of("unknown"), "it cannot be read"


@pytest.mark.parametrize(("keep", "faults"), [("30d", 0), ("24h", 0), ("1h", 1)])
def test_keep_is_at_least_a_day(tmp_path: Path, keep: str, faults: int) -> None:
    assert len(Jsonl(path=str(tmp_path), keep=keep).check()) == faults
