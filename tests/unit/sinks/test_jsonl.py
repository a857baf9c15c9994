"""The files hold complete lines, also after a crash or a full disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from detectors.quality_report import QualityReport
from detectors.report import Signal, WindowReport
from sinks.errors import SinkRetry
from sinks.jsonl import Jsonl
from stream.testing.quality_reports import quality_report, quality_signal
from stream.testing.reports import MINUTE_MS, report, signal, silence

DAY_MS = 86_400_000
MIDNIGHT_MS = 1_750_032_000_000
"""2025-06-16 00:00 UTC."""


def reports(folder: Path, day: str) -> list[WindowReport]:
    return [
        msgspec.json.decode(line, type=WindowReport)
        for line in (folder / f"reports-{day}.jsonl").read_bytes().splitlines()
    ]


def test_a_line_restores_the_report_or_signal_with_its_counts(tmp_path: Path) -> None:
    Jsonl(path=str(tmp_path)).open("job").deliver([report(), signal(), report(1)])
    assert reports(tmp_path, "2025-06-15") == [report(), report(1)]
    assert msgspec.json.decode((tmp_path / "signals.jsonl").read_bytes(), type=Signal) == signal()


def test_a_file_is_named_after_the_day_of_the_windows_end(tmp_path: Path) -> None:
    ends = [MIDNIGHT_MS - 1, MIDNIGHT_MS, MIDNIGHT_MS + DAY_MS]
    Jsonl(path=str(tmp_path), compress=False).open("job").deliver(
        [report(start_ms=end - MINUTE_MS, end_ms=end) for end in ends]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"reports-2025-06-{day}.jsonl" for day in (15, 16, 17)
    ]


def test_a_silence_without_an_end_is_filed_under_its_first_day(tmp_path: Path) -> None:
    Jsonl(path=str(tmp_path)).open("job").deliver([silence(start_ms=MIDNIGHT_MS)])
    assert reports(tmp_path, "2025-06-16")[0].end_ms is None


@pytest.mark.parametrize("cut", [1, 2, 50])
def test_a_torn_line_is_terminated_and_the_next_lines_are_complete(
    tmp_path: Path, cut: int
) -> None:
    sink = Jsonl(path=str(tmp_path)).open("job")
    sink.deliver([report(0)])
    path = tmp_path / "reports-2025-06-15.jsonl"
    path.write_bytes(path.read_bytes() * 2)
    path.write_bytes(path.read_bytes()[:-cut])
    sink.deliver([report(1)])
    first, torn, last = path.read_bytes().splitlines()
    assert json.loads(first)["id"] == report(0).id
    assert json.loads(last)["id"] == report(1).id
    assert torn == first[: len(first) + 1 - cut]


def test_a_file_can_be_moved_away_between_deliveries(tmp_path: Path) -> None:
    sink = Jsonl(path=str(tmp_path)).open("job")
    sink.deliver([signal(0)])
    (tmp_path / "signals.jsonl").rename(tmp_path / "rotated")
    sink.deliver([signal(1)])
    assert [
        json.loads((tmp_path / name).read_bytes())["dedupe_id"]
        for name in ("rotated", "signals.jsonl")
    ] == ["d0-opened", "d1-opened"]


def test_a_disk_that_refuses_a_write_is_retried_and_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file where the folder should be")
    sink = Jsonl(path=str(tmp_path / "folder")).open("job")
    with pytest.raises(SinkRetry, match="folder"):
        sink.deliver([report()])
    (tmp_path / "folder").unlink()
    sink.deliver([report()])
    assert reports(tmp_path / "folder", "2025-06-15") == [report()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_retried(tmp_path: Path) -> None:
    (tmp_path / "signals.jsonl").symlink_to("/dev/full")
    with pytest.raises(SinkRetry, match="No space left"):
        Jsonl(path=str(tmp_path)).open("job").deliver([signal()])


def test_check_reports_a_file_where_a_folder_is_expected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert Jsonl(path=str(tmp_path)).check() == []
    assert Jsonl(path=str(tmp_path / "not yet")).check() == []
    assert len(Jsonl(path=str(tmp_path / "file")).check()) == 1
    assert len(Jsonl(path="").check()) == 1


def test_lines_written_to_one_file_are_not_repeated_while_another_fails(tmp_path: Path) -> None:
    (tmp_path / "signals.jsonl").mkdir()
    with pytest.raises(SinkRetry) as raised:
        Jsonl(path=str(tmp_path)).open("job").deliver([report(0), report(1), signal(), report(2)])
    assert raised.value.delivered == 2
    assert reports(tmp_path, "2025-06-15") == [report(0), report(1)]


@pytest.mark.parametrize(("path", "resolved"), [("a", "/jobs/a"), ("/b", "/b"), ("", "")])
def test_a_relative_path_is_resolved_below_a_folder(path: str, resolved: str) -> None:
    assert Jsonl(path=path).in_folder(Path("/jobs")) == Jsonl(path=resolved)


def test_a_job_is_found_by_its_own_lines_in_regular_files_only(tmp_path: Path) -> None:
    sink = Jsonl(path=str(tmp_path))
    assert not Jsonl(path=str(tmp_path / "nowhere")).has_reports_of("flights")
    other = msgspec.structs.replace(report(), job="other", model="flights")
    (tmp_path / "reports-2026-01-01.jsonl").write_bytes(
        msgspec.json.encode(other) + b'\n{"job":"flights"'
    )
    os.mkfifo(tmp_path / "reports-2026-01-02.jsonl")
    (tmp_path / "reports-2026-01-03.jsonl").symlink_to("/dev/zero")
    assert sink.has_reports_of("other")
    assert not sink.has_reports_of("flights")
    told = msgspec.structs.replace(signal(), job="flights")
    (tmp_path / "signals.jsonl").write_bytes(msgspec.json.encode(told) + b"\n")
    assert sink.has_reports_of("flights")


def test_quality_is_filed_by_the_day_of_the_predictions_and_not_of_the_labels(
    tmp_path: Path,
) -> None:
    late = quality_report(end_ms=1_750_000_080_000, labels_until_ms=1_752_000_000_000)
    Jsonl(path=str(tmp_path)).open("sample").deliver([late, report(), quality_signal()])
    line = (tmp_path / "quality-2025-06-15.jsonl").read_bytes()
    assert msgspec.json.decode(line, type=QualityReport) == late
    names = {"quality-2025-06-15.jsonl", "reports-2025-06-15.jsonl", "signals.jsonl"}
    assert {file.name for file in tmp_path.iterdir()} == names
