"""Files that end without a newline, grow, shrink, disappear, are replaced, or appear late."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detectors.faults import Fault
from stream.errors import SourceUnavailable
from stream.events import Assign, Gap, Position, RawBatch
from stream.sources.base import Reading
from stream.sources.jsonl.file_order import LIST_S
from stream.sources.jsonl.position import name_of
from stream.sources.jsonl.source import Jsonl
from stream.sources.lines import CHUNK_BYTES
from tests.unit.stream.sources.jsonl.following import list_at_each_poll


def begin(path: Path, follow: bool, position: Position | None = None) -> tuple[Reading, list[Gap]]:
    reading = Jsonl(path=str(path), follow=follow).open("unit")
    (discovered,) = reading.discover()
    start = discovered.start if position is None else position
    return reading, reading.assign(
        [Assign(claim=1, partition=discovered.partition, next=start, mark_ms=None)]
    )


def drain(
    reading: Reading, max_records: int = 100
) -> tuple[list[bytes | None], list[Gap], Position | None]:
    """Poll until the end of the log or a gap; return records, gaps and the last position."""
    values: list[bytes | None] = []
    at: Position | None = None
    for _ in range(200):
        for result in reading.poll(0.0, max_records):
            if isinstance(result, Gap):
                return values, [result], at
            assert isinstance(result, RawBatch)
            assert at is None or result.first == at
            values = [*values, *result.values]
            at = result.next
            if result.at_end:
                return values, [], at
    raise AssertionError("the source never reached its end")


def drained(reading: Reading) -> tuple[list[bytes | None], list[Gap], str]:
    """The same, with the place of the last position."""
    values, gaps, at = drain(reading)
    assert at is not None
    return values, gaps, name_of(at)


def test_a_bounded_read_includes_a_last_line_without_newline_and_finishes(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"first\n\n  \nsecond")
    reading, _ = begin(path, follow=False)
    assert not reading.finished
    assert drained(reading) == ([b"first", b"second"], [], "a.jsonl:16")
    assert reading.finished


def test_a_followed_file_yields_only_complete_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\ntw")
    reading, _ = begin(path, follow=True)
    assert drained(reading) == ([b"one"], [], "a.jsonl:4")
    with path.open("ab") as file:
        file.write(b"o\nthree")
    assert drained(reading) == ([b"two"], [], "a.jsonl:8")
    assert not reading.finished


def test_files_of_several_endpoints_are_ordered_by_the_date_in_their_path(tmp_path: Path) -> None:
    """The layout of captures: endpoint/variant/yyyy/mm/dd/hh/mm-ss-mmm-uuid.jsonl."""
    for name in (
        "b/v/2025/06/15/09/05-1",
        "a/v/2025/06/15/09/07-2",
        "b/v/2025/06/15/10/01-3",
        "a/v/2025/06/15/11/00-4",
    ):
        path = tmp_path / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name[-1:].encode() + b"\n")
    reading, _ = begin(tmp_path, follow=False)
    assert drain(reading)[0] == [b"1", b"2", b"3", b"4"]
    resumed, _ = begin(tmp_path, follow=False, position=("b/v/2025/06/15/10/01-3.jsonl", 0))
    assert drain(resumed)[0] == [b"3", b"4"]


def test_a_folder_is_read_in_name_order_with_an_unended_line_before_the_next_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.jsonl").write_bytes(b"second\nunended")
    (tmp_path / "c.jsonl").write_bytes(b"third\n")
    (tmp_path / "a.jsonl").write_bytes(b"first\n")
    (tmp_path / "ignored.txt").write_bytes(b"no\n")
    reading, _ = begin(tmp_path, follow=True)
    assert drained(reading) == ([b"first", b"second", b"unended", b"third"], [], "c.jsonl:6")


def test_origin_is_the_file_and_positions_are_the_starts_of_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"x\n\nyy\nz\n")
    reading, _ = begin(tmp_path, follow=False)
    (batch,) = reading.poll(0.0, 100)
    assert isinstance(batch, RawBatch)
    assert batch.positions == [("a.jsonl", 0), ("a.jsonl", 3), ("a.jsonl", 6)]
    assert batch.origin == str(tmp_path / "a.jsonl")
    assert batch.arrival_ms.tolist() == [os.stat(batch.origin).st_mtime_ns // 1_000_000] * 3


def test_a_line_longer_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    long = b"x" * (2 * CHUNK_BYTES + 5)
    (tmp_path / "a.jsonl").write_bytes(b"short\n" + long + b"\nafter\n")
    reading, _ = begin(tmp_path, follow=True)
    assert drain(reading)[0] == [b"short", long, b"after"]


def test_more_blank_lines_than_a_batch_holds_are_not_the_end_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n" * 50 + b"x\n")
    reading, _ = begin(tmp_path, follow=True)
    assert drain(reading, max_records=10)[0] == [b"x"]


def test_a_file_created_in_an_empty_folder_is_read(tmp_path: Path) -> None:
    reading, gaps = begin(tmp_path, follow=True)
    assert gaps == []
    assert drained(reading) == ([], [], ":0")
    (tmp_path / "a.jsonl").write_bytes(b"one\n")
    (batch,) = reading.poll(3 * LIST_S, 10)
    assert isinstance(batch, RawBatch)
    assert batch.values == [b"one"]


@pytest.mark.parametrize("running", [True, False], ids=["running", "restarted"])
def test_a_truncated_file_is_a_gap_and_reading_resumes_at_its_start(
    tmp_path: Path, running: bool
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\ntwo\nthree\n")
    reading, _ = begin(path, follow=True)
    _, _, at = drain(reading)
    path.write_bytes(b"new\n")
    if running:
        _, (gap,), _ = drain(reading)
    else:
        reading, (gap,) = begin(path, follow=True, position=at)
    assert (gap.expected, name_of(gap.resume), gap.lost) == (at, "a.jsonl:0", None)
    assert reading.poll(0.0, 10) == []
    assert (
        reading.assign([Assign(claim=2, partition=gap.partition, next=gap.resume, mark_ms=None)])
        == []
    )
    assert drain(reading)[0] == [b"new"]


@pytest.mark.parametrize("running", [True, False], ids=["running", "restarted"])
def test_a_deleted_file_is_a_gap_and_reading_resumes_at_the_next_file(
    tmp_path: Path, running: bool
) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"one\ntwo\n")
    reading, _ = begin(tmp_path, follow=True)
    drain(reading)
    (tmp_path / "a.jsonl").unlink()
    (tmp_path / "b.jsonl").write_bytes(b"three\n")
    if running:
        _, (gap,), _ = drain(reading)
    else:
        reading, (gap,) = begin(tmp_path, follow=True, position=("a.jsonl", 4))
    assert name_of(gap.resume) == "b.jsonl:0"
    assert (
        reading.assign([Assign(claim=2, partition=gap.partition, next=gap.resume, mark_ms=None)])
        == []
    )
    assert drain(reading)[0] == [b"three"]


def test_a_file_replaced_by_a_longer_one_is_a_gap_while_running(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"one\n")
    reading, _ = begin(path, follow=True)
    drain(reading)
    (tmp_path / "fresh").write_bytes(b"another\nfile\n")
    (tmp_path / "fresh").replace(path)
    _, (gap,), _ = drain(reading)
    assert (name_of(gap.expected), name_of(gap.resume)) == ("a.jsonl:4", "a.jsonl:0")
    assert "replaced" in gap.reason


def test_a_missing_path_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(
        SourceUnavailable,
        match=r"nowhere: No such file or directory\. Make the folder .*correct source\.path",
    ):
        Jsonl(path=str(tmp_path / "nowhere")).open("unit")


def test_an_empty_path_is_a_configuration_fault() -> None:
    assert Jsonl(path="").check() == [Fault("path", "the path of a file or folder is required")]
    assert Jsonl(path=["a", ""]).check() == Jsonl(path="").check()


def test_a_path_given_twice_is_a_configuration_fault() -> None:
    assert Jsonl(path=["a", "b", "a"]).check() == [Fault("path", "'a' is given more than once")]


def test_files_created_in_an_empty_folder_are_not_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_at_each_poll(monkeypatch)
    reading, gaps = begin(tmp_path, follow=True)
    assert drain(reading)[1] == gaps == []
    for name in ("1.jsonl", "2.jsonl"):
        (tmp_path / name).write_bytes(b"one\n")
        listings = [drain(reading) for _ in range(3)]
        assert [line for values, _, _ in listings for line in values] == [b"one"]
        assert [gap for _, new_gaps, _ in listings for gap in new_gaps] == []


def test_files_that_are_copied_into_an_empty_folder_in_any_order_are_read_in_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_at_each_poll(monkeypatch)
    reading, _ = begin(tmp_path, follow=True)
    drain(reading)
    read: list[bytes | None] = []
    for name in ("c", "a", "b"):
        (tmp_path / f"{name}.jsonl").write_bytes(name.encode() + b"\n")
        read += drain(reading)[0]
    assert read == []
    for _ in range(3):
        read += drain(reading)[0]
    assert read == [b"a", b"b", b"c"]


def test_a_position_that_moves_without_a_line_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_at_each_poll(monkeypatch)
    (tmp_path / "a.jsonl").write_bytes(b"a\n")
    reading, _ = begin(tmp_path, follow=True)
    _, _, at = drain(reading)
    (tmp_path / "b.jsonl").touch()
    [batch] = reading.poll(0.2, 100)
    assert isinstance(batch, RawBatch)
    assert batch.first == at
    assert name_of(batch.next) == "b.jsonl:0"


def test_relative_paths_are_resolved_below_a_folder_and_keep_their_form() -> None:
    folder = Path("/jobs")
    assert Jsonl(path="a", follow=True).in_folder(folder) == Jsonl(path="/jobs/a", follow=True)
    several = Jsonl(path=["a", "/b", ""])
    assert several.in_folder(folder).path == ["/jobs/a", "/b", ""]
    assert Jsonl(path=["a"]).in_folder(folder).path == ["/jobs/a"]
    assert Jsonl(path="").in_folder(folder).path == ""
