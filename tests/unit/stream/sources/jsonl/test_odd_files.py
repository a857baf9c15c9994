"""What is not a file of lines is named and passed over; compressed files and byte order marks are
read.
"""

from __future__ import annotations

import gzip
import os
import socket
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.sources.jsonl.reading import JsonlReading
from tests.unit.stream.sources.jsonl.following import Follower, list_at_each_poll


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    list_at_each_poll(monkeypatch)


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def make_file(path: bytes) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT))


def make_folder(path: bytes) -> None:
    Path(os.fsdecode(path)).mkdir()
    make_file(path + b"/a.jsonl")


def make_circle(path: Path) -> None:
    other = path.with_name("n.jsonl")
    path.symlink_to(other)
    other.symlink_to(path)


ODD: dict[str, Callable[[Path], object]] = {
    "name that is not UTF-8": lambda path: make_file(os.fsencode(path.parent) + b"/m\xff.jsonl"),
    "folder that is not UTF-8": lambda path: make_folder(os.fsencode(path.parent) + b"/m\xff"),
    "pipe": os.mkfifo,
    "socket": make_socket,
    "link to itself": lambda path: path.symlink_to(path),
    "links in a circle": make_circle,
    "link to nothing": lambda path: path.symlink_to("/nonexistent"),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to a folder": lambda path: path.symlink_to(path.parent),
    "compressed pipe": lambda path: os.mkfifo(path.with_name("m.jsonl.gz")),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_file_is_counted_as_unreadable_and_passed_over(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.jsonl").write_text("one\n")
    follower = Follower(tmp_path)
    follower.read()
    ODD[kind](tmp_path / "m.jsonl")
    (tmp_path / "z.jsonl").write_text("two\n")
    follower.read()
    follower.reading.discover()
    assert (follower.lines, follower.gaps) == (["one", "two"], [])
    assert follower.reading.unreadable() == (2 if "circle" in kind else 1)


@pytest.mark.parametrize("kind", ["pipe", "socket", "link to itself", "device"])
def test_a_single_path_that_is_no_file_blocks_nothing(tmp_path: Path, kind: str) -> None:
    ODD[kind](tmp_path / "m.jsonl")
    reading = JsonlReading(str(tmp_path / "m.jsonl"), follow=True)
    assert (reading.order.listed, reading.unreadable()) == ([], 1)


@pytest.mark.parametrize("name", ["b.jsonl", "m.jsonl"])
def test_a_file_that_may_not_be_read_is_read_once_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Before and after the last file that was read; root may read anything."""
    forbidden = {str(tmp_path / name)}
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: str(path) not in forbidden and may(path, mode)
    )
    (tmp_path / name).write_text("secret\n")
    (tmp_path / "c.jsonl").write_text("one\n")
    follower = Follower(tmp_path)
    assert follower.read() == ["one"]
    assert follower.reading.unreadable() == 1
    forbidden.clear()
    assert follower.read() == ["secret"]
    assert follower.reading.unreadable() == 0
    assert follower.gaps == []


def test_a_file_whose_permission_is_taken_away_is_a_gap_if_another_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jsonl").write_text("one\n")
    follower = Follower(tmp_path)
    follower.read()
    open_file = os.open

    def refuse(path: str | Path, flags: int) -> int:
        if str(path).endswith("a.jsonl"):
            raise PermissionError(13, "Permission denied")
        return open_file(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    assert (follower.read(), follower.gaps) == ([], [])
    (tmp_path / "b.jsonl").write_text("two\n")
    assert follower.read() == ["two"]
    assert follower.gaps == ["a.jsonl cannot be read: Permission denied"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_folder_replaced_by_a_file_is_a_gap(tmp_path: Path, restarted: bool) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x.jsonl").write_text("one\n")
    follower = Follower(tmp_path)
    follower.read()
    (tmp_path / "m" / "x.jsonl").unlink()
    (tmp_path / "m").rmdir()
    (tmp_path / "m").write_text("now a file")
    if restarted:
        follower.restart()
    (tmp_path / "z.jsonl").write_text("two\n")
    follower.read()
    assert (follower.lines, follower.gaps) == (["one", "two"], ["m/x.jsonl has vanished"])


LINES = [f'{{"n": {k}, "text": "{zlib.crc32(str(k).encode()):x}"}}' for k in range(3_000)]
BODY = "".join(f"{line}\n" for line in LINES).encode()
MEMBERS = b"".join(gzip.compress(BODY[at : at + 700]) for at in range(0, len(BODY), 700))


@pytest.mark.parametrize("packed", [gzip.compress(BODY), MEMBERS, gzip.compress(BODY) + b"\0" * 9])
@pytest.mark.parametrize("follow", [True, False])
def test_a_compressed_file_is_read_and_resumed_at_any_line(
    tmp_path: Path, packed: bytes, follow: bool
) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    (tmp_path / "b.jsonl").write_text("after\n")
    follower = Follower(tmp_path, follow)
    for _ in range(6):
        for result in follower.reading.poll(0.0, 300):
            follower._take(result)
        follower.restart()
    follower.read(max_records=1_000)
    assert (follower.lines, follower.gaps) == ([*LINES, "after"], [])


def test_a_compressed_file_is_read_while_it_grows(tmp_path: Path) -> None:
    packed = gzip.compress(BODY)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"")
    follower = Follower(tmp_path)
    for at in range(0, len(packed), 5_000):
        with path.open("ab") as file:
            file.write(packed[at : at + 5_000])
        follower.read(max_records=1_000)
    assert (follower.lines, follower.gaps) == (LINES, [])


def damaged(kind: str) -> bytes:
    packed = gzip.compress(BODY)
    middle = len(packed) // 2
    if kind == "cut off":
        return packed[:middle]
    if kind == "overwritten":
        return packed[:middle] + b"\xff" * 40 + packed[middle + 40 :]
    if kind == "wrong checksum":
        return packed[:-8] + bytes(4) + packed[-4:]
    return BODY


@pytest.mark.parametrize("kind", ["cut off", "overwritten", "wrong checksum", "not compressed"])
@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("last", [True, False])
def test_a_damaged_compressed_file_is_one_gap_and_reading_goes_on(
    tmp_path: Path, kind: str, follow: bool, last: bool
) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(damaged(kind))
    if not last:
        (tmp_path / "b.jsonl").write_text("after\n")
    follower = Follower(tmp_path, follow)
    follower.read(max_records=1_000)
    follower.restart()
    follower.read(max_records=1_000)
    kept = follower.lines if last else follower.lines[:-1]
    whole = [line for line in kept if line.endswith("}")]
    assert whole == LINES[: len(whole)]
    assert last or follower.lines[-1] == "after"
    assert bool(kept) == (kind != "not compressed")
    waits = kind == "cut off" and follow and last  # the rest may come
    assert [gap.partition(":")[0] for gap in follower.gaps] == ([] if waits else ["a.jsonl"])


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path, name: str) -> None:
    body = "\ufeffone\r\ntwo\r\n".encode()
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith("gz") else body)
    follower = Follower(tmp_path)
    assert follower.read() == ["one\r", "two\r"]
    follower.restart()
    assert follower.read() == []


def test_the_time_for_many_files_grows_with_their_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four times as many files take four times as long; sixteen times would be quadratic."""
    monkeypatch.undo()  # listings as seldom as in the service
    seconds = []
    for folder, files in ((tmp_path / "few", 2_000), (tmp_path / "many", 8_000)):
        folder.mkdir()
        for k in range(files):
            (folder / f"{k:06d}.jsonl").write_text("x\n")
        follower = Follower(folder)
        began = time.process_time()
        assert len(follower.read(max_records=5_000)) == files
        seconds.append(time.process_time() - began)
    assert seconds[1] < 8 * seconds[0], seconds
    assert seconds[1] < 4, seconds
